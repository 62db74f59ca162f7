"""Raises the limit of open files, and refuses to start where it is too low for the process's partitions.

A process that runs out of them answers no request, not even a probe.
"""

from __future__ import annotations

import contextlib
import resource

from worker.errors import WorkerError

MOST = 1_048_576
"""What Linux gives to one process unless told otherwise; a limit beyond it says nothing."""

COORDINATORS = 2
"""A producer talks to the coordinators of its transactions and of the group, on connections of their own."""
OTHER_BROKERS = 4
"""To the leaders of destination and dead letters, and to whoever it asks about topics, which changes."""
OF_THE_PROCESS = 128
"""Log, event loop, HTTP port and its callers, libraries."""
CONSUMERS = 4
"""The group's member and those that look up offsets: each has a connection or two to each broker."""


def raise_limit() -> None:
    """Take what the system allows: a soft limit is a default for programs that cannot handle more."""
    soft, hard = limits()
    if soft < hard:
        # Where the system refuses what it has named itself (macOS), the limit stays.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def limits() -> tuple[int, int]:
    """The soft limit and the hard one, ``MOST`` at the most."""
    soft, hard = (
        MOST if each == resource.RLIM_INFINITY else each for each in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    return min(soft, MOST), min(hard, MOST)


def needed(partitions: int, brokers: int) -> int:
    """How many files a process may come to hold open at the worst."""
    of_lane = min(COORDINATORS, brokers) + min(OTHER_BROKERS, brokers)
    return OF_THE_PROCESS + CONSUMERS * brokers + partitions * of_lane


def share(partitions: int, processes: int) -> int:
    """Of so many processes each one's part, also while one of them is away."""
    return -(-partitions // max(1, processes - 1))


def refuse_too_few(partitions: int, brokers: int, processes: int = 1) -> None:
    """Raises ``WorkerError`` where the limit of this process is too low for its share of the partitions."""
    held = share(partitions, processes)
    wanted, limit = needed(held, brokers), limits()[0]
    if wanted > limit:
        raise WorkerError(
            f"open files: {held:,} partitions (brokers: {brokers}) may need {wanted:,}, this process may have "
            f"{limit:,}: raise the hard limit (`ulimit -Hn {wanted}`, LimitNOFILE= of systemd, --ulimit nofile= of "
            "Docker), or share the partitions among more processes (--processes)",
            code="UPC1011",
        )
