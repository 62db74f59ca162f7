"""`upcast broker`, `upcast kafka` and `upcast topics create`, as somebody at a laptop calls them."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kafka import Topics
from tests.limits import HANG
from tests.ports import free_ports
from tests.said import without_waiting
from upcast_demo.local_kafka.tools import TOOLS
from worker.cli.broker import kafka

UPCAST = (sys.executable, "-m", "worker")


def upcast(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*UPCAST, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=HANG)
    done.stderr = without_waiting(done.stderr)
    return done


@contextmanager
def broker(*arguments: str) -> Iterator[list[str]]:
    """The lines that it has said when it serves; it is ended as by Ctrl-C."""
    with subprocess.Popen([*UPCAST, "broker", *arguments], stdout=subprocess.PIPE, text=True) as running:
        lines: list[str] = []
        assert running.stdout
        try:
            for line in running.stdout:
                lines.append(line.rstrip("\n"))
                if line.startswith("Ctrl-C"):
                    break
            yield lines
        finally:
            running.send_signal(signal.SIGINT)
            assert running.wait(HANG) == 130


@pytest.mark.long
def test_a_broker_with_topics_that_keeps_its_data(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    servers, data = f"127.0.0.1:{port}", tmp_path / "data"
    given = ("--port", str(port), "--data", str(data), "--create", "legacy:3", "--create", "other")
    with broker(*given) as lines:
        assert lines[1:3] == ["topic legacy: created, 3 partitions", "topic other: created, 1 partition"]
        assert re.fullmatch(rf"Kafka \d\S+ serves at {servers}", lines[3])
        assert lines[5] == f"Ctrl-C ends it and keeps the data in {data}"
        told = upcast("kafka", "topics", "--bootstrap-server", servers, "--list")
        assert (told.returncode, told.stdout.split()) == (0, ["legacy", "other"])
        taken = upcast("broker", "--port", str(port))
        assert (taken.returncode, taken.stderr) == (
            1,
            f"upcast: broker: port {port} is taken: give another one with --port (UPC1010)\n",
        )
    with broker(*given) as lines:
        assert lines[1] == "topic legacy: is there already"


@pytest.mark.long
def test_every_tool_is_there() -> None:
    """A class that is missing would end in Java's own exit code, 1, and a stack trace."""
    for name in TOOLS:
        told = upcast("kafka", name, "--version")
        assert "ClassNotFound" not in told.stderr, name
        assert "NoClassDefFound" not in told.stderr, name
    listed = re.search(r"Tools: ([^.]+)\.", kafka.__doc__ or "")
    assert listed
    assert re.split(r",\s+", listed[1]) == list(TOOLS)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("kafka", "tropics"), "kafka: there is no tool 'tropics': it is one of acls, "),
        (("broker", "--create", ":3"), "broker: --create :3: say TOPIC or TOPIC:PARTITIONS, as in `orders:3`"),
        (("broker", "--create", "a:0"), "broker: --create a:0: say TOPIC or TOPIC:PARTITIONS, as in `orders:3`"),
    ],
)
def test_mistakes_are_one_line(arguments: tuple[str, ...], line: str) -> None:
    told = upcast(*arguments)
    assert told.returncode == 2
    assert told.stderr.startswith(f"upcast: {line}")
    assert len(told.stderr.splitlines()) == 1


@pytest.mark.long
def test_topics_are_created_as_the_check_wants_them(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> None:
    source = topics.name("source")
    (tmp_path / "upcast.yaml").write_text(
        f"kafka: {{bootstrap_servers: '{kafka_bootstrap}', group_id: {topics.name('group')}}}\n"
        f"routes: [{{source: {source}, destination: {source}-new}}]\n"
    )
    assert upcast("topics", "create", folder=tmp_path).stderr == (
        f"upcast: {source}: the topic does not exist: give --partitions N, and it is created, too (UPC1206)\n"
    )
    planned = upcast("topics", "create", "--partitions", "3", "--dry-run", folder=tmp_path)
    made = upcast("topics", "create", "--partitions", "3", folder=tmp_path)
    assert (planned.returncode, made.returncode) == (0, 0)
    assert planned.stdout.replace("would be created", "created").splitlines()[:-1] == made.stdout.splitlines()[:-1]
    assert (
        f"{source}-new: created, 3 partitions, 1 replica, retention.ms=-1, message.timestamp.type=CreateTime"
        in made.stdout
    )
    again = upcast("topics", "create", folder=tmp_path)
    assert again.stdout.splitlines() == [
        f"{source}: is there already, and stays as it is",
        f"{source}-new: is there already, and stays as it is",
        f"{source}-dlt: is there already, and stays as it is",
        "next: upcast check --broker",
    ]
    checked = upcast("check", "--broker", folder=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout
    assert "warning" not in checked.stdout
