"""One broker in memory, as far as a lane knows it: topics, transactions, and the offset of a group beside its note.

``tests/contract/test_delivery.py`` holds it to what a real broker does.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import ProducerFenced
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.structs import RecordMetadata

from worker.kafka.throttling import Throttling

CREATE_TIME = 0


@dataclass(frozen=True)
class Committed:
    """A group's offset in a partition, and the text beside it."""

    offset: int
    note: str = ""


@dataclass
class Written:
    """A record in a partition's log. ``visible`` once its transaction has committed, ``aborted`` once it has not."""

    value: bytes | None
    key: bytes | None = None
    timestamp: int = -1
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    visible: bool = False
    aborted: bool = False


class Broker:
    """``fault`` is called before and after each request (its name, then "before" or "after"), and may raise: before,
    the broker never gets the request; after, it has done it and its answer is lost."""

    def __init__(self, partitions: int = 1) -> None:
        self.partitions = partitions
        self.log: dict[TopicPartition, list[Written]] = defaultdict(list)
        self.offsets: dict[TopicPartition, Committed] = {}
        self.requests: list[str] = []
        self.fault: Callable[[str, str], None] = lambda _request, _when: None
        self.epochs: dict[str, int] = defaultdict(int)
        self._open: dict[str, list[Written]] = {}

    def ask(self, request: str, do: Callable[[], Any] = lambda: None) -> Any:
        self.requests.append(request)
        self.fault(request, "before")
        answer = do()
        self.fault(request, "after")
        return answer

    def init_producer(self, transactional_id: str) -> int:
        """A new epoch: what the last owner left open is aborted, and he gets nothing more done."""
        self._end(transactional_id, commit=False)
        self.epochs[transactional_id] += 1
        return self.epochs[transactional_id]

    def produce(self, transactional_id: str, epoch: int, place: TopicPartition, records: Iterable[Written]) -> int:
        self.check_epoch(transactional_id, epoch)
        log, first = self.log[place], len(self.log[place])
        for record in records:
            log.append(record)
            self._open.setdefault(transactional_id, []).append(record)
        return first

    def end(self, transactional_id: str, epoch: int, *, commit: bool) -> None:
        self.check_epoch(transactional_id, epoch)
        self._end(transactional_id, commit=commit)

    def check_epoch(self, transactional_id: str, epoch: int) -> None:
        if self.epochs[transactional_id] != epoch:
            raise ProducerFenced

    def visible(self, topic: str, partition: int = 0) -> list[Written]:
        """What a reader of committed records sees: nothing behind a transaction that is open."""
        seen = []
        for record in self.log[TopicPartition(topic, partition)]:
            if not record.visible and not record.aborted:
                break
            if record.visible:
                seen.append(record)
        return seen

    def _end(self, transactional_id: str, *, commit: bool) -> None:
        for record in self._open.pop(transactional_id, []):
            record.visible, record.aborted = commit, not commit


class Cluster:
    """What a client knows of the topics."""

    unauthorized_topics: frozenset[str] = frozenset()

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(range(self._broker.partitions))


class Client:
    """A producer's inner client."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.cluster = Cluster(broker)

    def add_topic(self, topic: str) -> None:
        """Known already."""

    async def force_metadata_update(self) -> None:
        """It never changes."""


class Producer:
    """The part of aiokafka's producer that the outbox and the lane use. Batches are built and read by aiokafka."""

    _message_accumulator = SimpleNamespace(_batch_size=1_000_000)

    def __init__(self, broker: Broker, transactional_id: str) -> None:
        self.client = Client(broker)
        self.epoch = 0
        self._transactional_id = transactional_id
        self._txn_manager = SimpleNamespace(transactional_id=transactional_id, producer_id=1, producer_epoch=0)
        self._sender = SimpleNamespace()
        self._broker = broker

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(1_000_000, 0)

    async def send_batch(self, batch: Any, topic: str, partition: int) -> asyncio.Future[RecordMetadata]:
        """The future has the broker's answer, or what has become of it."""
        place = TopicPartition(topic, partition)
        answered: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        try:
            first = self._broker.ask("produce", lambda: self._produce(place, bytes(batch._build())))
        except Exception as error:  # noqa: BLE001  (the answer to whoever waits for it)
            answered.set_exception(error)
        else:
            answered.set_result(RecordMetadata(topic, partition, place, first, -1, CREATE_TIME, 0))
        return answered

    def _produce(self, place: TopicPartition, batch: bytes) -> int:
        records = [
            Written(each.value, each.key, each.timestamp, list(each.headers)) for each in DefaultRecordBatch(batch)
        ]
        return self._broker.produce(self._transactional_id, self.epoch, place, records)


class Delivery:
    """``worker.lanes.delivery.Delivery``, exactly once."""

    may_take = 45.0

    def __init__(self, broker: Broker, transactional_id: str, partition: TopicPartition) -> None:
        self._broker = broker
        self._id = transactional_id
        self._partition = partition
        self._producer = Producer(broker, transactional_id)
        self._is_unclear = False
        self.producer = cast("AIOKafkaProducer", self._producer)
        self.throttling = Throttling()
        self.left_open = False

    async def start(self) -> None:
        self._producer.epoch = self._broker.ask("init", lambda: self._broker.init_producer(self._id))

    async def begin(self) -> None:
        """The brokers learn of a transaction with its first batch."""
        self._is_unclear, self.left_open = False, True

    async def commit(self, offset: int, note: str = "") -> None:
        def end() -> None:
            self._broker.end(self._id, self._producer.epoch, commit=True)
            self._broker.offsets[self._partition] = Committed(offset, note)

        self._is_unclear = True
        self._broker.ask("commit", end)
        self._is_unclear = self.left_open = False

    async def abort(self) -> None:
        """Nothing where a commit was not answered: the next producer's start settles that."""
        if self._is_unclear:
            return
        try:
            self._broker.ask("abort", lambda: self._broker.end(self._id, self._producer.epoch, commit=False))
            self.left_open = False
        except Exception:  # noqa: BLE001, S110  (never raises)
            pass

    async def clear_leftovers(self) -> None:
        """This broker has none."""

    async def stop(self) -> None:
        self._broker.requests.append("stop")

    async def discard(self) -> None:
        self._broker.requests.append("discard")
