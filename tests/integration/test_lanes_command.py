"""`upcast lanes`, as a person types it: what waits, and a decision about it, beside a worker that runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.kafka import Topics, committed_offsets, read_all
from tests.replaying import Stage, make_stage
from tests.worker_process import running_worker


@pytest.fixture
async def stage(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> Stage:
    """12 records in each of two partitions, of which the group has read those of partition 1, and of 0 more than there
    are."""
    made = await make_stage(kafka_bootstrap, topics, tmp_path)
    await made.fill(24)
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka_bootstrap, group_id=made.group, enable_auto_commit=False
    ) as consumer:
        lanes = [TopicPartition(made.source, 0), TopicPartition(made.source, 1)]
        consumer.assign(lanes)
        await consumer.commit(dict(zip(lanes, (20, 12), strict=True)))
    return made


async def listed(stage: Stage, code: int) -> list[dict[str, Any]]:
    told = await stage.upcast("lanes", "list", "--json")
    assert told.code == code, told
    lanes: list[dict[str, Any]] = json.loads(told.out)
    assert [(each["topic"], each["partition"]) for each in lanes] == [(stage.source, 0), (stage.source, 1)]
    return lanes


@pytest.mark.long
async def test_a_lane_that_waits_is_listed_and_decided_about(stage: Stage) -> None:
    lane = f"{stage.source}:0"
    before = await listed(stage, 0)
    assert [(each["state"], each["committed"], each["end"]) for each in before] == [("-", 20, 12), ("-", 12, 12)]
    async with running_worker(stage.config, folder=stage.folder) as worker:
        while "ended at 12" not in str(await worker.until("/readyz", 503)):
            pass
        waiting, fine = await listed(stage, 1)
        assert (waiting["state"], waiting["since"][-1], waiting["decision"]) == ("undecided", "Z", None)
        assert f"`upcast lanes decide {lane} --go-on-at 12`" in waiting["reason"]
        assert (fine["state"], fine["reason"]) == ("-", "")
        table = await stage.upcast("lanes", "list")
        assert (table.code, lane in table.out, "undecided" in table.out) == (1, True, True), table
        decided = await stage.upcast("lanes", "decide", stage.source, "--begin-at-end", "--json")
        (made,) = json.loads(decided.out)
        assert (decided.code, made.pop("at")[-1]) == (0, "Z"), decided
        assert made == {"lane": lane, "before": 20, "go_on_at": 12, "first_left_out": 12, "left_out": 0}
        await worker.until("/readyz", 200)
        await stage.fill(2, first=24)
        await worker.caught_up(2)
        kept, _ = await listed(stage, 0)
        assert (kept["committed"], kept["decision"]["before"], kept["decision"]["left_out"]) == (13, 20, 0)
        table = await stage.upcast("lanes", "list")
        assert "led from offset 20 to 12; nothing is left out" in table.out
        again = await stage.upcast("lanes", "decide", lane, "--go-on-at", "12")
        assert (again.code, again.out) == (2, "")
        assert (
            again.errors
            == f"upcast: {lane}: needs no decision: `upcast lanes list` shows the partitions that do (UPC1406)\n"
        )
    assert len(await read_all(stage.bootstrap, stage.destination)) == 2


REFUSED = [
    (("{source}:0",), "lanes decide: give --go-on-at OFFSET or --begin-at-end, one of them"),
    (("{source}:0", "--go-on-at", "1", "--begin-at-end"), "lanes decide: give --go-on-at OFFSET or --begin-at-end"),
    (("{source}:0", "--go-on-at", "-1"), "--go-on-at -1: not an offset: give a number, or `found`"),
    (("{source}:0", "--go-on-at", "9" * 19), f"--go-on-at {'9' * 19}: not an offset"),
    (("other:0", "--begin-at-end"), "other:0: not a lane: give a source of the routes ({source}) and a partition"),
    (("{source}:x", "--begin-at-end"), "{source}:x: not a lane"),
    (
        ("{source}:7", "--begin-at-end"),
        "{source}:7: needs no decision: `upcast lanes list` shows the partitions that do",
    ),
    (
        ("{source}:0", "--begin-at-end"),
        "{source}:0: needs no decision: `upcast lanes list` shows the partitions that do",
    ),
    (
        ("{source}", "--go-on-at", "found"),
        "{source}: needs no decision: `upcast lanes list` shows the partitions that do",
    ),
]


async def test_a_decision_about_nothing_is_refused(stage: Stage) -> None:
    before = await committed_offsets(stage.bootstrap, stage.group)
    for arguments, told in REFUSED:
        ended = await stage.upcast("lanes", "decide", *(each.format(source=stage.source) for each in arguments))
        assert (ended.code, ended.out) == (2, ""), ended
        assert ended.errors.startswith(f"upcast: {told.format(source=stage.source)}"), ended.errors
    assert await committed_offsets(stage.bootstrap, stage.group) == before
