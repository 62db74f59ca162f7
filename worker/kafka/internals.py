"""The room that knows aiokafka from the inside; but for ``stable_offsets`` and ``transactions`` beside it, everything
else uses its public interface.

Why we look inside at all:

* its consumer makes a Python object of each record and decodes whole fetches at once, whatever they unpack to; ours
  hands over the record batches as they came, and a lane unpacks and decodes them one after the other, in C and within
  a bound, when it gets there;
* a header whose name is not UTF-8 makes its ``getmany`` raise for ever, for every partition; ours reads such
  a batch with a lenient parser and says which records are unreadable;
* it does not know two answers of newer brokers;
* with uvloop, a connection that is lost at the wrong moment ends its tasks for good;
* its consumer, when it is stopped while a rebalance waits, waits as well, and goes without a word if it is not let;
* it takes a coordinator that is still loading for a group that has committed nothing;
* it asks only brokers that it knows for the cluster, and never the bootstrap servers again, also when all have moved;
* it lets brokers create a topic that it asks for, also one that somebody has just deleted;
* its wait for data is one for busy and for idle times: what is right for the one is half of an idle worker's CPU.

Tested with the versions in ``TESTED``; with any other, ``open_reader`` falls back to the public interface.
"""

# ruff: noqa: SLF001  (the private names of aiokafka are what this file is about)

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Protocol

import aiokafka
import google_crc32c
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka import errors as kafka_errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason, create_conn
from aiokafka.consumer import fetcher as aiokafka_fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.producer.sender import SendProduceReqHandler
from aiokafka.protocol import types
from aiokafka.protocol.commit import OffsetCommitRequest, OffsetFetchRequest
from aiokafka.protocol.group import LeaveGroupRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record import default_records, memory_records

from upcasters.event import Event, Header, SourceRecord
from worker.kafka import codes
from worker.kafka.fetched import (
    NO_TIMESTAMP,
    SMALL_BYTES,
    DecodedBatch,
    Fetched,
    FetchedBatch,
    FetchedRecords,
    Slice,
    cut,
    timestamp_of,
)
from worker.kafka.large_batch import LARGE_VALUE, LargeBatchBuilder
from worker.kafka.log_offsets import LogOffsets
from worker.kafka.raw_headers import writable
from worker.kafka.record_format import (
    BATCH_HEADER,
    BEHIND_LENGTH,
    CHECKSUM,
    CHECKSUM_BYTES,
    LAST_TIMESTAMP,
    leader_epoch,
)
from worker.kafka.throttling import PRODUCE, throttling_of
from worker.kafka.unpacking import HEADER, unpacked
from worker.settings.kafka import UNPACKED_BATCH_BYTES

log = structlog.get_logger(__name__)

TESTED = ("0.14.",)

NOT_AS_MADE = 0x08 | 0x20 | 0x40
"""Attributes of a batch whose first timestamp is not its first record's: stamped by the broker, a marker, compacted."""


OF_NOW = 5.0
"""Seconds. A batch that is refused for the moment is sent again after some milliseconds."""

LEAVE_AFTER = 0.2
"""Seconds that a consumer is given to stop before its group is told that it goes."""

Append = Callable[[int, int, bytes | None, bytes | None, list[Header]], object | None]


class Reader(Protocol):
    async def read(self, partitions: Iterable[TopicPartition], wait: float) -> Mapping[TopicPartition, Fetched]:
        """What is there for these partitions, or comes within ``wait`` seconds. Must not be cancelled."""


