"""How large a lane's next transaction is, after what became of the last one."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaConnectionError, ProducerFenced
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from worker.kafka.throttling import ThrottledError
from worker.lanes.processing import Processor
from worker.lanes.rate_limits import OVER_AFTER, THROTTLED, Quota
from worker.lanes.recovery import IN_GOOD_TIME, NARROWER, Recovery
from worker.lanes.timeouts import Timeouts
from worker.lanes.transaction import Transaction
from worker.metrics import WorkerMetrics
from worker.routes.route import Route
from worker.settings import LimitSettings

MOST = LimitSettings().transaction_records
RECORD = 2000


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def quota() -> Quota:
    return Quota(WorkerMetrics(CollectorRegistry(), "g"))


def recovery(quota: Quota, timeouts: Timeouts | None = None) -> Recovery:
    route = cast("Route", SimpleNamespace(limits=LimitSettings()))
    processor = cast("Processor", SimpleNamespace(forget_before=lambda _offset: None))
    return Recovery(route, processor, timeouts or Timeouts(), quota)


def transaction(records: int, *, slowed: float = 0.0, stage: str = "produce", record: int = RECORD) -> Transaction:
    """One of so many records, for which the brokers asked to wait until so long after its beginning."""
    work: Any = SimpleNamespace(
        counters=SimpleNamespace(consumed=records), outbox=SimpleNamespace(bytes=records * record)
    )
    return cast("Transaction", SimpleNamespace(work=work, slowed=slowed, stage=stage))


class Link:
    """Takes so many bytes a second, and asks to wait where it was given more."""

    def __init__(self, bytes_per_second: float) -> None:
        self.rate = bytes_per_second

    def pass_on(self, records: int, lanes: int = 1) -> Transaction:
        seconds = records * RECORD * lanes / self.rate
        return transaction(records, slowed=seconds if seconds > 0.25 else 0.0)


@pytest.mark.parametrize("rate", [100, 5_000, 20_000, 40_000, 400_000])
def test_under_a_quota_a_transaction_takes_what_goes_through_in_good_time(quota: Quota, rate: float) -> None:
    lane, link = recovery(quota), Link(rate)
    for _ in range(30):
        lane.succeeded(link.pass_on(lane.max_records), 1)
    fitting = max(1, rate * IN_GOOD_TIME / RECORD)
    assert fitting / 2 <= lane.max_records <= fitting


def test_what_a_quota_slowed_is_not_sent_a_third_time_at_the_same_size(quota: Quota) -> None:
    lane, sizes = recovery(quota), []
    for _ in range(5):
        sizes.append(lane.max_records)
        pause = lane.pause_after(ThrottledError(120), transaction(lane.max_records, slowed=120))
        assert 0 < pause <= Timeouts().longest_pause
    assert sizes == sorted(set(sizes), reverse=True)
    assert lane.max_records == 1


@pytest.mark.parametrize(
    "error", [TimeoutError("no answer"), ThrottledError(50), ProducerFenced()], ids=["time", "told", "taken back"]
)
def test_any_failure_that_a_quota_may_have_caused_makes_it_smaller(quota: Quota, error: Exception) -> None:
    lane = recovery(quota)
    lane.pause_after(error, transaction(4000, slowed=50))
    assert lane.max_records == 4000 // NARROWER


def test_output_that_was_not_taken_in_time_comes_in_smaller_pieces(quota: Quota) -> None:
    """A line that is too slow tells of no quota; what the other lanes send has nothing to do with it."""
    lane, other = recovery(quota), recovery(quota)
    lane.pause_after(TimeoutError("no answer"), transaction(4000))
    assert (lane.max_records, other.max_records) == (4000 // NARROWER, MOST)


@pytest.mark.parametrize(
    ("error", "failed"),
    [
        (TimeoutError("no answer"), None),
        (TimeoutError("no answer"), transaction(4000, stage="commit")),
        (KafkaConnectionError(), transaction(4000)),
        (ProducerFenced(), transaction(4000)),
    ],
    ids=["before the first", "at the commit", "connection lost", "fenced"],
)
def test_other_failures_make_nothing_smaller(quota: Quota, error: Exception, failed: Transaction | None) -> None:
    lane = recovery(quota)
    for _ in range(3):
        lane.pause_after(error, failed)
    assert lane.max_records == MOST


def test_after_a_broker_was_away_it_grows_back(quota: Quota) -> None:
    lane = recovery(quota)
    lane.pause_after(TimeoutError("no answer"), transaction(MOST))
    for _ in range(100):
        lane.pause_after(TimeoutError("no answer at start"), None)
    for _ in range(3):
        lane.succeeded(transaction(lane.max_records), 1)
    assert lane.max_records == MOST


def test_where_the_quota_is_gone_it_grows_back(quota: Quota) -> None:
    lane = recovery(quota)
    lane.pause_after(ThrottledError(50), transaction(8, slowed=50))
    for _ in range(13):
        lane.succeeded(transaction(lane.max_records), 1)
    assert lane.max_records == MOST


def test_far_too_much_for_one_is_far_too_much_for_all(quota: Quota) -> None:
    """The quota is of all lanes together; each weighs its own records."""
    lane, large, new = recovery(quota), recovery(quota), recovery(quota)
    large.succeeded(transaction(10, record=10 * RECORD), 1)
    lane.pause_after(ThrottledError(50), transaction(4000, slowed=50))
    assert lane.max_records == 500
    assert large.max_records == 50
    assert new.max_records == 1000, "as long as it has sent none, it takes its records for ones of 1,000 bytes"
    large.succeeded(transaction(50, record=10 * RECORD), 1)
    assert large.max_records == 100, "it follows once"


def test_one_that_got_through_late_warns_the_others_too(quota: Quota) -> None:
    lane, other = recovery(quota), recovery(quota)
    lane.succeeded(transaction(450, slowed=62), 1)
    assert lane.max_records == int(450 * IN_GOOD_TIME / 62)
    assert other.max_records == int(450 * RECORD * IN_GOOD_TIME / 62 / 1000)


def test_lanes_that_share_a_quota_come_to_send_as_much_as_each_other(quota: Quota) -> None:
    """All of them are asked to wait as long, whatever each has sent."""
    lanes = [recovery(quota) for _ in range(3)]
    for lane, records in zip(lanes, (800, 80, 8), strict=True):
        lane.succeeded(transaction(records, slowed=IN_GOOD_TIME), 1)
    for _ in range(10):
        seconds = sum(lane.max_records for lane in lanes) * RECORD / 100_000
        for lane in lanes:
            lane.succeeded(transaction(lane.max_records, slowed=seconds), 1)
    sizes = [lane.max_records for lane in lanes]
    assert max(sizes) <= 1.5 * min(sizes)
    assert 50 <= sum(sizes) <= 250


def test_a_lane_in_good_time_leaves_the_others_alone(quota: Quota) -> None:
    lane, other = recovery(quota), recovery(quota)
    lane.succeeded(transaction(450, slowed=7), 1)
    assert lane.max_records < 450
    assert other.max_records == MOST


def test_a_quota_is_reported_once_and_counted_each_time() -> None:
    registry, clock = CollectorRegistry(), Clock()
    quota = Quota(WorkerMetrics(registry, "g"), clock)
    with capture_logs() as lines:
        for _ in range(3):
            quota.note_wait("produce", 5)
            clock.now += 5
        clock.now += OVER_AFTER
        quota.note_wait("fetch", 1)
    assert registry.get_sample_value("upcaster_throttled_seconds_total", {"request": "produce"}) == 15
    assert [(line["event"], line["request"]) for line in lines] == [(THROTTLED, "produce"), (THROTTLED, "fetch")]
