"""Which dead letters a redrive takes, and why it leaves the others where they are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from upcasters.event import SourcePartition, SourceRecord
from worker.dead_letters import Redriven
from worker.dlq.letters import Letter, read_letter
from worker.dlq.redrive_history import ALL_FAULTS, RoundLimits, TakenLetters
from worker.replay.apply.receipt import Receipt
from worker.replay.plan.file import Plan

NOT_OURS = "not-ours"
"""Somebody else's record, or one without the headers that a redrive needs."""
FILTERED = "filtered"
"""Of another fault, or of another route that shares the topic."""
REDRIVEN = "redriven"
ROUNDS = "rounds"
"""Redriven as often as is allowed already."""
NO_ORIGIN = "no-origin"
"""Its record was too large for a header with its partition, and nothing else tells it."""
LEFT = (NOT_OURS, FILTERED, REDRIVEN, ROUNDS, NO_ORIGIN)


@dataclass(frozen=True)
class Selection:
    """``source`` is the route's, ``topic`` the dead-letter topic, ``done`` by its partitions. ``aligned``: a letter
    stands in the same partition as its record did."""

    source: str
    topic: str
    fingerprints: frozenset[str]
    rounds: int
    aligned: bool
    done: Mapping[int, TakenLetters] = field(default_factory=dict)

    def choose(self, partition: int, record: SourceRecord) -> Letter | str:
        """The letter, or the reason for leaving it."""
        letter = read_letter(record)
        if letter is None:
            return NOT_OURS
        if not self._is_meant(letter):
            return FILTERED
        if self.is_done(partition, letter):
            return REDRIVEN
        if letter.rounds >= self.rounds:
            return ROUNDS
        return letter if letter.partition is not None or self.aligned else NO_ORIGIN

    def is_done(self, partition: int, letter: Letter) -> bool:
        """Whether an earlier redrive took it."""
        done = self.done.get(partition)
        return done is not None and done.holds(letter.fingerprint, letter.record.offset or 0, letter.rounds)

    def _is_meant(self, letter: Letter) -> bool:
        wanted = letter.fingerprint in self.fingerprints or ALL_FAULTS in self.fingerprints
        return wanted and letter.topic in (None, self.source)

    def origin(self, partition: int, letter: Letter) -> SourcePartition:
        """Where the record came from first; where nobody knows that, the letter's own place."""
        if letter.topic is None or letter.partition is None:
            return SourcePartition(self.topic, partition)
        return SourcePartition(letter.topic, letter.partition)

    def chosen(self, partition: int, records: Iterable[SourceRecord]) -> Iterator[tuple[SourceRecord, SourcePartition]]:
        """The records that are meant, as they first came, each with its origin."""
        for record in records:
            letter = self.choose(partition, record)
            if isinstance(letter, Letter):
                yield letter.restored(), self.origin(partition, letter)


def selection_of(plan: Plan | Receipt) -> Selection:
    """What a redrive's plan or receipt says that it takes."""
    assert plan.redrive is not None  # noqa: S101  (whoever asks has made sure)
    done: dict[int, dict[str, RoundLimits]] = {}
    for each in plan.redrive.taken:
        done.setdefault(each.partition, {})[each.fingerprint] = each.limits
    return Selection(
        source=plan.route.source,
        topic=plan.route.dead_letter,
        fingerprints=frozenset(plan.redrive.fingerprints),
        rounds=plan.redrive.rounds,
        aligned=plan.redrive.aligned,
        done={partition: TakenLetters(limits) for partition, limits in done.items()},
    )


def takes(plan: Plan) -> int:
    """How many letters a plan takes."""
    return plan.counts.read - sum(plan.counts.skipped.get(reason, 0) for reason in LEFT)


def redriven(partition: int, letter: Letter) -> Redriven:
    """What the records that are made of a letter tell of it."""
    return Redriven(letter.rounds + 1, partition, letter.record.offset or 0)
