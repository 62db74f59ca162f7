"""How long a transaction waits for the brokers: less than they wait for it."""

from __future__ import annotations

import asyncio
import math
from types import SimpleNamespace
from typing import Any, cast

import pytest

from worker.kafka.throttling import Throttling
from worker.lanes.breaker import Breaker
from worker.lanes.committed_offset import OffsetNote
from worker.lanes.fetch_buffer import FetchBuffer, SliceSize
from worker.lanes.timeouts import Timeouts
from worker.lanes.transaction import Transaction
from worker.settings import BreakerSettings


def transaction(may_take: float, operation: float = 30) -> Transaction:
    delivery = SimpleNamespace(producer=None, throttling=Throttling(), may_take=may_take)
    unused = cast("Any", None)
    return Transaction(
        unused,
        cast("Any", delivery),
        unused,
        FetchBuffer(1, 1),
        Breaker(BreakerSettings()),
        SliceSize(),
        Timeouts(operation=operation),
        0,
        OffsetNote(),
    )


async def test_output_that_is_not_taken_is_given_up_before_the_transaction_is() -> None:
    """The lane then makes the next one smaller. A producer that the brokers have fenced tells it no such thing."""
    work = transaction(may_take=0.05)
    work.work.outbox._sent = [("current", asyncio.get_running_loop().create_future(), 1)]
    with pytest.raises(TimeoutError, match=r"the brokers did not answer a produce request for 0\.05 s"):
        await work._send_all()
    assert work.stage == "produce"


@pytest.mark.parametrize(("may_take", "patience"), [(45, 30), (7.5, 7.5), (math.inf, 30)])
def test_the_shorter_of_both_counts(may_take: float, patience: float) -> None:
    assert transaction(may_take).patience == patience


def test_a_commit_is_waited_for_as_long_as_any_operation() -> None:
    """Whether it comes in time, only the brokers know: they refuse one that comes too late."""
    work = transaction(may_take=7.5)
    work.stage = "commit"
    assert work.patience == 30
