"""A live worker and a replay of the same offsets: one of them does not start, unless somebody insists."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from tests.kafka import Record, Topics, committed_offsets, produce, read_all
from tests.limits import HANG
from tests.replaying import Stage, make_stage, refused
from tests.worker_process import running_worker
from worker.errors import WorkerError
from worker.kafka.clients import KafkaClients
from worker.kafka.members import SourceUse
from worker.lanes.lane_context import SharedLook
from worker.lanes.supervisor import Supervisor
from worker.ledger import open_ledger
from worker.preflight.members import MemberWatch
from worker.replay.apply.handover import hand_over
from worker.replay.apply.receipt import read_receipt
from worker.replay.apply.running import Replay
from worker.replay.plan.overlap import refuse_beside
from worker.runtime import new_metrics, reporter_of
from worker.service import Service


@pytest.fixture
async def stage(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> Stage:
    return await make_stage(kafka_bootstrap, topics, tmp_path)


async def beside(stage: Stage, *allowed: str) -> str:
    """Why a live worker that has no ledger would not begin."""
    settings, _ = stage.given
    try:
        await refuse_beside(KafkaClients(settings.kafka), settings, None, allowed)
    except WorkerError as error:
        return str(error)
    return ""


@asynccontextmanager
async def replaying(stage: Stage) -> AsyncIterator[None]:
    """So slowly that it does not end by itself."""
    stop = asyncio.Event()
    replay = asyncio.create_task(stage.replay(stop, records_per_second=1))
    deadline = time.monotonic() + HANG
    try:
        while len(await committed_offsets(stage.bootstrap, f"{stage.group}-replay-{stage.replay_id}")) < 2:
            assert time.monotonic() < deadline, "nobody can see the replay"
            assert not replay.done(), await replay
            await asyncio.sleep(0.05)
        yield
    finally:
        stop.set()
        with pytest.raises(WorkerError, match="stopped with"):
            await replay


@pytest.mark.long
async def test_a_worker_begins_behind_a_replay_or_not_at_all(stage: Stage) -> None:
    await stage.fill(60)
    await stage.make_plan(end="0:30,1:20")
    async with replaying(stage):
        told = await beside(stage)
    assert told == (
        f"{stage.source}:0 0-29, {stage.source}:1 0-19: replay {stage.replay_id} writes these offsets to "
        f"{stage.destination}, and the group {stage.group} has yet to read them, so that readers would see them twice: "
        "let it finish, verify it, then start with `upcast run --after RECEIPT`, or insist with "
        f"`--beside {stage.replay_id}`"
    )
    assert await beside(stage) == told, "it will be resumed"
    await stage.replay()
    run = await stage.upcast("run")
    assert (run.code, f"replay {stage.replay_id} wrote these offsets" in run.errors) == (2, True), run
    assert await beside(stage, stage.replay_id) == ""
    settings, _ = stage.given
    await hand_over(KafkaClients(settings.kafka), settings, read_receipt(stage.receipt))
    assert await beside(stage) == "", "what it reads now nobody has read"
    async with running_worker(stage.config, folder=stage.folder) as worker:
        await worker.caught_up(10)


async def test_other_groups_and_other_destinations(stage: Stage, topics: Topics) -> None:
    """What a group's name cannot tell the ledger can; into another topic nothing is written twice."""
    await stage.fill(60)
    await stage.make_plan()
    await stage.replay()
    settings, _ = stage.given
    ledger = open_ledger(settings.ledger.url.get_secret_value())
    kafka = settings.kafka.model_copy(update={"group_id": f"new-{stage.group}"})
    renamed = settings.model_copy(update={"kafka": kafka})
    with pytest.raises(WorkerError, match=f"{stage.source}:0 0-29, {stage.source}:1 0-29: replay {stage.replay_id}"):
        await refuse_beside(KafkaClients(kafka), renamed, ledger)
    await refuse_beside(KafkaClients(kafka), renamed, ledger, [stage.replay_id])
    assert [each.group for each in ledger.besides(stage.replay_id)] == [kafka.group_id]
    ledger.close()
    stage.destination = await topics.create("another", partitions=2)
    stage.configure()
    assert await beside(stage) == ""


