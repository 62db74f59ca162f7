"""Decides which dead letters a redrive takes, and why it leaves the others: by what was asked for, and by what earlier
redrives took."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition

from upcasters.event import SourcePartition, SourceRecord
from worker.dead_letters import Redriven
from worker.dlq.letters import Letter, read_letter
from worker.errors import WorkerError
from worker.kafka.clients import KafkaClients
from worker.ledger import Ledger
from worker.replay.apply.account import NotOurNote, PartitionAccount, Taken, is_of
from worker.replay.apply.preconditions import digests_of
from worker.replay.apply.receipt import Receipt
from worker.replay.apply.resume import ReplayBounds
from worker.replay.plan.file import Plan, PlannedRange, Redrive
from worker.replay.plan.filters import FILTERED
from worker.replay.topics import Reached, committed_of
from worker.settings.group_names import redrive_group

ALL_FAULTS = "*"
"""Stands in place of a fingerprint and selects the dead letters of every fault."""

RoundLimits = tuple[tuple[int, int], ...]
"""Pairs of `(offset, rounds)`: every letter below `offset` that was redriven fewer than `rounds` times was taken."""


class TakenLetters:
    """The dead letters that earlier redrives have taken, as limits by fingerprint. Immutable."""

    def __init__(self, limits: Mapping[str, RoundLimits] | None = None) -> None:
        self._limits = dict(limits or {})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TakenLetters) and self._limits == other._limits

    def __hash__(self) -> int:
        return hash(tuple(sorted(self._limits.items())))

    def __repr__(self) -> str:
        return f"TakenLetters({self._limits})"

    def holds(self, fingerprint: str, offset: int, rounds: int) -> bool:
        """Whether a redrive has taken the letter at ``offset``, which was redriven ``rounds`` times before."""
        return any(offset < end and rounds < most for end, most in self._of(fingerprint))

    def up_to(self, fingerprint: str, rounds: int) -> int:
        """The offset below which a redrive of letters with fewer than ``rounds`` rounds has nothing left to take."""
        return max((end for end, most in self._of(fingerprint) if most >= rounds), default=0)

    def with_more(self, fingerprints: Iterable[str], end: int, rounds: int) -> TakenLetters:
        """A copy that also holds letters of ``fingerprints`` below ``end`` with fewer than ``rounds`` rounds."""
        return self.united(TakenLetters(dict.fromkeys(fingerprints, ((end, rounds),))))

    def united(self, other: TakenLetters) -> TakenLetters:
        """A copy that holds every letter that this or ``other`` holds."""
        names = sorted(self._limits.keys() | other._limits.keys())
        united = {name: _needed(self._limits.get(name, ()) + other._limits.get(name, ())) for name in names}
        of_all = united.pop(ALL_FAULTS, ())
        apart = {name: tuple(each for each in limits if not _covers(of_all, each)) for name, limits in united.items()}
        return TakenLetters({name: limits for name, limits in {**apart, ALL_FAULTS: of_all}.items() if limits})

    def after(self, beginning: int) -> TakenLetters:
        """A copy without limits at or below ``beginning``, whose letters retention has deleted."""
        kept = {name: tuple(limit for limit in limits if limit[0] > beginning) for name, limits in self.items()}
        return TakenLetters({name: limits for name, limits in kept.items() if limits})

    def _of(self, fingerprint: str) -> RoundLimits:
        return self._limits.get(fingerprint, ()) + self._limits.get(ALL_FAULTS, ())

    def items(self) -> Iterator[tuple[str, RoundLimits]]:
        yield from self._limits.items()


def _needed(limits: RoundLimits) -> RoundLimits:
    """Without those that others include."""
    distinct = sorted(set(limits), reverse=True)
    return tuple(each for each in distinct if not _covers(tuple(other for other in distinct if other != each), each))


def _covers(limits: RoundLimits, limit: tuple[int, int]) -> bool:
    return any(end >= limit[0] and most >= limit[1] for end, most in limits)


def note_digest(note: str) -> str:
    """16 hex digits over an account, which identify the state of the previous redrive."""
    return hashlib.sha256(note.encode()).hexdigest()[:16]


class RedriveBounds(ReplayBounds):
    """The bounds of a redrive. The offset and account of the previous redrive count as a beginning; any other state is
    the work of a redrive that ran since the plan was made."""

    async def _committed(self, partition: TopicPartition, consumer: AIOKafkaConsumer) -> Reached | None:
        found = await super()._committed(partition, consumer)
        if found is None or is_of(found.note, self.plan.replay_id):
            return found
        known = {each.partition: each.digest for each in self._redrive.predecessors}
        if known.get(partition.partition) != note_digest(found.note) or partition.partition in self.ledger:
            raise WorkerError(
                f"{partition.topic} partition {partition.partition}: another redrive of this route has run since the "
                "plan was made: make a new plan with `upcast dlq redrive --plan`",
                code="UPC1805",
            )
        return None

    async def _fresh(self, number: int, offsets: AIOKafkaConsumer) -> PartitionAccount:
        account = await super()._fresh(number, offsets)
        redrive = self._redrive
        earlier = {each.fingerprint: each.limits for each in redrive.taken if each.partition == number}
        account.taken = Taken(redrive.fingerprints, redrive.rounds, earlier)
        if not redrive.aligned:
            # Its records go to several partitions, which end at different offsets.
            account.destination_start = 0
        return account

    @property
    def _redrive(self) -> Redrive:
        assert self.plan.redrive is not None  # noqa: S101  (whoever made this has seen to it)
        return self.plan.redrive


@dataclass(frozen=True)
class RedriveScope:
    """Which redrives count as earlier ones: those of a route's source in a cluster; ``topic`` holds its dead
    letters."""

    cluster: str
    source: str
    topic: str
    group: str

    @property
    def redrives(self) -> str:
        """The consumer group that all redrives of the route share."""
        return redrive_group(self.group, self.source)


@dataclass(frozen=True)
class EarlierRedrives:
    """By partition: what earlier redrives took, and a digest of the account in Kafka."""

    done: Mapping[int, TakenLetters]
    digests: Mapping[int, str]


async def taken_before(
    place: RedriveScope, clients: KafkaClients, consumer: AIOKafkaConsumer, ledger: Ledger | None
) -> EarlierRedrives:
    """What earlier redrives took, from Kafka and the ledger. Raises WorkerError where somebody has set the group's
    offsets by hand."""
    found = await committed_of(clients, place.redrives, place.topic)
    kafka = {at.partition: reached for at, reached in found.items()}
    done = {number: _done(place, number, reached) for number, reached in kafka.items()}
    if ledger is not None:
        kept = await asyncio.to_thread(_kept, place, ledger)
        for number, reached in (await _of_this_topic(place, kept, consumer)).items():
            done[number] = done.get(number, TakenLetters()).united(_done(place, number, reached))
    return EarlierRedrives(done, {number: note_digest(reached.note) for number, reached in kafka.items()})


def _done(place: RedriveScope, number: int, reached: Reached) -> TakenLetters:
    try:
        taken = PartitionAccount.of_note(reached.note, None).taken
    except NotOurNote:
        taken = None
    if taken is None:
        raise WorkerError(
            f"{place.topic} partition {number}: the group {place.redrives} is at offset {reached.offset} without the "
            "account of a redrive: its offsets were set by hand; delete the group, if the ledger knows all redrives",
            code="UPC1612",
        )
    return TakenLetters(taken.earlier).with_more(taken.fingerprints, reached.offset, taken.rounds)


def _kept(place: RedriveScope, ledger: Ledger) -> dict[int, Reached]:
    """Of each partition the newest redrive in the ledger that committed there: its account includes those before it."""
    kept: dict[int, Reached] = {}
    for run in ledger.runs():
        if (run.kind, run.cluster_id, run.route) == ("redrive", place.cluster, place.source):
            for each in ledger.progress(run.replay_id):
                if each.topic == place.topic and each.committed > each.start:
                    kept.setdefault(each.partition, Reached(each.committed, each.digest))
    return kept


async def _of_this_topic(
    place: RedriveScope, kept: Mapping[int, Reached], consumer: AIOKafkaConsumer
) -> dict[int, Reached]:
    """Without accounts of a topic that was deleted and created again: it does not hold their last record."""
    marks = {number: PartitionAccount.of_note(reached.note, None).last for number, reached in kept.items()}
    marked = {number: mark for number, mark in marks.items() if mark is not None}
    offsets = await consumer.log_offsets(TopicPartition(place.topic, number) for number in marked)
    ranges = [PlannedRange(partition=at, start=0, end=0, marks=(mark,)) for at, mark in marked.items()]
    found = await digests_of(place.topic, ranges, consumer)
    return {
        number: kept[number]
        for number, mark in marked.items()
        if mark.offset < offsets[TopicPartition(place.topic, number)].end
        and found[number].get(mark.offset) in (None, mark.digest)
    }


NOT_OURS = "not-ours"
"""A record that this worker did not write, or one without the headers that a redrive needs."""
REDRIVEN = "redriven"
ROUNDS = "rounds"
"""Redriven as often as is allowed."""
NO_ORIGIN = "no-origin"
"""Its record was too large for a header with its partition, and nothing else has it."""
LEFT = (NOT_OURS, FILTERED, REDRIVEN, ROUNDS, NO_ORIGIN)


@dataclass(frozen=True)
class Selection:
    """Selects dead letters. ``source`` is the route's source, ``topic`` the dead-letter topic, ``done`` what earlier
    redrives took, by partition. ``aligned``: a letter stands in the same partition as its original record."""

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
        """The place of the original record; where it is unknown, that of the letter."""
        if letter.topic is None or letter.partition is None:
            return SourcePartition(self.topic, partition)
        return SourcePartition(letter.topic, letter.partition)

    def chosen(self, partition: int, records: Iterable[SourceRecord]) -> Iterator[tuple[SourceRecord, SourcePartition]]:
        """The original records of the selected letters, each with its place in the source."""
        for record in records:
            letter = self.choose(partition, record)
            if isinstance(letter, Letter):
                yield letter.restored(), self.origin(partition, letter)


def selection_of(plan: Plan | Receipt) -> Selection:
    """The selection of a redrive's plan or receipt."""
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
    """The number of letters that a plan takes."""
    return plan.counts.read - sum(plan.counts.skipped.get(reason, 0) for reason in LEFT)


def redriven(partition: int, letter: Letter) -> Redriven:
    """What the output of a letter says of the letter."""
    return Redriven(letter.rounds + 1, partition, letter.record.offset or 0)