def open_reader(consumer: AIOKafkaConsumer, gather: float = 0.0) -> Reader:
    """The fast reader for a started consumer, or the public one if this aiokafka is not one we know.

    With ``gather``, while something comes, the broker holds a fetch until there are ``GATHER_BYTES`` or so many seconds
    are over. Whoever reads in a transaction each time has fewer of them then, and a fetch brings all partitions.
    """
    if aiokafka.__version__.startswith(TESTED):
        return BatchReader(consumer, round(gather * 1000))
    log.warning("unknown aiokafka, reading through its public interface", version=aiokafka.__version__)
    return PublicReader(consumer)


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's own, which also knows to how many bytes a batch may unpack for whoever reads it here.

    It leaves its group also while a rebalance waits, which may be long. Who is gone and has not left is waited for by
    all other members, until its session is over.
    """

    def __init__(self, *, unpacked_bytes: int = UNPACKED_BATCH_BYTES, **options: Any) -> None:
        super().__init__(**options)
        self.unpacked_bytes = unpacked_bytes

    async def stop(self) -> None:
        stopping = asyncio.ensure_future(super().stop())
        try:
            while not (await asyncio.wait({stopping}, timeout=LEAVE_AFTER))[0]:
                await _leave(self._coordinator)
            if stopping.cancelled():
                await self._put_away()
            else:
                stopping.result()
        finally:
            stopping.cancel()

    async def log_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, LogOffsets]:
        """Where partitions begin and end, for readers and in the log. Raises KafkaError.

        The end is asked for first: what is written between two questions is hidden by nobody.
        """
        asked, patience = list(partitions), self._request_timeout_ms
        of_all, of_committed = (_asking(self._fetcher, level) for level in (READ_UNCOMMITTED, READ_COMMITTED))
        ends = await of_all.end_offsets(asked, patience)
        stable = await of_committed.end_offsets(asked, patience)
        start = await self.beginning_offsets(asked)
        return {at: LogOffsets(start[at], stable[at], max(stable[at], ends[at])) for at in asked}

    async def _put_away(self) -> None:
        """What aiokafka leaves when a fetch waits for its next attempt: that fetch's end looks to it like its own."""
        fetches = self._fetcher._pending_tasks
        for fetch in fetches:
            fetch.cancel()
        await asyncio.gather(*fetches, return_exceptions=True)
        await self._client.close()


def _asking(fetcher: Any, isolation_level: int) -> Any:
    """The same fetcher, for questions about offsets of another level."""
    asking = copy.copy(fetcher)
    asking._isolation_level = isolation_level
    return asking


async def ask_leaders(
    consumer: AIOKafkaConsumer,
    partitions: Iterable[TopicPartition],
    build: Callable[[list[tuple[str, list[int]]]], Any],
) -> list[Any]:
    """What the leaders of partitions answer to a request about them, which is built of topics and partitions. Raises
    KafkaError."""
    by_leader: dict[int, dict[str, list[int]]] = {}
    for at in partitions:
        leader = consumer._client.cluster.leader_for_partition(at)
        if leader is not None and leader >= 0:
            by_leader.setdefault(leader, {}).setdefault(at.topic, []).append(at.partition)
    return [await ask_broker(consumer, node, build(list(topics.items()))) for node, topics in by_leader.items()]


async def ask_all_brokers(consumer: AIOKafkaConsumer, request: Any) -> dict[int, Any]:
    """Their answers by node. Raises KafkaError."""
    nodes = [broker.nodeId for broker in consumer._client.cluster.brokers()]
    return {node: await ask_broker(consumer, node, request) for node in nodes}


async def ask_broker(consumer: AIOKafkaConsumer, node: int, request: Any) -> Any:
    """Raises KafkaError, also where the broker is too old for the request."""
    return await consumer._client.send(node, request)


class BatchReader:
    """Takes record batches undecoded out of the consumer's fetcher."""

    def __init__(self, consumer: AIOKafkaConsumer, gather_ms: int = 0) -> None:
        aiokafka_fetcher.MemoryRecords = _KeptRecords
        consumer._fetcher._records = _Undecoded(consumer, gather_ms)
        self._consumer = consumer

    async def read(self, partitions: Iterable[TopicPartition], wait: float) -> Mapping[TopicPartition, Fetched]:
        taken = await self._consumer.getmany(*partitions, timeout_ms=round(wait * 1000))
        return {partition: fetched for partition, (fetched,) in taken.items()}


