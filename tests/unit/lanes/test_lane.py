"""A lane's life on a broker in memory: a change of lane, transaction, processing or recovery fails here in a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    KafkaConnectionError,
    MessageSizeTooLargeError,
    ProducerFenced,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
)
from msgspec import structs

from tests.fakes.broker import Committed, Written
from tests.fakes.lane import PARTITION, TRANSACTIONAL_ID, Bench, until
from worker.errors import WorkerError
from worker.kafka.own_output import Behind
from worker.lanes import outbox, output_guard, truncation
from worker.lanes.bounded_pass import StartingPoint
from worker.lanes.lane import Lane
from worker.lanes.lane_position import KnownOffset
from worker.lanes.lane_producer import LaneProducer
from worker.lanes.state import LaneState
from worker.lanes.transaction import Transaction
from worker.routes.route import Route
from worker.settings import BreakerSettings, LimitSettings

OLD = [b"old %d" % n for n in range(23)]
NEW: list[bytes | None] = [b"new %d" % n for n in range(23)]


@pytest.fixture(autouse=True)
def leaders(monkeypatch: pytest.MonkeyPatch) -> None:
    """They say where a log ends, and know no epochs and no output that the offset does not."""

    async def end_of_log(client: object, partition: TopicPartition) -> int:
        return 1_000_000

    async def end_of_epoch(client: object, partition: TopicPartition, epoch: int) -> None:
        return None

    async def look_behind(*_: object) -> Behind:
        return Behind()

    monkeypatch.setattr(output_guard, "look_behind", look_behind)
    monkeypatch.setattr(output_guard, "end_of_log", end_of_log)
    monkeypatch.setattr(truncation, "end_of_log", end_of_log)
    monkeypatch.setattr(truncation, "end_of_epoch", end_of_epoch)


class Fault:
    """Raises once, at one moment of one request."""

    def __init__(self, error: Exception, request: str, when: str, number: int = 1) -> None:
        self._error, self._request, self._when = error, request, when
        self._left = number
        self.raised = 0

    def __call__(self, request: str, when: str) -> None:
        if (request, when) == (self._request, self._when):
            self._left -= 1
            if self._left == 0:
                self.raised += 1
                raise self._error


FAULTS = [
    (request, when, number)
    for request, numbers in (("init", (1,)), ("offsets", (1,)), ("produce", (1, 2, 4)), ("commit", (1, 2, 4)))
    for when in ("before", "after")
    for number in numbers
]
"""The request, whether it is lost or its answer, and which of its kind it is."""


async def test_records_come_out_once_in_their_order() -> None:
    bench = Bench(OLD)
    lane = await bench.work_through()
    assert (bench.written, bench.committed, lane.state) == (NEW, 23, LaneState.STOPPED)


@pytest.mark.parametrize("error", [KafkaConnectionError(), RequestTimedOutError(), TimeoutError(), OSError()], ids=repr)
@pytest.mark.parametrize(("request_", "when", "number"), FAULTS)
async def test_nothing_is_lost_or_doubled_wherever_it_goes_wrong(
    request_: str, when: str, number: int, error: Exception
) -> None:
    bench, fault = Bench(OLD), Fault(error, request_, when, number)
    bench.broker.fault = fault
    await bench.work_through()
    assert fault.raised == 1
    assert (bench.written, bench.committed, bench.counted) == (NEW, 23, 23)


class Rival:
    """Somebody else who works on the partition: he does one record, at one moment of a request of the lane's."""

    def __init__(self, bench: Bench, request: str, number: int = 1, *, fences: bool) -> None:
        self._broker = bench.broker
        self._request, self._left, self._fences = request, number, fences
        self._epoch = self._broker.init_producer(TRANSACTIONAL_ID)

    def __call__(self, request: str, when: str) -> None:
        if (request, when) == (self._request, "before"):
            self._left -= 1
            if self._left == 0:
                self._work()

    @property
    def has_worked(self) -> bool:
        return self._left <= 0

    def _work(self) -> None:
        if self._fences:
            self._epoch = self._broker.init_producer(TRANSACTIONAL_ID)
        at = self._broker.offsets.get(PARTITION, Committed(0)).offset
        place = TopicPartition("destination", 0)
        self._broker.produce(TRANSACTIONAL_ID, self._epoch, place, [Written(b"new %d" % at)])
        self._broker.end(TRANSACTIONAL_ID, self._epoch, commit=True)
        self._broker.offsets[PARTITION] = Committed(at + 1)