async def test_a_replay_does_not_begin_beside_a_live_worker_that_is_not_there_yet(stage: Stage) -> None:
    stage.configure(limits={"records_per_second": 1})
    await stage.fill(60)
    await stage.make_plan(start="0:20,1:20")
    async with running_worker(stage.config, folder=stage.folder) as worker:
        await worker.until("/readyz", 200)
        await refused(
            stage,
            re.escape(
                f"{stage.source}:0 20-29, {stage.source}:1 20-29: the live worker (group {stage.group}) is running, "
                f"has yet to read these offsets, and would also write them to {stage.destination}"
            ),
        )
        await sees_another_chain(stage)
        assert await worker.stop() == 0
    await stage.replay()


async def test_a_replay_that_goes_on_leaves_out_nothing_that_a_live_worker_did_meanwhile(stage: Stage) -> None:
    """Somebody insisted with `upcast run --beside` while the replay was down."""
    await stage.fill(60)
    await stage.make_plan()
    async with replaying(stage):
        pass
    done = await committed_offsets(stage.bootstrap, f"{stage.group}-replay-{stage.replay_id}")
    insisting = ("--beside", stage.replay_id)
    async with running_worker(stage.config, arguments=insisting, folder=stage.folder) as worker:
        await worker.caught_up(60)
        assert await worker.stop() == 0
    left = 60 - sum(done.values())
    await refused(
        stage,
        re.escape(
            f"{stage.destination}: the live worker ({stage.group}) has read {left} of these offsets already, "
            "and the replay would write them again: replay into an empty topic, plan the offsets after them with "
            "`--from 0:30,1:30`, or insist with `upcast replay --again`"
        ),
    )
    receipt = await stage.replay(again=True)
    assert sum(each.counts.read for each in receipt.partitions) == 60


@pytest.mark.parametrize("still_there", [False, True])
async def test_a_worker_of_another_group_that_was_let_in_counts_too(stage: Stage, still_there: bool) -> None:
    """The ledger knows its group. One that still runs has yet to read what is written later."""
    await stage.fill(60)
    await stage.make_plan()
    async with replaying(stage):
        pass
    ours, insisting = stage.group, ("--beside", stage.replay_id)
    stage.group += "-other"
    stage.configure(limits={"records_per_second": 1 if still_there else 1_000})
    async with running_worker(stage.config, arguments=insisting, folder=stage.folder) as worker:
        if still_there:
            await worker.until("/readyz", 200)
            # It is refused for what the worker may read, or for what it has read by now, whichever is asked first.
            running = f"\\(group {stage.group}\\) is running, has yet to read"
            expected = f"the live worker ({running}|\\({stage.group}\\) has read .* of) these offsets"
        else:
            await worker.caught_up(60)
            assert await worker.stop() == 0
            expected = f"the live worker \\({stage.group}\\) has read .* of these offsets already"
        stage.group = ours
        stage.configure()
        await refused(stage, expected)


class Begins(Replay):
    """One beside which something begins when it has asked and nobody sees it yet."""

    async def _prepare(self) -> None:
        await super()._prepare()
        await self.meanwhile()

    meanwhile: Callable[[], Awaitable[None]]


async def test_a_replay_looks_again_before_it_writes(stage: Stage) -> None:
    """A live worker that begins at the same moment."""
    stage.configure(limits={"records_per_second": 1})
    await stage.fill(60)
    await stage.make_plan()
    async with AsyncExitStack() as running:

        async def begin_live() -> None:
            worker = await running.enter_async_context(running_worker(stage.config, folder=stage.folder))
            await worker.until("/readyz", 200)

        kind = type("Meanwhile", (Begins,), {"meanwhile": staticmethod(begin_live)})
        with pytest.raises(WorkerError, match=f"the live worker \\(group {stage.group}\\) is running"):
            await stage.replay(kind=kind)
    assert await of_replays(stage) == []