class PublicReader:
    """The same through ``getmany`` alone: slower, and a header name that is not UTF-8 stops it."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def read(self, partitions: Iterable[TopicPartition], wait: float) -> Mapping[TopicPartition, Fetched]:
        taken = await self._consumer.getmany(*partitions, timeout_ms=round(wait * 1000))
        return {
            partition: FetchedRecords([_event(each) for each in records], records[-1].offset + 1)
            for partition, records in taken.items()
        }


class FetchedBatches:
    """Record batches as they came from the broker.

    The fetcher believes that this is its parser of one partition (``PartitionRecords``): it asks once for all
    records, gets this object as the only one, and takes ``next_fetch_offset`` as its new position.
    """

    def __init__(self, parser: Any, unpacked_bytes: int = UNPACKED_BATCH_BYTES) -> None:
        self._parser = parser
        # A generator that never starts, and that holds the parser which holds it: the fetched bytes would stay until
        # the garbage collector comes, which is seldom.
        parser._records_iterator = None
        self._unpacked_bytes = unpacked_bytes
        self._data: bytes = parser._records.data
        self._batches = deque(_batches(parser._records))
        self._start = 0
        """Where in the data the first of these batches begins."""
        self.offset: int | None = parser.next_fetch_offset
        self.next_fetch_offset: int = parser.next_fetch_offset
        self.next_offset: int = self._batches[-1].next_offset
        self.size = len(self._data)
        self.count = max(0, self.next_offset - parser.next_fetch_offset)
        self.oldest = self._oldest(self._batches[0])
        self._epochs: dict[int, int] = {}

    def _oldest(self, batch: Any) -> int:
        """The timestamp of the first record to be read, as far as it can be told without decoding."""
        attributes: int = getattr(batch, "attributes", NOT_AS_MADE)
        begins_inside = batch.base_offset != self.offset if hasattr(batch, "base_offset") else True
        if begins_inside or attributes & NOT_AS_MADE or self._parser._aborted_transactions:
            return NO_TIMESTAMP
        return timestamp_of(batch.first_timestamp)

    def __iter__(self) -> Iterator[FetchedBatches]:
        self.next_fetch_offset = self.next_offset
        yield self

    def slices(self, size: int) -> Iterator[Slice]:
        unreadable: set[int] = set()
        for piece in cut(self._visible_records(unreadable), size, self.next_offset):
            yield piece._replace(unreadable=frozenset(unreadable), epochs=self._epochs)

    def batches(self) -> Iterator[FetchedBatch]:
        for batch in self._visible_batches():
            if batch.base_offset >= (self.offset or 0) and isinstance(batch, default_records.DefaultRecordBatch):
                data = self._first
                if batch.compression_type:
                    data = unpacked(data, batch.base_offset, self._unpacked_bytes)
                yield _RawBatch(batch, data, lambda batch=batch: self._all_of(batch))  # type: ignore[misc]
            else:
                yield DecodedBatch(self._all_of(batch), batch.next_offset)

    def _all_of(self, batch: Any) -> Sequence[SourceRecord]:
        return [record for part in self._decoded(batch, set()) for record in self._wanted(part)]

    def _visible_records(self, unreadable: set[int]) -> Iterator[Sequence[SourceRecord]]:
        """Batch by batch, so that at most one of them is unpacked at a time. One that cannot be unpacked stays the
        first: whoever asks again is told again."""
        for batch in self._visible_batches():
            for part in self._decoded(batch, unreadable):
                if records := self._wanted(part):
                    yield records

    def _visible_batches(self) -> Iterator[Any]:
        while self._batches:
            batch = self._batches[0]
            if isinstance(batch, default_records.DefaultRecordBatch):
                self._epochs[leader_epoch(self._data, self._start)] = batch.next_offset
            if not self._hidden(batch):
                yield batch
            self._batches.popleft()
            self._start += _length_of_batch(self._data, self._start)

    def _wanted(self, records: Sequence[SourceRecord]) -> Sequence[SourceRecord]:
        """Without those before the offset that was asked for."""
        wanted = self.offset or 0
        if (records[0].offset or 0) < wanted:
            return [record for record in records if (record.offset or 0) >= wanted]
        return records

    def _hidden(self, batch: Any) -> bool:
        """Markers always, aborted records for whoever reads committed ones. Follows ``_unpack_records``."""
        parser = self._parser
        if parser._check_crcs and not self._is_intact(batch):
            raise kafka_errors.CorruptRecordException(
                f"the checksum of the batch at offset {getattr(batch, 'base_offset', self.offset)} is wrong: if that "
                "stays, it is so on the brokers' disks: repair it there, or set the group's offset behind it"
            )
        if parser._isolation_level != READ_COMMITTED or batch.producer_id is None:
            return bool(batch.is_control_batch)
        parser._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch:
            if parser._contains_abort_marker(batch):
                parser._aborted_producers.discard(batch.producer_id)
            return True
        return batch.is_transactional and batch.producer_id in parser._aborted_producers

    @property
    def _first(self) -> memoryview:
        """The bytes of the first batch, from its header to its end."""
        return memoryview(self._data)[self._start : self._start + _length_of_batch(self._data, self._start)]

    def _is_intact(self, batch: Any) -> bool:
        """aiokafka computes the sum without the processor's own instruction for it, ten times as slowly."""
        if not isinstance(batch, default_records.DefaultRecordBatch):
            return bool(batch.validate_crc())
        told, summed = self._first[CHECKSUM:][:CHECKSUM_BYTES], self._first[CHECKSUM + CHECKSUM_BYTES :]
        return bool(google_crc32c.value(bytes(summed)) == int.from_bytes(told))

    def _decoded(self, batch: Any, unreadable: set[int]) -> Iterator[Sequence[Any]]:
        """The records in parts, so that not all of a large batch are objects at a time."""
        if not isinstance(batch, default_records.DefaultRecordBatch):
            yield [_event(record) for record in batch]
            return
        data = self._first
        if batch.compression_type:
            data = unpacked(data, batch.base_offset, self._unpacked_bytes)
            batch = default_records.DefaultRecordBatch(data)
        most = _records_at_once(data)
        done = 0
        try:
            for records in _in_parts(batch, most):
                done += len(records)
                yield records
        except (UnicodeDecodeError, kafka_errors.CorruptRecordException):
            rest = _leniently(bytes(data))[done:]
            unreadable.update(record.offset for record in rest if not all(map(writable, record.headers)))
            yield from _in_parts(rest, most)


