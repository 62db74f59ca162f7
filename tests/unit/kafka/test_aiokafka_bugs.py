"""The errors of aiokafka that are worked around behind the wall, shown in the library as it comes.

A test here turns red when aiokafka has mended what it shows; then the workaround can go, and the test with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka_errors
from aiokafka.abc import AbstractTokenProvider
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer import fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.producer.sender import SendProduceReqHandler
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.metadata import MetadataRequest, MetadataRequest_v5
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import EndTxnRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import BrokerMetadata

from tests.limits import HANG
from tests.unit.kafka.test_aiokafka_internals import (
    PARTITION,
    Client,
    ClosedUnderUvloop,
    Coordinator,
    committed,
    refused,
)
from worker.kafka import codes
from worker.kafka.aiokafka_internals.patches import PATCHES
from worker.kafka.stable_offsets import STABLE_SINCE

NODE = 1


@pytest.fixture(autouse=True)
def _as_it_comes(_patched: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library without our patches."""
    monkeypatch.setattr(fetcher, "MemoryRecords", MemoryRecords)
    for version in ProduceRequest._CLASSES:
        monkeypatch.delattr(version, "encode")
    for patch in PATCHES:
        monkeypatch.setattr(patch.owner, patch.name, inspect.unwrap(getattr(patch.owner, patch.name)))


def test_no_patch_is_left_in_what_is_shown_here() -> None:
    assert {getattr(patch.owner, patch.name).__module__.partition(".")[0] for patch in PATCHES} == {"aiokafka"}


@contextlib.contextmanager
def shown(workaround: str) -> Iterator[None]:
    try:
        yield
    except (AssertionError, TimeoutError, kafka_errors.KafkaError, pytest.fail.Exception) as error:
        pytest.fail(f"aiokafka has mended what {workaround} is for: this workaround can go ({error})", pytrace=False)


def test_a_library_that_has_mended_it_is_reported() -> None:
    with pytest.raises(pytest.fail.Exception, match="this workaround can go"), shown("it"):
        assert not "mended"


@pytest.mark.parametrize("send", ["send", "_send_sasl_token"])
async def test_a_connection_that_uvloop_has_closed_ends_the_task_that_writes_to_it(send: str) -> None:
    connection = AIOKafkaConnection("127.0.0.1", 1)
    connection._versions = {3: (0, 5)}
    connection._writer = ClosedUnderUvloop()
    request: Any = MetadataRequest([]) if send == "send" else b"token"
    with pytest.raises(RuntimeError) as caught:
        getattr(connection, send)(request)
    with shown("broker_patches.telling_that_it_is_closed"):
        assert caught.type is RuntimeError, "and no KafkaError, which is one, too"


@pytest.mark.parametrize("error", [kafka_errors.GroupLoadInProgressError, kafka_errors.NotCoordinatorForGroupError])
async def test_a_coordinator_that_is_loading_is_taken_for_a_group_that_has_committed_nothing(error: Any) -> None:
    coordinator = Coordinator(refused(error.errno))
    admin = AIOKafkaAdminClient()
    admin._client = Client(refused(error.errno))
    with shown("group_patches.reading_the_whole_answer"):
        assert await coordinator._do_fetch_commit_offsets([PARTITION]) == {}
        assert await admin.list_consumer_group_offsets("group", group_coordinator_id=1) == {}


async def test_a_topic_that_may_not_be_read_is_not_named() -> None:
    denied = committed(-1, kafka_errors.TopicAuthorizationFailedError.errno)
    with shown("group_patches.reading_the_whole_answer"), pytest.raises(kafka_errors.KafkaError) as caught:
        await Coordinator(denied)._do_fetch_commit_offsets([PARTITION])
    with shown("group_patches.reading_the_whole_answer"):
        assert type(caught.value) is kafka_errors.KafkaError


def test_a_question_makes_a_broker_create_a_topic() -> None:
    with shown("broker_patches.creating_no_topic"):
        assert MetadataRequest(["deleted"]).build(MetadataRequest_v5).allow_auto_topic_creation is True


async def test_brokers_that_have_all_moved_are_never_asked_for_at_the_bootstrap_servers() -> None:
    client, asked = AIOKafkaClient(bootstrap_servers="127.0.0.1:1"), list[object]()
    client.cluster.brokers = lambda: {BrokerMetadata(NODE, "127.0.0.1", 1, None)}

    async def nobody_there(node: object, **_: object) -> None:
        asked.append(node)

    client._get_conn = nobody_there
    with shown("broker_patches.finding_moved_brokers"):
        assert not await client._metadata_update(client.cluster, [])
        assert asked == [NODE]


class Opened:
    """A connection to a broker that never answers."""

    def __init__(self) -> None:
        self.closed = False
        self.asked = asyncio.Event()

    async def send(self, _request: object) -> None:
        self.asked.set()
        await asyncio.get_running_loop().create_future()

    def close(self, **_: object) -> None:
        self.closed = True


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    connection = Opened()

    async def connect(*_: object, **__: object) -> Opened:
        return connection

    monkeypatch.setattr("aiokafka.client.create_conn", connect)
    return connection


