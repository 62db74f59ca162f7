"""What the fast path and the plain reference share: the ways through the chain and what becomes of an event.

``bytes -> outcome`` in the order decode, detect, upcast, encode, validate. How the operations of a way are run is
the one thing that the two do differently; they hand it in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

from upcasters.checks import policy_problems
from upcasters.context import Child, Context
from upcasters.detect import DetectedDocument, Detector, Stamp
from upcasters.document import Object, read, refuse_lost_keys, write
from upcasters.duplicates import duplicate_keys, refuse_anywhere
from upcasters.errors import (
    ChainError,
    FutureVersion,
    InvalidEvent,
    Irreversible,
    TooLarge,
    TooManyHops,
    UnknownType,
    UnknownVersion,
)
from upcasters.event import Header, Partition, Record, SourceRecord
from upcasters.operations.events import MOST_BYTES
from upcasters.outcome import Outcome, Passage, Passed, Skipped, Upcast, Violation
from upcasters.policy import Policy
from upcasters.readers import readers_of
from upcasters.reading import Reading
from upcasters.step import Hop, VersionKey
from upcasters.validation import Validator
from upcasters.validation.known_names import known_names

if TYPE_CHECKING:
    from upcasters.version_graph import VersionGraph

Observed = Callable[[InvalidEvent, VersionKey], None]

# A chain has no circles, so only a split of a split of a split … could come near this.
MOST_HOPS = 100_000


@dataclass
class Way:
    """The hops from one version to its target, up to the first one after which the event decides."""

    start: VersionKey
    end: VersionKey
    hops: tuple[Hop, ...]
    passage: Passage
    forks: bool = False
    broken: str = ""
    to: str = ""
    """The version that was asked for, where it is not the route's."""
    passed: Passed = field(init=False)

    def __post_init__(self) -> None:
        self.passed = Passed(self.passage, "current")


class Runner(Protocol):
    """How the operations of a way are applied to an opened document."""

    def __call__(self, way: Way, root: Object, context: Context) -> Object: ...


