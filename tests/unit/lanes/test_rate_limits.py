"""The rate of a route: spend first, wait afterwards."""

from __future__ import annotations

from worker.lanes.rate_limits import Throttle


def test_no_rate_means_no_waiting() -> None:
    throttle = Throttle()
    throttle.spend(1_000_000, now=5)
    assert (throttle.allowance(), throttle.delay(5)) == (None, 0.0)


def test_what_is_spent_is_waited_for() -> None:
    throttle = Throttle(100)
    assert throttle.allowance() == 25
    throttle.spend(25, now=10)
    assert throttle.delay(10) == 0.25
    throttle.spend(25, now=10)
    assert throttle.delay(10) == 0.5
    assert throttle.delay(11) == 0


def test_a_new_limit_counts_at_once() -> None:
    throttle = Throttle(1)
    throttle.spend(100, now=0)
    throttle.limit(10)
    assert (throttle.delay(0), throttle.allowance()) == (0, 2)
    assert Throttle(0.5).allowance() == 1


def test_bytes_are_waited_for_and_the_records_of_a_transaction_follow_their_size() -> None:
    throttle = Throttle(bytes_per_second=10_000)
    assert throttle.allowance() == 2
    throttle.spend(10, now=0, size=1_000)
    assert throttle.delay(0) == 0.1
    assert throttle.allowance() == 25
    throttle.limit(8)
    assert throttle.allowance() == 2


def test_the_slower_of_two_limits_counts() -> None:
    throttle = Throttle(100, 1_000)
    throttle.spend(10, now=0, size=500)
    assert throttle.delay(0) == 0.5
    assert throttle.allowance() == 5