class OpenBatch:
    """A producer's batch while it is being filled.

    ``append`` takes place in the batch, timestamp, key, value and headers, by position, and gives None where the batch
    is full: it is the builder's own, without aiokafka's wrapper of some ten Python lines around it, which cost as much
    again. Whoever calls it counts, and sets ``count`` before anybody else looks at the batch.

    ``value_bytes``: how large the values are, as far as that is known; the first one's will do.
    """

    def __init__(self, producer: AIOKafkaProducer, value_bytes: int = 0) -> None:
        self._known = aiokafka.__version__.startswith(TESTED)
        self._batch: Any = _large_batch(producer, value_bytes) if self._known else None
        if self._batch is None:
            self._batch = producer.create_batch()
        self.append: Append = self._batch._builder.append if self._known else self._append
        self.count = 0

    def put(self, timestamp: int, key: bytes | None, value: bytes | None, headers: list[Header]) -> bool:
        """False, and nothing done, where the batch is full."""
        if self.append(self.count, timestamp, key, value, headers) is None:
            return False
        self.count += 1
        return True

    @property
    def size(self) -> int:
        """Bytes, before they are compressed."""
        return int(self._batch.size())

    def closed(self) -> Any:
        """What ``send_batch`` of the producer takes; nothing can be added any more."""
        if self._known:
            self._batch._relative_offset = self.count
        self._batch.close()
        return self._batch

    def _append(
        self, place: int, timestamp: int, key: bytes | None, value: bytes | None, headers: list[Header]
    ) -> object | None:
        added: object | None = self._batch.append(timestamp=timestamp, key=key, value=value, headers=headers)
        return added


def highest_timestamp(batch: Any) -> int:
    """Of the records in a batch that was sent; -1 where none has one."""
    built = batch._build()
    found: int = BATCH_HEADER.unpack_from(built[0] if isinstance(built, tuple) else built)[LAST_TIMESTAMP]
    return found


class _RawBatch:
    """A batch in the log's own bytes, but unpacked: decoded only where somebody asks for its records."""

    def __init__(self, batch: Any, data: memoryview, decode: Callable[[], Sequence[SourceRecord]]) -> None:
        self.first_timestamp: int = batch.first_timestamp
        self.next_offset: int = batch.next_offset
        self.count = int.from_bytes(data[HEADER - 4 : HEADER])
        self.content = bytes(data[HEADER:])
        self.records = decode


