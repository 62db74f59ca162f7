"""The pure core, as a route uses it: bytes and headers in, an outcome out, never an exception."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from upcasters.compile import Compiled, compile_hops
from upcasters.compile.layouts import Unexpected
from upcasters.context import Context
from upcasters.depth import SHALLOW, is_too_deep
from upcasters.detection import FromField
from upcasters.document import Object
from upcasters.duplicates import duplicate_keys
from upcasters.errors import EventError
from upcasters.event import Event, Partition, SourceRecord, event_of, kind_of, partition_of
from upcasters.event_flow import EventFlow, Way
from upcasters.outcome import Outcome, Violation
from upcasters.policy import Policy
from upcasters.readers import ValueReader
from upcasters.reference import Reference, Trace
from upcasters.short_cut import short_cut
from upcasters.step import VersionKey

if TYPE_CHECKING:
    from upcasters.version_graph import VersionGraph

# Ways are compiled when the upcaster is built as long as their operations together stay under this; the rest of a
# very long history is compiled when its first event comes.
_COMPILED_AT_START = 2_000


def _no_short_cut(_record: SourceRecord, _source: Partition | None) -> None:
    """For a route whose rules need the event flow for every event."""


class Upcaster:
    """A chain as one route wants it, compiled.

    Takes events of any age and never raises for what they hold: whatever cannot be upcast is a DeadLettered outcome.
    A TypeError is the caller's, who gave something else than an event. Keeps nothing of an event. ``reference`` does
    the same hop by hop; ``source`` is the text of the function that most events take. ``observe`` is told of each
    event that a validation which only observes finds not to fit its model; without it such a validation does nothing.
    """

    def __init__(self, chain: VersionGraph, policy: Policy, observe: Callable[[Violation], None] | None = None) -> None:
        if not isinstance(policy, Policy):
            raise TypeError(f"the policy is {kind_of(policy)}: pass a Policy, such as Policy(target={{type: version}})")
        if observe is not None and not callable(observe):
            raise TypeError(f"observe is {kind_of(observe)}: pass a function that takes a Violation")
        self.chain = chain
        self.policy = policy
        self._flow = EventFlow(chain, policy, observe)
        self.reference = Reference(self._flow)
        self._compiled: dict[tuple[VersionKey, str], Compiled] = {}
        self._compile_some()
        found = short_cut(self._flow, self.compiled, self._run)
        self._short_cut, self.source = found or (_no_short_cut, "")
        self._first = (
            self._short_cut
            if self._flow.reading is None
            else partial(self._flow.reading.outcome, upcast=self._upcast_read)
        )

    def upcast(self, record: SourceRecord, source: Partition | None = None) -> Outcome:
        """What becomes of one event. ``source`` is its topic and partition, where it has them.

        Raises TypeError where ``record`` is no event, and says what to pass.
        """
        try:
            outcome = self._first(record, source)
            return self._process(record, source) if outcome is None else outcome
        except Exception:  # noqa: BLE001  # the reference finds out what it was, or that it was nothing
            return self.reference.upcast(event_of(record), partition_of(source))

    def _upcast_read(self, record: SourceRecord, source: Partition | None) -> Outcome:
        """The same behind the readers, where a route has some."""
        try:
            outcome = self._short_cut(record, source)
            return self._process(record, source) if outcome is None else outcome
        except Exception:  # noqa: BLE001  # as above
            return self.reference.upcast_read(event_of(record), partition_of(source))

    def _process(self, record: SourceRecord, source: Partition | None) -> Outcome:
        with duplicate_keys(self.policy.duplicate_keys):
            return self._flow.process(record, source, self._run)

    def trace(self, record: SourceRecord, source: Partition | None = None) -> Trace:
        """What becomes of one event, with the document before and after each hop. Raises TypeError as ``upcast``."""
        return self.reference.trace(event_of(record), partition_of(source))

    def downcast_into(self, record: SourceRecord, older: bytes, source: Partition | None = None) -> Outcome:
        """Take an event down beside the older document that it once was, in the version where the way ends.

        What several older documents would have in common is decided by this one: a merged field gets its spelling back,
        a field that it had stays even where it equals its default. Raises TypeError as ``upcast``.
        """
        beside = Event(older)
        if beside.value is None:
            raise TypeError("older is None: pass the older document's JSON as bytes, or call upcast")
        return self.reference.trace(event_of(record), partition_of(source), beside.value).outcome

    def compiled(self, node: VersionKey) -> Compiled:
        """The generated function for the way from a version; its ``source`` is what ``upcast show --code`` prints."""
        return self._function(self._flow.way(node))

    def _function(self, way: Way) -> Compiled:
        found = self._compiled.get((way.start, way.to))
        if found is None:
            keeps_keys = self.policy.duplicate_keys != "last-wins"
            counts = not any(isinstance(stamp.rule, FromField) for stamp in self._flow.stamps)
            found = compile_hops(way.hops, keeps_keys=keeps_keys, counts=counts)
            self._compiled[way.start, way.to] = found
        return found

    @property
    def readers(self) -> Sequence[ValueReader]:
        """The readers of the route, in their order."""
        return () if self._flow.reading is None else self._flow.reading.readers

    @property
    def splits_values(self) -> bool:
        """True where a reader of the route may make several events of one value."""
        return self._flow.reading is not None and self._flow.reading.splits

    def events_in(self, record: SourceRecord, source: Partition | None = None) -> Sequence[SourceRecord]:
        """The events that the route's readers make of a record: itself where they leave it as it is.

        Raises EventError where they cannot read it.
        """
        read = None if self._flow.reading is None else self._flow.reading.read(record, source)
        return (record,) if read is None else read.parts

    @property
    def reads_versions(self) -> bool:
        """True where a rule of the route reads the version from a place that can be written again."""
        return bool(self._flow.detector.version_readers)

    def names_version(self, record: SourceRecord) -> bool:
        """True where a rule of the route finds a version in the event itself, in a place that can be written again."""
        try:
            events = self.events_in(record)
        except EventError:
            return False
        return all(map(self._flow.detector.names_version, events))

    def target(self, event_type: str, version: str) -> str:
        """The version to which an event of this type and version goes."""
        return self._flow.way((event_type, version)).end[1]

    def _run(self, way: Way, root: Object, context: Context) -> Object:
        if is_too_deep(context.record.value or b"", SHALLOW):
            raise Unexpected
        return self._function(way).function(root, context)[0]

    def _compile_some(self) -> None:
        budget = _COMPILED_AT_START
        for event_type, versions in self.chain.types.items():
            for version in reversed(versions):
                way = self._flow.way((event_type, version))
                budget -= sum(len(hop.operations) for hop in way.hops)
                if budget < 0:
                    return
                if way.hops:
                    self.compiled(way.start)
