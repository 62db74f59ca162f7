"""Requests of a transaction that are not answered, and offsets that are still to come: on a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    TxnOffsetCommitRequest,
)
from aiokafka.structs import OffsetAndMetadata

from tests.integration.test_preflight import create_all, settings_for
from tests.kafka import Record, Topics, committed_offsets, produce
from tests.lanes import QUICK, Bench, PlainClients, caught_up, ends, make_bench, read_settled, until
from worker.errors import MAY_PASS, WorkerError
from worker.kafka import stable_offsets
from worker.kafka.clients import KafkaClients
from worker.kafka.stable_offsets import applies_late
from worker.kafka.tools import kafka_tool
from worker.lanes import lane_context
from worker.lanes.state import LaneState
from worker.lanes.timeouts import Timeouts
from worker.preflight.asking import ask_brokers
from worker.preflight.judge import judge, of_severity
from worker.replay.topics import committed_of

IMPATIENT = replace(QUICK, operation=0.5, abort=2, unstable=0.2, look_again=0.05)


def numbered(first: int, last: int) -> list[Record]:
    return [Record(b"%d" % n, b"old %d" % n, (), 1_700_000_000_000 + n) for n in range(first, last)]


async def assert_all_once_in_order(bench: Bench, count: int) -> None:
    outputs = await read_settled(bench.bootstrap_servers, bench.route.destination.name)
    assert [each.value for each in outputs] == [b"new %d" % n for n in range(count)]


class Lost:
    """Loses the answers to one kind of request, or the requests themselves, of one producer after the other."""

    def __init__(self, kind: type, producers: int, *, arrives: bool) -> None:
        self._kind = kind
        self._left = producers
        self._arrives = arrives
        self.sent: list[list[type]] = []
        """By producer."""
        self.lost = 0

    def spoil(self, producer: AIOKafkaProducer) -> None:
        sent: list[type] = []
        self.sent.append(sent)
        loses, self._left, send = self._left > 0, self._left - 1, producer.client.send

        async def sending(node: int, request: Any, **options: Any) -> Any:
            sent.append(type(request))
            if not loses or not isinstance(request, self._kind):
                return await send(node, request, **options)
            if self._arrives:
                await send(node, request, **options)
            self.lost += 1
            raise KafkaConnectionError("the connection was lost")

        producer.client.send = sending


async def losing(lost: Lost, bootstrap: str, topics: Topics) -> Bench:
    """A worker that loses these, and has nevertheless done all of its source once and in order."""
    bench = await make_bench(bootstrap, topics)
    await produce(bootstrap, bench.route.source, numbered(0, 200))
    clients = PlainClients(bootstrap, bench.group, spoil=lost.spoil)
    async with bench.running(clients, timeouts=IMPATIENT) as supervisor:
        await until(caught_up(supervisor, partitions=1))
    await assert_all_once_in_order(bench, 200)
    return bench


@pytest.mark.parametrize(
    ("kind", "arrives"),
    [
        (AddPartitionsToTxnRequest, True),
        (AddOffsetsToTxnRequest, False),
        (TxnOffsetCommitRequest, True),
        (EndTxnRequest, True),
        (EndTxnRequest, False),
    ],
)
async def test_what_was_not_answered_is_settled_by_the_next_producer(
    kafka_bootstrap: str, topics: Topics, kind: type, arrives: bool
) -> None:
    """Also a commit, whose outcome nobody knows: the next producer's start waits for it."""
    lost = Lost(kind, 1, arrives=arrives)
    bench = await losing(lost, kafka_bootstrap, topics)
    assert lost.lost == 1
    assert lost.sent[0][-1] is kind, "nothing comes behind it"
    assert bench.total("upcaster_retries_total", error_type="UnansweredError") == 1


async def test_a_batch_that_is_not_answered_is_not_aborted_by_its_own_producer(
    kafka_bootstrap: str, topics: Topics
) -> None:
    lost = Lost(ProduceRequest, 2, arrives=True)
    await losing(lost, kafka_bootstrap, topics)
    assert EndTxnRequest not in lost.sent[0] + lost.sent[1]
    assert EndTxnRequest in lost.sent[2]


