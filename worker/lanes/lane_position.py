"""Up to where a lane has ended everything, and what stands beside that: its own word against the group's."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from worker.lanes.bounded_pass import Journal, StartingPoint
from worker.lanes.committed_offset import Decision, OffsetNote
from worker.lanes.faults import WentBackError


@dataclass
class KnownOffset:
    """What a worker knows of a partition's committed offset over all the lanes that it has had of it: ``offset`` was
    committed, after ``decision``. A group that is told to be before it is not believed, unless a person has decided so
    meanwhile."""

    offset: int = 0
    decision: Decision | None = None

    def take_up(self, beginning: StartingPoint) -> None:
        """Raises ``WentBackError``."""
        decision = beginning.note.decision
        if decision is not None and decision != self.decision:
            self.offset, self.decision = min(self.offset, decision.to), decision
        if beginning.offset < self.offset:
            raise WentBackError(self.offset, beginning.offset)
        self.offset = beginning.offset


class LanePosition:
    """``offset`` is None until the lane has begun; ``note`` is what stands beside the group's offset, ``journal`` the
    account of a bounded pass."""

    def __init__(self, known: KnownOffset | None) -> None:
        self.known = known or KnownOffset()
        self.offset: int | None = None
        self.note = OffsetNote()
        self.journal: Journal | None = None
        self.is_committed = False
        """Whether the group's offset is the lane's, so that it tells of a source that was made anew."""
        self._has_begun = False

    @property
    def begun(self) -> int:
        """The offset of a lane that has begun."""
        assert self.offset is not None  # noqa: S101  (``take_up`` set it)
        return self.offset

    @property
    def epochs(self) -> dict[int, int]:
        """The leader epoch of what was read last, with where that ends; empty where it is not known."""
        return {} if self.note.epoch is None else {self.note.epoch: self.offset or 0}

    def take_up(self, beginning: StartingPoint) -> bool:
        """Whether others have worked here since this lane did, if it ever did. Raises ``WentBackError``."""
        before = self.known.offset
        self.known.take_up(beginning)
        by_others = beginning.offset != before and not self._has_begun
        self._has_begun = True
        self.offset, self.note, self.journal = beginning.offset, beginning.note, beginning.journal
        self.is_committed = beginning.committed
        return by_others

    def compare(self, now: int) -> None:
        """The group says so. Raises ``WentBackError`` where it has forgotten what it said."""
        if self.is_committed and now < self.known.offset:
            raise WentBackError(self.known.offset, now)

    def committed(self, offset: int, note: OffsetNote, journal: Journal | None, *, to_group: bool) -> None:
        """A transaction up to there, ``to_group`` unless it is one of a bounded pass."""
        self.offset = self.known.offset = offset
        self.note, self.journal = note, journal
        self.is_committed = to_group

    def note_without_breaker(self) -> OffsetNote:
        return replace(self.note, breaker="")
