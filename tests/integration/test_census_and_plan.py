"""Census and plan on a real broker: what they count is what is there, and every bad range is one clear line."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests import warm_start
from tests.integration.replay_setting import (
    STAMP,
    History,
    of_kinds,
    until_settled,
    write_transactions,
)
from tests.integration.test_run import FOREVER
from tests.kafka import Record, Topics, committed_offsets, delete_before, read_all
from tests.said import without_waiting
from worker.errors import WorkerError
from worker.kafka.codes import InvalidRecordError
from worker.lanes.faults import RefusedError, refusal
from worker.replay.census.counting import EventKind, Survey
from worker.replay.plan.file import Filters, Plan, read_plan

MIXED = ("1.0", "1.1", "2.0", "tombstone", "broken", "no task") * 20


@pytest.fixture
async def history(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> History:
    return History(kafka_bootstrap, topics, tmp_path)


@pytest.fixture
async def mixed(history: History) -> History:
    """Every kind twenty times in each of two partitions."""
    await history.create()
    await history.write([*of_kinds(*MIXED), *of_kinds(*MIXED, partition=1)])
    return history


def kinds(found: Survey) -> dict[str, int]:
    return {kind.version or kind.problem: line.seen.records for kind, line in found.census.lines.items()}


async def test_a_census_counts_everything(mixed: History) -> None:
    found = await mixed.census()
    assert kinds(found) == {"1.0": 80, "1.1": 40, "2.0": 40, "tombstone": 40, "decode DecodeError": 40}
    line = found.census.lines[EventKind("task_context", "1.1", "1.1")]
    assert (line.by_partition, line.seen.first) == ({0: 20, 1: 20}, STAMP + 1000)
    assert line.seen.last == STAMP + 1000 * (len(MIXED) - 5)
    assert [(each.start, each.end) for each in found.ranges] == [(0, 120), (0, 120)]
    assert await committed_offsets(mixed.bootstrap, mixed.group) == {}


async def test_a_census_of_a_part(mixed: History) -> None:
    assert kinds(await mixed.census("0:1,1:119", "0:3,1:120")) == {"1.1": 1, "2.0": 1, "1.0": 1}
    found = await mixed.census("2023-11-14T22:13:21Z", "2023-11-14T22:13:23Z")
    assert kinds(found) == {"1.1": 2, "2.0": 2}
    assert not found.whole


async def test_a_plan_counts_what_a_run_would_do(mixed: History) -> None:
    plan = await mixed.plan()
    counts = plan.counts
    assert (counts.read, counts.upcast, counts.passed, counts.dead_lettered) == (240, 80, 80, 80)
    assert (counts.produced, counts.skipped) == (160, {})
    assert [(each.from_version, each.records) for each in plan.passages] == [("1.0", 40), ("1.1", 40)]
    assert [(each.source, each.target, each.records) for each in plan.hops] == [("1.0", "1.1", 40), ("1.1", "2.0", 80)]
    decode, upcast = sorted(plan.dead_letters, key=lambda group: group.stage)
    assert (decode.stage, decode.error_type, decode.count) == ("decode", "DecodeError", 40)
    assert (upcast.count, len(upcast.samples)) == (40, 5)
    assert {each.offset % 6 for each in upcast.samples} == {5}
    assert (plan.loss.compared, plan.loss.lost) == (80, ())
    assert (plan.determinism.compared, plan.determinism.different) == (80, 0)
    assert plan.cluster_id
    assert len(plan.objections()) == 2
    assert await nothing_was_written(mixed)


async def nothing_was_written(history: History) -> bool:
    written = [await read_all(history.bootstrap, name) for name in (history.destination, history.dead_letter)]
    return written == [[], []] and await committed_offsets(history.bootstrap, history.group) == {}


async def test_what_is_allowed_by_name_is_no_objection(mixed: History) -> None:
    faults = tuple(group.fingerprint for group in (await mixed.plan()).dead_letters)
    assert (await mixed.plan(allow=faults)).objections() == []
    assert len((await mixed.plan(allow=faults[:1])).objections()) == 1


async def test_filters_leave_the_rest_out(mixed: History) -> None:
    plan = await mixed.plan(filters=Filters(versions=("1.1",)))
    assert (plan.counts.upcast, plan.counts.skipped) == (40, {"filtered": 200})
    assert plan.objections() == []
    plan = await mixed.plan(filters=Filters(keys=("key-0", "key-7"), types=("task_context",)))
    assert (plan.counts.upcast, plan.counts.skipped) == (4, {"filtered": 236})


async def test_the_same_range_makes_the_same_marks(mixed: History) -> None:
    first = await mixed.plan(start="0:6,1:6", end="0:60,1:60")
    await mixed.write(of_kinds("1.0", "broken"))
    again = await mixed.plan(start="0:6,1:6", end="0:60,1:60")
    assert again.ranges == first.ranges
    assert again.route == first.route
    assert again.counts == first.counts


async def test_transaction_markers_and_aborted_records_at_the_end(history: History) -> None:
    await history.create(partitions=1)
    await write_transactions(
        history.bootstrap,
        history.source,
        (of_kinds("1.0", "1.1"), True),
        (of_kinds("broken", "broken"), False),
        (of_kinds("2.0"), True),
        (of_kinds("broken"), False),
    )
    await until_settled(history.bootstrap, history.source)
    found = await history.census()
    assert kinds(found) == {"1.0": 1, "1.1": 1, "2.0": 1}
    assert [(each.start, each.end) for each in found.ranges] == [(0, 10)]
    plan = await history.plan()
    assert (plan.counts.read, plan.ranges[0].records, plan.ranges[0].end) == (3, 3, 10)
    assert plan.objections() == []
    hidden = await history.plan(start="8", end="10")
    assert (hidden.counts.read, hidden.ranges[0].marks) == (0, ())


async def test_an_open_transaction_ends_the_range(history: History) -> None:
    from aiokafka import AIOKafkaProducer

    await history.create(partitions=1)
    await history.write(of_kinds("1.0"))
    producer = AIOKafkaProducer(bootstrap_servers=history.bootstrap, transactional_id=history.topics.name("open"))
    async with producer:
        await producer.begin_transaction()
        await producer.send_and_wait(history.source, b"{}", partition=0)
        plan = await history.plan()
        await producer.abort_transaction()
    assert [(each.start, each.end) for each in plan.ranges] == [(0, 1)]


async def test_an_empty_range_says_so_and_is_fine(mixed: History) -> None:
    plan = await mixed.plan(start="latest")
    assert all(each.empty for each in plan.ranges)
    assert (plan.counts.read, plan.objections()) == (0, [])
    assert (await mixed.census("latest")).census.records == 0


async def test_an_empty_topic(history: History) -> None:
    await history.create()
    assert (await history.plan()).counts.read == 0
    assert (await history.census("2020-01-01")).census.records == 0


async def test_offsets_below_retention(mixed: History) -> None:
    await delete_before(mixed.bootstrap, mixed.source, 50)
    with pytest.raises(WorkerError, match=r"--from 49: partition 0 of .* holds nothing before offset 50 any more"):
        await mixed.plan(start="0:49,1:0")
    plan = await mixed.plan()
    assert [(each.start, each.end) for each in plan.ranges] == [(50, 120), (0, 120)]
    assert plan.counts.read == 190


async def test_a_destination_that_would_delete_what_is_written(history: History) -> None:
    await history.topics.create("legacy", configs={"retention.ms": "-1"})
    await history.topics.create("current", configs={"retention.ms": "86400000"})
    await history.topics.create("dlt", configs={"retention.ms": "-1"})
    await history.write(of_kinds("1.0"))
    with pytest.raises(WorkerError, match=r"retention.ms is 86400000 .* but the oldest planned record"):
        await history.plan()
    history.configure(short_retention="warn")
    assert any("retention.ms is 86400000" in line for line in (await history.plan()).warnings)


async def test_old_records_behind_young_ones_are_seen_too(history: History) -> None:
    """The first look sees the first records only; what the whole range holds is known when it was read."""
    await history.create(partitions=1)
    await history.topics.create("current-short", configs={"retention.ms": "86400000"})
    history.configure(destination=history.topics.name("current-short"))
    young = [Record(b"k", record.value, partition=0) for record in of_kinds("1.0") * 2000]
    await history.write([*young, *of_kinds("1.0")])
    with pytest.raises(WorkerError, match=r"retention.ms is 86400000 .* but the oldest planned record"):
        await history.plan()


async def test_a_result_that_the_destination_does_not_take(history: History) -> None:
    await history.topics.create("legacy", configs={"retention.ms": "-1", "max.message.bytes": "20000"})
    await history.topics.create("current", configs={"retention.ms": "-1", "max.message.bytes": "20000"})
    await history.topics.create("dlt", configs={"retention.ms": "-1"})
    padding = b" " * 19_800
    value = b'{"metadata": {"taskId": "1", "projectId": "p"}, "nodes": {}, "pad": "' + padding + b'"}'
    await history.write([Record(b"k", value, timestamp=STAMP), *of_kinds("1.0")])
    plan = await history.plan()
    (group,) = plan.dead_letters
    assert (group.stage, group.error_type, group.samples[0].offset) == ("produce", "MessageSizeTooLargeError", 0)
    assert plan.counts.upcast == 1


async def test_a_compacted_destination_takes_nothing_without_a_key(history: History, topics: Topics) -> None:
    """Counted as a replay will find them, a tombstone too; where all have keys there is nothing to count."""
    await history.create(1)
    history.destination = await topics.create("compacted", configs={"cleanup.policy": "compact,delete"} | FOREVER)
    history.configure()
    keyed = of_kinds("1.0", "2.0", "tombstone")
    await history.write(keyed)
    assert (await history.plan()).counts.dead_lettered == 0
    await history.write([replace(each, key=None) for each in keyed])
    plan = await history.plan()
    assert (plan.counts.upcast, plan.counts.dead_lettered) == (1, 3)
    (group,) = plan.dead_letters
    assert (group.count, group.stage, group.error_type) == (3, "produce", "InvalidRecordError")
    assert group.samples[0].offset == 3
    assert plan.objections()
    letter = refusal(RefusedError(history.destination, InvalidRecordError()))
    assert group.fingerprint == letter.fingerprint, "what is allowed in the plan is what the broker's refusal makes"


@pytest.mark.parametrize("policy", ["compact", "compact,delete"])
async def test_a_compacted_dead_letter_topic_is_refused(history: History, topics: Topics, policy: str) -> None:
    await history.create(1)
    history.dead_letter = await topics.create("compacted", configs={"cleanup.policy": policy} | FOREVER)
    history.configure()
    with pytest.raises(WorkerError, match="is compacted: dead letters of one key would replace each other"):
        await history.plan()


async def test_a_topic_that_is_not_there(history: History) -> None:
    for passing in (history.census(), history.plan()):
        with pytest.raises(WorkerError, match="the topic does not exist"):
            await passing


async def test_many_records_many_partitions_in_order(history: History) -> None:
    await history.create(partitions=7)
    records = [record for number in range(7) for record in of_kinds(*MIXED * 5, partition=number)]
    await history.write(records)
    plan = await history.plan(sample=10)
    assert plan.counts.read == 7 * 600
    assert Counter(each.records for each in plan.ranges) == {600: 7}
    assert 10 <= plan.determinism.compared <= 20


@pytest.mark.long
async def test_a_compacted_gap(history: History) -> None:
    configs = {"cleanup.policy": "compact", "segment.ms": "50", "min.cleanable.dirty.ratio": "0.001"}
    await history.create(partitions=1, **configs)
    same_key = [Record(b"k", record.value, timestamp=STAMP + 1) for record in of_kinds("1.0") * 100]
    await history.write(same_key)
    # By the records' own time the segment is old now: it is closed, and may be compacted.
    await history.write([Record(b"other", same_key[0].value, timestamp=STAMP + 1000)])
    left = await compacted(history)
    assert left < 101
    plan = await history.plan()
    assert (plan.ranges[0].start, plan.ranges[0].end, plan.counts.read) == (0, 101, left)
    inside = await history.plan(start="10", end="50")
    assert (inside.counts.read, inside.ranges[0].end) == (0, 50)


async def compacted(history: History) -> int:
    """How many records are left once the broker has compacted the topic; it looks every 15 seconds."""
    for _ in range(120):
        left = len(await read_all(history.bootstrap, history.source))
        if left < 101:
            return left
        await asyncio.sleep(1)
    raise AssertionError("the broker has compacted nothing")


# The commands, as processes of their own.


async def upcast(history: History, *arguments: str) -> tuple[int, str, str]:
    config = ("--config", str(history.config))
    columns = {"COLUMNS": "200"}
    process = await warm_start.begin(*arguments, *config, folder=history.config.parent, environment=columns)
    out, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), without_waiting(errors.decode())


async def test_the_census_command(mixed: History) -> None:
    mixed.configure(producer_header="app")
    code, out, errors = await upcast(mixed, "census", "--route", mixed.source)
    assert (code, errors) == (0, "")
    assert f"{mixed.source}: 240 records in 2 partitions" in out
    code, out, _ = await upcast(mixed, "census", "--json")
    assert {kind["version"]: kind["records"] for kind in json.loads(out)["kinds"]}["1.0"] == 80
    code, out, _ = await upcast(mixed, "census", "--retire", "--json")
    (old, newer) = json.loads(out)["versions"]
    assert (old["version"], old["producer"], old["records"], old["may_go"]) == ("1.0", "shop", 80, "no")
    assert (newer["version"], newer["may_go"]) == ("1.1", "no")


async def test_the_plan_command(mixed: History, tmp_path: Path) -> None:
    out_file = tmp_path / "plan.json"
    code, out, errors = await upcast(mixed, "plan", "--out", str(out_file))
    assert (code, errors) == (1, "")
    plan: Plan = read_plan(out_file)
    assert out.count("not allowed: ") == 2
    assert f"plan {plan.replay_id}" in out
    assert "task_context" in out_file.read_text()
    assert "customer-123" not in out_file.read_text()
    allowed = [option for group in plan.dead_letters for option in ("--allow", group.fingerprint)]
    code, out, errors = await upcast(mixed, "plan", "--out", str(out_file), *allowed, "--json")
    assert (code, errors) == (0, "")
    assert json.loads(out)["objections"] == []


async def test_mistakes_are_one_line(mixed: History) -> None:
    for arguments, expected in (
        (["census", "--from", "soon"], "upcast: --from soon: not a bound: give earliest"),
        (["plan", "--from", "999"], "upcast: --from 999: partition 0 of"),
        (["census", "--route", "none"], "upcast: --route none: the routes' sources are"),
        (["plan", "--out", "none/plan.json"], "upcast: none/plan.json: cannot write the plan: No such file"),
    ):
        code, out, errors = await upcast(mixed, *arguments)
        assert (code, out, len(errors.splitlines())) == (2, "", 1), errors
        assert errors.startswith(expected)
