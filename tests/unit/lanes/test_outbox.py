"""What becomes of batches that nobody waits for any more, and what the answer to one says of its records' time."""

from __future__ import annotations

import asyncio
import gc
from typing import cast

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import CorruptRecordException
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from worker.lanes.faults import BlockedError
from worker.lanes.outbox import LOG_APPEND_TIME, Outbox, OutgoingRecord
from worker.routes.route import OutputTopic


async def test_batches_that_fail_after_they_were_forgotten_are_nothing_to_complain_of() -> None:
    """The producer keeps the future of a batch to itself, and gives out a shield of it."""
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    await _forget_one_that_fails()
    gc.collect()
    assert complaints == []


async def _forget_one_that_fails() -> None:
    kept = asyncio.get_running_loop().create_future()
    outbox = Outbox(cast("AIOKafkaProducer", None), 0)
    outbox._sent = [("current", asyncio.shield(kept), 1)]
    sending = asyncio.create_task(outbox.send_all())
    await asyncio.sleep(0)
    sending.cancel()
    await asyncio.wait([sending])
    outbox.forget()
    kept.set_exception(CorruptRecordException())
    await asyncio.sleep(0)


class Answering:
    """A producer whose broker answers each batch with this time."""

    def __init__(self, timestamp: int) -> None:
        self._timestamp = timestamp

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(16_384, 0)

    async def send_batch(self, batch: BatchBuilder, topic: str, partition: int) -> asyncio.Future[RecordMetadata]:
        at = TopicPartition(topic, partition)
        answered: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        answered.set_result(RecordMetadata(topic, partition, at, 0, self._timestamp, LOG_APPEND_TIME, 0))
        return answered


async def sent(answered_with: int) -> None:
    outbox = Outbox(cast("AIOKafkaProducer", Answering(answered_with)), 0)
    topic = OutputTopic("current", 1, 1_000_000)
    for timestamp in (1_000, 3_000, 2_000):
        assert outbox.put(topic, OutgoingRecord(timestamp, b"key", b"value", []))
    await outbox.send_all()


async def test_a_batch_that_the_broker_has_already_is_answered_with_its_own_time() -> None:
    await sent(answered_with=3_000)


async def test_a_time_that_is_not_the_batch_s_own_is_the_broker_s() -> None:
    with pytest.raises(BlockedError, match="replaces the timestamps of records"):
        await sent(answered_with=4_000)
