"""What earlier redrives of a route have taken, asked of Kafka and of the ledger.

Kafka keeps it beside the offsets of the redrives' group, and forgets it a week after the last one. The ledger keeps it
for ever; whether it still is about this topic, a record that it remembers must show.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import make_url

from worker.dlq.bounds import note_digest
from worker.dlq.done import TakenLetters
from worker.errors import WorkerError
from worker.kafka.clients import KafkaClients
from worker.ledger import Ledger, open_ledger
from worker.replay.apply.account import NotOurNote, PartitionAccount
from worker.replay.apply.changes import digests_of
from worker.replay.plan.parts import PlannedRange
from worker.replay.topics import Reached, committed_of


@dataclass(frozen=True)
class RedriveScope:
    """Whose redrives: of a route's source, in a cluster; ``topic`` holds its dead letters."""

    cluster: str
    source: str
    topic: str
    group: str

    @property
    def redrives(self) -> str:
        """The group of all redrives of the route."""
        return f"{self.group}-redrive-{self.source}"


@dataclass(frozen=True)
class EarlierRedrives:
    """By partition: what was taken, and a digest of what Kafka says of it."""

    done: Mapping[int, TakenLetters]
    digests: Mapping[int, str]


async def taken_before(
    place: RedriveScope, clients: KafkaClients, consumer: AIOKafkaConsumer, ledger: Ledger | None
) -> EarlierRedrives:
    """Raises WorkerError where somebody has set the group's offsets by hand."""
    found = await committed_of(clients, place.redrives, place.topic)
    kafka = {at.partition: reached for at, reached in found.items()}
    done = {number: _done(place, number, reached) for number, reached in kafka.items()}
    if ledger is not None:
        kept = await asyncio.to_thread(_kept, place, ledger)
        for number, reached in (await _of_this_topic(place, kept, consumer)).items():
            done[number] = done.get(number, TakenLetters()).united(_done(place, number, reached))
    return EarlierRedrives(done, {number: note_digest(reached.note) for number, reached in kafka.items()})


def existing_ledger(url: str) -> Ledger | None:
    """The ledger, where there is one already: reading makes none."""
    target = make_url(url)
    if target.get_backend_name() == "sqlite" and target.database and not Path(target.database).exists():
        return None
    return open_ledger(url)


def _done(place: RedriveScope, number: int, reached: Reached) -> TakenLetters:
    try:
        taken = PartitionAccount.of_note(reached.note, None).taken
    except NotOurNote:
        taken = None
    if taken is None:
        raise WorkerError(
            f"{place.topic} partition {number}: the group {place.redrives} is at offset {reached.offset} without the "
            "account of a redrive: its offsets were set by hand; delete the group, if the ledger knows all redrives"
        )
    return TakenLetters(taken.earlier).with_more(taken.fingerprints, reached.offset, taken.rounds)


def _kept(place: RedriveScope, ledger: Ledger) -> dict[int, Reached]:
    """Of each partition the newest redrive that came so far as to commit there: it tells of those before, too."""
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
    """A topic made anew under the same name does not hold the last record of then."""
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
