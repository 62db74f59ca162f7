"""How long the fetch loop waits for data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from worker.lanes.fetching import Fetching
from worker.lanes.state import LaneState
from worker.lanes.timeouts import Timeouts


@dataclass
class Asking:
    wants_more: bool = True
    is_full: bool = False
    state: LaneState = LaneState.RUNNING


TIMING = Timeouts()
FULL, PAUSED = Asking(wants_more=False, is_full=True), Asking(wants_more=False)
STARTING = Asking(wants_more=False, state=LaneState.STARTING)


@pytest.mark.parametrize(
    ("lanes", "seconds"),
    [
        ([Asking(), Asking()], TIMING.idle_wait),
        ([Asking(), FULL], TIMING.busy_wait),
        ([Asking(), PAUSED], TIMING.fetch_wait),
        ([Asking(), STARTING], TIMING.busy_wait),
        ([], 0),
    ],
)
def test_it_waits_long_only_where_nothing_can_change_meanwhile(lanes: Any, seconds: float) -> None:
    fetching = Fetching.__new__(Fetching)
    fetching._timeouts = TIMING
    assert fetching._wait_for_data(lanes) == seconds
