"""The local broker itself: it serves, keeps its data over a crash, and never outlives who started it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from tests.kafka import Record, Topics, produce, read_all
from tests.limits import HANG
from upcast_demo.local_kafka import LocalKafka, LocalKafkaError, properties
from upcast_demo.local_kafka.broker import PORT_TAKEN
from upcast_demo.local_kafka.release import Release

PARENT = """
import time
from tests.integration.test_local_kafka import StandIn
from upcast_demo.local_kafka import LocalKafka
broker = LocalKafka.start(release=StandIn())
print(broker.pid, broker.directory, flush=True)
time.sleep(60)
"""


class StandIn(Release):
    """A process that says it is ready, for tests of how it begins and ends: Java takes seconds for that."""

    def command(self, beside: Path | None = None) -> list[str]:
        return [sys.executable, "-c", f"import time; print({self.ready_line!r}, flush=True); time.sleep(600)"]

    def format_command(self, properties: Path) -> list[str]:
        return []


@pytest.fixture(scope="module")
def broker() -> Iterator[LocalKafka]:
    """The ports of its first choice are taken when it starts."""
    given = {"message.max.bytes": "2000000"}
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.MonkeyPatch.context() as patched:
        choices = iter([[taken.getsockname()[1], *properties.free_ports(1)], properties.free_ports(2)])
        patched.setattr(properties, "free_ports", lambda _count: next(choices))
        started = LocalKafka.start(properties=given)
    with started:
        yield started


async def test_what_is_produced_is_read_back(broker: LocalKafka) -> None:
    topic = await Topics(broker.bootstrap_servers).create(partitions=2)
    records = [
        Record(b"key", b"value", headers=(("name", b"1"), ("name", b"2")), timestamp=1_700_000_000_000),
        Record(None, None, timestamp=1, partition=1),
    ]
    await produce(broker.bootstrap_servers, topic, records)
    assert await read_all(broker.bootstrap_servers, topic) == records


async def test_reading_ends_although_the_last_offsets_are_transaction_markers(
    kafka_bootstrap: str, topics: Topics
) -> None:
    topic = await topics.create()
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, transactional_id=topics.name("producer"))
    async with producer:
        async with producer.transaction():
            await producer.send_and_wait(topic, b"committed", partition=0)
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"aborted", partition=0)
        await producer.abort_transaction()
    assert [record.value for record in await read_all(kafka_bootstrap, topic)] == [b"committed"]
    everything = await read_all(kafka_bootstrap, topic, committed_only=False)
    assert [record.value for record in everything] == [b"committed", b"aborted"]


def test_the_log_holds_what_the_broker_says_and_the_given_properties(broker: LocalKafka) -> None:
    log = broker.log_file.read_text()
    assert PORT_TAKEN in log
    assert "Kafka Server started" in log
    assert "message.max.bytes = 2000000" in log


@pytest.mark.long
async def test_a_killed_broker_comes_back_with_its_data_on_the_same_port(broker: LocalKafka) -> None:
    topic = await Topics(broker.bootstrap_servers).create()
    await produce(broker.bootstrap_servers, topic, [Record(b"key", b"value", timestamp=1)])
    before = broker.bootstrap_servers
    broker.kill()
    broker.restart()
    assert broker.bootstrap_servers == before
    assert await read_all(broker.bootstrap_servers, topic) == [Record(b"key", b"value", timestamp=1)]


def test_an_error_keeps_the_log_and_names_it() -> None:
    broker = LocalKafka()
    broker.log_file.touch()
    with pytest.raises(ZeroDivisionError) as caught, broker:
        raise ZeroDivisionError
    assert caught.value.__notes__ == [f"The Kafka broker's log: {broker.log_file}"]
    assert broker.log_file.exists()
    shutil.rmtree(broker.directory)


def test_a_broker_that_cannot_start_says_why_and_names_its_log(tmp_path: Path) -> None:
    with pytest.raises(LocalKafkaError, match=r"did not start: its data folder .+\. Its log: ") as caught:
        LocalKafka.start(tmp_path, properties={"num.network.threads": "-1"})
    assert str(tmp_path / "broker.log") in str(caught.value)


def test_stop_ends_the_process_and_removes_the_folder() -> None:
    with LocalKafka.start(release=StandIn()) as broker:
        pid = broker.pid
        assert _runs(pid)
    assert not _runs(pid)
    assert not broker.directory.exists()


@pytest.mark.parametrize("fatal", [signal.SIGKILL, signal.SIGINT])
def test_the_broker_ends_with_the_process_that_started_it(fatal: signal.Signals) -> None:
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=path
    ) as parent:
        assert parent.stdout is not None
        pid, directory = parent.stdout.readline().split()
        parent.send_signal(fatal)
    assert _becomes_true(lambda: not _runs(int(pid)))
    assert _becomes_true(lambda: not Path(directory).exists())


def _becomes_true(condition: Callable[[], bool], timeout: float = HANG) -> bool:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """An orphan that ended stays listed where nobody collects it, as in containers without an init."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return state.stdout.startswith("Z")