async def test_a_start_that_is_cancelled_leaves_its_connection_open(opened: Opened) -> None:
    client = AIOKafkaClient(bootstrap_servers="127.0.0.1:1")
    starting = asyncio.create_task(client.bootstrap())
    await opened.asked.wait()
    starting.cancel()
    await asyncio.wait([starting])
    with shown("closing_patches.closing_the_first_connection"):
        assert not opened.closed


async def test_a_closed_client_opens_connections(opened: Opened) -> None:
    client = AIOKafkaClient(bootstrap_servers="127.0.0.1:1")
    client.cluster._brokers[NODE] = BrokerMetadata(NODE, "127.0.0.1", 1, None)
    await client.close()
    with shown("closing_patches.opening_none_after_the_end"):
        assert await client._get_conn(NODE) is opened


class Broker:
    """A connection whose broker answers each request with the same."""

    def __init__(self, **answer: Any) -> None:
        self._answer = SimpleNamespace(**answer)
        self.sent: list[Any] = []

    async def send(self, request: Any, **_: Any) -> Any:
        self.sent.append(request)
        return self._answer

    def connected(self) -> bool:
        return True


async def test_a_request_is_sent_although_the_broker_asks_to_wait() -> None:
    client, broker = AIOKafkaClient(bootstrap_servers="127.0.0.1:1"), Broker(throttle_time_ms=3_600_000)
    client._conns[NODE, ConnectionGroup.DEFAULT] = broker
    with shown("quota_patches"):
        async with asyncio.timeout(HANG):
            for _ in range(2):
                await client.send(NODE, MetadataRequest([]))
        assert len(broker.sent) == 2


async def test_a_coordinator_is_asked_for_on_the_connection_that_output_goes_over() -> None:
    client, broker = AIOKafkaClient(bootstrap_servers="127.0.0.1:1"), Broker(error_code=0, coordinator_id=NODE)
    client.get_random_node = lambda: NODE
    client._conns[NODE, ConnectionGroup.DEFAULT] = broker
    with shown("quota_patches.honouring_quotas"):
        await client.coordinator_lookup(1, "id")
        assert len(broker.sent) == 1