@pytest.mark.parametrize("number", range(1, 6))
@pytest.mark.parametrize("request_", ["produce", "commit"])
async def test_nothing_is_lost_or_doubled_where_another_takes_over(request_: str, number: int) -> None:
    bench = Bench(OLD)
    bench.broker.fault = rival = Rival(bench, request_, number, fences=True)
    await bench.work_through()
    assert (bench.written, bench.committed, rival.has_worked) == (NEW, 23, True)


async def test_what_the_last_owner_does_until_he_is_fenced_is_not_done_again() -> None:
    bench = Bench(OLD)
    bench.broker.fault = rival = Rival(bench, "init", fences=False)
    await bench.work_through()
    assert (bench.written, bench.committed, rival.has_worked) == (NEW, 23, True)


async def test_the_producer_starts_before_the_offset_is_read() -> None:
    bench = Bench(OLD)
    await bench.work_through()
    assert bench.broker.requests[:2] == ["init", "offsets"]


async def test_after_anything_unclear_there_is_a_new_producer() -> None:
    bench = Bench(OLD)
    bench.broker.fault = Fault(RequestTimedOutError(), "commit", "after", 2)
    await bench.work_through()
    unclear = [at for at, request in enumerate(bench.broker.requests) if request == "commit"][1]
    assert bench.broker.requests[unclear + 1 : unclear + 4] == ["discard", "init", "offsets"]


async def test_a_transaction_takes_no_more_records_than_it_may() -> None:
    bench = Bench(OLD)
    sizes = [0]
    bench.broker.fault = lambda request, when: (
        sizes.append(len(bench.broker.log[TopicPartition("destination", 0)]))
        if (request, when) == ("commit", "before")
        else None
    )
    await bench.work_through()
    assert max(after - before for before, after in pairwise(sizes)) == 5


async def test_dead_letters_keep_their_record_and_are_written_with_the_rest() -> None:
    bench = Bench([b"old 0", b"bad 1", b"new 2", b"skip 3", b"split 4,5", b"nobody knows"])
    await bench.work_through()
    assert bench.written == [b"new 0", b"new 2", b"new 4", b"new 5"]
    assert bench.dead_letters == [b"bad 1", b"nobody knows"]
    assert bench.committed == 6


async def test_a_record_on_which_the_chain_breaks_ends_as_a_dead_letter() -> None:
    bench = Bench([b"old 0", b"raise 1", b"old 2"])
    await bench.work_through()
    assert (bench.written, bench.dead_letters) == ([b"new 0", b"new 2"], [b"raise 1"])


async def test_the_one_record_that_the_destination_refuses_is_found() -> None:
    values = [*OLD[:9], b"old refused", *OLD[9:]]
    bench = Bench(values)
    produce = bench.broker.produce

    def picky(transactional_id: str, epoch: int, place: TopicPartition, records: Iterable[Written]) -> int:
        records = list(records)
        if place.topic == "destination" and any(record.value == b"new refused" for record in records):
            raise MessageSizeTooLargeError
        return produce(transactional_id, epoch, place, records)

    bench.broker.produce = picky  # type: ignore[method-assign]  # a broker that is picky
    await bench.work_through()
    assert (bench.written, bench.dead_letters, bench.committed) == (NEW, [b"old refused"], 24)


async def test_where_even_the_dead_letter_is_refused_the_lane_waits_for_a_person() -> None:
    bench = Bench([b"old 0", b"bad 1", b"old 2"])
    refusing = True
    produce = bench.broker.produce

    def picky(transactional_id: str, epoch: int, place: TopicPartition, records: Iterable[Written]) -> int:
        if refusing and place.topic == "source-dlt":
            raise MessageSizeTooLargeError
        return produce(transactional_id, epoch, place, records)

    bench.broker.produce = picky  # type: ignore[method-assign]  # a broker that is picky
    async with bench.running() as lane:
        await until(lambda: lane.state is LaneState.BLOCKED)
        assert "source-dlt refuses the dead letter of offset 1" in (lane.status().reason or "")
        assert (bench.written, bench.committed) == ([b"new 0"], 1)
        refusing = False
        lane.resume()
        await until(lambda: lane.lag.committed == 3)
    assert (bench.written, bench.dead_letters) == ([b"new 0", b"new 2"], [b"bad 1"])


