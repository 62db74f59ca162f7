"""The breaker: over half of the last records, judged once they are in; or a count."""

from __future__ import annotations

import random

from worker.lanes.breaker import Breaker
from worker.settings import BreakerSettings


def fed(breaker: Breaker, fates: str, slice_size: int) -> Breaker:
    """`x` is a dead letter. Slices as a lane would feed them."""
    for start in range(0, len(fates), slice_size):
        piece = fates[start : start + slice_size]
        for index, fate in enumerate(piece):
            if fate == "x":
                breaker.dead_letter(index)
        breaker.advance(len(piece))
    return breaker


def naive(fates: str, window: int, rate: float) -> bool:
    return any(fates[end - window : end].count("x") > rate * window for end in range(window, len(fates) + 1))


def test_half_is_not_over_half() -> None:
    assert not fed(Breaker(BreakerSettings(rate=0.5, window=10)), "x." * 20, 7).tripped


def test_nothing_is_judged_before_the_window_is_full() -> None:
    assert not fed(Breaker(BreakerSettings(rate=0.5, window=10)), "x" * 9, 9).tripped
    assert fed(Breaker(BreakerSettings(rate=0.5, window=10)), "x" * 10, 10).tripped == (
        "10 of the last 10 records became dead letters"
    )


def test_the_window_slides_over_slices_of_any_size() -> None:
    chance = random.Random(7)
    policy = BreakerSettings(rate=0.5, window=8)
    for _ in range(300):
        fates = "".join(chance.choices("x.", weights=(chance.random(), 1), k=40))
        at_dead_letters = naive(fates, 8, 0.5)
        assert bool(fed(Breaker(policy), fates, chance.randint(1, 12)).tripped) <= at_dead_letters
        assert bool(fed(Breaker(policy), fates, 1).tripped) == at_dead_letters


def test_a_count_trips_whatever_the_rate() -> None:
    policy = BreakerSettings(rate=1.0, window=1000, count=3)
    assert not fed(Breaker(policy), "x...x..", 3).tripped
    assert fed(Breaker(policy), "x...x..x", 3).tripped == "3 records became dead letters"


def test_a_copy_may_be_thrown_away() -> None:
    breaker = fed(Breaker(BreakerSettings(rate=0.5, window=4)), "xx", 2)
    assert fed(breaker.copy(), "xx", 2).tripped
    assert not breaker.tripped
    assert not fed(breaker, "..", 2).tripped


def test_closing_begins_again() -> None:
    breaker = fed(Breaker(BreakerSettings(rate=0.5, window=4)), "xxxx", 2)
    assert breaker.tripped
    assert not fed(breaker.closed(), "xxx", 1).tripped