@pytest.mark.parametrize("timeouts", [IMPATIENT, replace(QUICK, drain=0.1)], ids=["in time", "cut off"])
async def test_a_stop_leaves_no_transaction_open(kafka_bootstrap: str, topics: Topics, timeouts: Timeouts) -> None:
    """Readers would wait for the broker to give it up, a minute."""
    bench = await make_bench(kafka_bootstrap, topics)
    await produce(kafka_bootstrap, bench.route.source, numbered(0, 200))
    lost = Lost(ProduceRequest, 1, arrives=True)
    clients = PlainClients(kafka_bootstrap, bench.group, spoil=lost.spoil)
    async with bench.running(clients, timeouts=timeouts):
        await until(lambda: lost.lost)
    written = bench.route.destination.name
    assert await ends(kafka_bootstrap, written) == await ends(kafka_bootstrap, written, "read_uncommitted")
    assert EndTxnRequest not in lost.sent[0]
    assert bench.total("upcaster_errors_total", error_type="TransactionLeftOpen") == 0


async def test_a_transaction_that_could_not_be_ended_is_counted(kafka_bootstrap: str, topics: Topics) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    await produce(kafka_bootstrap, bench.route.source, numbered(0, 200))
    lost = Lost(ProduceRequest, 1, arrives=True)
    clients = PlainClients(kafka_bootstrap, bench.group, spoil=lost.spoil)
    async with bench.running(clients, timeouts=replace(QUICK, drain=0.1, abort=0.5)):
        await until(lambda: lost.lost)
        clients.bootstrap_servers = "127.0.0.1:1"
    assert bench.total("upcaster_errors_total", stage="commit", error_type="TransactionLeftOpen") == 1


