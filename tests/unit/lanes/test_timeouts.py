"""What the lanes rely on, where constants alone decide it: which of our own times and sizes has to fit into which."""

from __future__ import annotations

from inspect import signature

import pytest
from aiokafka import AIOKafkaConsumer

from worker.kafka.throttling import A_MOMENT
from worker.lanes.committed_offset import MOST_BYTES
from worker.lanes.delivery import SHARE_OF_TIMEOUT
from worker.lanes.fetch_buffer import LONGEST
from worker.lanes.recovery import IN_GOOD_TIME
from worker.lanes.timeouts import Timeouts
from worker.preflight.limits import NOTE
from worker.replay.apply.account import MOST_NOTE
from worker.runtime import timeouts_of
from worker.service import STOP_SECONDS
from worker.settings import KafkaSettings, RouteSettings, Settings

TIMING = Timeouts()
ROUTE = RouteSettings.model_validate({"source": "legacy", "destination": "current"})


def settings(**kafka: float) -> Settings:
    given = {"bootstrap_servers": "b:9092", "group_id": "g", **kafka}
    return Settings(kafka=KafkaSettings.model_validate(given), routes=(ROUTE,))


KAFKA = settings().kafka


def test_output_is_handed_over_before_the_brokers_give_the_transaction_up() -> None:
    work_and_output = ROUTE.limits.transaction_seconds + LONGEST + TIMING.operation
    assert work_and_output < SHARE_OF_TIMEOUT * KAFKA.transaction_timeout
    assert ROUTE.limits.transaction_seconds <= KAFKA.transaction_timeout / 2


def test_a_transaction_under_a_quota_ends_in_time() -> None:
    assert SHARE_OF_TIMEOUT * KAFKA.transaction_timeout > IN_GOOD_TIME + A_MOMENT


def test_a_revoke_ends_before_the_group_goes_on_without_the_worker() -> None:
    learned = KAFKA.heartbeat_interval
    assert learned + TIMING.drain + TIMING.abort + TIMING.stop < KAFKA.rebalance_timeout < KAFKA.request_timeout


def test_a_stop_has_time_for_its_parts() -> None:
    assert TIMING.drain + TIMING.abort + 2 * TIMING.stop <= STOP_SECONDS


def test_a_slice_keeps_the_loop_from_no_heartbeat() -> None:
    assert KAFKA.heartbeat_interval > LONGEST


def test_the_fetch_loop_asks_often_enough_to_stay_in_the_group() -> None:
    longest = signature(AIOKafkaConsumer).parameters["max_poll_interval_ms"].default / 1000
    drain = TIMING.drain + TIMING.abort + TIMING.stop
    assert max(TIMING.idle_wait, TIMING.fetch_wait, TIMING.tick) + drain < longest


def test_a_journal_fits_into_a_note_and_a_note_beside_an_offset() -> None:
    assert MOST_NOTE < MOST_BYTES
    assert NOTE == MOST_BYTES  # the preflight asks the brokers for so much


@pytest.mark.parametrize(("heartbeat", "pause"), [(1, 3), (3, 3), (10, 10)])
def test_a_fenced_lane_waits_until_a_heartbeat_has_told_whose_the_partition_is(heartbeat: float, pause: float) -> None:
    assert timeouts_of(settings(heartbeat_interval=heartbeat)).fenced_pause == pause
