"""What is behind the wall before aiokafka."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer import fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import (
    CorruptRecordException,
    GroupLoadInProgressError,
    IncompatibleBrokerVersion,
    KafkaConnectionError,
    NotCoordinatorForGroupError,
    NotEnoughReplicasError,
    TopicAuthorizationFailedError,
)
from aiokafka.producer.sender import SendProduceReqHandler
from aiokafka.protocol.commit import OffsetFetchResponse_v3
from aiokafka.protocol.metadata import MetadataRequest, MetadataRequest_v5
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder

from worker.kafka.aiokafka_internals import fetch_patches, produce_patches
from worker.kafka.aiokafka_internals.fetch_patches import GATHER_BYTES
from worker.kafka.aiokafka_internals.open_batch import OpenBatch
from worker.kafka.aiokafka_internals.producer import missing
from worker.kafka.aiokafka_internals.reader import FetchedBatches, KeptRecords, _Undecoded
from worker.kafka.large_batch import LARGE_VALUE
from worker.settings.compression import Compression

PARTITION = TopicPartition("source", 0)


class ClosedUnderUvloop:
    """What uvloop's transport does when it is closed already; asyncio's own says nothing."""

    closed = False

    def write(self, _data: bytes) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("send", ["send", "_send_sasl_token"])
async def test_writing_to_a_closed_connection_is_a_broken_connection(send: str) -> None:
    connection = AIOKafkaConnection("127.0.0.1", 1)
    connection._versions = {3: (0, 5)}
    connection._writer = ClosedUnderUvloop()
    request: Any = MetadataRequest([]) if send == "send" else b"token"
    with pytest.raises(KafkaConnectionError):
        getattr(connection, send)(request)


async def test_a_request_in_no_version_that_the_broker_takes_closes_nothing() -> None:
    connection = AIOKafkaConnection("127.0.0.1", 1)
    connection._versions = {3: (90, 99)}
    connection._writer = writer = ClosedUnderUvloop()
    with pytest.raises(IncompatibleBrokerVersion, match="MetadataRequest v90"):
        connection.send(MetadataRequest([]))
    assert not writer.closed


class Coordinator(GroupCoordinator):  # type: ignore[misc]  # aiokafka has no types
    """A member's view of its group; the brokers answer as the test says."""

    def __init__(self, *answers: Any) -> None:
        self.group_id, self.coordinator_id, self.times_dead = "group", 1, 0
        self._retry_backoff_ms = 1
        self._client = Client(*answers)

    async def ensure_coordinator_known(self) -> None: ...

    def coordinator_dead(self) -> None:
        self.times_dead += 1


class Client:
    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    async def send(self, *_: Any, **__: Any) -> Any:
        return self._answers.pop(0)


def refused(code: int) -> Any:
    """How Kafka 4 answers while the group's coordinator is loading or elsewhere: one error, and no partitions."""
    return OffsetFetchResponse_v3(0, [], code)


def committed(offset: int, error: int = 0) -> Any:
    return OffsetFetchResponse_v3(0, [("source", [(0, offset, "", error)])], 0)


@pytest.mark.parametrize("error", [GroupLoadInProgressError, NotCoordinatorForGroupError])
async def test_a_coordinator_that_is_loading_does_not_mean_that_nothing_is_committed(error: Any) -> None:
    coordinator = Coordinator(refused(error.errno), committed(7))
    with pytest.raises(error):
        await coordinator._do_fetch_commit_offsets([PARTITION])
    assert coordinator.times_dead == (error is NotCoordinatorForGroupError)
    found = await coordinator._do_fetch_commit_offsets([PARTITION])
    assert found[PARTITION].offset == 7


async def test_a_group_that_has_committed_nothing_is_no_error() -> None:
    assert await Coordinator(committed(-1))._do_fetch_commit_offsets([PARTITION]) == {}


