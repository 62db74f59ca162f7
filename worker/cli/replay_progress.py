"""Shows the progress of a replay on stderr: a bar with an ETA for each partition on a terminal, plain lines
elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from worker.cli.progress import progress

if TYPE_CHECKING:
    from worker.replay.apply.resume import PartitionState
    from worker.replay.apply.running import OnPartitions

MOST_BARS = 20


@contextmanager
def replay_progress() -> Iterator[OnPartitions]:
    """Yields the function to call with the states of all partitions."""
    if sys.stderr.isatty():
        with _bars() as show:
            yield show
    else:
        with progress("replay") as line:
            yield lambda states: line(*_sum(states))


def _sum(states: Sequence[PartitionState]) -> tuple[int, int]:
    total = sum(state.planned.end - state.planned.start for state in states)
    return total - sum(state.remaining for state in states), total


@contextmanager
def _bars() -> Iterator[OnPartitions]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as drawn:
        tasks: dict[int, Any] = {}

        def show(states: Sequence[PartitionState]) -> None:
            for state in states[:MOST_BARS]:
                number, total = state.planned.partition, state.planned.end - state.planned.start
                if number not in tasks:
                    tasks[number] = drawn.add_task(
                        f"partition {number}", total=total, completed=total - state.remaining
                    )
                drawn.update(tasks[number], completed=total - state.remaining)
            done, total = _sum(states)
            if -1 not in tasks:
                tasks[-1] = drawn.add_task("all", total=total, completed=done)
            drawn.update(tasks[-1], completed=done)

        yield show
