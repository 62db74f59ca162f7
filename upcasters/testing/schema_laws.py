"""Laws of hops between versions that both have a schema of Avro or of Protobuf: tried on records that are made up from
the schemas.

JSON could not carry what they hold: bytes, decimals, dates.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from upcasters.chain import Chain
from upcasters.document import Duration
from upcasters.errors import EventError
from upcasters.event import Event
from upcasters.formats import Encoding, Schema
from upcasters.formats.avro.parsing import avro_type
from upcasters.formats.avro.types import AvroType
from upcasters.operations.base import Reversibility
from upcasters.outcome import DeadLettered, Outcome, Upcast
from upcasters.policy import Policy
from upcasters.schema_upcaster import FORMATS, SchemaUpcaster, readable_value
from upcasters.step import Hop, VersionKey
from upcasters.testing.events import SOURCE
from upcasters.testing.hints import Hints, hints_of
from upcasters.testing.law import Law, LawBroken, broken, not_tried, told, told_outcome
from upcasters.testing.protobuf_documents import ProtobufDocuments
from upcasters.testing.routes import pinned, targets_of

Run = Callable[[st.SearchStrategy[Any], Callable[[Any], None], int], None]
_MOST_ITEMS = 3
_MOMENTS = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30))  # noqa: DTZ001  # the zone comes later
_TEXTS = st.text(max_size=8) | st.from_regex(r"\A[0-9]{1,4}\.[0-9]{2}\Z") | _MOMENTS.map(dt.datetime.isoformat)


def goes_by_bytes(chain: Chain, nodes: Iterable[VersionKey]) -> bool:
    """Whether versions have schemas of one format whose values JSON could not carry: hops between them are subject to
    these laws."""
    kinds = {chain.schemas[node].kind if node in chain.schemas else "json" for node in nodes}
    return len(kinds) == 1 and kinds <= FORMATS.keys() - {"json"}


def schema_laws(chain: Chain, hop: Hop, subject: str, run: Run, examples: int) -> Iterator[Law]:
    """The laws of one hop; ``run`` tries a check on made up values."""
    trial = _Trial(chain, hop, subject, run, examples)
    yield Law("valid-output", subject, trial.valid_output)
    if not hop.forks and hop.inverse().kind is not Reversibility.LOSSY:
        yield Law("round-trip", subject, trial.round_trip)


class _Trial:
    def __init__(self, chain: Chain, hop: Hop, subject: str, run: Run, examples: int) -> None:
        self._chain, self._hop, self._subject, self._run, self._examples = chain, hop, subject, run, examples
        self._encodings = {
            node: Encoding(chain.schemas[node], bytes([number]), version=node)
            for number, node in enumerate(dict.fromkeys((hop.source, *hop.ends)))
        }

    def valid_output(self) -> int:
        """A record of one version is one of the next behind the hop, quickly and step by step alike."""
        policy = Policy(pinned(self._chain, *self._hop.source), targets_of(self._chain, self._hop))
        upcaster = SchemaUpcaster(self._chain, policy, self._targets(self._hop.ends))
        before = self._encodings[self._hop.source]

        def outcome_of(event: Event) -> str:
            outcome = upcaster.upcast(event, SOURCE, before)
            plainly = upcaster.trace(event, SOURCE, before).outcome
            if not _same_records(outcome, upcaster.upcast(event, SOURCE, before), event):
                raise self._broken("valid-output", "the same event has two outcomes", event, outcome)
            if outcome != plainly and not _same_records(outcome, plainly, event):
                raise self._broken("valid-output", "the compiled path and the way hop by hop differ", event, outcome)
            if isinstance(outcome, DeadLettered) and outcome.fault.stage in ("validate", "encode"):
                message = f"step {self._hop.id} made a record that its schema has no place for"
                raise self._broken("valid-output", message, event, outcome)
            return told_outcome(outcome, event) if isinstance(outcome, DeadLettered) else ""

        return self._tried("valid-output", outcome_of)

    def round_trip(self) -> int:
        """Down after up gives the record back, or another one for the same value: up once more gives the same.

        A decimal of two digits is 0.00 on its way down, whatever its text was.
        """
        hop, source = self._hop, self._hop.source
        targets = targets_of(self._chain, hop)
        up = SchemaUpcaster(self._chain, Policy(pinned(self._chain, *source), targets), self._targets(hop.ends))
        rules = pinned(self._chain, *hop.target)
        down = SchemaUpcaster(self._chain, Policy(rules, {source[0]: source[1]}), {source: self._encodings[source]})
        is_exact = hop.inverse().kind is Reversibility.EXACT

        def outcome_of(event: Event) -> str:
            raised = up.upcast(event, SOURCE, self._encodings[source])
            if not isinstance(raised, Upcast):
                return told_outcome(raised, event)
            higher = _event(raised, event)
            lowered = down.upcast(higher, SOURCE, self._encodings[hop.target])
            if not isinstance(lowered, Upcast):
                if is_exact:
                    raise self._broken(
                        "round-trip", f"step {hop.id} says that it can be undone exactly", event, lowered
                    )
                return told_outcome(lowered, higher)
            back = _event(lowered, higher)
            again = up.upcast(back, SOURCE, self._encodings[source])
            if not isinstance(again, Upcast) or _event(again, back).value != higher.value:
                message = f"step {hop.id} gives another event the second time up"
                raise self._broken("round-trip", message, event, again)
            return ""

        return self._tried("round-trip", outcome_of)

    def _targets(self, nodes: tuple[VersionKey, ...]) -> dict[VersionKey, Encoding]:
        return {node: self._encodings[node] for node in nodes}

    def _tried(self, law: str, outcome_of: Callable[[Event], str]) -> int:
        node = self._hop.source
        schema = self._chain.schemas[node]
        frame, write = self._encodings[node].frame, FORMATS[schema.kind].writer(schema)
        times, reason = 0, "no record could be made up"

        def check(document: Any) -> None:
            nonlocal times, reason
            try:
                value = frame + write(document)
            except EventError:  # such as an object that could be several records of a union
                assume(False)
            event = Event(value, b"key", [], 1_700_000_000_000, 7)
            why = outcome_of(event)
            times += not why
            reason = why and f"{self._shown(event, node)}: {why}"

        self._run(documents_of(schema, hints_of(self._chain)), check, self._examples)
        if not times:
            raise not_tried(law, self._subject, reason)
        return times

    def _shown(self, event: Event, node: VersionKey) -> str:
        return told(readable_value(event.value or b"", self._encodings[node]))

    def _broken(self, law: str, message: str, event: Event, outcome: Outcome) -> LawBroken:
        happened = self._told(outcome, event)
        facts = (("event", self._shown(event, self._hop.source)), ("outcome", happened))
        return broken(law, self._subject, message, *facts)

    def _told(self, outcome: Outcome, event: Event) -> str:
        if not isinstance(outcome, Upcast):
            return told_outcome(outcome, event)
        by_frame = {encoding.frame: encoding for encoding in self._encodings.values()}
        values = (each.value for each in outcome.output(event))
        shown = [told(None if value is None else readable_value(value, by_frame[value[:1]])) for value in values]
        return f"upcast to {outcome.passage.to_version}: {' and '.join(shown)}"


def _event(outcome: Upcast, before: Event) -> Event:
    (made,) = outcome.output(before)
    return Event(made.value, made.key, list(made.headers), before.timestamp, before.offset)


def _same_records(one: Outcome, other: Outcome, event: Event) -> bool:
    return type(one) is type(other) and list(map(repr, one.output(event))) == list(map(repr, other.output(event)))


def documents_of(schema: Schema, hints: Hints) -> st.SearchStrategy[Any]:
    """Documents of a schema of Avro or Protobuf, as its writer takes them."""
    if schema.kind == "protobuf":
        from upcasters.formats.protobuf.parsing import message_type

        return ProtobufDocuments(hints, _texts).of(message_type(schema))
    return _Documents(hints).of(avro_type(schema), "")


def _texts(hints: Hints, name: str) -> st.SearchStrategy[str]:
    """Texts of a field of this name."""
    likely = [each for each in hints.values.get(name, ()) if type(each) is str]
    patterns = map(st.from_regex, hints.patterns.get(name, ()))
    return st.one_of([*([st.sampled_from(likely)] if likely else []), *patterns, _TEXTS])


class _Documents:
    def __init__(self, hints: Hints) -> None:
        self._hints = hints
        self._records: dict[str, st.SearchStrategy[Any]] = {}

    def of(self, avro: AvroType, name: str) -> st.SearchStrategy[Any]:
        """Values of a type that stand under a name, which decides on likely ones."""
        if avro.kind == "union":
            return st.one_of([self.of(branch, name) for branch in avro.branches])
        if avro.kind == "array":
            return st.lists(self.of(avro.items, name), max_size=_MOST_ITEMS)
        if avro.kind == "map":
            known = [st.just(key) for key in sorted(self._hints.children.get(name, ()))]
            return st.dictionaries(st.one_of([*known, st.text(max_size=4)]), self.of(avro.items, ""), max_size=2)
        return self._record(avro) if avro.kind == "record" else self._scalar(avro, name)

    def _record(self, avro: AvroType) -> st.SearchStrategy[Any]:
        if avro.name not in self._records:
            self._records[avro.name] = st.deferred(lambda: made)
            made = st.fixed_dictionaries({one.name: self.of(one.type, one.name) for one in avro.fields})
        return self._records[avro.name]

    def _scalar(self, avro: AvroType, name: str) -> st.SearchStrategy[Any]:
        if avro.kind == "enum":
            return st.sampled_from(avro.symbols)
        if avro.kind == "fixed" and not avro.logical:
            return st.binary(min_size=avro.size, max_size=avro.size)
        if avro.logical == "decimal":
            most = 10**avro.precision - 1
            if avro.kind == "fixed":
                most = min(most, 2 ** (8 * avro.size - 1) - 1)
            return st.integers(-most, most).map(lambda units: Decimal(f"{units}E-{avro.scale}"))
        if avro.logical:
            return _LOGICAL[avro.logical]
        if avro.kind == "string":
            return _texts(self._hints, name)
        return _PLAIN[avro.kind]


def _millis(moment: dt.datetime) -> dt.datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


_AWARE = _MOMENTS.map(lambda moment: moment.replace(tzinfo=dt.UTC))
_LONGS = st.integers(-3, 200) | st.integers(-(2**63), 2**63 - 1)
_PLAIN: Mapping[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": _LONGS,
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "bytes": st.binary(max_size=8),
}
_LOGICAL: Mapping[str, st.SearchStrategy[Any]] = {
    "uuid": st.uuids().map(str),
    "date": st.dates(),
    "time-millis": st.times().map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)),
    "time-micros": st.times(),
    "timestamp-millis": _AWARE.map(_millis),
    "timestamp-micros": _AWARE,
    "timestamp-nanos": _LONGS,
    "local-timestamp-millis": _MOMENTS.map(_millis),
    "local-timestamp-micros": _MOMENTS,
    "local-timestamp-nanos": _LONGS,
    "duration": st.builds(Duration, *(st.integers(0, 2**32 - 1) for _ in range(3))),
}