async def test_the_admin_client_reads_the_whole_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = AIOKafkaAdminClient()
    monkeypatch.setattr(admin, "_client", Client(refused(GroupLoadInProgressError.errno)))
    with pytest.raises(GroupLoadInProgressError):
        await admin.list_consumer_group_offsets("group", group_coordinator_id=1)


@pytest.mark.parametrize("version", ProduceRequest._CLASSES, ids=lambda version: f"version {version.API_VERSION}")
def test_what_is_produced_is_encoded_as_aiokafka_would(version: Any) -> None:
    batch = bytearray(b"batch")
    topics = [("one", [(0, batch), (7, batch)]), ("two", []), ("três", [(1, None)])]
    for head in (("id", -1, 5), (None, 0, 0)):
        request = version(*head[3 - len(version.SCHEMA.names) + 1 :], topics)
        plain = version.SCHEMA.encode([request.get_item(name) for name in version.SCHEMA.names])
        assert request.encode() == plain


@pytest.mark.parametrize("version", ProduceRequest._CLASSES, ids=lambda version: f"version {version.API_VERSION}")
def test_a_batch_in_parts_is_encoded_as_the_whole(version: Any) -> None:
    def request(batch: object) -> Any:
        return version(*(None, 0, 0)[3 - len(version.SCHEMA.names) + 1 :], [("one", [(0, batch)])])

    assert request((b"ba", b"", b"tch")).encode() == request(b"batch").encode()


def never_started(**options: Any) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(**options)
    producer._closed = True
    return producer


async def test_large_values_go_into_a_batch_of_our_own() -> None:
    producer = never_started(transactional_id="id", max_batch_size=10_000)
    large, small = (OpenBatch(producer, size) for size in (LARGE_VALUE, LARGE_VALUE - 1))
    for batch in (large, small):
        assert batch.put(5, b"key", b"value" * 1000, [("name", b"value")])
        assert batch.size > 5_000
        assert not batch.put(6, b"key", b"value" * 1000, [])
    parts, whole = (batch.closed() for batch in (large, small))
    assert (parts.record_count(), parts.closed(), parts.size()) == (1, True, whole.size())
    for batch in (parts, whole):
        batch._set_producer_state(1, 2, 3)
    assert isinstance(parts._build(), tuple)
    assert b"".join(parts._build()) == whole._build()
    assert parts.size() == whole.size()


@pytest.mark.parametrize("size", [LARGE_VALUE, LARGE_VALUE - 1])
async def test_a_batch_is_compressed_when_it_is_built(size: int) -> None:
    batch = OpenBatch(never_started(), size, Compression("zstd", 3))
    assert batch.put(5, b"key", b"value" * 1000, [])
    assert batch.size > 5_000
    assert batch.wire_size < 200
    assert batch.closed().size() == batch.wire_size


def fetched(data: bytes) -> FetchedBatches:
    parser = fetcher.PartitionRecords(PARTITION, KeptRecords(data), [], 0, None, None, True, fetcher.READ_COMMITTED)
    return FetchedBatches(parser)


def new_format(codec: int) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, False, -1, -1, 0, 10_000)
    for place in range(3):
        builder.append(place, timestamp=1, key=b"key", value=b"value" * 100, headers=[])
    return bytes(builder.build())


def old_format(magic: int) -> bytes:
    builder = LegacyRecordBatchBuilder(magic, 0, 10_000)
    builder.append(0, timestamp=1, key=b"key", value=b"value" * 100)
    return bytes(builder.build())


BATCHES = [*(pytest.param(new_format(codec), id=f"2, codec {codec}") for codec in range(5))]
BATCHES += [pytest.param(old_format(magic), id=str(magic)) for magic in (0, 1)]