@asynccontextmanager
async def moving_offset(
    bootstrap: str, group: str, place: TopicPartition, offset: int
) -> AsyncIterator[Callable[..., Any]]:
    """Somebody else's transaction that is to move the group's offset, until it is aborted."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"{group}-somebody-else")
    async with producer:
        await producer.begin_transaction()
        await producer.send_offsets_to_transaction({place: OffsetAndMetadata(offset, "")}, group)
        yield producer.abort_transaction


async def test_a_lane_whose_offset_somebody_else_holds_waits_says_so_and_goes_on(
    kafka_bootstrap: str, topics: Topics
) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    source = TopicPartition(bench.route.source, 0)
    await produce(kafka_bootstrap, source.topic, numbered(0, 100))
    async with bench.running() as supervisor:
        await until(caught_up(supervisor, partitions=1))
    await produce(kafka_bootstrap, source.topic, numbered(100, 200))
    async with (
        moving_offset(kafka_bootstrap, bench.group, source, 150) as let_go,
        bench.running(timeouts=IMPATIENT) as supervisor,
    ):
        await until(lambda: [each.state for each in supervisor.status()] == [LaneState.BLOCKED])
        (reason,) = supervisor.why_not_ready()
        assert "the group's offset is unknown since 20" in reason
        assert f"`{kafka_tool('transactions')} --bootstrap-server SERVER find-hanging" in reason
        supervisor.resume(source.topic)
        await until(lambda: supervisor.status()[0].state != LaneState.BLOCKED)
        await until(lambda: supervisor.status()[0].state == LaneState.BLOCKED, "nobody can decide it")
        assert bench.total("upcaster_records_consumed_total") == 100
        await let_go()
        await until(caught_up(supervisor, partitions=1))
        assert supervisor.why_not_ready() == []
    await assert_all_once_in_order(bench, 200)


@pytest.mark.parametrize("late", [True, False])
async def test_only_where_offsets_may_come_late_what_is_held_is_cleared(
    kafka_bootstrap: str, topics: Topics, monkeypatch: pytest.MonkeyPatch, *, late: bool
) -> None:
    """A coordinator from Kafka 4.0 on that has not come to a commit of the lane would drop it for that."""
    monkeypatch.setattr(lane_context, "applies_late", lambda _: late)
    bench = await make_bench(kafka_bootstrap, topics)
    sent = Lost(AddOffsetsToTxnRequest, 0, arrives=True)
    clients = PlainClients(kafka_bootstrap, bench.group, spoil=sent.spoil)
    async with (
        moving_offset(kafka_bootstrap, bench.group, TopicPartition(bench.route.source, 0), 50),
        bench.running(clients, timeouts=IMPATIENT) as supervisor,
    ):
        await until(lambda: [each.state for each in supervisor.status()] == [LaneState.BLOCKED])
    assert any(AddOffsetsToTxnRequest in each for each in sent.sent) is late


async def test_clearing_leftovers_leaves_the_committed_offset(kafka_bootstrap: str, topics: Topics) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    source = TopicPartition(bench.route.source, 0)
    await produce(kafka_bootstrap, source.topic, numbered(0, 100))
    async with bench.running() as supervisor:
        await until(caught_up(supervisor, partitions=1))
        before = await committed_offsets(kafka_bootstrap, bench.group)
        lane = supervisor.lanes.get(source)
        assert lane is not None
        await lane._producer.delivery.clear_leftovers()
        assert await committed_offsets(kafka_bootstrap, bench.group) == before
        await produce(kafka_bootstrap, source.topic, numbered(100, 200))
        await until(lambda: bench.total("upcaster_records_consumed_total") == 200)
    await assert_all_once_in_order(bench, 200)


async def test_observers_wait_a_while_and_do_not_guess(
    kafka_bootstrap: str, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    await create_all(topics)
    settings = settings_for(kafka_bootstrap, topics)
    group, source = settings.kafka.group_id, settings.routes[0].source
    await produce(kafka_bootstrap, source, numbered(0, 10))
    clients = KafkaClients(settings.kafka)
    monkeypatch.setattr(stable_offsets, "PATIENCE", 0.2)
    async with moving_offset(kafka_bootstrap, group, TopicPartition(source, 0), 5) as let_go:
        facts = await ask_brokers(clients, settings)
        (finding,) = of_severity(judge(facts, settings, {}), "undecided")
        assert finding.topic == source
        assert f"the offset of group {group} for {source}:0 cannot be known" in finding.found
        assert source not in facts.backlogs, "no number is made up"
        with pytest.raises(WorkerError, match="cannot be known") as unknown:
            await committed_of(clients, group, source)
        assert unknown.value.exit_code == MAY_PASS
        waiting = asyncio.create_task(committed_of(clients, group, source))
        await let_go()
        assert await waiting == {}
    assert (await ask_brokers(clients, settings)).backlogs[source].records == 10


async def test_where_offsets_are_applied_late_none_is_sent_before_the_last_one_is_applied(
    kafka_bootstrap: str, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker before Kafka 4.0 might take it for the last one's. What is held here would be in its own commit."""
    monkeypatch.setattr(lane_context, "applies_late", lambda _: True)
    bench = await make_bench(kafka_bootstrap, topics)
    source = TopicPartition(bench.route.source, 0)
    lost = Lost(TxnOffsetCommitRequest, 0, arrives=True)
    clients = PlainClients(kafka_bootstrap, bench.group, spoil=lost.spoil)
    await produce(kafka_bootstrap, source.topic, numbered(0, 100))
    async with bench.running(clients, timeouts=IMPATIENT) as supervisor:
        await until(caught_up(supervisor, partitions=1))
        async with moving_offset(kafka_bootstrap, bench.group, source, 50) as let_go:
            before = sum(each.count(TxnOffsetCommitRequest) for each in lost.sent)
            await produce(kafka_bootstrap, source.topic, numbered(100, 200))
            await until(lambda: supervisor.status()[0].state == LaneState.BLOCKED)
            assert sum(each.count(TxnOffsetCommitRequest) for each in lost.sent) == before
            await let_go()
        await until(caught_up(supervisor, partitions=1))
    await assert_all_once_in_order(bench, 200)


async def test_new_brokers_are_not_asked_before_each_transaction(kafka_bootstrap: str, topics: Topics) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    await produce(kafka_bootstrap, bench.route.source, numbered(0, 100))
    async with bench.running() as supervisor:
        await until(caught_up(supervisor, partitions=1))
        assert not applies_late(supervisor._consumer)
