"""Replays on a real broker: exactly the plan, whatever is killed when, and a proof that notices every change."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from tests.faults.cluster import configure_topic
from tests.http import request
from tests.kafka import Record, Topics, committed_offsets, produce, read_all
from tests.lanes import ends
from tests.limits import HANG
from tests.replaying import FOREVER, HISTORY, STAMP, Stage, ended, make_stage, refused
from tests.warm_start import WarmProcess
from tests.worker_process import running_worker
from worker.errors import WorkerError
from worker.kafka import stable_offsets
from worker.kafka.aiokafka_internals.transactions import discard
from worker.lanes.delivery import transactional_id
from worker.ledger import open_ledger
from worker.ledger.records import SILENT
from worker.replay.apply.receipt import Receipt, read_receipt, write_receipt
from worker.replay.plan.file import Filters, Mark, Plan, write_plan
from worker.replay.plan.identity import config_fingerprint

REPLAY_ID = "upcaster.replay.id"


@pytest.fixture
async def stage(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> Stage:
    return await make_stage(kafka_bootstrap, topics, tmp_path)


@pytest.mark.long
async def test_a_replay_killed_three_times_is_finished_and_proved(stage: Stage) -> None:
    await stage.fill(12_000)
    planned = await stage.make_plan()
    await stage.fill(600, first=12_000)
    for share in (0.1, 0.3, 0.6):
        await kill_after(stage, round(share * planned.counts.produced))
    done = await stage.upcast("replay", str(stage.plan), "--reason", "upgrade")
    assert done.code == 0, done
    receipt = read_receipt(stage.receipt)
    assert receipt.reason == "upgrade"
    assert [(each.start, each.end) for each in receipt.partitions] == [(0, 6_000)] * 2
    for name in ("read", "upcast", "passed", "dead_lettered", "produced"):
        counted = sum(getattr(each.counts, name) for each in receipt.partitions)
        assert counted == getattr(planned.counts, name), name
    group = f"{stage.group}-replay-{receipt.replay_id}"
    assert await committed_offsets(stage.bootstrap, group) == {(stage.source, 0): 6_000, (stage.source, 1): 6_000}
    proved = await stage.upcast("verify", str(stage.receipt))
    assert (proved.code, proved.out.partition(":")[0]) == (0, "PASS"), proved
    with pytest.raises(WorkerError, match="holds all of its output, the run is finished"):
        await stage.replay()


async def test_what_a_killed_replay_left_open_is_ended_and_not_waited_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was killed between the offsets of a transaction and its commit. The brokers would end that in a minute."""
    await stage.fill(600)
    planned = await stage.make_plan()
    monkeypatch.setattr(stable_offsets, "PATIENCE", 0.2)
    group = f"{stage.group}-replay-{planned.replay_id}"
    place = TopicPartition(stage.source, 0)
    killed = AIOKafkaProducer(bootstrap_servers=stage.bootstrap, transactional_id=transactional_id(group, place))
    await killed.start()
    try:
        await killed.begin_transaction()
        await killed.send_offsets_to_transaction({place: OffsetAndMetadata(300, "")}, group)
        receipt = await stage.replay()
    finally:
        await discard(killed, 1.0)
    assert [(each.start, each.end, each.counts.read) for each in receipt.partitions] == [(0, 300, 300)] * 2
    assert (await stage.verify()).findings.result == "PASS"


async def test_a_killed_replay_is_interrupted_until_it_is_started_again(stage: Stage) -> None:
    await stage.fill(600)
    planned = await stage.make_plan()
    await kill_after(stage, 100, rate=100)
    with closing(open_ledger(stage.given[0].ledger.url.get_secret_value())) as ledger:
        (left,) = ledger.runs()
        assert (left.state, left.replay_id) == ("running", planned.replay_id)
        assert left.reported is not None
        assert left.reported > left.started
        assert left.as_of(left.reported + 2 * SILENT).state == "interrupted"
        # As if the time had passed.
        ledger.report(planned.replay_id, left.reported - 2 * SILENT)
        kept = await stage.upcast("plan", "--out", str(stage.plan))
        assert kept.code == 2, kept
        assert f"replay {planned.replay_id}, which is interrupted since 20" in kept.errors
        done = await stage.upcast("replay", str(stage.plan))
        assert done.code == 0, done
        assert [each.as_of(datetime.now(UTC)).told for each in ledger.runs()] == ["finished"]


