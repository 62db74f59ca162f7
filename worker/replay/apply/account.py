"""The account of one partition of a replay: what was read and written, in counts and digests.

Each offset commit carries it as its metadata, so that offset and account always agree, whichever process is killed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import msgspec

from upcasters.event import SourceRecord
from worker.lanes.bounded_pass import Written
from worker.lanes.counters import Counters
from worker.replay.digest import RunningDigest, contents
from worker.replay.known_replays import Share
from worker.replay.plan.file import Mark, OutcomeCounts
from worker.replay.plan.identity import record_digest

MOST_NOTE = 4_000
"""Characters. Kafka keeps no more than 4,096 bytes beside an offset."""
GROWTH = 300
"""Characters by which the counts may grow after the last stretch has begun."""


class Taken(msgspec.Struct, frozen=True):
    """Which dead letters of a partition a redrive takes: those of these faults that were redriven fewer than ``rounds``
    times, less those that ``earlier`` redrives took (by fingerprint: offsets and rounds)."""

    fingerprints: tuple[str, ...]
    rounds: int
    earlier: dict[str, tuple[tuple[int, int], ...]]


class _Note(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The account as text: short names, some 400 bytes; more for a redrive."""

    replay: str
    read: tuple[int, str]
    written: tuple[int, str]
    stretches: list[int]
    destination: int
    dead_letter: int
    upcast: int
    passed: int
    skipped: dict[str, int]
    dead: int
    taken: Taken | None = None
    last: tuple[int, str] | None = None
    share: Share | None = None
    tombstones: int = 0


class NotOurNote(Exception):
    """The metadata of an offset was not written by this replay."""


class TooOftenInterrupted(Exception):
    """The account has no room for one more stretch."""


@dataclass
class PartitionAccount:
    """``destination_start`` and ``dead_letter_start`` are where those topics ended when the replay began: everything
    that it wrote is behind them. ``stretches`` are the source offsets at which digests began a new stretch, except the
    first. Only a redrive has ``taken`` and ``last``, a record that identifies the topic."""

    replay_id: str
    destination_start: int = 0
    dead_letter_start: int = 0
    source: RunningDigest = field(default_factory=RunningDigest)
    output: RunningDigest = field(default_factory=RunningDigest)
    stretches: list[int] = field(default_factory=list)
    upcast: int = 0
    passed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    dead_lettered: int = 0
    taken: Taken | None = None
    last: Mark | None = None
    share: Share | None = None
    tombstones: int = 0

    @classmethod
    def of_note(cls, text: str, replay_id: str | None) -> PartitionAccount:
        """The account in the metadata ``text``; with ``replay_id`` None of any replay. Raises ``NotOurNote``."""
        try:
            note = msgspec.json.decode(text, type=_Note)
            source, output = RunningDigest(*note.read), RunningDigest(*note.written)
        except ValueError:
            raise NotOurNote from None
        if replay_id not in (None, note.replay):
            raise NotOurNote
        return cls(
            note.replay,
            note.destination,
            note.dead_letter,
            source,
            output,
            note.stretches,
            note.upcast,
            note.passed,
            Counter(note.skipped),
            note.dead,
            note.taken,
            note.last and Mark(offset=note.last[0], digest=note.last[1]),
            note.share,
            note.tombstones,
        )

    @property
    def note(self) -> str:
        note = _Note(
            self.replay_id,
            (self.source.count, self.source.text),
            (self.output.count, self.output.text),
            self.stretches,
            self.destination_start,
            self.dead_letter_start,
            self.upcast,
            self.passed,
            dict(self.skipped),
            self.dead_lettered,
            self.taken,
            (self.last.offset, self.last.digest) if self.last else None,
            self.share,
            self.tombstones,
        )
        return msgspec.json.encode(note).decode()

    @property
    def counts(self) -> OutcomeCounts:
        return OutcomeCounts(
            read=self.source.count,
            upcast=self.upcast,
            passed=self.passed,
            skipped=dict(sorted(self.skipped.items())),
            dead_lettered=self.dead_lettered,
            produced=self.output.count,
            tombstones=self.tombstones,
        )

    def begin_stretch(self, offset: int) -> None:
        """Begin a new stretch at ``offset``: the state of the hashes is lost. Raises ``TooOftenInterrupted``."""
        if not self.source.count or offset in self.stretches[-1:]:
            return
        if len(self.note) + len(f",{offset}") > MOST_NOTE - GROWTH:
            raise TooOftenInterrupted
        self.stretches.append(offset)
        self.source.begin_stretch()
        self.output.begin_stretch()

    # What a lane asks (``worker.lanes.bounded_pass.Journal``).

    def copy(self) -> Self:
        made = type(self)(**vars(self))
        made.source, made.output = self.source.copy(), self.output.copy()
        made.stretches, made.skipped = self.stretches.copy(), self.skipped.copy()
        return made

    def read(self, records: Sequence[SourceRecord]) -> None:
        self.source.add(contents(records))
        if self.taken is not None and records:
            self.last = Mark(offset=records[-1].offset or 0, digest=record_digest(records[-1]))

    def wrote(self, records: Sequence[Written]) -> None:
        self.output.add(records)

    def close(self, counters: Counters) -> str:
        self.upcast += counters.upcast_total()
        self.passed += counters.passed
        self.tombstones += counters.tombstones
        self.skipped += counters.skipped
        self.dead_lettered += sum(counters.dead_lettered.values())
        return self.note


def is_of(note: str, replay_id: str) -> bool:
    """Whether this replay wrote the account."""
    try:
        PartitionAccount.of_note(note, replay_id)
    except NotOurNote:
        return False
    return True
