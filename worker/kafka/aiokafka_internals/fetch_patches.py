"""How long a broker may hold a fetch. aiokafka has one wait for busy and for idle times; a short one takes half of an
idle worker's CPU.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

IDLE_WAIT = 500
"""Milliseconds that a broker may hold a fetch while no records come."""
GATHER_BYTES = 256 * 1024
"""Minimum bytes of a fetch: with a backlog they are there at once, so the broker holds a fetch only under low load."""


def patient_while_idle(plan: Callable[..., Any]) -> Callable[..., Any]:
    """Set wait and minimum bytes of each fetch by what the last ones brought."""

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
    """The wait of the next fetch (ms) and its minimum bytes. While no records come the wait is long: a fetch for all
    partitions ends with the first record. While records wait to be taken it is short: a fetch leaves out their
    partitions, which then wait for its end.
    """
    records = fetcher._records
    wait_ms = wait_ms if records else max(wait_ms, IDLE_WAIT)
    gather_ms = getattr(records, "gather_ms", 0)
    if not gather_ms or not records.has_come:
        return wait_ms, bytes_
    return min(wait_ms, gather_ms), min(GATHER_BYTES, fetcher._max_partition_fetch_bytes, fetcher._fetch_max_bytes)
