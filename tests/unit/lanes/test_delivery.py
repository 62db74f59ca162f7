"""Which end a lane's transaction gets."""

from __future__ import annotations

from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka import errors as kafka_errors
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.protocol.produce import ProduceRequest

from worker.lanes.delivery import AtLeastOnce, ClientFactory, ExactlyOnce
from worker.lanes.timeouts import Timeouts

PLACE = TopicPartition("legacy", 0)


class Wire:
    def __init__(self, failures: list[Exception]) -> None:
        self._failures = failures

    async def send(self, node: int, request: Any, **options: Any) -> None:
        if self._failures:
            raise self._failures.pop(0)


class Producer:
    """Notes what it is asked for."""

    def __init__(self, *failures: Exception) -> None:
        self._txn_manager = TransactionManager("id", 60_000)
        self.client = Wire(list(failures))
        self.asked: list[str] = []
        self.fails: type[Exception] | None = None

    async def begin_transaction(self) -> None:
        self.asked.append("begin")

    async def send_offsets_to_transaction(self, *_: object) -> None:
        self.asked.append("offsets")

    async def commit_transaction(self) -> None:
        self.asked.append("commit")
        if self.fails:
            raise self.fails

    async def abort_transaction(self) -> None:
        self.asked.append("abort")
        if self.fails:
            raise self.fails


class One:
    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    def producer(self, **options: Any) -> Producer:
        return self._producer


def exactly_once(producer: Producer) -> ExactlyOnce:
    return ExactlyOnce(cast("ClientFactory", One(producer)), "group", PLACE, 1, Timeouts())


async def produce(producer: Producer) -> None:
    request = ProduceRequest(required_acks=-1, timeout=1, topics=[], transactional_id="id")
    await producer.client.send(0, request)


async def test_what_was_answered_is_aborted() -> None:
    producer = Producer()
    delivery = exactly_once(producer)
    await delivery.begin()
    await produce(producer)
    assert delivery.left_open
    await delivery.abort()
    assert producer.asked == ["begin", "abort"]
    assert not delivery.left_open


async def test_what_was_not_answered_is_left_to_the_next_producer() -> None:
    producer = Producer(kafka_errors.RequestTimedOutError())
    delivery = exactly_once(producer)
    await delivery.begin()
    with pytest.raises(kafka_errors.RequestTimedOutError):
        await produce(producer)
    await produce(producer)
    await delivery.abort()
    assert producer.asked == ["begin"], "an answer to the second try says nothing of the first"
    assert delivery.left_open


@pytest.mark.parametrize("error", [kafka_errors.KafkaError, TimeoutError, AssertionError])
async def test_an_abort_that_fails_leaves_the_transaction_open(error: type[Exception]) -> None:
    producer = Producer()
    delivery = exactly_once(producer)
    await delivery.begin()
    producer.fails = error
    await delivery.abort()
    assert delivery.left_open


async def test_a_commit_ends_the_transaction_and_one_that_fails_may_not_have() -> None:
    producer = Producer()
    delivery = exactly_once(producer)
    await delivery.begin()
    await delivery.commit(5)
    assert not delivery.left_open
    await delivery.begin()
    producer.fails = kafka_errors.KafkaError
    with pytest.raises(kafka_errors.KafkaError):
        await delivery.commit(6)
    assert delivery.left_open


def test_without_transactions_none_is_left_open() -> None:
    assert not AtLeastOnce.left_open
