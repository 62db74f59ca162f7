"""Reads ranges of offsets, without a group and with bounded memory: each range up to its end, in record batches or
slices."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import NamedTuple, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException, KafkaError, OffsetOutOfRangeError

from upcasters.event import SourceRecord
from worker.errors import MAY_PASS, WorkerError
from worker.kafka.aiokafka_internals.reader import Reader, open_reader
from worker.kafka.clients import started
from worker.kafka.fetched import Fetched, FetchedBatch, Slice, UnpackError
from worker.kafka.refusals import in_words
from worker.lanes.delivery import ClientFactory
from worker.lanes.faults import DENIED
from worker.replay.ranges import Range

SLICE = 256
TOTAL_BYTES = 32 * 1024 * 1024
"""Asked for at once, over all partitions."""
LARGEST_FETCH = 1024 * 1024
SMALLEST_FETCH = 64 * 1024
FETCH_WAIT_MS = 50
"""How long a broker holds a fetch at a partition's end; other requests on the connection wait as long."""
WAIT = 0.2
STALLED = 60.0
"""Seconds without progress in any partition, after which reading fails."""
TURN = 0.02
"""Seconds of work after which other tasks run: fetches, signals, a progress bar."""


LOOKS = 4
"""Attempts to read a batch whose checksum is wrong: the bytes may have changed on the way."""

Learn = Callable[[Sequence[SourceRecord]], Awaitable[None]]
Fetchable = TypeVar("Fetchable", Slice, FetchedBatch)


class Piece(NamedTuple):
    """The next records of one partition."""

    partition: int
    slice: Slice


def open_range_reader(
    clients: ClientFactory, partitions: int, *, committed: bool = True
) -> AbstractAsyncContextManager[AIOKafkaConsumer]:
    """A started consumer without a group whose fetches of ``partitions`` partitions stay within bounds. Without
    ``committed`` it also reads records of open and aborted transactions."""
    share = TOTAL_BYTES // max(1, partitions)
    consumer = clients.reader(
        max_partition_fetch_bytes=min(LARGEST_FETCH, max(SMALLEST_FETCH, share)),
        fetch_max_bytes=TOTAL_BYTES,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        isolation_level="read_committed" if committed else "read_uncommitted",
    )
    return started(consumer)


async def read_ranges(consumer: AIOKafkaConsumer, topic: str, ranges: Sequence[Range]) -> AsyncIterator[Piece]:
    """Yields every readable record of the ranges, in order in each partition. Markers, aborted records and gaps of
    compaction are skipped, also at the end.

    Raises WorkerError where the brokers do not answer, retention deletes records before they are read, or a right is
    missing.
    """
    async for partition, piece in _read(consumer, topic, ranges, _pieces):
        yield Piece(partition, piece)


async def with_schemas(pieces: AsyncIterator[Piece], learn: Learn) -> AsyncIterator[Piece]:
    """The same pieces, each when ``learn`` has asked for the schemas that its records name."""
    async for piece in pieces:
        await learn(piece.slice.records)
        yield piece


async def read_batches(consumer: AIOKafkaConsumer, topic: str, wanted: Range) -> AsyncIterator[FetchedBatch]:
    """Yields the same as record batches; the last ones may go past the range."""
    async for _, batch in _read(consumer, topic, [wanted], lambda fetched, _end: fetched.batches()):
        yield batch


async def _read(
    consumer: AIOKafkaConsumer,
    topic: str,
    ranges: Sequence[Range],
    parts: Callable[[Fetched, int], Iterator[Fetchable]],
) -> AsyncIterator[tuple[int, Fetchable]]:
    ends = _seek(consumer, topic, [each for each in ranges if each.offsets])
    reader, pace, broken = open_reader(consumer), _Pace(), Counter[TopicPartition]()
    while ends:
        found = await _fetch(reader, topic, ends, pace)
        _rest(consumer, found, ends)
        for partition, fetched in found.items():
            behind = fetched.offset
            with _telling_broken(topic, fetched):
                try:
                    for part in parts(fetched, ends[partition]):
                        yield partition.partition, part
                        behind = part.next_offset
                        del broken[partition]
                        await pace.give_way()
                except CorruptRecordException:
                    broken[partition] += 1
                    if broken[partition] >= LOOKS:
                        raise
                    _look_again(consumer, partition, behind)
        for partition in list(ends):
            if await consumer.position(partition) >= ends[partition]:
                del ends[partition]


