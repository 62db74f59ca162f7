"""The laws that every chain has to keep, tried on its golden pairs and on events made up from its models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky, Unsatisfiable

from upcasters.chain import Chain
from upcasters.compile.hops import needs_context
from upcasters.context import Context
from upcasters.detection import Detection
from upcasters.document import read, same, write
from upcasters.errors import EventError, InvalidEvent
from upcasters.event import Event
from upcasters.event_flow import EventFlow
from upcasters.operations.base import Operation, Reversibility
from upcasters.outcome import DeadLettered, Outcome, Passed, Skipped, Upcast
from upcasters.policy import Policy
from upcasters.reference import Reference
from upcasters.step import Hop
from upcasters.testing import golden as golden_pairs
from upcasters.testing.draws import drawn, of_no_module
from upcasters.testing.events import SOURCE, Inputs
from upcasters.testing.golden import Golden
from upcasters.testing.law import Law, LawBroken, broken, not_tried, told, told_event, told_outcome
from upcasters.testing.routes import ChainRoute, pinned, routes, rules_of, targets_of
from upcasters.testing.schema_laws import goes_by_bytes, schema_laws
from upcasters.validation import Validator

# A fixed number of events for the laws of a chain, however many versions and hops it has, so that they end.
_MOST_FOR_A_ROUTE = 200
_MORE = 4  # times as many where none of them got through
_FOR_ALL_HOPS = 1_000
_LEAST_FOR_A_HOP = 15
_PASSED_AS_IT_IS = "tombstone"
_NOT_TOLD = ("DecodeError", "DetectionError", "WrongDetectionField")


def laws_of(chain: Chain, folder: Path | None, examples: int) -> Iterator[Law]:
    """The laws of ``upcasters.testing.laws``."""
    try:
        pairs = golden_pairs.goldens(chain, folder) if folder is not None else []
    except LawBroken as error:
        yield Law("golden", folder.name if folder else "", _raiser(error))
        pairs = []
    for pair in pairs:
        yield Law("golden", pair.subject, _golden(chain, pair))
    trial = _Trial(chain, Inputs(chain, pairs), examples)
    for route in routes(chain):
        laws = [trial.tombstones]
        versions = chain.types[route.event_type]
        if not goes_by_bytes(chain, ((route.event_type, version) for version in versions)):
            laws += [trial.deterministic, trial.no_shared_state, trial.fused]
            if route.upcaster.reads_versions:
                laws.append(trial.stamped)
        for law in laws:
            yield Law(law.__name__.replace("_", "-"), route.subject, _bound(law, route))
    for hop in chain.hops.values():
        yield from trial.of_hop(hop)


def _raiser(error: LawBroken) -> Callable[[], int]:
    def check() -> int:
        raise error

    return check


def _golden(chain: Chain, pair: Golden) -> Callable[[], int]:
    def check() -> int:
        golden_pairs.check(chain, pair)
        return 1

    return check


def _bound(law: Callable[[Any], int], subject: Any) -> Callable[[], int]:
    return lambda: law(subject)


def _through(outcome: Outcome) -> bool:
    return not isinstance(outcome, DeadLettered)


@dataclass
class _Tried:
    """How often a law could be tried, and the last reason why not."""

    reason: str = "no event could be made up that fits the model"
    times: int = 0

    def demand(self, law: str, subject: str) -> int:
        """How often it was tried. Raises LawNotTried where it never was."""
        if not self.times:
            raise not_tried(law, subject, self.reason)
        return self.times


@dataclass
class _Trial:
    """Tries laws of one chain."""

    chain: Chain
    inputs: Inputs
    examples: int
    _own: Detection | None = field(init=False)
    _events_of: dict[str, list[Event]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._own = rules_of(self.chain)

    # Laws of a route: what goes in may be anything.

    def tombstones(self, route: ChainRoute) -> int:
        """A null value passes as null and nothing else becomes one, but where a step says so."""
        on_purpose = any(step.may_tombstone for step in self.chain.steps)

        def check(event: Event) -> bool:
            deleted = Event(None, event.key, event.headers, event.timestamp, event.offset)
            outcome = route.upcaster.upcast(deleted, SOURCE)
            if not (isinstance(outcome, Passed) and outcome.reason == _PASSED_AS_IT_IS):
                raise _refuted("tombstones", route.subject, "a tombstone does not pass as it is", deleted, outcome)
            outcome = route.upcaster.upcast(event, SOURCE)
            made = outcome.output(event) if isinstance(outcome, Upcast) else ()
            if not on_purpose and any(record.value is None for record in made):
                raise _refuted("tombstones", route.subject, "a value became a tombstone", event, outcome)
            return True

        return self._for_events("tombstones", route, check)

    def deterministic(self, route: ChainRoute) -> int:
        """The same event has the same outcome each time."""

        def check(event: Event) -> bool:
            first, second = (route.upcaster.upcast(event, SOURCE) for _ in range(2))
            if first != second:
                raise _differ("deterministic", route.subject, "the same event has two outcomes", event, first, second)
            return _through(first)

        return self._for_events("deterministic", route, check)

    def no_shared_state(self, route: ChainRoute) -> int:
        """What one event holds does not change what becomes of another."""

        def check(pair: tuple[Event, Event]) -> bool:
            one, other = pair
            first = route.upcaster.upcast(one, SOURCE)
            told_before = told_outcome(first, one)
            route.upcaster.upcast(other, SOURCE)
            again = route.upcaster.upcast(one, SOURCE)
            if first != again or told_before != told_outcome(first, one):
                message = f"another event changed its outcome; the other is {told_event(other)}"
                raise _differ("no-shared-state", route.subject, message, one, first, again)
            return _through(first)

        ones, events = self._drawn(route), self._events(route)
        pairs = list(zip(ones, reversed(ones), strict=True))
        return self._try("no-shared-state", route, pairs, st.tuples(events, events), check)

    def fused(self, route: ChainRoute) -> int:
        """The compiled path and the path hop by hop come to the same outcome, for events whose version can be told."""

        def check(event: Event) -> bool:
            fused = route.upcaster.upcast(event, SOURCE)
            plain = route.upcaster.reference.upcast(event, SOURCE)
            if fused != plain:
                message = "the compiled path and the way hop by hop differ"
                raise _differ("fused", route.subject, message, event, fused, plain, ("compiled", "hop by hop"))
            return not (isinstance(plain, DeadLettered) and plain.fault.error_type in _NOT_TOLD)

        return self._for_events("fused", route, check)

    def stamped(self, route: ChainRoute) -> int:
        """What comes out of an event that names its version is taken for what it is now."""

        def check(event: Event) -> bool:
            outcome = route.upcaster.upcast(event, SOURCE)
            if isinstance(outcome, (DeadLettered, Skipped)) or not route.upcaster.names_version(event, SOURCE):
                return False
            if isinstance(outcome, Passed):
                return True
            passage = outcome.passage
            if (passage.event_type, passage.to_version) not in self.chain.versions:
                return True  # it became events of other types, which the rules need not tell
            for record in outcome.output(event):
                made = Event(record.value, record.key, record.headers, event.timestamp, event.offset)
                again = route.upcaster.upcast(made, SOURCE)
                if not isinstance(again, Passed):
                    message = "what comes out is not taken for what it is now"
                    raise _differ("stamped", route.subject, message, event, outcome, again, ("once", "again"))
            return True

        return self._for_events("stamped", route, check)

    def _for_events(self, law: str, route: ChainRoute, check: Callable[[Event], bool]) -> int:
        """Try a check, which tells whether the event got far enough to say something, on events of all versions."""
        return self._try(law, route, self._drawn(route), self._events(route), check)

    def _try(
        self,
        law: str,
        route: ChainRoute,
        ones: Sequence[Any],
        inputs: st.SearchStrategy[Any],
        check: Callable[[Any], bool],
    ) -> int:
        """Try a check on what is drawn; where it fails or none gets through, on more of the same kind.

        To draw an event takes some forty times as long as to upcast it: the laws of a route share theirs.
        """
        tried = _Tried("the type or version of no event could be told, or none got through")

        def counted(one: Any) -> None:
            tried.times += check(one)

        try:
            for one in ones:
                counted(one)
        except LawBroken:
            self._run(inputs, counted, len(ones))
            raise
        if not tried.times:
            self._run(inputs, counted, _MORE * len(ones))
        return tried.demand(law, route.subject)

    def _drawn(self, route: ChainRoute) -> list[Event]:
        """The events on which all laws of a route are tried."""
        if route.subject not in self._events_of:
            many = min(self.examples * self._versions(route), _MOST_FOR_A_ROUTE)
            self._events_of[route.subject] = drawn(self._events(route), many)
        return self._events_of[route.subject]

    def _events(self, route: ChainRoute) -> st.SearchStrategy[Event]:
        """Events of all versions. Made when the first is drawn, since models take their time."""
        rules = route.upcaster.policy.detection
        return st.sampled_from(self.chain.types[route.event_type]).flatmap(
            lambda version: self.inputs.any(route.event_type, version, rules)
        )

    def _versions(self, route: ChainRoute) -> int:
        return len(self.chain.types[route.event_type])

    # Laws of a hop: what goes in fits the model of its version.

    def of_hop(self, hop: Hop) -> Iterator[Law]:
        """The laws of one hop, as far as it is subject to them."""
        subject = f"{hop.source[0]} {hop.source[1]} to {hop.target[1]}"
        if goes_by_bytes(self.chain, (hop.source, *hop.ends)):
            yield from schema_laws(self.chain, hop, subject, self._run, min(self.examples, self._share))
            return
        if any(self._validator(end) for end in hop.ends):
            yield Law("valid-output", subject, lambda: self.valid_output(hop, subject))
        if hop.inverse().kind is not Reversibility.LOSSY:
            yield Law("round-trip", subject, lambda: self.round_trip(hop, subject))

    def _validator(self, node: tuple[str, str]) -> Validator | None:
        model = self.chain.versions[node].model
        return Validator(model) if model else None

    def valid_output(self, hop: Hop, subject: str) -> int:
        """An event that fits its own model fits the next version's model behind the hop."""
        detection, targets = pinned(self.chain, *hop.source), targets_of(self.chain, hop)
        policy = Policy(detection, targets, validate_source="never", include_values=True)
        reference = Reference(EventFlow(self.chain, policy))

        def outcome_of(event: Event) -> str:
            outcome = reference.upcast(event, SOURCE)
            if isinstance(outcome, DeadLettered) and outcome.fault.stage == "validate":
                message = f"step {hop.id} made an event that its model refuses"
                raise _refuted("valid-output", subject, message, event, outcome)
            through = isinstance(outcome, (Upcast, Skipped))
            return "" if through else told_outcome(outcome, event)

        return self._for_valid("valid-output", subject, hop, detection, outcome_of)

    def round_trip(self, hop: Hop, subject: str) -> int:
        """Down after up gives the document back; where only its meaning comes back, up once more gives the same.

        Either way it fits the older model.
        """
        older = self._validator(hop.source)

        def outcome_of(event: Event) -> str:
            up, event_type = _moved(hop, event)
            if isinstance(up, EventError):
                return str(up)
            down, _ = _moved(hop.reversed((event_type, hop.target[1])), up)
            claim = _not_exact(hop, event, down)
            if claim:
                raise _not_back(subject, hop, claim, event, up, down)
            if isinstance(down, EventError):
                return str(down)
            if hop.inverse().kind is not Reversibility.EXACT:
                again, _ = _moved(hop, down)
                if isinstance(again, EventError) or not _alike(again, up):
                    raise _not_back(subject, hop, "gives another event the second time up", event, up, down)
            if not _fits(older, down):
                raise _not_back(subject, hop, "goes back to an event that the older model refuses", event, up, down)
            return ""

        return self._for_valid("round-trip", subject, hop, pinned(self.chain, *hop.source), outcome_of)

    def _for_valid(self, law: str, subject: str, hop: Hop, rules: Detection, outcome_of: Callable[[Event], str]) -> int:
        validator, tried = self._validator(hop.source), _Tried()

        def check(event: Event) -> None:
            assume(_fits(validator, event))
            reason = outcome_of(event)
            if reason:
                tried.reason = f"{told_event(event)}: {reason}"
            else:
                tried.times += 1

        with suppress(Unsatisfiable):  # told by the next line, in words
            self._run(self.inputs.valid(*hop.source, rules), check, min(self.examples, self._share))
        return tried.demand(law, subject)

    @property
    def _share(self) -> int:
        return max(_LEAST_FOR_A_HOP, _FOR_ALL_HOPS // len(self.chain.hops))

    def _run(self, inputs: st.SearchStrategy[Any], check: Callable[[Any], None], examples: int) -> None:
        """Try ``check`` on made up inputs. Raises the LawBroken of the smallest one that it fails on."""
        last: list[LawBroken] = []

        @settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        )
        @given(inputs)
        def tried(drawn: Any) -> None:
            try:
                check(drawn)
            except LawBroken as error:
                last[:] = [error]
                raise

        try:
            with of_no_module():
                tried()
        except (LawBroken, Flaky) as error:
            raise (LawBroken(*last[0].args) if last else error) from None


