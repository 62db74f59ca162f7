"""Where a redrive begins and goes on: its group is that of all redrives of a route, so that two never take the same."""

from __future__ import annotations

import hashlib

from aiokafka import AIOKafkaConsumer, TopicPartition

from worker.errors import WorkerError
from worker.replay.apply.account import PartitionAccount, Taken, is_of
from worker.replay.apply.bounds import ReplayBounds
from worker.replay.plan.parts import Redrive
from worker.replay.topics import Reached


def note_digest(note: str) -> str:
    """16 hex digits, by which a plan knows the redrive before it."""
    return hashlib.sha256(note.encode()).hexdigest()[:16]


class RedriveBounds(ReplayBounds):
    """What the redrive before left beside its offset is a beginning; anything else's is another redrive's work."""

    async def _committed(self, partition: TopicPartition, consumer: AIOKafkaConsumer) -> Reached | None:
        found = await super()._committed(partition, consumer)
        if found is None or is_of(found.note, self.plan.replay_id):
            return found
        known = {each.partition: each.digest for each in self._redrive.predecessors}
        if known.get(partition.partition) != note_digest(found.note) or partition.partition in self.ledger:
            raise WorkerError(
                f"{partition.topic} partition {partition.partition}: another redrive of this route has been at work "
                "since the plan was made: make a new one with `upcast dlq redrive --plan`"
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