class _LargeBatch(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's wrapper around a builder that is not its own."""

    def __init__(self, builder: LargeBatchBuilder) -> None:
        super().__init__(0, 0)
        self._builder = builder

    def _set_producer_state(self, producer_id: int, epoch: int, sequence: int) -> None:
        self._builder.set_producer_state(producer_id, epoch, sequence)

    def size(self) -> int:
        return self._builder.size() if self._buffer is None else sum(map(len, self._buffer))


def _large_batch(producer: AIOKafkaProducer, value_bytes: int) -> _LargeBatch | None:
    """A batch for large values; None where aiokafka's own is cheaper, or has to compress them."""
    accumulator, manager = producer._message_accumulator, producer._txn_manager
    if value_bytes < LARGE_VALUE or accumulator._compression_type:
        return None
    transactional = manager is not None and manager.transactional_id is not None
    return _LargeBatch(LargeBatchBuilder(accumulator._batch_size, transactional=transactional))


async def _leave(coordinator: Any) -> None:
    """On another connection than the rebalance, whose answer keeps back all others on its own."""
    if not isinstance(coordinator, GroupCoordinator) or coordinator._group_instance_id is not None:
        return
    node, member = coordinator.coordinator_id, coordinator.member_id
    if node is not None and member:
        with contextlib.suppress(kafka_errors.KafkaError):
            await coordinator._client.send(node, LeaveGroupRequest(coordinator.group_id, member))


def tell_of_topics(consumer: AIOKafkaConsumer, topics: Iterable[str]) -> None:
    """Of those that it will be asked about before it is told to read them; call this before its start. Asked about one
    that it has not heard of, it would answer after its back-off, a tenth of a second later."""
    consumer._client.set_topics(list(topics))


async def missing(producer: AIOKafkaProducer, topics: Iterable[str]) -> str | None:
    """The first of the topics that is not there. Raises TopicAuthorizationFailedError where we may not know."""
    wanted = list(topics)
    for topic in wanted:
        producer.client.add_topic(topic)
    await producer.client.force_metadata_update()
    cluster = producer.client.cluster
    hidden = cluster.unauthorized_topics.intersection(wanted)
    if hidden:
        raise kafka_errors.TopicAuthorizationFailedError(*sorted(hidden))
    return next((topic for topic in wanted if not cluster.partitions_for_topic(topic)), None)


def partitions_now(producer: AIOKafkaProducer, topic: str) -> int:
    """How many partitions a topic has, as of the last time that the producer asked."""
    return len(producer.client.cluster.partitions_for_topic(topic) or ())


def hidden_topics(consumer: AIOKafkaConsumer) -> set[str]:
    """The topics that the consumer may not even know of: it fetches nothing of them, and says nothing."""
    return set(consumer._client.cluster.unauthorized_topics)


def ask_about_topics(consumer: AIOKafkaConsumer) -> None:
    """Now, and not when aiokafka would do it, which may be minutes later."""
    consumer._client.force_metadata_update()


def wire_size(
    producer: AIOKafkaProducer, timestamp: int, key: bytes | None, value: bytes | None, headers: list[Header]
) -> int:
    """The size of a batch of this one record as the broker will weigh it: compressed, as the producer does it."""
    batch = producer.create_batch()
    batch.append(timestamp=timestamp, key=key, value=value, headers=headers)
    return len(batch._build())


def transaction_timeout(producer: AIOKafkaProducer) -> float:
    """Seconds after which the brokers take back a transaction of this producer that is still open."""
    milliseconds: int = producer._txn_manager.transaction_timeout_ms
    return milliseconds / 1000


async def ask_node(admin: AIOKafkaAdminClient, node: int, request: Any) -> Any:
    """The answer of one broker to a request that the public interface does not have. Raises KafkaError."""
    return await admin._send_request(request, node)


def last_refusal(producer: AIOKafkaProducer) -> kafka_errors.KafkaError | None:
    """The answer for which it sends a batch again by itself, and tells nobody; None where the last is not of now."""
    error, at = getattr(producer._sender, "_last_refusal", (None, 0.0))
    return error if time.monotonic() - at < OF_NOW else None


def join_again(consumer: AIOKafkaConsumer) -> None:
    """After the group was denied: aiokafka's heartbeats have ended then, and come back with the group alone."""
    consumer._coordinator.request_rejoin()


def is_expelled(consumer: AIOKafkaConsumer) -> bool:
    """Whether the group goes on without it: its partitions may be somebody else's already."""
    by_group: bool = consumer._subscription.partitions_auto_assigned()
    return by_group and bool(consumer._coordinator.generation == OffsetCommitRequest.DEFAULT_GENERATION_ID)


def why_given_up(consumer: AIOKafkaConsumer) -> BaseException | None:
    """What has ended one of the client's own tasks: it then fetches nothing, or is in no group, for ever."""
    tasks = (consumer._fetcher.error_future, getattr(consumer._coordinator, "_coordination_task", None))
    ended = [task for task in tasks if task is not None and task.done()]
    errors = (None if task.cancelled() else task.exception() for task in ended)
    stopped = kafka_errors.KafkaError("one of its tasks was cancelled") if ended else None
    return next((error for error in errors if error), stopped)


class InvalidRecordError(kafka_errors.BrokerResponseError):  # type: ignore[misc]  # aiokafka has no types
    """The broker refuses the content of a record, for example one without a key in a compacted topic."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The broker refused a record's content"


kafka_errors.kafka_errors.setdefault(87, InvalidRecordError)
kafka_errors.kafka_errors.setdefault(90, kafka_errors.ProducerFenced)
codes.know_them()


def _telling_that_it_is_closed(send: Callable[..., Any]) -> Callable[..., Any]:
    """uvloop raises RuntimeError where something is written to a connection that has just been closed, asyncio does
    not. aiokafka expects OSError alone, and its tasks for fetching, for the group and for sending end on it."""

    @functools.wraps(send)
    def sending(connection: AIOKafkaConnection, *arguments: Any, **options: Any) -> Any:
        try:
            return send(connection, *arguments, **options)
        except RuntimeError as error:
            connection.close(CloseReason.CONNECTION_BROKEN)
            raise kafka_errors.KafkaConnectionError(f"{connection.host}:{connection.port} is closed") from error

    return sending


def _reading_the_whole_answer(send: Callable[..., Any]) -> Callable[..., Any]:
    """While a coordinator loads or moves, it answers a question for offsets with one error and no partitions. aiokafka
    looks only for errors of partitions, and takes that for a group that has committed nothing: its reader would
    begin again at the beginning. Of a right that is missing it does not say on what."""

    @functools.wraps(send)
    async def sending(asker: Any, request: Any, *arguments: Any) -> Any:
        answer = await send(asker, request, *arguments)
        if not isinstance(request, OffsetFetchRequest):
            return answer
        code = getattr(answer, "error_code", 0)
        if code:
            if code == kafka_errors.NotCoordinatorForGroupError.errno and isinstance(asker, GroupCoordinator):
                asker.coordinator_dead()
            denied = code == kafka_errors.GroupAuthorizationFailedError.errno
            raise kafka_errors.for_code(code)(request._consumer_group if denied else "asked for committed offsets")
        for topic, partitions in answer.topics:
            if any(each[-1] == kafka_errors.TopicAuthorizationFailedError.errno for each in partitions):
                raise kafka_errors.TopicAuthorizationFailedError(topic)
        return answer

    return sending


def _remembering(may_retry: Callable[..., bool]) -> Callable[..., bool]:
    """A batch that the brokers refuse for the moment is sent again in silence, for ever."""

    @functools.wraps(may_retry)
    def deciding(handler: Any, error: Any, batch: Any) -> bool:
        again = may_retry(handler, error, batch)
        handler._sender._last_refusal = (error, time.monotonic())
        return again

    return deciding


def _creating_nothing(build: Callable[..., Any]) -> Callable[..., Any]:
    """A topic that was deleted under the worker would come back with the broker's defaults, and a retention under which
    old events are gone as soon as they arrive."""

    @functools.wraps(build)
    def building(request: MetadataRequest, version: Any) -> Any:
        request._allow_auto_topic_creation = False
        return build(request, version)

    return building


def _encoded_at_once(request: Any) -> bytes:
    """The bytes of a request. aiokafka puts them together level by level, and so copies what is produced five times."""
    values = (request.get_item(name) for name in request.SCHEMA.names)
    return b"".join(chain.from_iterable(map(_encoded, request.SCHEMA.fields, values)))


def _encoded(kind: Any, value: Any) -> Iterator[bytes]:
    if isinstance(kind, types.Array) and value is not None:
        yield types.Int32.encode(len(value))
        for item in value:
            yield from _encoded(kind.array_of, item)
    elif isinstance(kind, types.Schema):
        for inner, part in zip(kind.fields, value, strict=True):
            yield from _encoded(inner, part)
    elif kind is types.Bytes and value is not None:
        parts = value if isinstance(value, tuple) else (value,)
        yield types.Int32.encode(sum(map(len, parts)))
        yield from parts
    else:
        yield kind.encode(value)


LOST_AFTER = 30.0
"""Seconds without an answer of any broker, after which the bootstrap servers are asked again (KIP-899)."""


def _finding_moved_brokers(update: Callable[..., Any]) -> Callable[..., Any]:
    """Brokers that have all got other names or ports meanwhile are known to the bootstrap servers alone."""

    @functools.wraps(update)
    async def updating(client: AIOKafkaClient, cluster: Any, topics: Iterable[str]) -> bool:
        now = asyncio.get_running_loop().time()
        if await update(client, cluster, topics):
            vars(client).pop("_lost_since", None)
            return True
        if throttling_of(client).until(PRODUCE) > now:
            return False  # they are there, and read nothing from us for a while
        if now - vars(client).setdefault("_lost_since", now) < LOST_AFTER:
            return False
        return await _update_from_bootstrap(client, cluster, topics)

    return updating


async def _update_from_bootstrap(client: AIOKafkaClient, cluster: Any, topics: Iterable[str]) -> bool:
    options = {name: getattr(client, f"_{name}") for name in CONNECTING}
    for host, port, _ in client.hosts:
        try:
            connection = await create_conn(host, port, max_idle_ms=client._connections_max_idle_ms, **options)
        except (OSError, kafka_errors.KafkaError, TimeoutError):
            continue
        try:
            found = await connection.send(MetadataRequest(list(topics) or None))
        except (kafka_errors.KafkaError, TimeoutError):
            continue
        finally:
            connection.close()
        if found.brokers:
            if {broker[:3] for broker in found.brokers} != {broker[:3] for broker in cluster.brokers()}:
                log.warning("the brokers have moved, and were found by the bootstrap servers", server=f"{host}:{port}")
            cluster.update_metadata(found)
            return True
    return False


CONNECTING = (
    "client_id",
    "request_timeout_ms",
    "ssl_context",
    "security_protocol",
    "sasl_mechanism",
    "sasl_plain_username",
    "sasl_plain_password",
    "sasl_kerberos_service_name",
    "sasl_kerberos_domain_name",
    "sasl_oauth_token_provider",
)

IDLE_WAIT = 500
"""Milliseconds that the broker may hold a fetch while nothing comes, which is most of what an idle worker does."""
GATHER_BYTES = 256 * 1024
"""Of these there are more than enough where records wait: a fetch that asks for so much is held in a trickle only."""


def _patient(plan: Callable[..., Any]) -> Callable[..., Any]:
    """Has each fetch held by the broker for as long as what came before tells."""

    @functools.wraps(plan)
    def planning(fetcher: Any, *arguments: Any) -> Any:
        given = vars(fetcher).setdefault("_given", (fetcher._fetch_max_wait_ms, fetcher._fetch_min_bytes))
        fetcher._fetch_max_wait_ms, fetcher._fetch_min_bytes = _patience(fetcher, *given)
        actions = plan(fetcher, *arguments)
        if actions[0]:
            fetcher._records.has_come = False
        return actions

    return planning


def _patience(fetcher: Any, wait_ms: int, bytes_: int) -> tuple[int, int]:
    """How long a fetch may be held (ms), and until how many bytes are there.

    While nothing comes, long: one that asks for every partition ends with the first record. One that was sent while
    records still wait to be taken leaves out their partitions, which then wait for its end: that one stays short.
    """
    records = fetcher._records
    wait_ms = wait_ms if records else max(wait_ms, IDLE_WAIT)
    gather_ms = getattr(records, "gather_ms", 0)
    if not gather_ms or not records.has_come:
        return wait_ms, bytes_
    return min(wait_ms, gather_ms), min(GATHER_BYTES, fetcher._max_partition_fetch_bytes, fetcher._fetch_max_bytes)


aiokafka_fetcher.Fetcher._get_actions_per_node = _patient(aiokafka_fetcher.Fetcher._get_actions_per_node)
for _version in ProduceRequest._CLASSES:
    _version.encode = _encoded_at_once
AIOKafkaClient._metadata_update = _finding_moved_brokers(AIOKafkaClient._metadata_update)
MetadataRequest.build = _creating_nothing(MetadataRequest.build)
GroupCoordinator._send_req = _reading_the_whole_answer(GroupCoordinator._send_req)
AIOKafkaAdminClient._send_request = _reading_the_whole_answer(AIOKafkaAdminClient._send_request)
SendProduceReqHandler._can_retry = _remembering(SendProduceReqHandler._can_retry)
AIOKafkaConnection.send = _telling_that_it_is_closed(AIOKafkaConnection.send)
AIOKafkaConnection._send_sasl_token = _telling_that_it_is_closed(AIOKafkaConnection._send_sasl_token)


class _KeptRecords(memory_records.MemoryRecords):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's own, which also keeps the bytes within reach for the lenient parser."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


class _Undecoded(OrderedDict[TopicPartition, Any]):
    """Where the fetcher puts what it fetched: swaps each partition's parser for ``FetchedBatches``."""

    def __init__(self, consumer: AIOKafkaConsumer, gather_ms: int = 0) -> None:
        self.gather_ms = gather_ms
        self.has_come = False
        """Since the last fetch was sent."""
        self._unpacked_bytes: int = getattr(consumer, "unpacked_bytes", UNPACKED_BATCH_BYTES)
        super().__init__(consumer._fetcher._records)

    def __setitem__(self, partition: TopicPartition, result: Any) -> None:
        self.has_come = True
        if isinstance(result, aiokafka_fetcher.FetchResult):
            parser = result._partition_records
            if isinstance(parser, aiokafka_fetcher.PartitionRecords):
                result._partition_records = FetchedBatches(parser, self._unpacked_bytes)
        super().__setitem__(partition, result)


class _LenientBuffer(bytearray):
    """Decodes names that are not UTF-8 to lone surrogates; the pure-Python parser slices and decodes."""

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return _LenientBuffer(found) if isinstance(index, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "surrogateescape")


def _leniently(data: bytes) -> Sequence[Any]:
    batch = default_records._DefaultRecordBatchPy(data)
    batch._maybe_uncompress()
    batch._buffer = _LenientBuffer(batch._buffer)
    return list(batch)


def _length_of_batch(data: bytes, start: int) -> int:
    """Each begins with its base offset (8 bytes) and the length of the rest (4 bytes)."""
    return BEHIND_LENGTH + int.from_bytes(data[start + 8 : start + BEHIND_LENGTH])


def _records_at_once(batch: memoryview) -> int:
    """About as many as make up ``SMALL_BYTES``; of small ones 1,024. How many there are stands before the first."""
    count = int.from_bytes(batch[HEADER - 4 : HEADER])
    return max(1, min(1024, SMALL_BYTES * count // len(batch)))


def _in_parts(records: Iterable[Any], most: int) -> Iterator[Sequence[Any]]:
    iterator = chain(records)  # aiokafka's own iterator may be asked for only once
    while part := list(islice(iterator, most)):
        yield part


def _batches(records: Any) -> Iterator[Any]:
    while records.has_next():
        yield records.next_batch()


def _event(record: Any) -> Event:
    """A record of ours from one whose headers may be a tuple, or whose timestamp is missing (message format 0)."""
    return Event(record.value, record.key, list(record.headers), timestamp_of(record.timestamp), record.offset)
