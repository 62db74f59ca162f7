"""The demo from beginning to end."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upcast_demo.account import DemoAccount, reckon
from upcast_demo.history import MadeEvent, make_history
from upcast_demo.kafka import create_topics, delete_topics, read, write
from upcast_demo.local_kafka import LocalKafka, LocalKafkaError
from upcast_demo.screen import Screen
from upcast_demo.signals import ended_by_signals
from upcast_demo.worker_process import WorkerProcess, follow, running
from worker.errors import MAY_PASS, WorkerError

PARTITIONS = 4


@dataclass(frozen=True)
class Topics:
    """The demo's three topics."""

    source: str
    destination: str
    dead_letter: str

    def all(self) -> tuple[str, str, str]:
        return (self.source, self.destination, self.dead_letter)


def run_demo(screen: Screen, events: int) -> bool:
    """Run the demo; True where every event is accounted for. Raises WorkerError where a part of it fails."""
    started = time.monotonic()
    with _folder() as folder, ended_by_signals(), _broker(screen) as (bootstrap_servers, suffix):
        name = f"devteam.task-context{suffix}"
        topics = Topics(f"{name}.legacy", name, f"{name}.legacy-dlt")
        asyncio.run(create_topics(bootstrap_servers, dict.fromkeys(topics.all(), PARTITIONS)))
        try:
            account = _act(screen, bootstrap_servers, topics, events, folder)
        finally:
            if suffix:  # a broker that is not ours is left as it was
                asyncio.run(delete_topics(bootstrap_servers, topics.all()))
        _close(screen, account, events, time.monotonic() - started, folder)
    return account.adds_up


def _act(screen: Screen, bootstrap_servers: str, topics: Topics, events: int, folder: Path) -> DemoAccount:
    written = _write(screen, bootstrap_servers, topics, events)
    with running(_config(bootstrap_servers, topics), folder) as worker:
        metrics = _work(screen, worker, events)
    destination = asyncio.run(read(bootstrap_servers, topics.destination, PARTITIONS))
    letters = asyncio.run(read(bootstrap_servers, topics.dead_letter, PARTITIONS))
    account = reckon(written, destination, letters)
    _compare(account, metrics, events)
    return account


def _write(screen: Screen, bootstrap_servers: str, topics: Topics, events: int) -> dict[int, list[MadeEvent]]:
    with screen.progress("writing old events", events) as told:
        done = 0

        def written(count: int) -> None:
            nonlocal done
            done += count
            told(done)

        history = make_history(events, PARTITIONS)
        return asyncio.run(write(bootstrap_servers, topics.source, history, written))


def _work(screen: Screen, worker: WorkerProcess, events: int) -> dict[str, float]:
    with screen.progress("upcasting", events) as told:
        for done in follow(worker, events):
            told(done)
    metrics = worker.metrics()
    worker.stop()
    return metrics


def _config(bootstrap_servers: str, topics: Topics) -> dict[str, Any]:
    """What a user writes into upcast.yaml."""
    return {
        "kafka": {"bootstrap_servers": bootstrap_servers, "group_id": f"{topics.destination}-upcaster"},
        "routes": [
            {
                "source": topics.source,
                "destination": topics.destination,
                "dead_letter": topics.dead_letter,
                "chain": "upcasters.devteam_runner:chain",
                "event_type": [{"header": "event-type"}, {"default": "task_context"}],
            }
        ],
    }


def _compare(account: DemoAccount, metrics: dict[str, float], events: int) -> None:
    """The worker's own counters must say the same as the topics."""
    pairs = {
        "upcaster_records_consumed_total": events,
        "upcaster_records_upcast_total": account.total("upcast"),
        "upcaster_records_passed_total": account.total("passed"),
        "upcaster_records_dead_lettered_total": account.total("dead-lettered"),
    }
    for name, counted in pairs.items():
        if metrics.get(name, 0) != counted:
            said = f"{name} is {metrics.get(name, 0):.0f}"
            account.complaints.append(f"the metric {said}, but the topics hold {counted}")


def _close(screen: Screen, account: DemoAccount, events: int, seconds: float, folder: Path) -> None:
    if account.pair:
        screen.pair(*account.pair)
    if account.letter:
        screen.letter(account.letter)
    screen.account(account)
    if not account.adds_up:
        kept = Path(tempfile.mkdtemp(prefix="upcast-demo-")) / "worker.log"
        shutil.copy(folder / "worker.log", kept)
        for complaint in account.complaints[:10]:
            screen.line(f"It does not add up: {complaint}")
        screen.line(f"The worker's log: {kept}")
        return
    screen.line(f"All {events:,} events are accounted for, in {seconds:.0f} s; the metrics agree with the topics.")
    screen.line("Where to look next: README.md; docs/upcasters.md writes a chain of your own.")


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="upcast-demo-"))
    try:
        yield folder
    except WorkerError:
        raise  # it names a log in the folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _broker(screen: Screen) -> Iterator[tuple[str, str]]:
    """The address of a broker, and a suffix for the topics' names where the broker is not ours alone."""
    given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if given:
        screen.line(f"using the Kafka broker at {given} (KAFKA_BOOTSTRAP_SERVERS)")
        yield given, f"-{secrets.token_hex(4)}"
        return
    screen.line("starting a Kafka broker on this machine (the first time it is fetched, 44 MB)")
    try:
        broker = LocalKafka.start()
    except LocalKafkaError as error:
        raise WorkerError(f"demo: {error}", MAY_PASS, code="UPC1010") from error
    with broker:
        yield broker.bootstrap_servers, ""