async def kill_after(stage: Stage, written: int, rate: int = 3000) -> None:
    """Start the replay, and kill it when so much is in the destination."""
    process = await stage.begin("replay", str(stage.plan), "--rate", str(rate), "--reason", "upgrade")
    deadline = time.monotonic() + HANG
    try:
        while sum((await ends(stage.bootstrap, stage.destination)).values()) < written:
            assert time.monotonic() < deadline, "the replay does not write"
            assert process.returncode is None, await ended(process)
            await asyncio.sleep(0.02)
    finally:
        process.kill()
        await process.communicate()


Tampering = Callable[[list[Record]], Sequence[Record]]
TAMPERING: dict[str, tuple[Tampering, str]] = {
    "nothing": (lambda records: records, ""),
    "removed": (lambda records: records[:7] + records[8:], "missing in the destination"),
    "doubled": (lambda records: [*records, records[7]], "doubled"),
    "doubled beside": (lambda records: [*records[:7], records[7], *records[7:]], "doubled"),
    "swapped": (lambda records: [*records[:7], records[8], records[7], *records[9:]], "out of order"),
    "value": (lambda records: changed(records, value=b'{"a":1}'), "altered"),
    "key": (lambda records: changed(records, key=b"other"), "altered"),
    "timestamp": (lambda records: changed(records, timestamp=1), "altered"),
    "headers": (lambda records: changed(records, headers=[("x", b"y"), *records[7].headers]), "altered"),
}


def changed(records: list[Record], **changes: Any) -> list[Record]:
    return [*records[:7], replace(records[7], **changes), *records[8:]]


@pytest.mark.long
async def test_every_change_of_the_destination_is_seen(stage: Stage, topics: Topics) -> None:
    await stage.fill(240)
    await stage.make_plan()
    await stage.replay()
    written = await read_all(stage.bootstrap, stage.destination)
    receipt = read_receipt(stage.receipt)
    for name, (tamper, told) in TAMPERING.items():
        await redirect(stage, topics, receipt, f"copy-{name.replace(' ', '-')}", list(tamper(written)))
        findings = (await stage.verify()).findings
        assert bool(findings) is (name != "nothing"), name
        assert any(line.startswith(told) for line in findings.lines()) is bool(findings), (name, findings)


async def test_dead_letters_that_the_plan_allows_open_no_breaker(stage: Stage) -> None:
    stage.configure(breaker={"window": 10})
    broken = [Record(b"k", b"{", timestamp=1, partition=0)] * 40
    await produce(stage.bootstrap, stage.source, broken)
    await stage.make_plan()
    async with asyncio.timeout(HANG):
        receipt = await stage.replay()
    assert receipt.partitions[0].counts.dead_lettered == 40


COMPACTED = {**FOREVER, "cleanup.policy": "compact"}


async def test_dead_letters_that_nobody_has_allowed_are_no_success(stage: Stage, topics: Topics) -> None:
    """The destination was as it should be when the plan was made."""
    await produce(stage.bootstrap, stage.source, [Record(None, HISTORY[0], (), STAMP + n) for n in range(6)])
    plan = await stage.make_plan()
    assert plan.counts.dead_lettered == 0
    await configure_topic(stage.bootstrap, stage.destination, FOREVER | {"cleanup.policy": "compact"})
    done = await stage.upcast("replay", str(stage.plan))
    assert done.code == 1, done.errors
    assert "0 upcast, 0 passed, 0 skipped, 6 dead-lettered" in done.out
    assert done.errors.splitlines()[-1] == (
        f"upcast: replay {plan.replay_id}: 6 dead letters in {stage.dead_letter} that the plan does not have and "
        "nobody has allowed: see `upcast dlq list` (UPC1621)"
    )
    assert stage.receipt.exists()


