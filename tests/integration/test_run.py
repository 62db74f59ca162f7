"""`upcast run` as a process of its own on a real broker: the main job, the stop, and every way not to start."""

from __future__ import annotations

import json
import signal
import socket
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.http import request
from tests.kafka import Record, Topics, committed_offsets, produce, read_all
from tests.worker_process import WorkerProcess, running_worker, write_config

PARTITIONS = 3
FOREVER = {"retention.ms": "-1"}
STAMP = 1_700_000_000_000

V1_0: dict[str, dict[str, Any]] = {
    "metadata": {"taskId": "1.1.1", "projectId": "customer-123/project-abc"},
    "nodes": {"select": {"status": "completed"}},
}
V1_1 = {
    "metadata": {**V1_0["metadata"], "branch": "dev", "repoPath": "/workspace/repos/a"},
    "nodes": {"select": {"status": "completed"}},
}
V2_0 = {
    "metadata": {
        "task_id": "1.1.1",
        "project_id": "customer-123/project-abc",
        "branch": "main",
        "repo_path": "/workspace/repos/a",
    },
    "nodes": {"select": {"status": "completed"}, "prep": {"status": "running"}},
}
VALUES: dict[str, bytes | None] = {
    "1.0": json.dumps(V1_0).encode(),
    "1.1": json.dumps(V1_1).encode(),
    "2.0": json.dumps(V2_0, indent=1).encode(),
    "tombstone": None,
    "broken": b'{"metadata": ',
    "no task": json.dumps({"metadata": {"projectId": "p"}, "nodes": {}}).encode(),
}
FATE = {"1.0": "upcast", "1.1": "upcast", "2.0": "passed", "tombstone": "passed"}


class Setting:
    """Three topics, a group and a configuration."""

    def __init__(self, bootstrap: str, topics: Topics, directory: Path) -> None:
        self.bootstrap = bootstrap
        self.source = topics.name("legacy")
        self.destination = topics.name("current")
        self.dead_letter = topics.name("dlt")
        self.group = topics.name("group")
        self.config = directory / "upcast.yaml"
        self.configure()

    def configure(self, kafka: dict[str, Any] | None = None, **route: Any) -> None:
        names = {"source": self.source, "destination": self.destination, "dead_letter": self.dead_letter}
        write_config(self.config, self.bootstrap, self.group, names | route, **(kafka or {}))


