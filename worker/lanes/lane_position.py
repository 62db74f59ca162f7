"""The offset up to which a lane has committed, with its note, and the checks of the group's offsets against what this
worker has seen."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata
from msgspec.structs import replace

from worker.lanes.bounded_pass import Journal, StartingPoint
from worker.lanes.committed_offset import Decision, OffsetNote, read_note
from worker.lanes.faults import WentBackError


@dataclass
class KnownOffset:
    """The committed offset of a partition as this worker knows it, over all lanes that it has had there: ``offset`` was
    committed with ``note``, after ``decision``. A lower offset from the brokers is not believed, unless a person has
    decided to go back."""

    offset: int = 0
    decision: Decision | None = None
    note: OffsetNote = field(default_factory=OffsetNote)

    def take_up(self, beginning: StartingPoint) -> None:
        """Adopt the group's offset. Raises ``WentBackError`` where it is lower than the one known."""
        decision = beginning.note.decision
        if decision is not None and decision != self.decision:
            self.offset, self.decision = min(self.offset, decision.to), decision
        if beginning.offset < self.offset:
            raise WentBackError(self.offset, beginning.offset)
        self.offset, self.note = beginning.offset, beginning.note

    def is_lost(self, beginning: StartingPoint) -> bool:
        """Whether the group has an earlier offset that a worker committed: it has the note of one. Where a person has
        set the offset back there is none."""
        is_earlier = beginning.committed and beginning.offset < self.offset
        return is_earlier and beginning.note != OffsetNote() and beginning.note.decision == self.decision


class SeenCommit(NamedTuple):
    """An offset that this worker has seen committed, after ``decision``."""

    offset: int
    decision: Decision | None


Witnesses = Mapping[TopicPartition, SeenCommit]


class SeenCommits:
    """What this worker has seen committed, by source and partition, the oldest commit first.

    A group coordinator of Kafka 4.0 to 4.4 may answer before it has loaded all of its log (it was told to load again
    while it still loaded), with any earlier offset or none. A lane that knows its partition does not believe that; one
    that gets a partition for the first time asks about others beside it.
    """

    def __init__(self) -> None:
        self._by_source: defaultdict[str, OrderedDict[TopicPartition, SeenCommit]] = defaultdict(OrderedDict)

    def note(self, partition: TopicPartition, known: KnownOffset) -> None:
        seen = self._by_source[partition.topic]
        seen[partition] = SeenCommit(known.offset, known.decision)
        seen.move_to_end(partition)

    def beside(self, partition: TopicPartition) -> Witnesses:
        """The oldest and the newest commit in other partitions of the same source: a part of the log that lacks neither
        end is hardly a part. Those of other sources may be gone with their topics."""
        seen = [at for at in self._by_source[partition.topic] if at != partition]
        return {at: self._by_source[partition.topic][at] for at in (*seen[:1], *seen[-1:])}


def compare_with_seen(witnesses: Witnesses, answered: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
    """Raises ``WentBackError`` where the brokers answer a lower offset than was seen, and nobody has decided so."""
    for at, seen in witnesses.items():
        now = answered.get(at)
        decision = read_note(now.metadata).decision if now else None
        if (now.offset if now else 0) < seen.offset and decision in {None, seen.decision}:
            raise WentBackError(seen.offset, now.offset if now else 0, at)


class LanePosition:
    """The position of a lane. ``offset`` is None until the lane has begun; ``note`` stands beside the group's offset,
    ``journal`` is the account of a bounded pass."""

    def __init__(self, known: KnownOffset | None) -> None:
        self.known = known or KnownOffset()
        self.offset: int | None = None
        self.note = OffsetNote()
        self.journal: Journal | None = None
        self.is_committed = False
        """Whether the group has committed the lane's offset: then its loss means that the source was deleted and
        created again."""
        self._has_begun = False

    @property
    def begun(self) -> int:
        """The offset of a lane that has begun."""
        assert self.offset is not None  # noqa: S101  (``take_up`` set it)
        return self.offset

    @property
    def epochs(self) -> dict[int, int]:
        """The leader epoch of the last records read, with the offset after them; empty where it is unknown."""
        return {} if self.note.epoch is None else {self.note.epoch: self.offset or 0}

    @property
    def own(self) -> KnownOffset | None:
        """What is known of an offset that this lane itself has committed or begun at; None before that."""
        return self.known if self._has_begun and self.is_committed else None

    def take_up(self, beginning: StartingPoint) -> bool:
        """Begin at ``beginning``. Returns whether another worker has processed the partition since this one. Raises
        ``WentBackError``."""
        before = self.known.offset
        self.known.take_up(beginning)
        by_others = beginning.offset != before and not self._has_begun
        self._has_begun = True
        self.offset, self.note, self.journal = beginning.offset, beginning.note, beginning.journal
        self.is_committed = beginning.committed
        return by_others

    def compare(self, now: int) -> None:
        """Compare the group's offset ``now`` with the known one. Raises ``WentBackError`` where it is lower."""
        if self.is_committed and now < self.known.offset:
            raise WentBackError(self.known.offset, now)

    def committed(self, offset: int, note: OffsetNote, journal: Journal | None, *, to_group: bool) -> None:
        """Note a committed transaction up to ``offset``; ``to_group`` unless it is one of a bounded pass."""
        self.offset = self.known.offset = offset
        self.note, self.journal = note, journal
        self.known.note = note
        self.is_committed = to_group

    def note_without_breaker(self) -> OffsetNote:
        return replace(self.note, breaker="")
