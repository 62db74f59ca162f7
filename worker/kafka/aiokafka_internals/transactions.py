"""Watches whether all requests of a transaction were answered, and discards a producer where some were not.

A request that was not answered may arrive late, as long as the broker takes the producer for the same. Before Kafka 3.6
a late batch, one that comes after its transaction was aborted, opens the next transaction, which the next commit then
commits; up to 3.6.2 a late offset is taken as well. So three things hold here:

* where a request is unanswered, the producer does not end the transaction. Starting the next producer of the same
  transactional id does, by a higher epoch, and from then on nothing of the old one is taken;
* nothing but a batch is asked a second time, for a batch alone has a number by which the broker knows it again;
* a producer that is thrown away sends nothing more, in particular no end of its transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka_errors
from aiokafka.conn import CloseReason
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    TxnOffsetCommitRequest,
)

from worker.kafka.aiokafka_internals.quota_patches import throttling_of

OF_A_TRANSACTION = (
    ProduceRequest,
    AddPartitionsToTxnRequest,
    AddOffsetsToTxnRequest,
    TxnOffsetCommitRequest,
    EndTxnRequest,
)
NOT_SENT = (kafka_errors.NodeNotReadyError, kafka_errors.IncompatibleBrokerVersion)


class UnansweredError(kafka_errors.KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """A request of a transaction may have arrived or may still do so: the next producer ends the transaction."""


class Requests:
    """Watches the requests of a producer. Create it before the producer starts."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._send = producer.client.send
        self._waiting = 0
        self._lost = False
        producer.client.send = self._watched

    @property
    def all_answered(self) -> bool:
        """Since ``begin``."""
        return not self._waiting and not self._lost

    def begin(self) -> None:
        """Begin a transaction: everything before was committed, so a late request of it is harmless."""
        self._lost = False

    async def _watched(self, node: int, request: Any, **options: Any) -> Any:
        if not isinstance(request, OF_A_TRANSACTION):
            return await self._send(node, request, **options)
        self._waiting += 1
        try:
            return await self._send(node, request, **options)
        except NOT_SENT:
            raise
        except BaseException as error:
            self._lost = True
            if not isinstance(request, ProduceRequest):
                self._give_up(request, error)
            raise
        finally:
            self._waiting -= 1

    def _give_up(self, request: Any, error: BaseException) -> None:
        """Fail the producer: aiokafka would send the request again."""
        unanswered = UnansweredError(f"{type(request).__name__} was not answered ({type(error).__name__})")
        manager = self._producer._txn_manager
        for *_, future in manager._pending_txn_offsets:
            future.add_done_callback(mark_retrieved)
        manager.fatal_error(unanswered)
        ignore_end_of_transaction(self._producer)
        silence(self._producer, unanswered)


def silence(producer: AIOKafkaProducer, why: Exception) -> None:
    """Have the producer send nothing more. Unsent batches are dropped, and fail with ``why``."""

    async def refuse(*_: object, **__: object) -> None:
        raise why

    producer.client.send = refuse
    accumulator = producer._message_accumulator
    batches = [*chain.from_iterable(accumulator._batches.values()), *accumulator._pending_batches]
    for future in chain.from_iterable((batch.future, batch._drain_waiter) for batch in batches):
        future.add_done_callback(mark_retrieved)
    # A batch that is gone is not put back, at which the sender would fail.
    accumulator.reenqueue = lambda _batch: None
    accumulator.fail_all(why)
    # The sender would take the next one up, and end with an AssertionError since it has failed already.
    accumulator._batches.clear()


async def discard(producer: AIOKafkaProducer, patience: float) -> None:
    """Close a producer whose state is unclear. Its open transaction, if any, stays open. Never raises."""
    ignore_end_of_transaction(producer)
    throttling_of(producer).close()
    silence(producer, kafka_errors.ProducerClosed())
    with contextlib.suppress(Exception):
        async with asyncio.timeout(patience):
            # Nobody goes on waiting for an answer then.
            for connection in list(producer.client._conns.values()):
                connection.close(CloseReason.SHUTDOWN)
            await producer.stop()
            return
    sender = producer._sender.sender_task
    if sender is not None:
        sender.cancel()
    with contextlib.suppress(Exception):
        async with asyncio.timeout(patience):
            await producer.client.close()


async def end_with_offsets(producer: AIOKafkaProducer, group: str) -> None:
    """Run and abort a transaction with the group's offsets, without moving any.

    Its end clears what the group's coordinator still has from earlier transactions of this producer's id. It names no
    offset: one that the coordinator knew before it has applied the commit of an earlier transaction would be taken for
    that one's.
    """
    await producer.begin_transaction()
    ignore_end_of_transaction(producer)
    while not await producer._sender._do_add_offsets_to_txn(group):
        if producer._txn_manager.is_fatal_error():
            await producer._txn_manager.wait_for_transaction_end()
    await producer.abort_transaction()


def ignore_end_of_transaction(producer: AIOKafkaProducer) -> None:
    """Call this before an abort: the failure is known, and aiokafka may drop the future of the transaction's end."""
    manager = producer._txn_manager
    if manager is not None and manager._transaction_waiter is not None:
        manager._transaction_waiter.add_done_callback(mark_retrieved)


def mark_retrieved(future: asyncio.Future[Any]) -> None:
    """A callback for a future whose result does not matter: asyncio would log its error as never retrieved."""
    if not future.cancelled():
        future.exception()
