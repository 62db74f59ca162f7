"""One contender as a process: started on a core of its own, its whole tree's CPU time taken when it has ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

OURS, THEIRS = 0, 1
"""The cores: one for the broker and this program, one for the contender."""
SKIPPED = 0.2
"""The share of a drain that a slope leaves out at its start, and half of it at its end."""


@contextmanager
def on_core(number: int) -> Iterator[None]:
    """What is started here stays on this core, where the system can do that and has so many."""
    if not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) <= number:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {number})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass
class Usage:
    """CPU in seconds, memory in bytes (PSS of the tree, by time), bytes written to disk; -1 where unknown."""

    cpu: float = 0.0
    seconds: float = 0.0
    memory: list[int] = field(default_factory=list)
    written: int = -1
    progress: list[tuple[int, float]] = field(default_factory=list)
    """Events committed, and seconds of CPU until then."""

    def slope(self) -> float | None:
        """Microseconds of CPU an event in the middle of the drain; None where too little was seen of it.

        What is in work at a moment is in the CPU time and not in the count, so both ends have to be in full swing.
        """
        events = self.progress[-1][0] if self.progress else 0
        swing = [point for point in self.progress if events * SKIPPED <= point[0] <= events * (1 - SKIPPED / 2)]
        if len(swing) < 2 or swing[-1][0] - swing[0][0] < events / 3:
            return None
        return (swing[-1][1] - swing[0][1]) / (swing[-1][0] - swing[0][0]) * 1e6


class Contending:
    """A process that is being measured."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str], core: int = THEIRS) -> None:
        self.log = log
        self.usage = Usage()
        with log.open("wb") as output, on_core(core):
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        self._began = time.monotonic()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Without reaping it: what it used would be lost."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def look(self) -> None:
        """Note its memory and what it has written until now."""
        pids = list(_tree(self.pid))
        memory = [_proportional(pid) for pid in pids]
        if memory and min(memory) >= 0:
            self.usage.memory.append(sum(memory))
        written = [_written(pid) for pid in pids]
        if written and min(written) >= 0:
            self.usage.written = sum(written)

    async def stop(self, patience: float = 20.0) -> int:
        """End it if it has not ended yet, and return its exit code (negative: the signal)."""
        self.usage.seconds = time.monotonic() - self._began
        if not self.has_ended:
            self._process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + patience
        while not self.has_ended:
            if time.monotonic() > deadline:
                os.killpg(self.pid, signal.SIGKILL)
            await asyncio.sleep(0.01)
        return self._reap()

    def _reap(self) -> int:
        _, status, used = os.wait4(self.pid, 0)
        self.usage.cpu = used.ru_utime + used.ru_stime
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return self._process.returncode


def cpu_so_far(pid: int) -> float:
    """Seconds of CPU of a tree that still runs, as fine as the scheduler's own books."""
    total = 0
    for each in _tree(pid):
        for task in Path(f"/proc/{each}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):  # a thread that has ended meanwhile
                total += int(task.read_text().split()[0])
    return total / 1e9


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            children = (task / "children").read_text().split()
        except OSError:
            continue
        for child in children:
            yield from _tree(int(child))


def _proportional(pid: int) -> int:
    """Proportional set size in bytes."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return -1
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")), -1)


def _written(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/io").read_text(encoding="ascii")
    except OSError:
        return -1
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("write_bytes:")), -1)