@pytest.mark.parametrize("data", BATCHES)
def test_a_batch_that_was_damaged_on_the_way_is_never_read(data: bytes) -> None:
    assert next(fetched(data).slices(10)).records[0].value == b"value" * 100
    for place in (len(data) - 1, len(data) // 2, 21):
        damaged = bytearray(data)
        damaged[place] ^= 1
        with pytest.raises(CorruptRecordException, match=r"batch at offset 0 is wrong|read \d+ bytes"):
            list(fetched(bytes(damaged)).slices(10))


def test_what_was_fetched_goes_without_the_garbage_collector() -> None:
    """A drain makes little garbage, so the collector is seldom called: a cycle would keep gigabytes."""
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, 0, 10_000)
    builder.append(0, timestamp=1, key=None, value=b"value", headers=[])
    parser = fetcher.PartitionRecords(
        PARTITION, KeptRecords(bytes(builder.build())), [], 0, None, None, True, fetcher.READ_COMMITTED
    )
    gone = weakref.ref(parser)
    gc.disable()
    try:
        fetched = FetchedBatches(parser)
        del parser
        assert [record.value for piece in fetched.slices(10) for record in piece.records] == [b"value"]
        del fetched
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("waiting", "has_come", "gather", "given", "expected"),
    [
        (0, False, 0, 100, (500, 1)),
        (0, False, 0, 900, (900, 1)),
        (0, False, 190, 100, (500, 1)),
        (0, True, 0, 100, (500, 1)),
        (0, True, 190, 100, (190, GATHER_BYTES)),
        (1, True, 190, 100, (100, GATHER_BYTES)),
        (1, False, 190, 100, (100, 1)),
        (1, False, 0, 100, (100, 1)),
    ],
)
def test_how_long_a_fetch_may_be_held(
    waiting: int, has_come: bool, gather: int, given: int, expected: tuple[int, int]
) -> None:
    """Long while nothing comes, and to gather what comes; but not one that leaves out a partition whose records have
    just come."""
    assert _patience(1 << 20, waiting, has_come, gather, given) == expected


def test_who_reads_little_at_a_time_waits_for_no_more_than_that() -> None:
    """Else every fetch would be held to its end, however much there is."""
    assert _patience(1 << 14, 0, True, 190, 100) == (190, 1 << 14)


def _patience(most: int, waiting: int, has_come: bool, gather: int, given: int) -> tuple[int, int]:
    fetching = Mock(_max_partition_fetch_bytes=most, _fetch_max_bytes=1 << 24)
    fetching._records = _Undecoded(Mock(_fetcher=Mock(_records=dict.fromkeys(range(waiting)))), gather)
    fetching._records.has_come = has_come
    return fetch_patches.patience(fetching, given, 1)


def test_no_question_makes_a_broker_create_a_topic() -> None:
    """Tried on a broker with Kafka's defaults: a destination that was deleted came back, with a week of retention."""
    assert MetadataRequest(["deleted"]).build(MetadataRequest_v5).allow_auto_topic_creation is False


class Hiding:
    """A client whose brokers know of no topic, and may not show us some."""

    def __init__(self, *hidden: str) -> None:
        self.cluster = ClusterMetadata()
        self.cluster.unauthorized_topics = set(hidden)

    def add_topic(self, _name: str) -> None: ...

    async def force_metadata_update(self) -> None: ...


async def test_a_topic_that_we_may_not_see_is_not_taken_for_missing() -> None:
    with pytest.raises(TopicAuthorizationFailedError, match="hidden"):
        await missing(Mock(client=Hiding("hidden")), ["gone", "hidden"])
    assert await missing(Mock(client=Hiding()), ["gone", "hidden"]) == "gone"


def test_for_what_a_batch_is_sent_again_in_silence_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    producer: Any = SimpleNamespace(_sender=SimpleNamespace(_txn_manager=object(), _retry_backoff=0.1, client=None))
    assert produce_patches.last_refusal(producer) is None
    handler = SendProduceReqHandler(producer._sender, {})
    assert handler._can_retry(NotEnoughReplicasError(), Mock())
    assert isinstance(produce_patches.last_refusal(producer), NotEnoughReplicasError)
    monkeypatch.setattr(produce_patches, "OF_NOW", 0)
    assert produce_patches.last_refusal(producer) is None, "what was refused long ago is not what is waited for now"
