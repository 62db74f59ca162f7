"""Lanes on a real broker, as operators see them: breaker, pause, rate, lag and the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import NodeNotReadyError

from tests.kafka import Record, Topics, admin_of, committed_offsets, delete_topics, produce
from tests.lanes import ByWord, PlainClients, caught_up, make_bench, read_settled, until
from tests.limits import HANG
from upcasters.event import Partition, SourceRecord
from upcasters.outcome import Outcome
from worker.errors import WorkerError
from worker.kafka.first_records import FirstRecords
from worker.lanes import watch
from worker.lanes.lane import Lane
from worker.lanes.rate_limits import BURST
from worker.lanes.state import LaneState
from worker.lanes.supervisor import Supervisor
from worker.settings import BreakerSettings, LimitSettings


def named(word: bytes, count: int) -> list[Record]:
    return [Record(b"k", word + b" %d" % n) for n in range(count)]


async def test_the_breaker_stops_the_lane_and_resume_closes_it(kafka_bootstrap: str, topics: Topics) -> None:
    bench = await make_bench(kafka_bootstrap, topics, breaker=BreakerSettings(rate=0.5, window=20))
    await produce(kafka_bootstrap, bench.route.source, named(b"old", 20) + named(b"bad", 600))
    async with bench.running() as supervisor:
        (lane,) = await _lanes(supervisor)
        await until(lambda: lane.state is LaneState.BREAKER_OPEN)
        assert supervisor.status()[0].breaker == "11 of the last 20 records became dead letters"
        assert "breaker-open" in supervisor.why_not_ready()[0]
        assert supervisor.why_not_live() == []
        await until(lambda: bench.total("upcaster_breaker_open") == 1)
        await until(lambda: bench.total("upcaster_consumer_lag") > 0)
        await until(lambda: bench.total("upcaster_consumer_lag_seconds") > 0)
        stopped_at = lane.lag.committed
        assert stopped_at is not None
        assert stopped_at < 620
        deadline = time.monotonic() + HANG
        while (await committed_offsets(kafka_bootstrap, bench.group)).get((bench.route.source, 0)) != stopped_at:
            # The coordinator shows an offset when the transaction's marker has come to it.
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        supervisor.resume(bench.route.source)
        await until(lambda: (lane.lag.committed or 0) > stopped_at)
    letters = await read_settled(kafka_bootstrap, bench.route.dead_letter.name)
    assert len(letters) == bench.total("upcaster_records_dead_lettered_total")


async def _lanes(supervisor: Supervisor) -> list[Lane]:
    await until(lambda: len(supervisor.lanes) == 1)
    return list(supervisor.lanes)


async def test_an_operator_pauses_a_route_and_goes_on(kafka_bootstrap: str, topics: Topics) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    async with bench.running() as supervisor:
        (lane,) = await _lanes(supervisor)
        supervisor.pause(bench.route.source)
        await until(lambda: lane.state is LaneState.PAUSED)
        await produce(kafka_bootstrap, bench.route.source, named(b"old", 10))
        await until(lambda: lane.lag.records == 10, "lag of a paused lane")
        await until(lambda: bench.total("upcaster_consumer_lag_seconds") > 0)
        assert supervisor.why_not_ready() == []
        supervisor.resume(bench.route.source)
        await until(lambda: lane.lag.records == 0)
        with pytest.raises(KeyError):
            supervisor.pause("no-such-topic")


async def test_a_look_at_slow_brokers_is_made_again(
    kafka_bootstrap: str, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that came to nothing is not taken for a partition in which no record has an age."""
    looks = 0
    fetch = FirstRecords.fetch

    async def slow(
        first: FirstRecords, partitions: Collection[TopicPartition], seconds: float
    ) -> dict[TopicPartition, str]:
        nonlocal looks
        looks += 1
        return {} if looks < 10 else await fetch(first, partitions, seconds)

    monkeypatch.setattr(FirstRecords, "fetch", slow)
    bench = await make_bench(kafka_bootstrap, topics)
    async with bench.running() as supervisor:
        (lane,) = await _lanes(supervisor)
        supervisor.pause(bench.route.source)
        await until(lambda: lane.state is LaneState.PAUSED)
        await produce(kafka_bootstrap, bench.route.source, named(b"old", 10))
        await until(lambda: bench.total("upcaster_consumer_lag_seconds") > 0)
    assert looks >= 10


