"""The pure core, as a route uses it: bytes and headers in, an outcome out, never an exception."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from upcasters.compile import Compiled, compile_hops
from upcasters.compile.layouts import Unexpected
from upcasters.context import Context
from upcasters.depth import SHALLOW, is_too_deep
from upcasters.document import Object
from upcasters.duplicates import duplicate_keys
from upcasters.errors import EventError
from upcasters.event import Event, Partition, SourceRecord, event_of, kind_of, partition_of
from upcasters.event_flow import EventFlow, Way
from upcasters.outcome import Outcome, Violation
from upcasters.policy import Policy
from upcasters.readers import ValueReader
from upcasters.reference import Reference, Trace
from upcasters.short_cut import RecordFunction, short_cut
from upcasters.step import VersionKey

if TYPE_CHECKING:
    from upcasters.version_graph import VersionGraph

# Ways are compiled when the upcaster is built as long as their operations together stay under this; the rest of a
# very long history is compiled when its first event comes.
_COMPILED_AT_START = 2_000


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
        found = short_cut(self._flow, self._run, self._leave, self._fail)
        self._short_cut = found
        self._shortest: RecordFunction = found.function if found else self._long_way
        self.source = found.source if found else ""
        self._compile_some()
        self._upcast = self._shortest if self._flow.reading is None else self._read_and_upcast
        if type(self).upcast is _UPCAST:
            setattr(self, "upcast", self._upcast)  # noqa: B010  # the same in one call less

    def upcast(self, record: SourceRecord, source: Partition | None = None) -> Outcome:
        """What becomes of one event. ``source`` is its topic and partition, where it has them.

        Raises TypeError where ``record`` is no event, and says what to pass.
        """
        return self._upcast(record, source)

    def _read_and_upcast(self, record: SourceRecord, source: Partition | None = None) -> Outcome:
        """For a route with readers in front of the decoder."""
        assert self._flow.reading is not None
        try:
            return self._flow.reading.outcome(record, source, self._shortest)
        except Exception:  # noqa: BLE001, S110  # the reference finds out what it was, or that it was nothing
            pass  # and so lets go of the document that the exception holds
        return self.reference.upcast(event_of(record), partition_of(source))

    def _long_way(self, record: SourceRecord, source: Partition | None = None) -> Outcome:
        """For a route whose rules need the event flow for every event."""
        try:
            return self._leave(record, source)
        except Exception:  # noqa: BLE001, S110  # as above
            pass
        return self._fail(record, source)

    def _leave(self, record: SourceRecord, source: Partition | None) -> Outcome:
        """What the short cut leaves to the event flow."""
        with duplicate_keys(self.policy.duplicate_keys):
            return self._flow.process(record, source, self._run)

    def _fail(self, record: SourceRecord, source: Partition | None) -> Outcome:
        """What raised an exception: the reference finds out what it was, or that it was nothing."""
        upcast = self.reference.upcast if self._flow.reading is None else self.reference.upcast_read
        return upcast(event_of(record), partition_of(source))

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

    def natively(self) -> tuple[int, int, int]:
        """Events that the native extension did, that it left to Python, and programs that it dropped after a panic."""
        plans = [] if self._short_cut is None else (self._short_cut.plans or {}).values()
        counts = [plan.counts for plan in plans if plan is not None]
        return sum(one[0] for one in counts), sum(one[1] for one in counts), sum(one[2] for one in counts)

    def source_of(self, node: VersionKey) -> str:
        """The text of the generated function for events of a version that do not stay as they are."""
        way = self._flow.way(node)
        return self._function(way).source if self._short_cut is None else self._short_cut.source_of(way)

    def programs_of(self, node: VersionKey, value: bytes) -> list[str]:
        """The layout programs for a document of a version, for people; none where the native extension is not."""
        plans = None if self._short_cut is None else self._short_cut.plans
        plan = None if plans is None else plans[node[0].encode()]
        return [] if plan is None else list(plan.listed(value, node[1]))

    def compiled(self, node: VersionKey) -> Compiled:
        """The generated function for the operations of the way from a version."""
        return self._function(self._flow.way(node))

    def _function(self, way: Way) -> Compiled:
        found = self._compiled.get((way.start, way.to))
        if found is None:
            found = compile_hops(way.hops, keeps_keys=self.policy.duplicate_keys != "last-wins")
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

    def names_version(self, record: SourceRecord, source: Partition | None = None) -> bool:
        """True where a rule of the route finds a version in the event itself, in a place that can be written again."""
        try:
            events = self.events_in(record, source)
        except EventError:
            return False
        return all(map(self._flow.detector.names_version, events))

    def target(self, event_type: str, version: str) -> str:
        """The version to which an event of this type and version goes."""
        return self._flow.way((event_type, version)).end[1]

    def _run(self, way: Way, root: Object, context: Context) -> Object:
        if is_too_deep(context.record.value or b"", SHALLOW):
            raise Unexpected
        return self._function(way).function(root, context)

    def _compile_some(self) -> None:
        budget = _COMPILED_AT_START
        for event_type, versions in self.chain.types.items():
            for version in reversed(versions):
                way = self._flow.way((event_type, version))
                budget -= sum(len(hop.operations) for hop in way.hops)
                if budget < 0:
                    return
                if self._short_cut is not None:
                    self._short_cut.lanes[event_type][version]
                elif way.hops:
                    self.compiled(way.start)


_UPCAST = Upcaster.upcast
