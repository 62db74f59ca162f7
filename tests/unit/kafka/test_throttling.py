"""What brokers ask a client to wait is waited for before the next request, and patience does not run meanwhile."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import ProducerClosed

from worker.kafka.aiokafka_internals.quota_patches import LEAST_FETCHED, fetching_less, honouring_quotas, throttling_of
from worker.kafka.throttling import PRODUCE, TRANSACTION, ThrottledError, Throttling

PRODUCE_KEY, FETCH_KEY, END_TXN_KEY = 0, 1, 26
NODE, OTHER_NODE = "node", "another node"


class Brokers:
    """Stands where aiokafka sends: each answer asks to wait as the test says."""

    def __init__(self, *milliseconds: int | None) -> None:
        self.answers = list(milliseconds)
        self.sent: list[float] = []

    async def send(self, _client: Any, _node: Any, _request: Any, *, group: Any) -> Any:
        self.sent.append(time.monotonic())
        asked = self.answers.pop(0)
        return SimpleNamespace() if asked is None else SimpleNamespace(throttle_time_ms=asked)


async def test_the_next_request_waits_and_what_was_asked_is_reported() -> None:
    client, brokers = SimpleNamespace(), Brokers(50, None, None)
    told: list[tuple[str, float]] = []
    throttling_of(client).on_wait = lambda kind, seconds: told.append((kind, seconds))
    send = honouring_quotas(brokers.send)
    for node in (NODE, OTHER_NODE, NODE):
        await send(client, node, SimpleNamespace(API_KEY=PRODUCE_KEY), group=0)
    first, elsewhere, again = brokers.sent
    assert again - first >= 0.05
    assert elsewhere - first < again - first, "another connection is not asked to wait"
    assert told == [(PRODUCE, 0.05)]


async def test_what_waits_when_its_client_is_thrown_away_is_never_sent() -> None:
    client, brokers = SimpleNamespace(), Brokers(60_000)
    send = honouring_quotas(brokers.send)
    await send(client, NODE, SimpleNamespace(API_KEY=PRODUCE_KEY), group=0)
    waiting = asyncio.create_task(send(client, NODE, SimpleNamespace(API_KEY=PRODUCE_KEY), group=0))
    await asyncio.sleep(0)
    throttling_of(client).close()
    with pytest.raises(ProducerClosed):
        await waiting
    assert len(brokers.sent) == 1


async def test_patience_does_not_run_while_the_brokers_ask_to_wait() -> None:
    throttling = Throttling()
    async with throttling.patience(PRODUCE, 0.01):
        throttling.note_wait(NODE, PRODUCE_KEY, 3600)
        await asyncio.sleep(0.05)


async def test_patience_ends_where_nobody_asks_to_wait_and_says_so() -> None:
    throttling = Throttling()
    throttling.note_wait(NODE, END_TXN_KEY, 60)
    with pytest.raises(TimeoutError, match="the brokers did not answer a produce request"):
        async with throttling.patience(PRODUCE, 0.01):
            await asyncio.Event().wait()


@pytest.mark.parametrize("before", [True, False], ids=["told before", "told meanwhile"])
async def test_a_wait_that_is_too_long_ends_at_once(before: bool) -> None:
    throttling = Throttling()
    if before:
        throttling.note_wait(NODE, PRODUCE_KEY, 3600)
    else:
        asyncio.get_running_loop().call_soon(throttling.note_wait, NODE, PRODUCE_KEY, 3600)
    with pytest.raises(ThrottledError) as caught:
        async with throttling.patience(PRODUCE, 5, ends=time.monotonic() + 60):
            await asyncio.Event().wait()
    assert "throttled by a quota" in str(caught.value)
    assert 3500 < caught.value.seconds <= 3600


async def test_what_was_answered_in_time_is_no_failure_whatever_comes_next() -> None:
    """The answer that asks for a long wait is the last one that this transaction needs."""
    throttling = Throttling()
    async with throttling.patience(PRODUCE, 3600, ends=time.monotonic()):
        throttling.note_wait(NODE, PRODUCE_KEY, 3600)
        await asyncio.sleep(0)


async def test_an_error_of_what_is_waited_for_stays_what_it_is() -> None:
    throttling = Throttling()
    throttling.note_wait(NODE, PRODUCE_KEY, 3600)
    with pytest.raises(TimeoutError, match="its own"):
        async with throttling.patience(PRODUCE, 10, ends=time.monotonic()):
            raise TimeoutError("its own")


def test_kinds_are_kept_apart() -> None:
    throttling = Throttling()
    throttling.note_wait(NODE, END_TXN_KEY, 5)
    assert throttling.until(PRODUCE) == 0
    assert throttling.until(TRANSACTION) > time.monotonic()


class Fetches:
    """Stands where aiokafka plans its fetches: what each of them asks for."""

    def __init__(self) -> None:
        self._client = SimpleNamespace()
        self._fetch_max_bytes = 1_000_000
        self.asked: list[int] = []

    def plan(self, *, sends: bool = True) -> tuple[list[int]]:
        if sends:
            self.asked.append(self._fetch_max_bytes)
        return (self.asked[-1:] if sends else [],)


def test_fetches_ask_for_less_after_each_that_was_over_the_quota_and_for_more_after_others() -> None:
    fetcher, plan = Fetches(), fetching_less(lambda fetcher, sends: fetcher.plan(sends=sends))
    throttling = throttling_of(fetcher._client)
    plan(fetcher, True)
    for seconds in range(1, 20):
        throttling.note_wait(NODE, FETCH_KEY, 100 * seconds)
        for sends in (False, False, True):
            plan(fetcher, sends)
    for _ in range(10):
        plan(fetcher, True)
    assert fetcher.asked[:4] == [1_000_000, 250_000, 125_000, 62_500]
    assert min(fetcher.asked) == LEAST_FETCHED
    assert fetcher.asked[-1] == 1_000_000
