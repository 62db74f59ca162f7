"""The table of a lane's states: every way that is in it works, every other one is refused."""

from __future__ import annotations

from itertools import product

import pytest

from worker.lanes.state import TRANSITIONS, IllegalTransitionError, LaneState, StateMachine

Seen = list[tuple[LaneState, LaneState, str]]


def machine_in(state: LaneState) -> tuple[StateMachine, Seen]:
    seen: Seen = []
    machine = StateMachine(lambda before, after, reason: seen.append((before, after, reason)))
    machine.state = state
    return machine, seen


@pytest.mark.parametrize(("before", "after"), list(product(LaneState, LaneState)))
def test_only_the_ways_of_the_table_are_open(before: LaneState, after: LaneState) -> None:
    machine, seen = machine_in(before)
    if before is after:
        machine.move(after)
        assert seen == []
    elif after in TRANSITIONS[before]:
        machine.move(after, "because")
        assert (machine.state, machine.reason) == (after, "because")
        assert seen == [(before, after, "because")]
    else:
        with pytest.raises(IllegalTransitionError, match=f"from {before} to {after}"):
            machine.move(after)
        assert machine.state is before


def test_every_state_can_be_drained_and_none_leaves_stopped() -> None:
    living = set(LaneState) - {LaneState.DRAINING, LaneState.STOPPED}
    assert all(LaneState.DRAINING in TRANSITIONS[state] for state in living)
    assert TRANSITIONS[LaneState.STOPPED] == frozenset()


def test_running_is_reached_only_through_a_start_or_from_a_lane_that_kept_its_producer() -> None:
    before_running = {state for state, ways in TRANSITIONS.items() if LaneState.RUNNING in ways}
    assert before_running == {LaneState.STARTING, LaneState.PAUSED, LaneState.BREAKER_OPEN}
    assert TRANSITIONS[LaneState.REBUILDING] == {LaneState.STARTING, LaneState.DRAINING}
