"""How many files a process may open: raised, or told of."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from worker import open_files
from worker.errors import NEEDS_A_PERSON, WorkerError


def in_a_process(soft: int, hard: int, then: str) -> str:
    """What ``then`` prints in a process of its own with these limits."""
    limits = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))"
    command = [sys.executable, "-c", f"{limits}\n{then}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_soft_limit_becomes_the_hard_one() -> None:
    then = "from worker.open_files import *\nraise_limit()\nprint(resource.getrlimit(resource.RLIMIT_NOFILE))"
    assert in_a_process(64, 500, then) == "(500, 500)"


def test_every_command_with_a_loop_raises_it() -> None:
    then = (
        "from worker.loop import run_in_loop\n"
        "async def look(): print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
        "run_in_loop(look())"
    )
    assert in_a_process(64, 500, then) == "500"


def test_no_limit_is_a_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: given.append(limits))
    open_files.raise_limit()
    assert given == [(open_files.MOST, resource.RLIM_INFINITY)]


def test_a_system_that_refuses_its_own_hard_limit_keeps_the_soft_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    open_files.raise_limit()


@pytest.mark.parametrize(
    ("partitions", "processes", "held"), [(1000, 1, 1000), (1000, 2, 1000), (1000, 3, 500), (1000, 4, 334), (0, 3, 0)]
)
def test_who_stays_takes_over_the_share_of_who_is_gone(partitions: int, processes: int, held: int) -> None:
    assert open_files.share(partitions, processes) == held


def test_more_brokers_are_more_connections_up_to_a_point() -> None:
    needed = [open_files.needed(100, brokers) - open_files.needed(0, brokers) for brokers in (1, 2, 3, 4, 9)]
    assert needed == [200, 400, 500, 600, 600]


def test_the_refusal_says_what_is_needed_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, 1_024))
    open_files.refuse_too_few(440, 1)
    with pytest.raises(WorkerError) as caught:
        open_files.refuse_too_few(560, 1)
    assert caught.value.exit_code == NEEDS_A_PERSON
    assert str(caught.value).startswith("open files: 560 partitions (brokers: 1) may need 1,252, this process may have")
    assert "ulimit -Hn 1252" in str(caught.value)
    open_files.refuse_too_few(560, 1, processes=3)
