"""What differs in verifying a redrive: its source is the dead-letter topic, and each letter stands for the record that
it was.

A letter is identified by its own offset, which its outputs name; the chain upcasts its record at the record's original
offset.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from upcasters.event import Header, SourcePartition, SourceRecord
from worker.dlq.letters import Letter
from worker.dlq.selection import Selection, selection_of
from worker.replay.apply.receipt import Receipt
from worker.verifying.destination import END, REPLAY_ID, UNKNOWN, Locate, OtherWriters, Placed, Stream
from worker.verifying.oracle import Expected, ExpectedLineage, Judges, Oracle, Output

PLACE = ("upcaster.dlq.partition", "upcaster.dlq.offset")


@dataclass(frozen=True)
class OpenedLetter:
    """The original record of a letter, with the letter's offset. ``left`` says why a redrive does not take it; then the
    record is the letter itself and ``letter`` is None."""

    value: bytes | None
    key: bytes | None
    headers: Sequence[Header]
    timestamp: int | None
    offset: int | None
    letter: Letter | None = None
    left: str = ""


class LetterOracle:
    """What must have become of the letters of one partition."""

    def __init__(self, judges: Judges, receipt: Receipt, partition: int) -> None:
        self._judges = judges
        self._receipt = receipt
        self._partition = partition
        self._selection: Selection = selection_of(receipt)
        self._oracles: dict[SourcePartition, Oracle] = {}

    def opened(self, records: Iterable[SourceRecord]) -> list[SourceRecord]:
        """The original records, with the offsets of their letters."""
        return [self._open(record) for record in records]

    def _open(self, record: SourceRecord) -> OpenedLetter:
        found = self._selection.choose(self._partition, record)
        if isinstance(found, str):
            return OpenedLetter(record.value, record.key, record.headers, record.timestamp, record.offset, left=found)
        first = found.restored()
        return OpenedLetter(first.value, first.key, first.headers, first.timestamp, record.offset, found)

    def expect(self, record: SourceRecord) -> Expected:
        assert isinstance(record, OpenedLetter)  # noqa: S101  (``opened`` made it)
        letter, offset = record.letter, record.offset or 0
        if letter is None:
            return Expected("skipped", reason=record.left)
        origin, first = self._selection.origin(self._partition, letter), letter.restored()
        expected = self._of(origin).expect(first)
        lineage = self.lineage(origin, offset)
        outputs = tuple(
            Output((offset, *each.content[1:]), each.passage, lineage.headers(first.offset or 0, each.passage))
            for each in expected.outputs
        )
        told = {
            "upcaster.dlq.redrive.count": b"%d" % (letter.rounds + 1),
            "__connect.errors.topic": origin.topic.encode(),
            "__connect.errors.partition": b"%d" % origin.partition,
            "__connect.errors.offset": b"%d" % (first.offset or 0),
        }
        return replace(expected, outputs=outputs, letter_headers=told)

    def origin(self, record: SourceRecord) -> tuple[int, int]:
        """Partition and offset in the source; None for a letter that was not taken."""
        letter = record.letter if isinstance(record, OpenedLetter) else None
        if letter is None:
            return -1, 0
        return self._selection.origin(self._partition, letter).partition, letter.restored().offset or 0

    def lineage(self, origin: SourcePartition, offset: int) -> ExpectedLineage:
        """The usual lineage headers, and where the letter stands."""
        return ExpectedLineage(self._receipt, origin, [(PLACE[0], b"%d" % self._partition), (PLACE[1], b"%d" % offset)])

    def _of(self, origin: SourcePartition) -> Oracle:
        if origin not in self._oracles:
            self._oracles[origin] = Oracle(self._judges, self._receipt, origin)
        return self._oracles[origin]


def made_of(replay_id: str, partition: int, others: OtherWriters | None = None) -> Locate:
    """A function that selects the redrive's output of the letters of a partition: records, or letters of records that
    failed again. ``others`` notes the records that are not selected."""
    wanted, numbers = replay_id.encode(), (b"%d" % partition, None)

    def place(records: Iterable[SourceRecord]) -> Iterator[Placed]:
        for record in records:
            headers = dict(record.headers)
            if headers.get(REPLAY_ID) == wanted and headers.get(PLACE[0]) in numbers:
                told = headers.get(PLACE[1])
                yield int(told) if told is not None and told.isdigit() else UNKNOWN, record
            elif others is not None:
                others.look(headers, record.offset or 0)

    return place


class Merged(Stream):
    """Several streams merged by the source offsets of their records. Its batches are never matched as a whole."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._streams = streams
        self.at = END
        self.head = None

    async def unopened(self) -> None:
        return None

    async def open(self) -> None:
        if self.head is None:
            for stream in self._streams:
                await stream.open()
            self.at, self.head = self._first.at, self._first.head

    def may_hide_more(self) -> bool:
        return any(stream.may_hide_more() for stream in self._streams)

    def step(self) -> None:
        self._first.step()
        self.at, self.head = END, None

    @property
    def _first(self) -> Stream:
        return min(self._streams, key=lambda stream: stream.at)