async def test_a_route_keeps_to_its_rate(kafka_bootstrap: str, topics: Topics) -> None:
    rate = 100
    bench = await make_bench(kafka_bootstrap, topics, limits=LimitSettings(records_per_second=rate))
    async with bench.running() as supervisor:
        await until(caught_up(supervisor, partitions=1))
        began, consumed = time.monotonic(), 0.0
        await produce(kafka_bootstrap, bench.route.source, named(b"old", 1_000))
        while consumed < 2 * rate:
            consumed = bench.total("upcaster_records_consumed_total")
            assert consumed <= rate * (time.monotonic() - began + BURST)
            await asyncio.sleep(0.01)
        supervisor.limit_rate(bench.route.source, None)
        await until(caught_up(supervisor, partitions=1))


class Slow(ByWord):
    """A chain that takes its time over each record."""

    at_once = 0
    """Records since others had their turn."""

    def upcast(self, record: SourceRecord, source: Partition | None = None) -> Outcome:
        time.sleep(0.01)
        self.at_once += 1
        return super().upcast(record, source)


async def test_a_slow_chain_leaves_others_their_turn(kafka_bootstrap: str, topics: Topics) -> None:
    """Heartbeats and probes among them: else the group would give the partition away, to nobody's help."""
    slow, most = Slow(), 0
    bench = await make_bench(kafka_bootstrap, topics, upcaster=slow)
    await produce(kafka_bootstrap, bench.route.source, named(b"old", 300))
    async with bench.running() as supervisor:
        is_done = caught_up(supervisor, partitions=1)
        while not is_done():
            await asyncio.sleep(0)
            most, slow.at_once = max(most, slow.at_once), 0
    assert 0 < most < 100


async def test_who_is_stopped_while_a_rebalance_waits_has_left_it(kafka_bootstrap: str, topics: Topics) -> None:
    """Else all others would wait for it until its session is over."""
    bench = await make_bench(kafka_bootstrap, topics, partitions=2)
    late = PlainClients(kafka_bootstrap, bench.group, consumer_options={"heartbeat_interval_ms": 3000})
    async with bench.running(late) as first:
        await until(caught_up(first, partitions=2))
        async with admin_of(kafka_bootstrap) as admin:
            async with bench.running() as second:
                deadline = time.monotonic() + HANG
                while await members(admin, bench.group) != 2:
                    assert time.monotonic() < deadline
                    await asyncio.sleep(0.01)
                assert not second.status()
            assert await members(admin, bench.group) == 1
        await until(caught_up(first, partitions=2))


async def test_an_idle_worker_says_that_the_brokers_are_away(
    kafka_bootstrap: str, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "BELIEVED", 0.2)
    bench = await make_bench(kafka_bootstrap, topics)
    async with bench.running() as supervisor:
        await until(caught_up(supervisor, partitions=1))
        with monkeypatch.context() as away:
            for client in (supervisor._consumer, supervisor._offsets):
                away.setattr(client._client, "send", _no_broker)
            silent = "the brokers have not answered since 2"
            await until(lambda: any(silent in each for each in supervisor.why_not_ready()))
            assert bench.total("upcaster_errors_total", stage="fetch") >= 1
        await until(lambda: supervisor.why_not_ready() == [])


async def test_a_source_that_is_deleted_is_named(
    kafka_bootstrap: str, topics: Topics, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody has its partitions any more, and to the client that is nothing to speak of."""
    bench = await make_bench(kafka_bootstrap, topics)
    async with bench.running() as supervisor:
        await until(caught_up(supervisor, partitions=1))
        assert supervisor.why_not_ready() == []
        await delete_topics(kafka_bootstrap, [bench.route.source])
        await until(lambda: not len(supervisor.lanes) and bench.total("upcaster_rebalances_total") == 2)
        (reason,) = supervisor.why_not_ready()
    assert reason.startswith(f"{bench.route.source}: the source topic does not exist any more: create it again")
    assert "the source topic does not exist any more" in capsys.readouterr().out


async def test_who_is_stopped_while_the_brokers_are_away_closes_its_connections(
    kafka_bootstrap: str, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a fetch waits for its next attempt, as it mostly does then."""
    bench = await make_bench(kafka_bootstrap, topics)
    async with bench.running() as supervisor:
        await until(caught_up(supervisor, partitions=1))
        clients = (supervisor._consumer, supervisor._offsets)
        for client in clients:
            monkeypatch.setattr(client._client, "send", _no_broker)
        (fetch,) = supervisor._consumer._fetcher._pending_tasks
        await until(fetch.done)
    assert not any(each.connected() for client in clients for each in client._client._conns.values())


async def _no_broker(*_: object, **__: object) -> None:
    raise NodeNotReadyError


async def members(admin: AIOKafkaAdminClient, group: str) -> int:
    (answer,) = await admin.describe_consumer_groups([group])
    ((_, _, _, _, _, found, *_),) = answer.groups
    return len(found)


@pytest.mark.parametrize("commit", [True, False])
async def test_lag_ends_at_zero_behind_transaction_markers(kafka_bootstrap: str, topics: Topics, commit: bool) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, transactional_id=topics.name("writer")) as writer:
        for n in range(3):
            await writer.begin_transaction()
            await writer.send_and_wait(bench.route.source, b"old %d" % n, b"k")
            await (writer.commit_transaction() if commit or n < 2 else writer.abort_transaction())
    async with bench.running() as supervisor:
        await until(caught_up(supervisor, partitions=1))
        await until(lambda: bench.total("upcaster_partition_committed_offset") == 6)
        assert bench.total("upcaster_consumer_lag") == 0
        assert bench.total("upcaster_consumer_lag_seconds") == 0
    assert len(await read_settled(kafka_bootstrap, bench.route.destination.name)) == 2 + commit
    assert bench.total("upcaster_consumer_lag") == 0
    assert bench.total("upcaster_partition_committed_offset") == 0, "the series of a revoked partition"


