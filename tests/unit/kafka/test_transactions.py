"""A request of a transaction that was not answered: nothing is asked again, nothing ends the transaction."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka import errors as kafka_errors
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    TxnOffsetCommitRequest,
)
from aiokafka.structs import OffsetAndMetadata

from worker.kafka.aiokafka_internals.transactions import (
    Requests,
    UnansweredError,
    discard,
    end_with_offsets,
    mark_retrieved,
    silence,
)

PLACE = TopicPartition("current", 0)


class Wire:
    """In place of the connections of a producer that has begun a transaction."""

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self.sent: list[type] = []
        self.waits = asyncio.Event()
        self._answer = answer

    async def send(self, node: int, request: Any, **options: Any) -> Any:
        self.sent.append(type(request))
        answer = self._answer(request)
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, asyncio.Future):
            self.waits.set()
            return await answer
        return answer


async def begun(answer: Callable[[Any], Any]) -> tuple[AIOKafkaProducer, Wire, Requests]:
    producer = AIOKafkaProducer(transactional_id="id", bootstrap_servers="127.0.0.1:1", retry_backoff_ms=1)
    wire = Wire(answer)
    producer.client.send = wire.send
    requests = Requests(producer)
    producer._sender._coordinators = {1: 0, 0: 0}
    producer._txn_manager.set_pid_and_epoch(1, 0)
    await producer._sender.start()
    await producer.begin_transaction()
    return producer, wire, requests


def answered(request: Any) -> Any:
    """Yes to everything."""

    class Answer:
        error_code = 0
        errors = ((PLACE.topic, ((PLACE.partition, 0),)),)

    return Answer


def lost(kind: type, error: BaseException) -> Callable[[Any], Any]:
    return lambda request: error if isinstance(request, kind) else answered(request)


async def send_offsets(producer: AIOKafkaProducer) -> None:
    await producer.send_offsets_to_transaction({PLACE: OffsetAndMetadata(1, "")}, "group")


async def commit(producer: AIOKafkaProducer) -> None:
    await send_offsets(producer)
    await producer.commit_transaction()


ASKING = {
    AddOffsetsToTxnRequest: send_offsets,
    TxnOffsetCommitRequest: send_offsets,
    EndTxnRequest: commit,
}


@pytest.mark.parametrize("kind", ASKING)
@pytest.mark.parametrize("error", [kafka_errors.RequestTimedOutError, kafka_errors.KafkaConnectionError])
async def test_what_was_not_answered_is_not_asked_again(kind: type, error: type[Exception]) -> None:
    producer, wire, requests = await begun(lost(kind, error()))
    with pytest.raises(UnansweredError, match=rf"{kind.__name__} was not answered \({error.__name__}\)"):
        await ASKING[kind](producer)
    assert not requests.all_answered
    await discard(producer, 1)
    assert wire.sent.count(kind) == 1
    assert wire.sent[-1] is kind, "and nothing came behind it"


async def test_batches_do_not_wait_for_a_partition_that_cannot_be_added() -> None:
    producer, wire, requests = await begun(lost(AddPartitionsToTxnRequest, kafka_errors.KafkaConnectionError()))
    batch = producer.create_batch()
    batch.append(timestamp=1, key=None, value=b"value")
    sent = await producer._message_accumulator.add_batch(batch, PLACE, 1)
    with pytest.raises(UnansweredError):
        await sent
    await discard(producer, 1)
    assert wire.sent == [AddPartitionsToTxnRequest]
    assert not requests.all_answered


async def test_what_was_never_sent_may_be_asked_again() -> None:
    failures = [kafka_errors.NodeNotReadyError()]
    producer, wire, requests = await begun(lambda request: failures.pop() if failures else answered(request))
    producer._sender._find_coordinator = _coordinator
    await commit(producer)
    assert wire.sent == [AddOffsetsToTxnRequest, AddOffsetsToTxnRequest, TxnOffsetCommitRequest, EndTxnRequest]
    assert requests.all_answered
    await discard(producer, 1)


async def _coordinator(*_: object) -> int:
    return 0


async def test_a_batch_is_sent_again_and_leaves_its_mark_until_the_next_transaction() -> None:
    """By its number the broker knows it again; an abort would free the place of the number for a late one."""
    producer, _, requests = await begun(lost(ProduceRequest, kafka_errors.KafkaConnectionError()))
    request = ProduceRequest(required_acks=-1, timeout=1, topics=[], transactional_id="id")
    with pytest.raises(kafka_errors.KafkaConnectionError):
        await producer.client.send(0, request)
    marks = [requests.all_answered]
    requests.begin()
    marks.append(requests.all_answered)
    assert marks == [False, True]
    assert not producer._txn_manager.is_fatal_error()
    await discard(producer, 1)


async def test_what_is_on_its_way_is_not_answered() -> None:
    on_its_way: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    producer, wire, requests = await begun(lambda _: on_its_way)
    sending = asyncio.create_task(send_offsets(producer))
    await wire.waits.wait()
    requests.begin()
    assert not requests.all_answered
    sending.cancel()
    await asyncio.wait([sending])
    on_its_way.set_exception(kafka_errors.KafkaConnectionError())
    await discard(producer, 1)
    assert wire.sent == [AddOffsetsToTxnRequest]


async def test_a_producer_that_is_thrown_away_does_not_end_its_transaction() -> None:
    """aiokafka would: an abort that was asked for goes out as soon as no batch is left to wait for."""
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    await _throw_away_while_aborting()
    gc.collect()
    assert complaints == []


async def _throw_away_while_aborting() -> None:
    held: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    producer, wire, _ = await begun(lambda request: held if isinstance(request, ProduceRequest) else answered(request))
    producer._metadata.leader_for_partition = lambda _: 0
    batch = producer.create_batch()
    batch.append(timestamp=1, key=None, value=b"value")
    sent = await producer._message_accumulator.add_batch(batch, PLACE, 1)
    sent.add_done_callback(mark_retrieved)
    await wire.waits.wait()
    aborting = asyncio.create_task(producer.abort_transaction())
    await asyncio.sleep(0)
    discarding = asyncio.create_task(discard(producer, 0.2))
    await asyncio.sleep(0)
    held.set_exception(kafka_errors.KafkaConnectionError())
    await discarding
    aborting.cancel()
    await asyncio.wait([aborting])
    assert wire.sent == [AddPartitionsToTxnRequest, ProduceRequest]


async def test_a_batch_that_was_not_sent_does_not_fail_the_sender(caplog: pytest.LogCaptureFixture) -> None:
    """The sender looks for the next batch as soon as the one on its way has failed."""
    on_its_way: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    producer, wire, _ = await begun(
        lambda request: on_its_way if isinstance(request, ProduceRequest) else answered(request)
    )
    producer._message_accumulator._cluster.leader_for_partition = lambda _: 0
    for _ in range(2):
        batch = producer.create_batch()
        batch.append(timestamp=1, key=None, value=b"value")
        (await producer._message_accumulator.add_batch(batch, PLACE, 1)).add_done_callback(mark_retrieved)
    await wire.waits.wait()
    silence(producer, kafka_errors.ProducerClosed())
    on_its_way.set_exception(kafka_errors.MessageSizeTooLargeError())
    for _ in range(20):  # turns of the loop: the sender hears of it, and looks for the next batch
        await asyncio.sleep(0)
    assert not producer._sender._in_flight
    assert not producer._sender.sender_task.done()
    await discard(producer, 1)
    assert "Unexpected error" not in caplog.text
    assert wire.sent.count(ProduceRequest) == 1


async def test_leftovers_are_cleared_without_naming_an_offset() -> None:
    producer, wire, requests = await begun(answered)
    await producer.abort_transaction()
    await end_with_offsets(producer, "group")
    assert wire.sent == [AddOffsetsToTxnRequest, EndTxnRequest]
    assert requests.all_answered
    await discard(producer, 1)


async def test_leftovers_that_cannot_be_cleared_are_reported() -> None:
    producer, _, requests = await begun(lost(AddOffsetsToTxnRequest, kafka_errors.KafkaConnectionError()))
    await producer.abort_transaction()
    with pytest.raises(UnansweredError):
        await end_with_offsets(producer, "group")
    assert not requests.all_answered
    await discard(producer, 1)
