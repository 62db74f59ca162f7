"""Several processes that are one worker to the outside, on a real broker."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.http import request
from tests.kafka import Record, Topics, committed_offsets, produce, read_all
from tests.lanes import ends
from tests.limits import HANG
from tests.replaying import STAMP, Stage, ended, make_stage
from tests.warm_start import WarmProcess
from tests.worker_process import WorkerProcess, running_worker
from worker.dead_letters import REPLAY_ID
from worker.processes.child import Child
from worker.replay.apply.receipt import read_receipt
from worker.replay.apply.running import ReplayOptions, apply_share
from worker.replay.plan.file import read_plan

TOKEN = "a-token-of-16-letters"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
TWO = ("--processes", "2")


async def pids(worker: WorkerProcess) -> list[int]:
    status = await worker.until("/v2/status", 200)
    return [each["pid"] for each in status["processes"]]


async def until_ready(worker: WorkerProcess) -> None:
    await worker.until("/readyz", 200)


async def shared_route(worker: WorkerProcess, partitions: list[int]) -> Any:
    """The route once each partition is worked on in one process: they are asked one after the other, and the group may
    be sharing them out anew meanwhile."""
    async with asyncio.timeout(HANG):
        while True:
            (route,) = (await worker.until("/v2/status", 200))["routes"]
            if [lane["partition"] for lane in route["lanes"]] == partitions:
                return route
            await asyncio.sleep(0.1)


async def counted(worker: WorkerProcess) -> list[float]:
    names = ("consumed", "upcast", "passed", "dead_lettered", "produced")
    return [await worker.metric(f"upcaster_records_{name}_total") for name in names]


async def test_two_processes_are_one_worker(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> None:
    stage = await make_stage(kafka_bootstrap, topics, tmp_path, partitions=4)
    stage.configure(limits={"records_per_second": 4_000})
    await stage.fill(480)
    async with running_worker(stage.config, {"UPCAST_HTTP__TOKEN": TOKEN}, arguments=TWO) as worker:
        await until_ready(worker)
        await worker.caught_up(480)
        assert await counted(worker) == [480, 240, 160, 80, 400]
        route = await shared_route(worker, [0, 1, 2, 3])
        assert route["records_per_second"] == 4_000
        await older_version_is_whole(worker, stage)
        path = f"/v2/routes/{stage.source}"
        assert (await request(worker.address, f"{path}/pause", "POST")).status == 401
        limited = await request(worker.address, f"{path}/rate", "POST", HEADERS, {"records_per_second": 100})
        assert (limited.status, limited.json["records_per_second"]) == (200, 100)
        assert (
            await request(worker.address, f"{path}/rate", "POST", HEADERS, {"records_per_second": -1})
        ).status == 422
        assert (await request(worker.address, f"{path}/pause", "POST", HEADERS)).json["paused"] is True
        assert (await request(worker.address, "/nowhere")).status == 404
        await kill_one(worker)
        assert sum(await counted(worker)) == sum([480, 240, 160, 80, 400])
        children = await pids(worker)
        assert await worker.stop() == 0
    assert not any(is_there(pid) for pid in children)
    assert sum((await committed_offsets(stage.bootstrap, stage.group)).values()) == 480
    await all_there_once(stage, 480)


async def older_version_is_whole(worker: WorkerProcess, stage: Stage) -> None:
    await until_ready(worker)  # both processes have records before the group has settled
    older = await worker.until("/v1/status", 200)
    assert [lane["partition"] for lane in older["routes"][0]["lanes"]] == [0, 1, 2, 3]
    assert (older["consumerGroup"], older["whyNotReady"]) == (stage.group, [])
    assert older["routes"][0]["recordsPerSecond"] == 4_000
    path = f"/v1/routes/{stage.source}"
    limited = await request(worker.address, f"{path}/rate", "POST", HEADERS, {"recordsPerSecond": 200})
    assert (limited.status, limited.json["recordsPerSecond"]) == (200, 200)
    assert (await request(worker.address, "/v1/chain")).status == 200
    assert (await request(worker.address, "/v2/stream")).status == 501


async def kill_one(worker: WorkerProcess) -> None:
    """It is started again, and all are ready then."""
    before = await pids(worker)
    os.kill(before[0], signal.SIGKILL)
    deadline = time.monotonic() + HANG
    while (now := await pids(worker))[0] in (None, before[0]):
        assert time.monotonic() < deadline, now
        await asyncio.sleep(0.1)
    assert now[1] == before[1]
    await until_ready(worker)
    assert [entry["signal"] for entry in worker.log if entry["event"].startswith("a child process was killed")] == [
        "SIGKILL"
    ]


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def all_there_once(stage: Stage, count: int) -> None:
    outputs = await read_all(stage.bootstrap, stage.destination)
    numbers = [int(dict(each.headers)["number"]) for each in outputs]
    assert sorted(numbers) == [number for number in range(count) if number // stage.partitions % 6 != 5]


async def test_children_end_with_a_parent_that_is_killed(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> None:
    stage = await make_stage(kafka_bootstrap, topics, tmp_path)
    async with running_worker(stage.config, arguments=TWO) as worker:
        await until_ready(worker)
        children = await pids(worker)
        worker.process.kill()
        deadline = time.monotonic() + HANG
        while any(is_there(pid) for pid in children):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)


async def test_what_cannot_work_is_said_once(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> None:
    stage = await make_stage(kafka_bootstrap, topics, tmp_path)
    stage.configure(dead_letter=topics.name("nowhere"))
    async with running_worker(stage.config, arguments=TWO) as worker:
        assert await worker.wait() == 2
    assert sum("the topic does not exist" in line or "nowhere" in line for line in worker.errors) == 1, worker.errors


@pytest.mark.long
async def test_a_replay_by_two_processes_has_one_receipt(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> None:
    stage = await make_stage(kafka_bootstrap, topics, tmp_path, partitions=3)
    await stage.fill(1_800)
    planned = await stage.make_plan()
    options = ("replay", str(stage.plan), *TWO, "--reason", "upgrade")
    process = await stage.begin(*options, "--rate", "300")
    await until_written(stage, 200, process)
    process.send_signal(signal.SIGTERM)
    stopped = await ended(process)
    assert (stopped.code, "run the same command again to go on" in stopped.errors) == (1, True), stopped
    done = await stage.upcast(*options)
    assert done.code == 0, done
    receipt = read_receipt(stage.receipt)
    assert sum(each.counts.read for each in receipt.partitions) == planned.counts.read == 1_800
    assert receipt.reason == "upgrade"
    assert [len(each.stretches) for each in receipt.partitions] == [1, 1, 1]
    assert not (await stage.verify()).findings


async def test_what_another_process_of_a_replay_has_just_written_is_not_taken_for_forgotten(
    kafka_bootstrap: str, topics: Topics, tmp_path: Path
) -> None:
    """It looks like this between its first transaction and the moment when a reader of its offset sees it."""
    stage = await make_stage(kafka_bootstrap, topics, tmp_path, partitions=2)
    await stage.fill(40)
    await stage.make_plan()
    written = Record(b"key", b"{}", [(REPLAY_ID, stage.replay_id.encode())], STAMP, 1)
    await produce(stage.bootstrap, stage.destination, [written])
    reading, writing = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as http:
        child = Child(number=0, of=2, http=http.fileno(), parent=reading)
        await apply_share(*stage.given, read_plan(stage.plan), ReplayOptions(stage.receipt), child)
    asyncio.get_running_loop().remove_reader(reading)
    os.close(reading)
    os.close(writing)
    committed = await committed_offsets(stage.bootstrap, f"{stage.group}-replay-{stage.replay_id}")
    assert committed == {(stage.source, 0): 20}


async def until_written(stage: Stage, count: int, process: WarmProcess) -> None:
    deadline = time.monotonic() + HANG
    while sum((await ends(stage.bootstrap, stage.destination)).values()) < count:
        assert process.returncode is None, await ended(process)
        assert time.monotonic() < deadline, "the replay does not write"
        await asyncio.sleep(0.05)