async def test_an_open_breaker_stops_the_lane_and_is_remembered_by_the_next_one() -> None:
    bench = Bench([b"bad"] * 40)
    bench.route = replace(bench.route, breaker=BreakerSettings(rate=0.5, window=10, resume="api"))
    async with bench.running() as lane:
        await until(lambda: lane.state is LaneState.BREAKER_OPEN)
        stopped_at = bench.committed
    assert 0 < stopped_at < 40
    assert len(bench.dead_letters) == stopped_at, "what was in flight is committed"
    async with bench.running() as after:
        await until(lambda: after.state is LaneState.BREAKER_OPEN)
        assert bench.committed == stopped_at
        after.resume()
        await until(lambda: bench.committed > stopped_at)


async def test_a_breaker_that_trips_in_a_commit_without_an_answer_is_open() -> None:
    bench = Bench([b"bad"] * 40)
    bench.route = replace(bench.route, breaker=BreakerSettings(rate=0.5, window=10, resume="api"))
    bench.broker.fault = fault = Fault(RequestTimedOutError(), "commit", "after", 2)
    async with bench.running() as lane:
        await until(lambda: lane.state is LaneState.BREAKER_OPEN)
    assert fault.raised == 1
    assert (bench.committed, bench.counted, len(bench.dead_letters)) == (10, 10, 10)


async def test_what_another_has_committed_is_not_counted() -> None:
    """At the offset that an unanswered commit of this lane would have had: he does one record, and it takes one."""
    bench = Bench(OLD)
    bench.route = replace(bench.route, limits=LimitSettings(transaction_records=1))
    rival, lost = Rival(bench, "commit", 3, fences=True), Fault(RequestTimedOutError(), "commit", "before", 3)

    def both(request: str, when: str) -> None:
        rival(request, when)
        lost(request, when)

    bench.broker.fault = both
    await bench.work_through()
    assert (bench.written, bench.committed, bench.counted, rival.has_worked) == (NEW, 23, 22, True)


async def test_a_pause_commits_what_is_in_flight_and_holds_no_records() -> None:
    bench = Bench(OLD)
    async with bench.running() as lane:
        await until(lambda: bench.broker.offsets)
        lane.pause()
        await until(lambda: lane.state is LaneState.PAUSED)
        assert (lane.in_flight_records, len(bench.written)) == (0, bench.committed)
        lane.resume()
        await until(lambda: lane.lag.committed == 23)
    assert bench.written == NEW


async def test_a_lane_without_its_partition_does_not_start() -> None:
    bench = Bench(OLD)
    bench.consumer.assigned = set()
    async with bench.running() as lane:
        await until(lambda: lane.state is LaneState.REBUILDING)
        assert bench.broker.requests == []
        bench.consumer.assigned = {PARTITION}
        await until(lambda: lane.lag.committed == 23)
    assert bench.written == NEW


async def test_an_offset_that_went_back_is_not_believed() -> None:
    bench = Bench(OLD)
    lane = await bench.work_through()
    bench.broker.offsets[PARTITION] = Committed(4)
    async with bench.running(lane.known) as after:
        await until(lambda: after.state is LaneState.REBUILDING)
        assert "had committed offset 23, now its offset is 4" in (after.status().reason or "")
        bench.broker.offsets[PARTITION] = Committed(23)
        await until(lambda: after.state is LaneState.RUNNING)
    assert bench.written == NEW


async def test_where_brokers_apply_offsets_late_the_offset_is_read_before_each_transaction() -> None:
    bench = Bench(OLD, options={"late": True})
    await bench.work_through()
    looks, commits = (bench.broker.requests.count(request) for request in ("offsets", "commit"))
    assert looks == commits + 2, "once when it has committed where it begins, and once before it leaves"
    assert bench.written == NEW


def first_commit(bench: Bench) -> list[Committed]:
    """What a coordinator answers that has lost all later ones; there once the lane has committed."""
    commits: list[Committed] = []

    def note(request: str, when: str) -> None:
        if (request, when) == ("commit", "after"):
            commits.append(bench.broker.offsets[PARTITION])

    bench.broker.fault = note
    return commits