class Token(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    async def token(self) -> str:
        return "token"


async def logged_in(mechanism: str, answer: bytes) -> AIOKafkaConnection:
    """A connection whose login was answered so, in a session of a millisecond."""
    given: dict[str, Any] = {"sasl_plain_username": "w", "sasl_plain_password": "p"}
    if mechanism == "OAUTHBEARER":
        given = {"sasl_oauth_token_provider": Token()}
    connection = AIOKafkaConnection(
        "127.0.0.1", 1, security_protocol="SASL_PLAINTEXT", sasl_mechanism=mechanism, **given
    )
    broker = Broker(
        error_code=0,
        enabled_mechanisms=[mechanism],
        API_VERSION=1,
        sasl_auth_bytes=answer,
        session_lifetime_ms=1,
        error_message=None,
    )
    connection.send = broker.send
    await connection._do_sasl_handshake()
    return connection


async def test_a_connection_is_used_past_the_end_of_its_session() -> None:
    client, connection = AIOKafkaClient(bootstrap_servers="127.0.0.1:1"), await logged_in("PLAIN", b"")
    connection.connected = lambda: True
    client._conns[NODE, ConnectionGroup.DEFAULT] = connection
    loop = asyncio.get_running_loop()
    session_is_over = loop.create_future()
    loop.call_later(0.01, session_is_over.set_result, None)
    await session_is_over
    with shown("login_patches.ending_sessions"):
        assert await client._get_conn(NODE) is connection
    connection.connected = lambda: False


async def test_a_token_that_was_refused_is_taken_for_a_login() -> None:
    with shown("login_patches.note_session"):
        await logged_in("OAUTHBEARER", b'{"status":"invalid_token"}')


def parsed(data: bytes) -> Any:
    return fetcher.PartitionRecords(PARTITION, MemoryRecords(data), [], 0, None, None, True, fetcher.READ_COMMITTED)


def batch(name: str = "name", value: bytes = b"value", codec: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, False, -1, -1, 0, 100_000_000)
    builder.append(0, timestamp=1, key=None, value=value, headers=[(name, b"value")])
    return bytes(builder.build())


def test_a_header_name_that_is_not_utf8_makes_a_batch_unreadable() -> None:
    data = batch("name").replace(b"name", b"nam\xff")
    records = fetcher.PartitionRecords(PARTITION, MemoryRecords(data), [], 0, None, None, False, fetcher.READ_COMMITTED)
    with shown("reader._leniently"), pytest.raises(UnicodeDecodeError):
        list(records)


def test_a_batch_is_unpacked_to_whatever_size_it_has() -> None:
    data = batch(value=b"v" * 50_000_000, codec=4)
    assert len(data) < 50_000
    with shown("unpacking.unpacked"):
        assert len(next(parsed(data)).value) == 50_000_000


def test_what_was_fetched_stays_until_the_garbage_collector_comes() -> None:
    parser = parsed(batch())
    kept = weakref.ref(parser)
    gc.disable()
    try:
        del parser
        with shown("reader.FetchedBatches.__init__ (parser._records_iterator)"):
            assert kept() is not None
    finally:
        gc.enable()


def test_what_is_produced_is_copied_many_times() -> None:
    version = ProduceRequest._CLASSES[-1]
    size = 1_000_000
    request = version(None, 0, 0, [("topic", [(0, bytes(size))])])
    tracemalloc.start()
    try:
        request.encode()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    with shown("produce_patches.encoding_at_once"):
        assert peak > 1.5 * size


def test_nothing_is_reported_of_a_batch_that_is_sent_again() -> None:
    sender: Any = SimpleNamespace(_txn_manager=object(), _retry_backoff=0.1, client=None)
    before = dict(vars(sender))
    with shown("produce_patches.remembering_refusals"):
        assert SendProduceReqHandler(sender, {})._can_retry(kafka_errors.NotEnoughReplicasError(), Mock())
        assert vars(sender) == before


@pytest.mark.parametrize("code", sorted(codes.NEWER_CODES.keys() | codes.OWN_ERRORS.keys()))
def test_an_error_code_of_the_brokers_is_unknown(code: int) -> None:
    known = {getattr(each, "errno", None) for each in vars(kafka_errors).values() if inspect.isclass(each)}
    with shown(f"{code} in worker/kafka/codes.py"):
        assert code not in known


def test_stable_offsets_cannot_be_asked_for() -> None:
    with shown("stable_offsets.StableOffsetsRequest"):
        assert max(version.API_VERSION for version in OffsetFetchRequest._CLASSES) < STABLE_SINCE


async def test_the_end_of_a_transaction_is_asked_for_again_when_it_was_not_answered() -> None:
    """What was not answered may have been done, and may be done late."""
    producer = AIOKafkaProducer(transactional_id="id", bootstrap_servers="127.0.0.1:1", retry_backoff_ms=1)
    sent: list[type] = []

    async def send(_node: int, request: Any, **_: Any) -> Any:
        sent.append(type(request))
        if sent == [EndTxnRequest]:
            raise kafka_errors.RequestTimedOutError
        return SimpleNamespace(error_code=0)

    async def coordinator(*_: object) -> int:
        return NODE

    producer.client.send = send
    producer._sender._find_coordinator = coordinator
    producer._txn_manager.set_pid_and_epoch(1, 0)
    await producer._sender.start()
    await producer.begin_transaction()
    producer._txn_manager.consumer_group_added("group")
    committing = asyncio.ensure_future(producer.commit_transaction())
    await asyncio.wait([committing], timeout=HANG)
    await producer._sender.close()
    producer._closed = True
    with shown("transactions.Requests"):
        assert sent == [EndTxnRequest, EndTxnRequest]


def complaints() -> list[str]:
    found: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context["message"]))
    return found


async def test_the_future_of_a_transaction_that_failed_is_dropped_with_a_complaint() -> None:
    found = complaints()
    manager = TransactionManager("id", 1000)
    manager.set_pid_and_epoch(1, 0)
    manager.begin_transaction()
    manager.fatal_error(kafka_errors.KafkaError())
    del manager
    gc.collect()
    with shown("transactions.ignore_end_of_transaction"):
        assert found == ["Future exception was never retrieved"]


async def some_turns(of: Callable[[], bool]) -> None:
    for _ in range(100):
        if of():
            return
        await asyncio.sleep(0)


async def test_a_member_that_stops_while_a_rebalance_waits_waits_as_well_and_does_not_leave() -> None:
    coordinator = GroupCoordinator.__new__(GroupCoordinator)
    loop = asyncio.get_running_loop()
    left: list[object] = []
    coordinator._closing, coordinator._coordination_task = loop.create_future(), loop.create_future()
    coordinator._maybe_leave_group = lambda: left.append(None)
    stopping = asyncio.ensure_future(coordinator.close())
    await some_turns(stopping.done)
    with shown("consumer.Consumer.stop"):
        assert not stopping.done()
        assert left == []
    stopping.cancel()
    await asyncio.wait([stopping])


async def test_a_fetch_that_waits_for_its_next_attempt_ends_whoever_stops_the_consumer() -> None:
    closing = fetcher.Fetcher.__new__(fetcher.Fetcher)
    waits = asyncio.ensure_future(asyncio.Event().wait())
    closing._fetch_task = asyncio.ensure_future(asyncio.Event().wait())
    closing._fetch_waiters, closing._pending_tasks = set(), {waits}
    await asyncio.sleep(0)
    with shown("consumer.Consumer._put_away"), pytest.raises(asyncio.CancelledError):
        await closing.close()