async def test_stop_in_the_middle_leaves_nothing_open(kafka_bootstrap: str, topics: Topics) -> None:
    bench = await make_bench(kafka_bootstrap, topics, limits=LimitSettings(transaction_records=100))
    await produce(kafka_bootstrap, bench.route.source, named(b"old", 20_000))
    async with bench.running() as supervisor:
        await until(lambda: bench.total("upcaster_records_consumed_total") > 1_000)
        await supervisor.stop()
        await supervisor.stop()
    outputs = await read_settled(kafka_bootstrap, bench.route.destination.name)
    committed = await committed_offsets(kafka_bootstrap, bench.group)
    assert committed == {(bench.route.source, 0): len(outputs)}
    assert len(outputs) == bench.total("upcaster_records_consumed_total")


async def test_a_fault_that_no_lane_can_help_ends_the_run(kafka_bootstrap: str, topics: Topics) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    async with bench.running() as supervisor:
        running = asyncio.create_task(supervisor.run())
        supervisor._give_up(WorkerError("kafka: denied", 2))
        with pytest.raises(WorkerError, match="denied"):
            await running


@pytest.mark.parametrize("resume", ["api", "restart"])
async def test_what_closes_an_open_breaker(kafka_bootstrap: str, topics: Topics, resume: Any) -> None:
    """`restart`: whoever works on the partition next. `api`: nobody but an operator, and he only once."""
    breaker = BreakerSettings(rate=0.5, window=20, resume=resume)
    bench = await make_bench(kafka_bootstrap, topics, breaker=breaker, limits=LimitSettings(transaction_records=50))
    await produce(kafka_bootstrap, bench.route.source, named(b"bad", 40))

    async def state_after_a_start() -> LaneState:
        async with bench.running() as supervisor:
            (lane,) = await _lanes(supervisor)
            await until(lambda: lane.state is not LaneState.STARTING)
            return lane.state

    async with bench.running() as supervisor:
        (lane,) = await _lanes(supervisor)
        await until(lambda: lane.state is LaneState.BREAKER_OPEN)
    if resume == "restart":
        assert await state_after_a_start() is LaneState.RUNNING
        return
    assert await state_after_a_start() is LaneState.BREAKER_OPEN
    async with bench.running() as supervisor:
        (lane,) = await _lanes(supervisor)
        await until(lambda: lane.state is LaneState.BREAKER_OPEN)
        assert lane.breaker.tripped == "20 of the last 20 records became dead letters"
        supervisor.resume(bench.route.source)
        await until(lambda: lane.lag.records == 0 and lane.state is LaneState.RUNNING)
    assert await state_after_a_start() is LaneState.RUNNING


async def test_a_lane_that_was_idle_for_long_is_not_stuck_when_work_comes(kafka_bootstrap: str, topics: Topics) -> None:
    """Its last step was long ago, and that is nobody's fault. Where the work then takes too long, it is."""
    may_answer = asyncio.Event()

    def hold(producer: AIOKafkaProducer) -> None:
        send_batch = producer.send_batch

        async def held(*arguments: Any, **options: Any) -> asyncio.Future[Any]:
            await may_answer.wait()
            taken: asyncio.Future[Any] = await send_batch(*arguments, **options)
            return taken

        producer.send_batch = held

    bench = await make_bench(kafka_bootstrap, topics)
    async with bench.running(PlainClients(kafka_bootstrap, bench.group, spoil=hold)) as supervisor:
        (lane,) = await _lanes(supervisor)
        await until(lambda: lane.state is LaneState.RUNNING)
        lane.last_step -= 1_000
        await produce(kafka_bootstrap, bench.route.source, named(b"old", 1))
        await until(lambda: lane.in_flight_records)
        assert supervisor.why_not_live() == []
        assert lane.is_stuck(time.monotonic() + 1_000)
        may_answer.set()
        await until(caught_up(supervisor, partitions=1))
