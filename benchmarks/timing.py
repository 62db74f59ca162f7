"""CPU time of small functions, measured in turns so that a noisy machine treats all alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping

Action = Callable[[], object]

ROUNDS = 15
SECONDS_A_ROUND = 0.02
WARM_UP = 12


def measure(actions: Mapping[str, Action], rounds: int = ROUNDS) -> dict[str, float]:
    """Microseconds of CPU a call for each action: the best of ``rounds``, each round measuring all in turn.

    Each is called some times beforehand: what is made at a first call is no part of what a call costs.
    """
    for action in actions.values():
        for _ in range(WARM_UP):
            action()
    times = {name: _calls_a_round(action) for name, action in actions.items()}
    best = dict.fromkeys(actions, float("inf"))
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, action in actions.items():
                best[name] = min(best[name], _time(action, times[name]))
    finally:
        gc.enable()
    return best


def _calls_a_round(action: Action) -> int:
    calls = 1
    while (spent := _time(action, calls) * calls / 1e6) < SECONDS_A_ROUND / 10:
        calls *= 4
    return max(1, round(calls * SECONDS_A_ROUND / spent))


def _time(action: Action, calls: int) -> float:
    repeat = range(calls)
    begin = time.process_time_ns()
    for _ in repeat:
        action()
    return (time.process_time_ns() - begin) / calls / 1e3