def _fits(validator: Validator | None, event: Event) -> bool:
    try:
        if validator is not None:
            validator.check(event.value or b"")
    except InvalidEvent:
        return False
    return True


def _moved(hop: Hop, event: Event) -> tuple[Event | EventError, str]:
    """The event behind one hop, or why it cannot go there; and its type. No other step and no detection between."""
    context = Context.of(event, SOURCE, hop.source[0])
    try:
        root = read(event.value or b"")
        for operation in hop.operations:
            operation.apply(root, context)
        made = Event(write(root), context.key, context.headers, event.timestamp, event.offset)
    except EventError as error:
        return error, context.event_type
    return made, context.event_type


def _not_exact(hop: Hop, event: Event, down: Event | EventError) -> str:
    """What claims to be undone exactly and was not: the hop, or one of its operations by itself. Empty if nothing."""
    if hop.inverse().kind is Reversibility.EXACT:
        back = not isinstance(down, EventError) and _alike(down, event)
        return "" if back else "says that it can be undone exactly"
    wrong = _inexact_part(hop, event)
    return f"says of one part that it can be undone exactly: {wrong}" if wrong else ""


def _inexact_part(hop: Hop, event: Event) -> Operation | None:
    """The first operation of a hop that says of itself that it can be undone exactly, and cannot be for this event."""
    context, root = Context.of(event, SOURCE, hop.source[0]), read(event.value or b"")
    for operation in hop.operations:
        before = write(root)
        operation.apply(root, context)
        inverse = operation.inverse()
        if inverse.kind is not Reversibility.EXACT or needs_context(operation):
            continue
        back = read(write(root))
        try:
            for undone in inverse.operations:
                undone.apply(back, context)
        except EventError:
            return operation
        if not same(back, read(before)):
            return operation
    return None


def _alike(one: Event, other: Event) -> bool:
    documents = same(read(one.value or b""), read(other.value or b""))
    return documents and one.key == other.key and sorted(map(repr, one.headers)) == sorted(map(repr, other.headers))


def _refuted(law: str, subject: str, message: str, event: Event, outcome: Outcome) -> LawBroken:
    return broken(law, subject, message, ("event", told_event(event)), ("outcome", told_outcome(outcome, event)))


def _differ(
    law: str,
    subject: str,
    message: str,
    event: Event,
    first: Outcome,
    second: Outcome,
    names: tuple[str, str] = ("first", "second"),
) -> LawBroken:
    outcomes = ((names[0], told_outcome(first, event)), (names[1], told_outcome(second, event)))
    return broken(law, subject, message, ("event", told_event(event)), *outcomes)


def _not_back(subject: str, hop: Hop, message: str, event: Event, up: Event, down: Event | EventError) -> LawBroken:
    back = f"{type(down).__name__}: {down}" if isinstance(down, EventError) else told(down.value)
    facts = (("event", told_event(event)), ("up", told(up.value)), ("down", back))
    return broken("round-trip", subject, f"step {hop.id} {message}", *facts)