async def test_an_offset_that_the_coordinator_has_lost_is_committed_again() -> None:
    """Before Kafka 4.0: it refuses the late offset of a frozen worker, and drops the newest one with it."""
    bench = Bench(OLD, options={"late": True})
    commits = first_commit(bench)
    async with bench.running() as lane:
        await until(lambda: lane.lag.committed == len(OLD))
        bench.broker.offsets[PARTITION] = commits[0]
        bench.consumer.records = [*bench.consumer.records, structs.replace(bench.consumer.records[-1], offset=23)]
        await until(lambda: bench.broker.offsets[PARTITION].offset == 24)
    assert bench.written == [*NEW, NEW[-1]]


@pytest.mark.parametrize("late", [True, False])
async def test_a_lane_leaves_no_lost_offset_to_the_next_worker(late: bool) -> None:
    """From Kafka 4.0 on the coordinator has not lost it, and will know it again."""
    bench = Bench(OLD, options={"late": late})
    commits = first_commit(bench)
    async with bench.running() as lane:
        await until(lambda: lane.lag.committed == len(OLD))
        bench.broker.offsets[PARTITION] = commits[0]
    assert bench.broker.offsets[PARTITION] == (commits[-1] if late else commits[0])


async def test_the_first_offset_is_lost_with_a_trace() -> None:
    bench = Bench(OLD, options={"late": True})
    commits = first_commit(bench)
    await bench.work_through()
    assert (commits[0].offset, commits[1].offset, bool(commits[0].note)) == (0, 5, True)


async def test_an_offset_that_somebody_set_back_is_left_to_the_next_worker() -> None:
    bench = Bench(OLD, options={"late": True})
    async with bench.running() as lane:
        await until(lambda: lane.lag.committed == len(OLD))
        bench.broker.offsets[PARTITION] = Committed(4)
    assert bench.broker.offsets[PARTITION] == Committed(4)


@pytest.mark.parametrize(
    ("error", "stops"),
    [(TopicAuthorizationFailedError(), False), (WorkerError("a new plan is needed"), True)],
    ids=repr,
)
async def test_what_ends_the_worker_and_what_waits(error: Exception, stops: bool) -> None:
    bench = Bench(OLD)
    bench.broker.fault = Fault(error, "offsets", "before")
    if stops:
        with pytest.raises(WorkerError, match="a new plan is needed"):
            await bench.work_through()
        return
    await bench.work_through()
    assert bench.written == NEW


async def test_a_fenced_lane_ends_nothing_of_its_successor() -> None:
    bench = Bench(OLD)
    bench.broker.fault = Fault(ProducerFenced(), "commit", "before", 2)
    await bench.work_through()
    assert bench.written == NEW


def _commit_before_produce(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(self: Transaction, max_records: int, max_seconds: float) -> None:
        await self._delivery.begin()
        await self._fill(max_records, time.monotonic() + max_seconds)
        await self._commit()
        await self._delivery.begin()
        await self._send_all()
        await self._delivery.commit(self.position or 0)

    monkeypatch.setattr(Transaction, "run", run)


def _ignore_failed_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_raise_first", lambda _failed: None)


def _skip_the_seek(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lane that starts again goes on where the consumer happens to be."""
    monkeypatch.setattr(
        Lane, "_begin_reading", lambda self, _: self._fetch_buffer.open_at(self._context.consumer.position)
    )


def _read_the_offset_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the last owner commits until he is fenced is done again."""
    start = LaneProducer.start

    async def begin_early(
        self: LaneProducer, route: Route, known: KnownOffset, own: KnownOffset | None = None
    ) -> StartingPoint:
        early = await self._context.begin(self._partition)
        await start(self, route, known, own)
        return early

    monkeypatch.setattr(LaneProducer, "start", begin_early)


def situations() -> Iterator[Bench]:
    for request, when, number in FAULTS:
        bench = Bench(OLD)
        bench.broker.fault = Fault(KafkaConnectionError(), request, when, number)
        yield bench
    for request, fences in (("commit", True), ("init", False)):
        bench = Bench(OLD)
        bench.broker.fault = Rival(bench, request, fences=fences)
        yield bench


@pytest.mark.parametrize(
    "break_it", [_commit_before_produce, _ignore_failed_batches, _skip_the_seek, _read_the_offset_first]
)
async def test_a_broken_lane_is_noticed(
    break_it: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    break_it(monkeypatch)
    for bench in situations():
        try:
            await bench.work_through()
        except AssertionError:
            return
        if bench.written != NEW:
            return
    pytest.fail("nothing was lost, doubled or out of order")
