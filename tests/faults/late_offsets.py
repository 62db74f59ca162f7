"""Late offsets of a lane: what an earlier producer of its transactional id sends to the group's coordinator, again and
again. The first one comes behind the abort of its transaction."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.client import ConnectionGroup, CoordinationType
from aiokafka.errors import KafkaError
from aiokafka.protocol.transaction import TxnOffsetCommitRequest

PAUSE = 0.01


class LateOffsets:
    """``sent`` counts those that a broker has answered, ``taken`` those that it accepted."""

    def __init__(self, producer: AIOKafkaProducer, group: str, partition: TopicPartition, offset: int) -> None:
        self._producer = producer
        self._group = group
        manager = producer._txn_manager
        self._request = TxnOffsetCommitRequest(
            transactional_id=manager.transactional_id,
            group_id=group,
            producer_id=manager.producer_id,
            producer_epoch=manager.producer_epoch,
            topics=[(partition.topic, [(partition.partition, offset, "")])],
        )
        self.sent = self.taken = 0

    async def send(self) -> None:
        sender = self._producer._sender
        try:
            node = await sender._find_coordinator(CoordinationType.GROUP, self._group)
            answer = await self._producer.client.send(node, self._request, group=ConnectionGroup.COORDINATION)
        except (KafkaError, OSError):
            sender._coordinator_dead(CoordinationType.GROUP)
            return
        self.sent += 1
        self.taken += answer.errors[0][1][0][1] == 0

    async def keep_sending(self) -> None:
        while True:
            await self.send()
            await asyncio.sleep(PAUSE)


@asynccontextmanager
async def late_offsets(
    bootstrap_servers: str, transactional_id: str, group: str, partition: TopicPartition, offset: int
) -> AsyncIterator[LateOffsets]:
    """They come until the block ends. The producer fences the lane's; the lane's next one fences it in turn."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, transactional_id=transactional_id)
    await producer.start()
    try:
        await producer.begin_transaction()
        while not await producer._sender._do_add_offsets_to_txn(group):
            pass
        await producer.abort_transaction()
        late = LateOffsets(producer, group, partition, offset)
        await late.send()
        sending = asyncio.create_task(late.keep_sending(), name="late offsets")
        try:
            yield late
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
    finally:
        with contextlib.suppress(KafkaError):
            await producer.stop()
