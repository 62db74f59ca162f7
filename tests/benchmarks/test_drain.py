"""What the drain benchmark counts and shows."""

from __future__ import annotations

import json
from typing import Any
from xml.dom import minidom

import pytest

from benchmarks.drain.backlog import Backlog
from benchmarks.drain.events import POOL, numbers, pool
from benchmarks.drain.picture import draw
from benchmarks.drain.process import Usage
from benchmarks.drain.report import table
from benchmarks.drain.verify import WrongOutputError, check_records
from benchmarks.peers.task_context import upcast
from benchmarks.profile import count

EVENTS = pool(350, "mix")
BACKLOG = Backlog("in", 8, 4, EVENTS)
Found = dict[int, list[tuple[bytes, bytes]]]
RUN = "Runner.run (asyncio/runners.py:118)"


def output() -> Found:
    """What a right contender makes of the backlog."""
    return {
        partition: [(EVENTS[number].key, upcast(EVENTS[number].value)) for number in numbers(8, partition, 4)]
        for partition in range(4)
    }


def test_the_mix_is_as_it_says() -> None:
    assert sum(event.unchanged for event in EVENTS) == POOL // 10
    assert all(330 <= len(event.value) <= 370 for event in EVENTS)
    assert all(json.loads(upcast(event.value)) == event.expected for event in EVENTS)


def test_the_right_output_is_accepted() -> None:
    check_records(BACKLOG, output(), copied=False, in_order=True)


def lost(found: Found) -> None:
    del found[0][0]


def doubled(found: Found) -> None:
    found[1].append(found[1][0])


def left_old(found: Found) -> None:
    number = next(at for at in range(8) if not EVENTS[at].unchanged)
    found[number % 4][number // 4] = (EVENTS[number].key, EVENTS[number].value)


def out_of_order(found: Found) -> None:
    found[2].reverse()


@pytest.mark.parametrize("spoil", [lost, doubled, left_old, out_of_order])
def test_wrong_output_is_refused(spoil: Any) -> None:
    found = output()
    spoil(found)
    with pytest.raises(WrongOutputError):
        check_records(BACKLOG, found, copied=False, in_order=True)


def test_the_table_and_the_picture_show_everyone() -> None:
    figures = {"us": 5.0, "runs": [5.0], "per_second": 1000, "mb": 80, "mb_halfway": 80, "written": 0}
    case = {"contenders": {"worker": figures, "aiokafka-tuned": {**figures, "us": 4.0}, "quix": {"failed": "late"}}}
    lines = table({"cases": {"350": case}}, ["350"]).splitlines()
    assert "| 1.25 |" in lines[3]
    assert "not measured" in lines[4]
    drawn = minidom.parseString(draw(case, "a < b"))  # noqa: S318  (made here)
    texts = {element.firstChild.nodeValue for element in drawn.getElementsByTagName("text") if element.firstChild}
    assert {"a < b", "this worker", "5.0", "4.0"} <= texts


def test_each_stack_belongs_to_one_stage() -> None:
    found = count(
        [
            f"{RUN};run (worker/app.py:1);getmany (aiokafka/consumer/consumer.py:3) 5",
            f"{RUN};run (worker/app.py:1);upcast (<upcasters: upcast>:9) 3",
            f"{RUN};run (worker/app.py:1);_commit (worker/lanes/delivery.py:3);x (aiokafka/producer/producer.py:1) 2",
            "start (a.py:1);_find (<frozen importlib._bootstrap>:1) 9",
        ]
    )
    assert found == {"fetch": 5, "upcast": 3, "produce": 2}


def test_a_slope_leaves_out_the_start_and_the_end() -> None:
    steady = [(200, 1.0), (500, 1.3), (800, 1.6)]
    usage = Usage(progress=[(10, 0.9), *steady, (1000, 9.0)])
    assert usage.slope() == pytest.approx(1000.0)
    assert Usage(progress=[(1000, 9.0)]).slope() is None
    assert Usage().slope() is None