async def test_what_compaction_removes_is_reported_as_that(stage: Stage, topics: Topics) -> None:
    await stage.fill(24)
    await configure_topic(stage.bootstrap, stage.destination, COMPACTED)
    plan = await stage.make_plan()
    assert any(
        "is compacted, and what Kafka has removed `upcast verify` cannot prove" in line for line in plan.warnings
    )
    receipt = await stage.replay()
    assert not (await stage.verify()).findings
    written = await read_all(stage.bootstrap, stage.destination)
    await redirect(stage, topics, receipt, "compacted", written[1:])
    assert "compacted" not in (await stage.verify()).findings.counts
    await configure_topic(stage.bootstrap, stage.destination, COMPACTED)
    findings = (await stage.verify()).findings
    assert findings.examples["compacted"][0].startswith(f"{stage.destination}: the topic is compacted: records that")


@pytest.mark.long
async def test_every_change_of_the_dead_letters_is_seen(stage: Stage, topics: Topics) -> None:
    await stage.fill(240)
    await stage.make_plan()
    receipt = await stage.replay()
    letters = await read_all(stage.bootstrap, stage.dead_letter)
    stage.receipt.unlink()
    with pytest.raises(WorkerError, match="holds all of its output, the run is finished"):
        await stage.replay()
    assert read_receipt(stage.receipt) == receipt
    for name in ("nothing", "removed", "doubled", "swapped", "value", "key", "timestamp", "headers"):
        stage.dead_letter = await topics.create(f"letters-{name}", partitions=stage.partitions, configs=FOREVER)
        await produce(stage.bootstrap, stage.dead_letter, list(TAMPERING[name][0](letters)))
        write_receipt(of_other_topics(stage, receipt), stage.receipt)
        findings = (await stage.verify()).findings
        assert bool(findings) is (name != "nothing"), (name, findings)


async def redirect(stage: Stage, topics: Topics, receipt: Receipt, name: str, records: Sequence[Record]) -> None:
    """A destination with these records, of which configuration and receipt believe that it is the replay's."""
    stage.destination = await topics.create(name, partitions=stage.partitions, configs=FOREVER)
    await produce(stage.bootstrap, stage.destination, records)
    write_receipt(of_other_topics(stage, receipt), stage.receipt)


def of_other_topics(stage: Stage, receipt: Receipt) -> Receipt:
    """As if the replay had written to what the stage names now."""
    stage.configure()
    names = {"destination": stage.destination, "dead_letter": stage.dead_letter}
    fingerprint = config_fingerprint(stage.given[1].route)
    route = receipt.route.model_copy(update={**names, "config_fingerprint": fingerprint})
    return receipt.model_copy(update={"route": route})


