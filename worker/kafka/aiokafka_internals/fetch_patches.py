"""How long a broker may hold a fetch.

aiokafka has one wait for busy and for idle times: what is right for the one is half of an idle worker's CPU.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

IDLE_WAIT = 500
"""Milliseconds that the broker may hold a fetch while nothing comes, which is most of what an idle worker does."""
GATHER_BYTES = 256 * 1024
"""Of these there are more than enough where records wait: a fetch that asks for so much is held in a trickle only."""


def patient_while_idle(plan: Callable[..., Any]) -> Callable[..., Any]:
    """Has each fetch held by the broker for as long as what came before tells."""

    @functools.wraps(plan)
    def planning(fetcher: Any, *arguments: Any) -> Any:
        given = vars(fetcher).setdefault("_given", (fetcher._fetch_max_wait_ms, fetcher._fetch_min_bytes))
        fetcher._fetch_max_wait_ms, fetcher._fetch_min_bytes = patience(fetcher, *given)
        actions = plan(fetcher, *arguments)
        if actions[0]:
            fetcher._records.has_come = False
        return actions

    return planning


def patience(fetcher: Any, wait_ms: int, bytes_: int) -> tuple[int, int]:
    """How long a fetch may be held (ms), and until how many bytes are there.

    While nothing comes, long: one that asks for every partition ends with the first record. One that was sent while
    records still wait to be taken leaves out their partitions, which then wait for its end: that one stays short.
    """
    records = fetcher._records
    wait_ms = wait_ms if records else max(wait_ms, IDLE_WAIT)
    gather_ms = getattr(records, "gather_ms", 0)
    if not gather_ms or not records.has_come:
        return wait_ms, bytes_
    return min(wait_ms, gather_ms), min(GATHER_BYTES, fetcher._max_partition_fetch_bytes, fetcher._fetch_max_bytes)
