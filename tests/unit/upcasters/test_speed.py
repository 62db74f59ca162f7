"""The engine beside hand-written functions: whether it is of the speed that it is said to have, roughly.

The figures themselves are those of ``make bench WHAT=chain``.
"""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

from benchmarks.chain import smoke, upcaster
from upcasters import Event, Upcast
from upcasters.compile.layouts import Layouts


def test_no_ratio_is_twice_what_was_asked_for() -> None:
    rows = smoke()
    if not all(row.met for row in rows):  # once more: something else may have run
        rows = smoke()
    assert [row for row in rows if not row.met] == []


def test_keys_that_never_come_again_are_not_remembered() -> None:
    tried = upcaster()

    def feed(numbers: range) -> None:
        for number in numbers:
            body = b'{"metadata":{"taskId":"1","projectId":"p","%d":1},"nodes":{"select":{"x%d":1}}}'
            assert isinstance(tried.upcast(Event(body % (number, number), offset=number)), Upcast)

    feed(range(2_000))
    tracemalloc.start()
    feed(range(2_000, 4_000))
    gc.collect()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 100_000
    assert tried._short_cut is not None
    lane: Any = tried._short_cut.lanes["task_context"]["1.0"]
    layouts = [one for one in lane.__globals__.values() if type(one) is Layouts]
    assert layouts
    assert all(len(one) <= 2 for one in layouts)
    for _ in range(3):
        tried.upcast(Event(b'{"metadata":{"taskId":"1","projectId":"p"},"nodes":{}}'))
    assert any(layout == ("taskId", "projectId") for one in layouts for layout in one)
