"""What a dead-letter topic holds, grouped by fault. Memory is bounded: counts, and no more groups than ``MOST``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from upcasters.event import SourceRecord
from worker.dead_letters import CONNECT, OURS
from worker.dlq.letter import Letter, read_letter
from worker.dlq.selection import Selection
from worker.kafka.fetched import NO_TIMESTAMP, timestamp_of
from worker.kafka.open_transactions import OpenTransaction
from worker.replay.plan.parts import Coordinates

MOST = 1_000
SAMPLES = 3
OTHERS = "(others)"
NAMES = {
    "topic": CONNECT + "topic",
    "stage": CONNECT + "stage",
    "error_type": CONNECT + "exception.class.name",
    "event_type": OURS + "event.type",
    "from_version": OURS + "schema.from",
    "to_version": OURS + "schema.to",
    "step": OURS + "failed.step",
}
LONGEST_NAME = 200


class LetterFault(NamedTuple):
    """What letters are grouped by. ``fingerprint`` is empty for somebody else's records."""

    fingerprint: str
    topic: str = ""
    stage: str = ""
    error_type: str = ""
    event_type: str = ""
    from_version: str = ""
    to_version: str = ""
    step: str = ""


@dataclass
class Group:
    """Times in milliseconds, -1 unknown: when the first and the last one became a dead letter.

    ``left`` are those that no redrive has taken yet. ``rounds`` is the most that one of them was redriven.
    """

    records: int = 0
    left: int = 0
    rounds: int = 0
    first_seen: int = NO_TIMESTAMP
    last_seen: int = NO_TIMESTAMP
    samples: list[Coordinates] = field(default_factory=list)

    def add(self, place: Coordinates, time: int, rounds: int, *, left: bool) -> None:
        self.records += 1
        self.left += left
        self.rounds = max(self.rounds, rounds)
        if time >= 0:
            self.last_seen = max(self.last_seen, time)
            self.first_seen = time if self.first_seen < 0 else min(self.first_seen, time)
        if len(self.samples) < SAMPLES:
            self.samples.append(place)


class Listing:
    """Counts every record of the topic once; ``hidden`` is what cannot be read yet."""

    def __init__(self, selection: Selection, hidden: Sequence[OpenTransaction] = ()) -> None:
        self._selection = selection
        self.hidden = hidden
        self.groups: dict[LetterFault, Group] = {}
        self.records = 0

    def add(self, partition: int, records: Sequence[SourceRecord]) -> None:
        for record in records:
            letter = read_letter(record)
            place = Coordinates(partition=partition, offset=record.offset or 0)
            if letter is None:
                self._group(_foreign(record)).add(place, timestamp_of(record.timestamp), 0, left=True)
            else:
                left = not self._selection.is_done(partition, letter)
                self._group(fault_of(letter)).add(place, letter.buried, letter.rounds, left=left)
        self.records += len(records)

    def _group(self, fault: LetterFault) -> Group:
        if fault not in self.groups and len(self.groups) >= MOST:
            fault = LetterFault(OTHERS)
        return self.groups.setdefault(fault, Group())

    def ordered(self) -> list[tuple[LetterFault, Group]]:
        """Most first, those of others last."""
        return sorted(self.groups.items(), key=lambda item: (not item[0].fingerprint, -item[1].records, item[0]))


def fault_of(letter: Letter) -> LetterFault:
    """What a letter says of its fault; as much of it as there was room for."""
    return LetterFault(
        letter.fingerprint, **{name: letter.text(header)[:LONGEST_NAME] for name, header in NAMES.items()}
    )


def _foreign(record: SourceRecord) -> LetterFault:
    """Kafka Connect and others write the same headers, less our own."""
    told = {
        name: (dict(record.headers).get(header) or b"").decode("utf-8", "replace") for name, header in NAMES.items()
    }
    return LetterFault("", **{name: told[name][:LONGEST_NAME] for name in ("topic", "stage", "error_type")})