@pytest.fixture
async def setting(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> Setting:
    for name in ("legacy", "current", "dlt"):
        await topics.create(name, partitions=PARTITIONS, configs=FOREVER)
    return Setting(kafka_bootstrap, topics, tmp_path)


def mixed(count: int) -> list[tuple[str, Record]]:
    """Records of every kind in turn, with keys, headers and timestamps of their own."""
    kinds = list(VALUES)
    made = []
    for number in range(count):
        kind = kinds[number % len(kinds)] if number % 4 == 0 else "1.0"
        headers = [("trace", str(number).encode()), ("trace", b"\xff")]
        record = Record(f"key-{number}".encode(), VALUES[kind], headers, STAMP + number, partition=number % PARTITIONS)
        made.append((kind, record))
    return made


async def test_every_offset_is_accounted_for(setting: Setting) -> None:
    sent = mixed(1200)
    await produce(setting.bootstrap, setting.source, [record for _, record in sent])
    async with running_worker(setting.config) as worker:
        await worker.caught_up(len(sent))
        await metrics_agree(worker, setting, sent)
        assert (await worker.until("/readyz", 200))["reasons"] == []
        status = (await request(worker.address, "/v2/status")).json
        assert await worker.stop() == 0
    assert worker.errors == []
    lanes = status["routes"][0]["lanes"]
    assert [lane["lag"] for lane in lanes] == [0] * PARTITIONS
    await topics_agree(setting, sent)
    ends = {(setting.source, number): len(sent) // PARTITIONS for number in range(PARTITIONS)}
    assert await committed_offsets(setting.bootstrap, setting.group) == ends


async def metrics_agree(worker: WorkerProcess, setting: Setting, sent: list[tuple[str, Record]]) -> None:
    fates = Counter(FATE.get(kind, "dead_lettered") for kind, _ in sent)
    for fate in ("upcast", "passed", "dead_lettered"):
        counted = await worker.metric(f"upcaster_records_{fate}_total", topic=setting.source)
        assert counted == fates[fate], fate
    produced = await worker.metric("upcaster_records_produced_total", destination=setting.destination)
    assert produced == fates["upcast"] + fates["passed"]


async def topics_agree(setting: Setting, sent: list[tuple[str, Record]]) -> None:
    good = [(kind, record) for kind, record in sent if kind in FATE]
    bad = [record for kind, record in sent if kind not in FATE]
    arrived = await read_all(setting.bootstrap, setting.destination)
    assert without_values(arrived) == without_values(in_partitions([record for _, record in good]))
    kind_of = {record.key: kind for kind, record in good}
    for record in arrived:
        check_value(kind_of[record.key], record.value)
    dead = await read_all(setting.bootstrap, setting.dead_letter)
    assert [as_sent(record) for record in dead] == in_partitions(bad)
    check_origins(dead, setting)


def check_value(kind: str, value: bytes | None) -> None:
    if FATE[kind] == "passed":
        assert value == VALUES[kind]
        return
    assert value is not None
    metadata = json.loads(value)["metadata"]
    assert metadata["task_id"] == "1.1.1"
    assert metadata["branch"] == ("dev" if kind == "1.1" else "main")
    assert "taskId" not in metadata


def check_origins(dead: list[Record], setting: Setting) -> None:
    """Every dead letter names the source offset that its own neighbours leave for it."""
    origins = set()
    for record in dead:
        headers = dict(record.headers)
        assert headers["__connect.errors.topic"] == setting.source.encode()
        assert headers["__connect.errors.connector.name"] == setting.group.encode()
        assert headers["__connect.errors.stage"] in {b"decode", b"validate", b"upcast"}
        assert len(headers["upcaster.dlq.fingerprint"]) == 16
        origins.add((headers["__connect.errors.partition"], headers["__connect.errors.offset"]))
    assert len(origins) == len(dead)


def without_values(records: list[Record]) -> list[Record]:
    return [replace(record, value=None, headers=tuple(record.headers)) for record in records]


def as_sent(record: Record) -> Record:
    """A dead letter without the headers that the worker put behind its own."""
    return replace(record, headers=tuple(record.headers[:2]))


def in_partitions(records: list[Record]) -> list[Record]:
    ordered = sorted(records, key=lambda record: record.partition)
    return [replace(record, headers=tuple(record.headers)) for record in ordered]


async def test_a_topic_can_be_brought_up_in_place_without_end(setting: Setting) -> None:
    setting.configure(destination=setting.source, lineage_headers=True)
    sent = mixed(120)
    await produce(setting.bootstrap, setting.source, [record for _, record in sent])
    changed = sum(FATE.get(kind) == "upcast" for kind, _ in sent)
    async with running_worker(setting.config) as worker:
        # Its own output comes back to it, and is left where it is.
        await worker.caught_up(len(sent) + changed)
        assert await worker.metric("upcaster_records_passed_total") == 0
        unchanged = sum(FATE.get(kind) == "passed" for kind, _ in sent)
        assert await worker.metric("upcaster_records_skipped_total", reason="in-place") == changed + unchanged
        assert await worker.stop() == 0
    assert len(await read_all(setting.bootstrap, setting.source)) == len(sent) + changed
    committed = await committed_offsets(setting.bootstrap, setting.group)
    assert sum(committed.values()) >= len(sent) + changed


async def test_a_second_start_goes_on_where_the_first_ended(setting: Setting) -> None:
    for round_number in (1, 2):
        await produce(setting.bootstrap, setting.source, [record for _, record in mixed(60)])
        async with running_worker(setting.config) as worker:
            await worker.caught_up(60)
            assert await worker.stop(signal.SIGINT) == 0
        dead = await read_all(setting.bootstrap, setting.dead_letter)
        current = await read_all(setting.bootstrap, setting.destination)
        assert len(current) + len(dead) == 60 * round_number


async def test_pause_and_resume_with_a_token(setting: Setting) -> None:
    token = "t" * 20
    authorised = {"authorization": f"Bearer {token}"}
    async with running_worker(setting.config, {"UPCAST_HTTP__TOKEN": token}) as worker:
        await worker.until("/readyz", 200)
        route = f"/v2/routes/{setting.source}"
        assert (await request(worker.address, f"{route}/pause", "POST")).status == 401
        paused = await request(worker.address, f"{route}/pause", "POST", authorised)
        assert paused.json["paused"] is True
        await produce(setting.bootstrap, setting.source, [record for _, record in mixed(30)])
        assert await worker.metric("upcaster_records_consumed_total") == 0
        await request(worker.address, f"{route}/resume", "POST", authorised)
        await worker.caught_up(30)
        assert token not in str(worker.log)


async def test_a_broker_that_is_away_is_waited_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
    config = write_config(tmp_path / "c.yaml", address, "g", {"source": "a", "destination": "b"}, start_timeout=4)
    async with running_worker(config) as worker:
        reasons = (await worker.until("/readyz", 503))["reasons"]
        assert reasons == ["waiting for kafka"]
        assert (await request(worker.address, "/livez")).status == 200
        assert await worker.wait() == 1
    assert [entry["event"] for entry in worker.log] == ["starting", "http is listening", "waiting for kafka"]
    assert len(worker.errors) == 1
    assert f"no broker at {address} (connection refused), for 4 s: start the broker" in worker.errors[0]


async def test_a_stop_while_waiting_is_clean(tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.yaml", "127.0.0.1:1", "g", {"source": "a", "destination": "b"})
    async with running_worker(config) as worker:
        await worker.until("/readyz", 503)
        assert await worker.stop() == 0
    assert worker.errors == []


async def test_a_name_that_does_not_resolve(tmp_path: Path) -> None:
    route = {"source": "a", "destination": "b"}
    config = write_config(tmp_path / "c.yaml", "no.such.host.invalid:9092", "g", route, start_timeout=0.5)
    async with running_worker(config) as worker:
        assert await worker.wait() == 1
    assert len(worker.errors) == 1
    assert "the name no.such.host.invalid cannot be resolved" in worker.errors[0]


async def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = write_config(tmp_path / "c.yaml", "127.0.0.1:1", "g", {"source": "a", "destination": "b"})
        port = str(taken.getsockname()[1])
        async with running_worker(config, {"UPCAST_HTTP__PORT": port}) as worker:
            assert await worker.wait() == 1
    assert len(worker.errors) == 1
    assert f":{port}: the port is in use" in worker.errors[0]


async def test_missing_topics_name_the_commands_that_create_them(
    kafka_bootstrap: str, topics: Topics, tmp_path: Path
) -> None:
    source = await topics.create("legacy", partitions=2)
    route = {"source": source, "destination": topics.name("current")}
    config = write_config(tmp_path / "c.yaml", kafka_bootstrap, topics.name("group"), route)
    async with running_worker(config) as worker:
        assert await worker.wait() == 2
    assert len(worker.errors) == 2
    assert f"{topics.name('current')}: the topic does not exist: run `upcast kafka topics" in worker.errors[0]
    assert f"--create --topic {source}-dlt --partitions 2" in worker.errors[1]


@pytest.mark.parametrize(
    ("chain", "expected"),
    [("no.such.module:chain", "No module named 'no'"), ("upcasters.policy:chain", "has no 'chain'")],
)
async def test_a_chain_that_does_not_import(setting: Setting, chain: str, expected: str) -> None:
    setting.configure(chain=chain)
    async with running_worker(setting.config) as worker:
        assert await worker.wait() == 2
    assert len(worker.errors) == 1
    assert expected in worker.errors[0]


async def test_a_bad_key_and_a_missing_file(setting: Setting, tmp_path: Path) -> None:
    setting.configure(chian="x:y")
    for config, expected in (
        (setting.config, "routes.0.chian: unknown key; did you mean chain?"),
        (tmp_path / "none.yaml", "there is no such configuration file: name it with --config FILE"),
    ):
        async with running_worker(config) as worker:
            assert await worker.wait() == 2
        assert len(worker.errors) == 1
        assert expected in worker.errors[0]
        assert worker.log == []


async def test_a_stop_in_mid_work_loses_and_doubles_nothing(setting: Setting) -> None:
    sent = mixed(30_000)
    await produce(setting.bootstrap, setting.source, [record for _, record in sent])
    setting.configure(limits={"records_per_second": 20_000})
    async with running_worker(setting.config) as worker:
        await worker.caught_up(1)
        assert await worker.stop() == 0
    done = await committed_offsets(setting.bootstrap, setting.group)
    arrived = await read_all(setting.bootstrap, setting.destination)
    dead = await read_all(setting.bootstrap, setting.dead_letter)
    assert 0 < len(arrived) + len(dead) == sum(done.values()) < len(sent)
