"""What a proof of a redrive does differently: its source is the dead-letter topic, and each letter stands for a record.

A letter is known by its own offset, which all that was made of it tells; what must be made of it is asked of the chain
with the record's first one.
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
    """A record of the dead-letter topic as it first came, at its offset there. ``left`` says why it was not taken, and
    then it is as it stands; ``letter`` is None for those."""

    value: bytes | None
    key: bytes | None
    headers: Sequence[Header]
    timestamp: int | None
    offset: int | None
    letter: Letter | None = None
    left: str = ""


class LetterOracle:
    """``expect`` for the letters of one partition."""

    def __init__(self, judges: Judges, receipt: Receipt, partition: int) -> None:
        self._judges = judges
        self._receipt = receipt
        self._partition = partition
        self._selection: Selection = selection_of(receipt)
        self._oracles: dict[SourcePartition, Oracle] = {}

    def opened(self, records: Iterable[SourceRecord]) -> list[SourceRecord]:
        """The records as they first came, by their offsets here."""
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
        return replace(expected, outputs=outputs, told=told)

    def origin(self, record: SourceRecord) -> tuple[int, int]:
        """Partition and offset in the source; what was not taken has none."""
        letter = record.letter if isinstance(record, OpenedLetter) else None
        if letter is None:
            return -1, 0
        return self._selection.origin(self._partition, letter).partition, letter.restored().offset or 0

    def lineage(self, origin: SourcePartition, offset: int) -> ExpectedLineage:
        """Behind the usual: where the letter stands."""
        return ExpectedLineage(self._receipt, origin, [(PLACE[0], b"%d" % self._partition), (PLACE[1], b"%d" % offset)])

    def _of(self, origin: SourcePartition) -> Oracle:
        if origin not in self._oracles:
            self._oracles[origin] = Oracle(self._judges, self._receipt, origin)
        return self._oracles[origin]


def made_of(replay_id: str, partition: int, others: OtherWriters | None = None) -> Locate:
    """Picks what the redrive has made of the letters of a partition: records, or letters of what failed again.
    ``others`` looks at what is not picked."""
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
    """Several streams as one, by the offsets that their records tell of. Its batches are never looked at as a whole."""

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