class EventFlow:
    """The chain as one route sees it. ``observe`` is told of events that do not fit their model and go on."""

    def __init__(self, chain: VersionGraph, policy: Policy, observe: Callable[[Violation], None] | None = None) -> None:
        self.chain = chain
        self.policy = policy
        self.observe = observe
        self.detector = Detector(chain, policy.detection)
        self.stamps: tuple[Stamp, ...] = self.detector.stamps()
        self.reading = reading_of(chain, policy, self.detector)
        self.ways: dict[VersionKey, Way] = {}
        self._ways_to: dict[tuple[VersionKey, str], Way] = {}
        self.validators: dict[VersionKey, Validator | None] = {}
        self.tombstone = Passed(Passage(self.detector.fixed_type or "", "", ""), "tombstone")
        problems = policy_problems(chain, policy)
        if problems:
            raise ChainError(problems)

    @cached_property
    def known_names(self) -> frozenset[str]:
        """Names of fields that may be told of a fault."""
        return known_names(self.chain)

    def way(self, node: VersionKey) -> Way:
        """The way from a version that the chain has; found once."""
        way = self.ways.get(node)
        if way is None:
            way = self.ways[node] = self._find_way(node)
        return way

    def way_to(self, node: VersionKey, version: str) -> Way:
        """The way up to a version of the type, for a document inside another; none where it is there or newer."""
        key = (node, version)
        if key not in self._ways_to:
            end = (node[0], version)
            if node in self.chain.above(end):
                self._ways_to[key] = Way(node, node, (), Passage(*node, node[1]), to=version)
            else:
                way = self._find_way(node, {node[0]: version})
                way.to = version
                if not way.broken and (way.forks or way.end != end):
                    way.broken = f"a {node[0]} inside a document cannot be brought to {version} alone"
                self._ways_to[key] = way
        return self._ways_to[key]

    def _find_way(self, node: VersionKey, targets: Mapping[str, str] | None = None) -> Way:
        try:
            hops = self.chain.path(node, self.policy.target if targets is None else targets)
        except Irreversible as error:
            return Way(node, node, (), Passage(*node, node[1]), broken=str(error))
        end = hops[-1].target if hops else node
        passage = Passage(*node, end[1], len(hops))
        step = None if self.policy.allow_loss else self.chain.irreversible(hops)
        broken = f"step {step.id} cannot be undone: {step.inverse().why}" if step else ""
        return Way(node, end, hops, passage, bool(hops and hops[-1].forks), broken)

    def validator(self, node: VersionKey) -> Validator | None:
        """What checks documents of a version, or None where it has no model."""
        if node not in self.validators:
            known = self.chain.versions.get(node)
            model = known.model if known else None
            values = self.policy.include_values
            self.validators[node] = Validator(model, include_values=values) if model else None
        return self.validators[node]

    def sampled(self, record: SourceRecord) -> bool:
        """True for every n-th event: by offset, or by content where there is none, so that a replay samples alike."""
        position = record.offset
        if position is None:
            position = crc32(record.value or b"")
        return position % self.policy.sample_every == 0

    def observes(self, choice: str) -> bool:
        """Whether a validation choice only looks, and there is somebody to tell."""
        return choice in ("observe", "sampled") and self.observe is not None

    def wants(self, choice: str, record: SourceRecord) -> bool:
        """Whether an event is to be validated, by one of the policy's choices."""
        return choice == "always" or (self.observes(choice) and self.sampled(record))

    def process(
        self,
        record: SourceRecord,
        source: Partition | None,
        run: Runner,
        notes: FlowPosition | None = None,
        observed: Observed | None = None,
    ) -> Outcome:
        """What becomes of one event. Raises EventError and whatever else goes wrong; ``notes`` says how far it got.

        ``observed`` is told of an event that does not fit its model and goes on. Without it that is raised, too: the
        fast path then leaves the event to the reference, so that it is told once.
        """
        value = record.value
        if value is None:
            return self.tombstone
        notes = notes or FlowPosition()
        if self.policy.duplicate_keys == "refuse" and self.detector.foreign(record) is None:
            read(value)
            refuse_anywhere(value)
        with duplicate_keys("last-wins"):  # what is only looked at loses nothing
            found = self.detector.look(record)
        notes.event_type, notes.from_version = found.event_type, found.version
        let_through = self.let_through(found)
        if let_through is not None:
            return let_through
        way = self.way((found.event_type, found.version))
        notes.to_version = way.end[1]
        if way.hops and found.no_body is None and self.policy.duplicate_keys != "last-wins":
            refuse_lost_keys(value, found.root)
        return self.bring(record, source, found, way, run, observed)

    def let_through(self, found: DetectedDocument) -> Outcome | None:
        """What the policy says of a type or version that the chain does not know; None where it knows both."""
        node = (found.event_type, found.version)
        if node in self.chain.versions:
            return None
        passage = Passage(*node, found.version)
        if found.event_type not in self.chain.types:
            if self.policy.unknown_type == "dead-letter":
                raise UnknownType("the chain does not know this event type")
            return Passed(passage, "policy") if self.policy.unknown_type == "pass" else Skipped(passage, "policy")
        if not self.chain.is_newer(*node):
            raise UnknownVersion("the chain does not know this version")
        if self.policy.future_version == "pass":
            return Passed(passage, "policy")
        raise FutureVersion("the version is newer than the newest that the chain knows")

    def bring(
        self,
        record: SourceRecord,
        source: Partition | None,
        found: DetectedDocument,
        way: Way,
        run: Runner,
        observed: Observed | None = None,
    ) -> Outcome:
        """What becomes of an event whose type and version are known to the chain; ``observed`` as for ``process``."""
        if way.broken:
            raise Irreversible(way.broken)
        if found.no_body is not None and (way.hops or self.chain.versions[way.end].model is not None):
            raise found.no_body
        if way.hops:
            self.check_source(record, found, way, observed)
        elif self.stays(way):
            self.check_current(record, found, way, observed)
            return way.passed
        context = Context.of(record, source, found.event_type, found.stated or found.version)
        context.bring = self._bringer(record, source, run, context)
        results = self._results(way, found.body, context, run, [0])
        if not results:
            return Skipped(way.passage, "dropped")
        records = tuple(self._all_written(record, found, results, observed))
        only = records[0]
        same_around = only.key == record.key and list(only.headers) == list(record.headers)
        if len(records) == 1 and same_around and only.value is not None:
            return Upcast(way.passage, only.value)
        return Upcast(way.passage, None, records)

    def stays(self, way: Way) -> bool:
        """True where an event without hops is what is to be written already."""
        return True

    def check_source(self, record: SourceRecord, found: DetectedDocument, way: Way, observed: Observed | None) -> None:
        """Raises InvalidEvent where an event does not fit the version that it came in and the policy minds that."""
        if self.wants(self.policy.validate_source, record):
            data = record.value if found.envelope is None else write(found.body)
            self._validate(self.policy.validate_source, way.start, data, observed)

    def check_current(self, record: SourceRecord, found: DetectedDocument, way: Way, observed: Observed | None) -> None:
        """The same for an event that is current already."""
        if self.wants(self.policy.validate_target, record):
            data = record.value if found.envelope is None else write(found.body)
            self._validate(self.policy.validate_target, way.end, data, observed)

    def _results(
        self, way: Way, root: Object, context: Context, run: Runner, hops: list[int]
    ) -> Sequence[tuple[Object, Context, VersionKey]]:
        """The documents that come out of a way, those of a split brought on by themselves."""
        if way.broken:
            raise Irreversible(way.broken)
        hops[0] += len(way.hops)
        if hops[0] > MOST_HOPS:
            raise TooManyHops(f"the event took more than {MOST_HOPS} hops")
        if not way.hops:
            return [(root, context, way.end)]
        root = run(way, root, context)
        if context.dropped or context.tombstoned:
            return [({}, context, way.end)] if context.tombstoned else []
        children = context.children
        if children is None:
            if not way.forks:
                return [(root, context, way.end)]
            onward = self.way((context.event_type, way.end[1]))
            return self._results(onward, root, context, run, hops)
        context.children = None
        return self._results_of(children, way, context, run, hops)

    def _results_of(
        self, children: Sequence[Child], way: Way, context: Context, run: Runner, hops: list[int]
    ) -> Sequence[tuple[Object, Context, VersionKey]]:
        """What comes out of the children of a split at the end of a way."""
        results: list[tuple[Object, Context, VersionKey]] = []
        for position, child in enumerate(children):
            onward, inside = self.way((child.event_type, child.version or way.end[1])), context.child(position, child)
            if onward.hops or onward.broken:
                results += self._results(onward, child.root, inside, run, hops)
            else:
                results.append((child.root, inside, onward.end))
        return results

    def _bringer(self, record: SourceRecord, source: Partition | None, run: Runner, around: Context) -> Any:
        def bring(event_type: str, version: str, inner: Object, to: str | None = None) -> str:
            if (event_type, version) not in self.chain.versions:
                raise UnknownVersion(f"the chain does not know the version of the {event_type} inside")
            context = Context.of(record, source, event_type, version)
            context.bring, context.growth = bring, around.all_growth()
            node = (event_type, version)
            results = self._results(self.way(node) if to is None else self.way_to(node, to), inner, context, run, [0])
            if len(results) != 1 or results[0][1].tombstoned:
                raise Irreversible(f"a {event_type} inside a document cannot be dropped or split")
            root, _, node = results[0]
            if root is not inner:
                fields = dict(root)
                inner.clear()
                inner.update(fields)
            return node[1]

        return bring

    def _all_written(
        self,
        record: SourceRecord,
        found: DetectedDocument,
        results: Sequence[tuple[Object, Context, VersionKey]],
        observed: Observed | None,
    ) -> Iterator[Record]:
        written = 0
        for result in results:
            made = self._written(record, found, result, observed)
            written += len(made.value or b"")
            if written > MOST_BYTES and len(results) > 1:
                raise TooLarge(f"{len(results)} events would be more than {MOST_BYTES} bytes together")
            yield made

    def _written(
        self,
        record: SourceRecord,
        found: DetectedDocument,
        result: tuple[Object, Context, VersionKey],
        observed: Observed | None,
    ) -> Record:
        body, context, node = result
        envelope = None if found.envelope is None else {**found.envelope, "data": body}
        for stamp in self.stamps:
            stamp.apply(body, envelope, context, *node)
        if context.tombstoned:
            return Record(None, context.key, self.headers(context, node))
        return self.written(record, body, envelope, context, node, observed)

    def headers(self, context: Context, node: VersionKey) -> Sequence[Header]:
        """The headers of a record that becomes one of a version."""
        return context.headers

    def written(
        self,
        record: SourceRecord,
        body: Object,
        envelope: Object | None,
        context: Context,
        node: VersionKey,
        observed: Observed | None,
    ) -> Record:
        """One document as a record. Raises EventError where it cannot be written, or does not fit its version."""
        value = write(body if envelope is None else envelope)
        if self.wants(self.policy.validate_target, record):
            data = value if envelope is None else write(body)
            self._validate(self.policy.validate_target, node, data, observed)
        return Record(value, context.key, context.headers)

    def _validate(self, choice: str, node: VersionKey, data: bytes | None, observed: Observed | None) -> None:
        """Raises InvalidEvent where the document does not fit the version's model and the choice is to mind that."""
        validator = self.validator(node)
        if validator is None:
            return
        try:
            validator.check(data or b"")
        except InvalidEvent as error:
            if choice == "always" or observed is None:
                raise
            observed(error, node)


def reading_of(chain: VersionGraph, policy: Policy, detector: Detector) -> Reading | None:
    """The readers of a route: its own or, where it names none, the chain's. None where there are none."""
    readers = chain.readers if policy.readers is None else readers_of(policy.readers)
    if not readers:
        return None
    return Reading(readers, policy.duplicate_keys, lambda record: detector.foreign(record) is None)


@dataclass
class FlowPosition:
    """How far an event got, for the fault that ends it."""

    event_type: str = ""
    from_version: str = ""
    to_version: str = ""
    step: str = ""
