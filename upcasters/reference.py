"""The plain way: hop by hop, each one read, changed and written again. Slow, and right.

It is what the fast path is measured against, what names the failing step of a dead letter, and what ``upcast try``
shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import repeat

from upcasters.context import Context
from upcasters.document import Object, read, write
from upcasters.duplicates import duplicate_keys
from upcasters.errors import EventError, InvalidEvent, ReaderError
from upcasters.event import Event, Item, Partition, SourceRecord
from upcasters.event_flow import EventFlow, FlowPosition, Observed, Way
from upcasters.locating import locate
from upcasters.merging import Merge
from upcasters.operations.base import Operation
from upcasters.outcome import DeadLettered, Fault, Outcome, Violation
from upcasters.paths import EACH
from upcasters.reading import Read
from upcasters.step import Hop, Step, VersionKey

LONGEST_NAME = 100


@dataclass(frozen=True)
class HopTrace:
    """One document before and after one hop; ``position`` of a record that holds several events, from 0."""

    hop: Hop
    before: bytes
    after: bytes
    position: int | None = None


@dataclass
class Trace:
    """What became of an event and each hop on the way, in order; and what readers made of it, where they changed it."""

    outcome: Outcome
    hops: list[HopTrace] = field(default_factory=list)
    read: Read | None = None


class Reference:
    """The pure core without any short cut."""

    def __init__(self, flow: EventFlow) -> None:
        self._flow = flow

    def upcast(self, record: SourceRecord, source: Partition | None = None) -> Outcome:
        """What becomes of one event. Never raises."""
        return self.trace(record, source).outcome

    def trace(self, record: SourceRecord, source: Partition | None = None, older: bytes | None = None) -> Trace:
        """What becomes of one event, with every hop; ``older`` as for ``Upcaster.downcast_into``. Never raises."""
        reading = self._flow.reading
        if reading is None:
            return self.trace_read(record, source, older)
        made = Trace(_NOT_YET)

        def upcast(part: SourceRecord, source: Partition | None) -> Outcome:
            trace = self.trace_read(part, source, older)
            position = part.position if isinstance(part, Item) else None
            made.hops += [replace(hop, position=position) for hop in trace.hops]
            return trace.outcome

        try:
            older = older if older is None else _single(reading.read(Event(older), None), older)
            made.read = reading.read(record, source)
            if older is not None:
                _single(made.read, b"")
            made.outcome = reading.outcome_of(made.read, source, upcast) if made.read else upcast(record, source)
        except Exception as error:  # noqa: BLE001  # as below
            made.outcome = DeadLettered(fault_of(error, FlowPosition(), self._flow))
        return made

    def upcast_read(self, record: SourceRecord, source: Partition | None = None) -> Outcome:
        """The same for an event that has the readers behind it."""
        return self.trace_read(record, source).outcome

    def trace_read(self, record: SourceRecord, source: Partition | None, older: bytes | None = None) -> Trace:
        """The same for an event that has the readers behind it, with every hop."""
        notes = FlowPosition()
        hops: list[HopTrace] = []
        run = _HopByHop(notes, hops, older)
        try:
            with duplicate_keys(self._flow.policy.duplicate_keys):
                outcome = self._flow.process(record, source, run, notes, self._teller(notes))
        except Exception as error:  # noqa: BLE001  # whatever it is, it ends as this event's dead letter
            outcome = DeadLettered(fault_of(error, notes, self._flow))
        return Trace(outcome, hops)

    def _teller(self, notes: FlowPosition) -> Observed | None:
        """Tells whoever observes of an event that does not fit the model of a version, and goes on."""
        observe = self._flow.observe
        if observe is None:
            return None

        def tell(error: InvalidEvent, node: VersionKey) -> None:
            observe(Violation(*node, fault_of(error, notes, self._flow)))

        return tell


_NOT_YET = DeadLettered(Fault("decode", "NotRead", "the record was not read"))


def _single(read: Read | None, value: bytes) -> bytes:
    """The value as it was read, or ``value`` where no reader changed it. Raises ReaderError where it is several."""
    if read is None:
        return value
    if read.splits:
        raise ReaderError("several events have no one older document")
    return read.parts[0].value or b""


@dataclass
class _HopByHop:
    notes: FlowPosition
    hops: list[HopTrace]
    older: bytes | None = None
    searching: bool = False

    def __call__(self, way: Way, root: Object, context: Context) -> Object:
        before = write(root)
        olders = self._olders(way, context)
        for hop in way.hops:
            root = read(before)
            older = olders.get(hop.target)
            self._run(hop, root, context, before, older)
            if older is not None and not context.ended:
                root = self._merged(hop, root, context, older)
            after = self._after(root, before, context)
            self.hops.append(HopTrace(hop, before, after))
            if context.ended:
                break
            before = after
        self.notes.step = ""
        return root

    @staticmethod
    def _after(root: Object, before: bytes, context: Context) -> bytes:
        """The document behind a hop. Raises TooDeep; one that has ended need not be written."""
        try:
            return write(root)
        except EventError:
            if not context.ended:
                raise
            return before

    def _olders(self, way: Way, context: Context) -> dict[VersionKey, list[bytes]]:
        """The older document on its way up, for each hop down to a version: before each operation, and at the end.

        An operation is undone beside the document that it would have changed.
        """
        older = self.older
        if older is None:
            return {}
        beside = Context.of(context.record, context.source, way.end[0])
        found = {}
        for hop in reversed(way.hops):
            found[hop.target] = self._up(hop, older, beside)
            older = found[hop.target][-1]
        return found

    def _up(self, hop: Hop, older: bytes, beside: Context) -> list[bytes]:
        """The older document on its way up over a hop downwards."""
        root, before = read(older), [older]
        for step, operation in operations_of(hop.reversed()):
            self.notes.step = step.id
            if not beside.ended:
                operation.apply(root, beside)
            before.append(write(root))
        return before

    def _merged(self, hop: Hop, root: Object, context: Context, older: list[bytes]) -> Object:
        """The older document with what has changed; ``root`` as it is where that does not come down by itself."""
        again = self._down_again(hop, context, older)
        if again is None:
            return root

        def up_and_down(other: Object) -> Object | None:
            beside = Context.of(context.record, context.source, hop.target[0])
            try:
                return self._down_again(hop, context, self._up(hop, write(other), beside))
            except EventError:
                return None

        return Merge(older[0], up_and_down).merged(root, again)

    def _down_again(self, hop: Hop, context: Context, older: list[bytes]) -> Object | None:
        """What the older document is where it has come down again; None where it does not."""
        again, beside = read(older[-1]), Context.of(context.record, context.source, hop.source[0])
        try:
            self._run(hop, again, beside, None, older)
        except EventError:
            return None
        return None if beside.ended else again

    def _run(
        self, hop: Hop, root: Object, context: Context, before: bytes | None, older: list[bytes] | None = None
    ) -> None:
        """``before``: the document as bytes, where a fault is to name the item that it is about."""
        start = context.copy()
        done: list[Operation] = []
        for step, operation, position in _numbered(hop):
            self.notes.step = step.id
            context.older = None if older is None else read(older[position])
            try:
                operation.apply(root, context)
            except EventError as error:
                if before is not None and EACH in error.place and not self.searching:
                    self._locate(error, before, start, done, operation)
                raise
            if context.ended:
                return
            done.append(operation)

    def _locate(
        self, error: EventError, before: bytes, start: Context, done: Sequence[Operation], failed: Operation
    ) -> None:
        """Have the error name the item: the hop is run again as far as the operation, and that with fewer items."""
        step, hops = self.notes.step, len(self.hops)
        self.searching = True
        with suppress(EventError):
            root = read(before)
            for operation in done:
                operation.apply(root, start)
            error.found_at(locate(error, write(root), lambda again: failed.apply(again, start.copy())))
        self.searching = False
        self.notes.step = step
        del self.hops[hops:]


def operations_of(hop: Hop) -> Iterator[tuple[Step, Operation]]:
    """The operations of a hop, each with the step that it is of."""
    for step in reversed(hop.steps) if hop.down else hop.steps:
        for operation in step.inverse().operations if hop.down else step.operations:
            yield step, operation


def _numbered(hop: Hop) -> Iterator[tuple[Step, Operation, int]]:
    """The operations of a hop, each with the position on the way up of the one that it is, or that it undoes."""
    if not hop.down:
        yield from ((step, operation, position) for position, (step, operation) in enumerate(operations_of(hop)))
        return
    after = sum(len(step.operations) for step in hop.steps)
    for step in reversed(hop.steps):
        before = after - len(step.operations)
        undone = reversed(list(enumerate(step.operations, before)))
        positions = [position for position, operation in undone for _ in operation.inverse().operations]
        backs = step.inverse().operations
        # Behind those that undo one, a type gets its old name back.
        positions += [before] * (len(backs) - len(positions))
        yield from zip(repeat(step), backs, positions, strict=False)
        after = before


def shortened(name: str) -> str:
    """A type or version as an event names it, so that it fits into a log line: printable, of 100 characters at most."""
    text = name if name.isprintable() else "".join(char if char.isprintable() else "?" for char in name[:101])
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


def fault_of(error: Exception, notes: FlowPosition, flow: EventFlow) -> Fault:
    """The fault that an exception stands for. An unforeseen one keeps its class and loses its text."""
    known = isinstance(error, EventError)
    if isinstance(error, EventError):
        error.tell_keys(lambda: flow.known_names)
    return Fault(
        stage=error.stage if isinstance(error, EventError) else "upcast",
        error_type=type(error).__name__,
        message=str(error) if known else f"{type(error).__name__} in the chain",
        event_type=shortened(notes.event_type),
        from_version=shortened(notes.from_version),
        to_version=notes.to_version,
        step=notes.step,
        path=error.path if isinstance(error, EventError) else "",
    )
