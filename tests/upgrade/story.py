"""An old installation is backed up, migrated and restarted under its clients' hands, and then rolled back.

A database with documents of 1.0, a topic with events of 1.0, a configuration of the first format, a client that knows
only `/v1` and the old port, a producer that goes on sending 1.0. ``make upgrade`` tells it at full length.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from tests.http import Answer, request
from tests.kafka import Topics, read_all
from tests.ports import free_ports
from tests.worker_process import WorkerProcess, running_worker
from upcast_demo.local_kafka import LocalKafka

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PARTITIONS = 2
SHORT_TIMEOUTS = {
    "UPCAST_KAFKA__SESSION_TIMEOUT": "6",
    "UPCAST_KAFKA__HEARTBEAT_INTERVAL": "1",
    "UPCAST_KAFKA__REBALANCE_TIMEOUT": "6",
}

Tell = Callable[[str], None]


def document(number: int) -> str:
    """As 1.0 wrote it."""
    node = {"status": "completed", "startedAt": "2025-01-01", "cost": 1.10}
    content = {
        "metadata": {"taskId": f"1.{number}", "projectId": "customer-123/project-abc"},
        "nodes": {"select": node},
    }
    return json.dumps(content)


@dataclass
class Client:
    """Calls `/v1/status` on the old port for ever, and knows nothing else. ``gone`` counts refused connections."""

    address: str
    answers: int = 0
    gone: int = 0
    wrong: list[str] = field(default_factory=list)

    async def call_for_ever(self) -> None:
        while True:
            try:
                answer = await request(self.address, "/v1/status")
            except OSError:
                self.gone += 1
            else:
                self.answers += 1
                self._look(answer)
            await asyncio.sleep(0.05)

    def _look(self, answer: Answer) -> None:
        if answer.status != 200 or "consumerGroup" not in answer.json or "consumer_group" in answer.json:
            self.wrong.append(f"{answer.status} {answer.text[:200]}")


@dataclass
class Producer:
    """Sends events of 1.0 for ever, each once, by its number."""

    bootstrap: str
    topic: str
    sent: int = 0

    async def send(self, count: int) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, enable_idempotence=True) as producer:
            for _ in range(count):
                await self._one(producer)
            await producer.flush()

    async def send_for_ever(self) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, enable_idempotence=True) as producer:
            while True:
                await self._one(producer)
                await asyncio.sleep(0.02)

    async def _one(self, producer: AIOKafkaProducer) -> None:
        number, self.sent = self.sent, self.sent + 1
        key = f"task-{number % 50}".encode()
        partition = number % 50 % PARTITIONS
        await producer.send(self.topic, document(number).encode(), key=key, partition=partition)


class Installation:
    """A folder as an operator has it."""

    def __init__(self, folder: Path, bootstrap: str, topics: Topics) -> None:
        self.folder = folder
        self.bootstrap = bootstrap
        self.source, self.destination = topics.name("task-context.legacy"), topics.name("task-context")
        self.old_destination = topics.name("task-context.old")
        self.dead_letter = topics.name("task-context.legacy-dlt")
        self.group = topics.name("upcaster")
        self.old_port, self.new_port = free_ports(2)
        shutil.copy(ROOT / "alembic.ini", folder)
        shutil.copytree(ROOT / "migrations", folder / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
        self.config = folder / "upcast.yaml"

    async def run(self, *command: str, environment: Mapping[str, str] | None = None) -> str:
        """What a command says. Raises AssertionError where it fails."""
        process = await asyncio.create_subprocess_exec(
            BIN / command[0],
            *command[1:],
            cwd=self.folder,
            env={**os.environ, **(environment or {}), "COLUMNS": "200"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said = (await process.communicate())[0].decode()
        assert process.returncode == 0, f"{' '.join(command)} ended with {process.returncode}:\n{said}"
        return said

    async def set_up(self, rows: int) -> None:
        """What release 1.0 left: its table, and its configuration in the names of the first format."""
        await self.run("alembic", "upgrade", "0002")
        with closing(sqlite3.connect(self.database)) as connection:
            filled = ((number, f"1.{number}", document(number), "2025-01-01") for number in range(rows))
            connection.executemany("INSERT INTO task_contexts VALUES (?, ?, ?, ?)", filled)
            connection.commit()
        self.config.write_text(
            f"# Our worker, since 2024.\nbrokers: {self.bootstrap}\ngroup: {self.group}\nport: {self.old_port}\n"
            f"input_topic: {self.source}\noutput_topic: {self.old_destination}  # for all teams\n"
            f"error_topic: {self.dead_letter}\nevent: task_context\n",
            encoding="utf-8",
        )

    @property
    def database(self) -> Path:
        return self.folder / "data" / "devteam_runner.db"

    def documents(self) -> list[str]:
        with closing(sqlite3.connect(self.database)) as connection:
            return [row[0] for row in connection.execute("SELECT context FROM task_contexts ORDER BY id")]

    @asynccontextmanager
    async def worker(self, environment: Mapping[str, str], *arguments: str) -> AsyncIterator[WorkerProcess]:
        given = {**SHORT_TIMEOUTS, **environment}
        async with running_worker(self.config, given, arguments=arguments) as worker:
            await worker.until("/readyz", 200)
            yield worker
            assert await worker.stop() == 0


@dataclass(frozen=True)
class Story:
    """How it ended. ``gone`` counts calls that found nobody, ``down_seconds`` is how long the migration took."""

    rows: int
    events: int
    answers: int
    gone: int
    down_seconds: float
    checklist: str


async def tell_story(bootstrap: str, folder: Path, rows: int, events: int, tell: Tell) -> Story:
    """Raises AssertionError where anything is not as the guide promises."""
    topics = Topics(bootstrap)
    for name in ("task-context.legacy", "task-context.legacy-dlt", "task-context.old", "task-context"):
        await topics.create(name, partitions=PARTITIONS)
    upgrade = _Upgrade(Installation(folder, bootstrap, topics), tell)
    try:
        await upgrade.old_installation(rows, events)
        down = await upgrade.migrate()
        checklist = await upgrade.restart(events)
        await upgrade.roll_back()
    finally:
        await upgrade.end()
        await topics.delete_all()
    client = upgrade.client
    assert client.wrong == []
    return Story(rows, upgrade.producer.sent, client.answers, client.gone, down, checklist)


class _Upgrade:
    def __init__(self, place: Installation, tell: Tell) -> None:
        self.place = place
        self.producer = Producer(place.bootstrap, place.source)
        self.client = Client(f"127.0.0.1:{place.old_port}")
        self._tell = tell
        self._background: list[asyncio.Task[Any]] = []
        self._rows: list[str] = []
        self._config = b""
        self._ports = {"DEVTEAM_RUNNER_PORT": str(place.new_port), "LEGACY_RUNNER_PORT": str(place.old_port)}

    async def old_installation(self, rows: int, events: int) -> None:
        """Old parts at work: the worker with old settings, a client, a producer."""
        place = self.place
        await place.set_up(rows)
        await self.producer.send(events)
        self._tell(f"an old installation: {rows:,} rows and {events:,} events of 1.0, old settings, one port")
        self._rows, self._config = place.documents(), place.config.read_bytes()
        async with place.worker({}) as worker:
            self._background.append(asyncio.create_task(self.client.call_for_ever()))
            self._background.append(asyncio.create_task(self.producer.send_for_ever()))
            assert any(entry["event"] == "deprecated setting" for entry in worker.log), worker.log
            await worker.caught_up(events, 120)
        self._tell("the worker is stopped; the client calls on, the producer sends on")

    async def migrate(self) -> float:
        """Database and configuration; returns the seconds that it took."""
        began = time.monotonic()
        await self._command("upcast", "db", "migrate")
        await self._command("upcast", "config", "migrate", "upcast.yaml", "--in-place")
        self._move_to_a_new_topic()
        await self._command("upcast", "plan", "--out", "plan.json")
        await self._command("upcast", "replay", "plan.json", "--reason", "upgrade to 2.0")
        await self._command("upcast", "verify", "plan.receipt.json")
        return time.monotonic() - began

    def _move_to_a_new_topic(self) -> None:
        """With a group of its own, so that the old one can go on where it was. The ports are the guide's variables'."""
        place = self.place
        text = place.config.read_text(encoding="utf-8")
        for old, new in {
            f"http:\n  port: {place.old_port}\n": "",
            place.old_destination: place.destination,
            f"group_id: {place.group}": f"group_id: {place.group}-2",
        }.items():
            assert old in text, text
            text = text.replace(old, new)
        bounds = "checklist: {lag_seconds: 30, dead_letter_share: 0.01, memory_bytes: 300_000_000}\n"
        place.config.write_text(text + bounds, encoding="utf-8")

    async def restart(self, events: int) -> str:
        """Both ports serve, all that was sent arrives; returns the checklist."""
        place = self.place
        async with place.worker(self._ports, "--after", str(place.folder / "plan.receipt.json")) as worker:
            await self._client_is_answered()
            assert (await request(f"127.0.0.1:{place.new_port}", "/v2/status")).status == 200
            await until(lambda: self.producer.sent > events + 20, "the producer to have sent some more")
            await all_there(place.bootstrap, place.destination, self.producer.sent)
            assert await worker.metric("upcaster_legacy_port_requests_total") > 0
            return await self._command(
                *("upcast", "checklist", "--only", "after", "--worker", f"127.0.0.1:{place.new_port}"),
                *("--alembic", "alembic.ini", "--backup", self._backup),
            )

    async def roll_back(self) -> None:
        """Every row and every setting is what it was, and the old parts go on."""
        place = self.place
        await self._command("upcast", "db", "restore", self._backup, "--yes")
        shutil.copy(place.config.with_name("upcast.yaml.bak"), place.config)
        assert place.documents() == self._rows
        assert place.config.read_bytes() == self._config
        async with place.worker({}):
            await self._client_is_answered()
            await all_there(place.bootstrap, place.old_destination, self.producer.sent)

    async def end(self) -> None:
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    async def _client_is_answered(self) -> None:
        answered = self.client.answers
        await until(lambda: self.client.answers > answered + 5, "the old client to be answered on the old port")

    async def _command(self, *command: str) -> str:
        self._tell(f"$ {' '.join(command)}")
        said = await self.place.run(*command, environment=self._ports)
        self._tell(said)
        return said

    @property
    def _backup(self) -> str:
        files = (self.place.folder / "backup").iterdir()
        return str(next(file for file in files if file.suffix != ".json").relative_to(self.place.folder))


async def until(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.05)


async def all_there(bootstrap: str, topic: str, sent: int, seconds: float = 60) -> None:
    """Every event that has been sent until now is in the topic, at 2.0, once and in order."""
    wanted, deadline = sent - 1, time.monotonic() + seconds  # the last one may still be on its way
    while True:
        records = await read_all(bootstrap, topic)
        found = [json.loads(record.value or b"")["metadata"]["task_id"] for record in records]
        numbers = [int(task.removeprefix("1.")) for task in found]
        assert len(set(numbers)) == len(numbers), "an event came twice"
        if set(range(wanted)) <= set(numbers):
            break
        assert time.monotonic() < deadline, f"{len(set(range(wanted)) - set(numbers))} events have not come"
    for partition in range(PARTITIONS):
        order = [number for number, record in zip(numbers, records, strict=True) if record.partition == partition]
        assert order == sorted(order), "events came in another order"


def main() -> None:
    """What `make upgrade` runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--events", type=int, default=50_000)
    options = parser.parse_args()
    with _kafka() as bootstrap, tempfile.TemporaryDirectory() as folder:
        story = asyncio.run(tell_story(bootstrap, Path(folder), options.rows, options.events, say))
    say(
        f"{story.rows:,} rows and {story.events:,} events; the old client was answered {story.answers:,} times and "
        f"found nobody {story.gone:,} times; the migration took {story.down_seconds:.1f} s; rolled back: every row and "
        "every setting equals the backup"
    )


def say(text: str) -> None:
    sys.stdout.write(f"{text.rstrip()}\n\n")
    sys.stdout.flush()


@contextmanager
def _kafka() -> Iterator[str]:
    given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if given:
        yield given
        return
    broker = LocalKafka.start_or_exit()
    try:
        yield broker.bootstrap_servers
    finally:
        broker.stop()


if __name__ == "__main__":
    main()