@pytest.mark.long
async def test_the_live_worker_takes_over_while_producers_write(stage: Stage) -> None:
    await stage.fill(3_000)
    await stage.make_plan()
    stop = asyncio.Event()
    producing = asyncio.create_task(keep_producing(stage, stop, first=3_000))
    early = await stage.upcast("run", "--after", str(stage.receipt))
    assert (early.code, "run `upcast replay` to its end" in early.errors) == (2, True)
    await stage.replay()
    for _ in range(2):
        async with running_worker(stage.config, arguments=("--after", str(stage.receipt))) as worker:
            before = await worker.metric("upcaster_records_consumed_total")
            await worker.caught_up(round(before) + 100)
            assert await worker.stop() == 0
    stop.set()
    count = await producing
    async with running_worker(stage.config, arguments=("--after", str(stage.receipt))) as worker:
        await worker.until("/readyz", 200)
        await until_committed(stage, count)
        assert await worker.stop() == 0
    outputs = await read_all(stage.bootstrap, stage.destination)
    numbers = [[number(each) for each in outputs if each.partition == p] for p in range(stage.partitions)]
    good = [n for n in range(count) if n // stage.partitions % 6 != 5]
    assert numbers == [[n for n in good if n % stage.partitions == p] for p in range(stage.partitions)]
    assert not (await stage.verify()).findings


def number(record: Record) -> int:
    return int(dict(record.headers)["number"])


async def keep_producing(stage: Stage, stop: asyncio.Event, first: int) -> int:
    count = first
    while not stop.is_set():
        await stage.fill(60, first=count)
        count += 60
        await asyncio.sleep(0.1)
    return count


async def until_committed(stage: Stage, count: int) -> None:
    deadline = time.monotonic() + HANG
    while sum((await committed_offsets(stage.bootstrap, stage.group)).values()) < count:
        assert time.monotonic() < deadline, "the live worker does not catch up"
        await asyncio.sleep(0.1)


async def test_a_plan_that_does_not_fit_any_more_is_refused(stage: Stage) -> None:
    await stage.fill(120)
    plan = await stage.make_plan()
    stage.configure(unknown_type="skip")
    await refused(stage, "the route's configuration has fingerprint .* changed: setting unknown_type ")
    stage.configure(unknown_type="dead-letter", chain="tests.example_chains.weather:chain", event_type="device")
    await refused(stage, "the chain tests.example_chains.weather:chain has fingerprint")
    stage.configure(chain="upcasters.devteam_runner:chain", event_type="task_context")
    whole = stage.plan.read_text()
    stage.plan.write_text(whole.replace('"end": 60', '"end": 59'))
    await refused(stage, "so the file was edited")
    write_plan(plan.model_copy(update={"cluster_id": "another"}), stage.plan)
    await refused(stage, "it is of cluster another")
    mark = Mark(offset=3, digest="0" * 16)
    write_plan(with_ranges(plan, marks=(mark,)), stage.plan)
    await refused(stage, "offset 3 holds another record than the plan saw")
    write_plan(with_ranges(plan, end=900), stage.plan)
    await refused(stage, "ends at offset 60, the plan at 900")
    assert sum((await ends(stage.bootstrap, stage.destination)).values()) == 0


def with_ranges(plan: Plan, **changes: Any) -> Plan:
    """A plan that was changed by somebody who knows how to make its digest."""
    return plan.model_copy(update={"ranges": tuple(each.model_copy(update=changes) for each in plan.ranges)})


async def test_only_what_the_filters_let_through_and_no_further_than_the_end(stage: Stage) -> None:
    await stage.fill(240)
    await stage.make_plan(start="0:10,1:20", end="0:100,1:20", filters=Filters(versions=("1.0",)))
    await stage.fill(60, first=240)
    receipt = await stage.replay()
    first, second = (each.counts for each in receipt.partitions)
    assert (first.read, second.read, first.skipped) == (90, 0, {"filtered": 60})
    outputs = await read_all(stage.bootstrap, stage.destination)
    assert {dict(each.headers)[REPLAY_ID] for each in outputs} == {receipt.replay_id.encode()}
    assert [int(dict(each.headers)["upcaster.source.offset"]) for each in outputs] == [
        offset for offset in range(10, 100) if offset % 6 in {0, 4}
    ]
    assert not (await stage.verify()).findings


async def test_pause_resume_and_rate_by_the_api(stage: Stage) -> None:
    await stage.fill(3_000)
    await stage.make_plan()
    secret = {"UPCAST_HTTP__TOKEN": "a-token-of-16-letters"}
    process = await stage.begin("replay", str(stage.plan), "--rate", "20kB/s", environment=secret)
    try:
        address = await address_of(process)
        headers = {"Authorization": "Bearer a-token-of-16-letters"}
        path = f"/v2/routes/{stage.source}"
        await until_ok(address, "/readyz")
        paused = await request(address, f"{path}/pause", "POST", headers=headers)
        assert paused.json["paused"] is True
        metrics = (await request(address, "/metrics")).text
        assert "upcaster_replay_remaining_records" in metrics
        assert (await request(address, f"{path}/pause", "POST")).status == 401
        limited = await request(address, f"{path}/rate", "POST", headers, {"bytes_per_second": None})
        assert limited.json["bytes_per_second"] is None
        assert (await request(address, f"{path}/resume", "POST", headers=headers)).status == 200
        done = await ended(process)
        assert done.code == 0, done
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def test_a_stop_by_signal_says_what_is_left(stage: Stage) -> None:
    await stage.fill(3_000)
    await stage.make_plan()
    process = await stage.begin("replay", str(stage.plan), "--rate", "200")
    await until_ok(await address_of(process), "/readyz")
    process.send_signal(signal.SIGTERM)
    done = await ended(process)
    assert (done.code, "run the same command again to go on" in done.errors) == (1, True), done
    assert not stage.receipt.exists()


async def address_of(process: WarmProcess) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        entry = json.loads(line)
        if entry["event"] == "http is listening":
            return f"{entry['host']}:{entry['port']}"
    raise AssertionError("it has ended")


async def until_ok(address: str, path: str) -> None:
    deadline = time.monotonic() + HANG
    while (await request(address, path)).status != 200:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