def _rest(
    consumer: AIOKafkaConsumer, found: Mapping[TopicPartition, Fetched], ends: Mapping[TopicPartition, int]
) -> None:
    """Fetch no more of partitions that are at their end, from now on: the brokers hold a fetch of nothing for a while,
    and whatever is asked next on the connection with it. To be called before the client's own tasks have a turn."""
    done = [partition for partition, fetched in found.items() if fetched.next_offset >= ends[partition]]
    if done:
        consumer.pause(*done)


def _look_again(consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int) -> None:
    """Fetch from there once more, also where that was thought to be the end."""
    consumer.seek(partition, offset)
    consumer.resume(partition)


def _seek(consumer: AIOKafkaConsumer, topic: str, ranges: Sequence[Range]) -> dict[TopicPartition, int]:
    """Go to the ranges' starts; returns their ends."""
    if not ranges:
        # A client that is stopped in the moment after an assignment waits for ever.
        return {}
    consumer.assign([TopicPartition(topic, each.partition) for each in ranges])
    for each in ranges:
        consumer.seek(TopicPartition(topic, each.partition), each.start)
    return {TopicPartition(topic, each.partition): each.end for each in ranges}


async def _fetch(
    reader: Reader, topic: str, ends: Mapping[TopicPartition, int], pace: _Pace
) -> Mapping[TopicPartition, Fetched]:
    try:
        fetched = await reader.read(ends, WAIT)
    except OffsetOutOfRangeError as error:
        raise WorkerError(
            f"{topic}: retention deleted records while they were read: raise the topic's retention, or begin later",
            code="UPC1602",
        ) from error
    except DENIED as error:
        raise WorkerError(in_words(error), code="UPC1204") from error
    except KafkaError as error:
        pace.failed(topic, error)
        await asyncio.sleep(WAIT)
        return {}
    if fetched:
        pace.moved()
    else:
        pace.waited(topic)
    return fetched


def _pieces(fetched: Fetched, end: int) -> Iterator[Slice]:
    for piece in fetched.slices(SLICE):
        yield piece if piece.next_offset <= end else _up_to(end, piece)
        if piece.next_offset >= end:
            return


@contextmanager
def _telling_broken(topic: str, fetched: Fetched) -> Iterator[None]:
    try:
        yield
    except UnpackError as error:
        raise WorkerError(f"{topic}: {error}; --from and --to can skip it", code="UPC1603") from error
    except KafkaError as error:
        raise WorkerError(
            f"{topic}: a batch at or after offset {fetched.offset} cannot be read ({in_words(error)}): "
            "see the brokers' disks; --from and --to can skip it",
            code="UPC1603",
        ) from error


def _up_to(end: int, piece: Slice) -> Slice:
    records = [record for record in piece.records if (record.offset or 0) < end]
    return Slice(records, end, frozenset(offset for offset in piece.unreadable if offset < end))


class _Pace:
    """Lets other tasks run, and raises WorkerError where reading makes no progress."""

    def __init__(self) -> None:
        self._moved = self._turn = time.monotonic()

    def moved(self) -> None:
        self._moved = time.monotonic()

    def waited(self, topic: str) -> None:
        if time.monotonic() - self._moved > STALLED:
            raise WorkerError(
                f"{topic}: no record came for {STALLED:g} s although there are more to read: see whether the brokers "
                "are up",
                MAY_PASS,
                code="UPC1604",
            )

    def failed(self, topic: str, error: KafkaError) -> None:
        if not error.retriable or time.monotonic() - self._moved > STALLED:
            raise WorkerError(
                f"{topic}: reading failed ({in_words(error)}): try again once the cluster is healthy",
                MAY_PASS,
                code="UPC1604",
            ) from error

    async def give_way(self) -> None:
        now = time.monotonic()
        if now - self._turn > TURN:
            await asyncio.sleep(0)
            self._turn = time.monotonic()
        self._moved = now
