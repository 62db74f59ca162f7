"""Shows the progress of a replay on stderr: a bar for each partition and one for all, where they are few; one bar with
the slowest partition named, where they are many; plain lines where nobody watches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from worker.cli.progress import Lines, Look, bars, chosen, screen, told_when_silent

if TYPE_CHECKING:
    from rich.console import Console

    from worker.replay.apply.resume import PartitionState
    from worker.replay.apply.running import OnPartitions

MOST_BARS = 8
"""More do not fit a small screen beside the log, and a block of bars that is higher than the screen tears."""


@contextmanager
def replay_progress(asked: Look = Look.AUTO) -> Iterator[OnPartitions]:
    """Yields the function to call with the states of all partitions."""
    how = chosen(asked)
    if how is Look.BAR:
        with _bars(screen(asked)) as show:
            yield show
    elif how is Look.NONE:
        yield lambda _states: None
    else:
        lines = Lines("replay", "offsets")
        with told_when_silent(lines.silence.line):
            yield lambda states: lines.show(*_sum(states), _slowest(states, "; "))


def _sum(states: Sequence[PartitionState]) -> tuple[int, int]:
    total = sum(state.planned.end - state.planned.start for state in states)
    return total - sum(state.remaining for state in states), total


def _slowest(states: Sequence[PartitionState], before: str) -> str:
    """The partition with the most to do, where there are several."""
    slowest = max(states, key=lambda state: state.remaining, default=None)
    if slowest is None or len(states) == 1 or not slowest.remaining:
        return ""
    return f"{before}slowest {slowest.planned.partition} ({slowest.remaining:,} left)"


@contextmanager
def _bars(console: Console) -> Iterator[OnPartitions]:
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with bars("replay", columns, console) as (drawn, every, moved):
        tasks: dict[int, Any] = {}

        def show(states: Sequence[PartitionState]) -> None:
            done, total = _sum(states)
            folded = len(states) > MOST_BARS
            name = f"{len(states)} partitions{_slowest(states, ', ')}" if folded else "all"
            drawn.update(every, description=name, completed=done, total=total)
            for state in () if folded else states:
                number, whole = state.planned.partition, state.planned.end - state.planned.start
                if number not in tasks:
                    tasks[number] = drawn.add_task(f"partition {number}", total=whole)
                drawn.update(tasks[number], completed=whole - state.remaining)
            moved(done)

        yield show