async def test_a_live_worker_looks_again_before_it_writes(stage: Stage) -> None:
    """A replay that begins at the same moment: what the worker asks before it joins its group does not show it."""
    await stage.fill(60)
    await stage.make_plan(end="0:30,1:20")
    settings, given = stage.given
    clients = KafkaClients(settings.kafka)
    look = SharedLook(partial(refuse_beside, clients, settings, None), once=True)
    metrics = new_metrics(CollectorRegistry(), stage.group)
    async with replaying(stage):
        before = await read_all(stage.bootstrap, stage.destination)
        service = Service(
            settings,
            {stage.source: given},
            clients,
            lambda routes: Supervisor(routes, clients, metrics, reporter_of(settings), look_at_others=look),
        )
        with pytest.raises(WorkerError, match=f"replay {stage.replay_id} writes these offsets"):
            await service.run(asyncio.Event())
    written = await read_all(stage.bootstrap, stage.destination)
    assert len(await of_replays(stage)) == len(written) >= len(before)


async def of_replays(stage: Stage) -> list[Record]:
    """What is in the destination by a replay."""
    found = await read_all(stage.bootstrap, stage.destination)
    return [each for each in found if any(name == "upcaster.replay.id" for name, _ in each.headers)]


async def sees_another_chain(stage: Stage) -> None:
    """As a member of the same group would that has one."""
    settings, given = stage.given
    counted: dict[str, int] = {}
    ours = {stage.source: SourceUse(stage.destination, "another")}
    watch = MemberWatch(KafkaClients(settings.kafka), ours, counted.__setitem__, rolling=0)
    looking = asyncio.create_task(watch.run(0.05))
    deadline = time.monotonic() + HANG
    while not watch.disagreements:
        assert time.monotonic() < deadline, counted
        await asyncio.sleep(0.05)
    looking.cancel()
    await asyncio.wait({looking})
    assert counted == {stage.source: 1}
    assert watch.disagreements[stage.source][0].endswith(f" has chain {given.chain.fingerprint}")


def as_the_live_worker(record: Record) -> Record:
    """Without lineage headers, which is its default."""
    return replace(
        record, headers=[(name, value) for name, value in record.headers if not name.startswith("upcaster.")]
    )


@pytest.mark.long
async def test_what_a_live_worker_wrote_without_headers_is_found_by_what_it_is(stage: Stage) -> None:
    await stage.fill(60)
    later = replace(stage.event(0), partition=0)  # the same once more, which is nobody's fault
    await produce(stage.bootstrap, stage.source, [later, stage.event(62)])
    await stage.make_plan(end="0:30,1:30")
    await stage.replay()
    written = [as_the_live_worker(each) for each in await read_all(stage.bootstrap, stage.destination)]
    again = next(each for each in written if each.timestamp == later.timestamp)
    own = Record(b"somebody else's", b"own", timestamp=later.timestamp, partition=0)
    await produce(stage.bootstrap, stage.destination, [again, replace(again, timestamp=stage.event(62).timestamp), own])
    findings = (await stage.verify()).findings
    assert findings.result == "PASS", findings
    await produce(stage.bootstrap, stage.destination, [replace(written[5], value=b"by another chain")])
    findings = (await stage.verify()).findings
    assert (findings.result, findings.counts) == ("UNDECIDED", {"of unknown origin": 1}), findings
    proved = await stage.upcast("verify", str(stage.receipt), "--json")
    assert (proved.code, json.loads(proved.out)["verdict"]) == (1, "UNDECIDED")
    await produce(stage.bootstrap, stage.destination, written)
    findings = (await stage.verify()).findings
    assert findings.counts == {"of unknown origin": 1, "doubled by another pass": len(written)}, findings


async def test_what_a_live_worker_wrote_before_the_replay_is_found_too(stage: Stage) -> None:
    """Where somebody insisted, with `upcast replay --again`."""
    await stage.fill(60)
    async with running_worker(stage.config, folder=stage.folder) as worker:
        await worker.caught_up(60)
    await stage.make_plan(start="0:10,1:10")
    receipt = await stage.replay(again=True)
    findings = (await stage.verify()).findings
    assert findings.counts == {"doubled by another pass": sum(each.counts.produced for each in receipt.partitions)}


async def test_dead_letters_of_a_live_worker_beside_the_replay_are_doubles_too(stage: Stage) -> None:
    await stage.fill(24)
    await stage.make_plan()
    await stage.replay()
    letters = [as_the_live_worker(each) for each in await read_all(stage.bootstrap, stage.dead_letter)]
    await produce(stage.bootstrap, stage.dead_letter, letters[:1])
    findings = (await stage.verify()).findings
    assert findings.counts == {"doubled by another pass": 1}, findings
