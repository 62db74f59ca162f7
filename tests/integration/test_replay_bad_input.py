"""Replays, proofs and hand-overs that meet a topic, a ledger or a group which is not as they believe."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from tests.kafka import Topics, committed_offsets, delete_before, read_all
from tests.replaying import Stage, make_stage, refused
from worker.errors import WorkerError
from worker.kafka.clients import KafkaClients
from worker.ledger import open_ledger
from worker.replay.apply.handover import hand_over
from worker.replay.apply.ledger_entries import keep_begun
from worker.replay.apply.receipt import Receipt, read_receipt, write_receipt


@pytest.fixture
async def stage(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> Stage:
    return await make_stage(kafka_bootstrap, topics, tmp_path, partitions=1)


async def stop_half_way(stage: Stage) -> None:
    """A part of the plan is done, and written down in both places."""
    stop = asyncio.Event()
    replaying = asyncio.create_task(stage.replay(stop, records_per_second=200))
    while not await done_offsets(stage):
        await asyncio.sleep(0.1)
        assert not replaying.done(), replaying.exception()
    stop.set()
    with pytest.raises(WorkerError, match="offsets left: run the same command again"):
        await replaying


async def done_offsets(stage: Stage) -> int:
    found = await committed_offsets(stage.bootstrap, f"{stage.group}-replay-{stage.replay_id}")
    return found.get((stage.source, 0), 0)


def change_ledger(stage: Stage, sql: str) -> None:
    with sqlite3.connect(stage.folder / "upcast-ledger.db") as ledger:
        ledger.execute(sql)
    ledger.close()


def forget_group(stage: Stage) -> None:
    """To the replay it is all the same whether Kafka forgets its group's offsets, or has another group asked for."""
    stage.group += "-forgotten"
    stage.configure()


async def test_where_kafka_has_forgotten_the_ledger_counts(stage: Stage) -> None:
    await stage.fill(300)
    await stage.make_plan()
    await stop_half_way(stage)
    forget_group(stage)
    receipt = await stage.replay()
    assert receipt.partitions[0].counts.read == 300
    assert not (await stage.verify()).findings


async def test_a_ledger_behind_is_brought_up(stage: Stage) -> None:
    await stage.fill(300)
    await stage.make_plan()
    await stop_half_way(stage)
    change_ledger(stage, "delete from progress")
    await stage.replay()
    assert not (await stage.verify()).findings
    with sqlite3.connect(stage.folder / "upcast-ledger.db") as ledger:
        assert ledger.execute("select committed from progress").fetchall() == [(300,)]
    ledger.close()


async def test_a_ledger_that_tells_another_story_is_not_believed(stage: Stage) -> None:
    await stage.fill(300)
    await stage.make_plan()
    await stop_half_way(stage)
    done = await done_offsets(stage)
    change_ledger(stage, "update progress set committed = committed + 1")
    await refused(stage, f"up to offset {done + 1}, Kafka's group .* says {done}")
    change_ledger(stage, "update progress set committed = 1")
    forget_group(stage)
    await refused(stage, "the ledger says that replay .* is at 1, and the replay's offsets in Kafka are gone")
    (stage.folder / "upcast-ledger.db").unlink()
    await refused(stage, "was written by this replay")


async def test_offsets_that_retention_has_deleted(stage: Stage) -> None:
    await stage.fill(60)
    await stage.make_plan()
    await delete_before(stage.bootstrap, stage.source, 10)
    await refused(stage, "begins at offset 10 now, the plan goes on at 0")
    await stage.make_plan()
    await stage.replay()
    await delete_before(stage.bootstrap, stage.source, 20)
    verdict = await stage.verify()
    assert list(verdict.findings.counts) == ["source gone"]


async def test_markers_and_aborted_records_at_the_end(stage: Stage) -> None:
    for commit in (True, False):
        async with AIOKafkaProducer(
            bootstrap_servers=stage.bootstrap, transactional_id=f"{stage.group}-writer"
        ) as producer:
            await producer.begin_transaction()
            for number in range(5):
                event = stage.event(number)
                await producer.send_and_wait(stage.source, event.value, event.key, 0, event.timestamp, event.headers)
            await (producer.commit_transaction() if commit else producer.abort_transaction())
    await asyncio.sleep(0.2)
    plan = await stage.make_plan()
    assert (plan.ranges[0].end, plan.counts.read) == (12, 5)
    receipt = await stage.replay()
    assert receipt.partitions[0].counts.read == 5
    assert await done_offsets(stage) == 12
    assert not (await stage.verify()).findings


async def test_an_empty_topic_is_replayed_proved_and_handed_over(stage: Stage) -> None:
    await stage.make_plan()
    receipt = await stage.replay()
    assert receipt.partitions[0].counts.read == 0
    assert not (await stage.verify()).findings
    await handed_over(stage, receipt)
    assert await committed_offsets(stage.bootstrap, stage.group) == {(stage.source, 0): 0}


async def test_a_destination_that_would_delete_what_is_written(stage: Stage, topics: Topics) -> None:
    await stage.fill(12)
    await stage.make_plan()
    await stage.shorten_retention()
    await refused(stage, "retention.ms is 1000 .* Kafka would delete it on arrival")


async def test_a_replay_appends_behind_what_is_there(stage: Stage) -> None:
    """And a live worker's records between are none of its business."""
    await stage.fill(60)
    async with AIOKafkaProducer(bootstrap_servers=stage.bootstrap) as producer:
        await producer.send_and_wait(stage.destination, b"somebody else's", partition=0)
        await stage.make_plan()
        receipt = await stage.replay()
        await producer.send_and_wait(stage.destination, b"somebody else's", partition=0)
    assert receipt.partitions[0].destination_start == 1
    assert not (await stage.verify()).findings
    assert len(await read_all(stage.bootstrap, stage.destination)) == receipt.partitions[0].counts.produced + 2


async def test_a_second_plan_of_what_was_replayed_is_not_written_again(stage: Stage) -> None:
    """As after a kill, where somebody gives `plan` and `replay` again in place of `replay` alone."""
    await stage.fill(60)
    first = await stage.make_plan(end="40")
    await stage.replay()
    second = await stage.make_plan()
    told = (
        f"{stage.destination}: replay {first.replay_id} has read 40 of these offsets already, and the replay would "
        "write them again: replay into an empty topic, plan the offsets after them with `--from 0:40`, or insist with "
        "`upcast replay --again`"
    )
    assert set(second.warnings) - set(first.warnings) == {told}
    stage.receipt.unlink()
    await refused(stage, re.escape(told))
    written = len(await read_all(stage.bootstrap, stage.destination))
    behind = await stage.make_plan(start="0:40")
    assert behind.warnings == first.warnings
    written += (await stage.replay()).partitions[0].counts.produced
    assert len(await read_all(stage.bootstrap, stage.destination)) == written
    stage.receipt.unlink()
    await stage.make_plan()
    written += (await stage.replay(again=True)).partitions[0].counts.produced
    assert len(await read_all(stage.bootstrap, stage.destination)) == written


async def test_what_the_live_worker_has_written_is_not_written_again(stage: Stage) -> None:
    await stage.fill(60)
    await commit(stage, 50)
    await stage.make_plan()
    await stage.replay()  # into an empty topic: whoever has read it before has not written here
    stage.receipt.unlink()
    await stage.make_plan(start="30")
    await refused(stage, rf"the live worker \({stage.group}\) has read 20 of these offsets already")


async def test_the_plan_of_a_replay_that_has_begun_is_kept(stage: Stage) -> None:
    await stage.fill(60)
    plan = await stage.make_plan()
    settings, _ = stage.given
    keep_begun(settings, stage.plan)
    await stage.replay()
    with pytest.raises(WorkerError, match=f"holds the plan of replay {plan.replay_id}, which is finished and needs it"):
        keep_begun(settings, stage.plan)
    ended = await stage.upcast("plan", "--out", str(stage.config))
    assert ended.code == 2
    assert f"{stage.config}: is no plan" in ended.errors


async def test_hand_overs_that_would_lose_or_double_are_refused(stage: Stage) -> None:
    await stage.fill(60)
    await stage.make_plan(start="20", end="40")
    receipt = await stage.replay()
    with pytest.raises(WorkerError, match="the receipt is of cluster another, this is"):
        await handed_over(stage, receipt.model_copy(update={"cluster_id": "another"}))
    await commit(stage, 10)
    with pytest.raises(WorkerError, match=r"the group is at offset 10 of partition 0 .* the replay began at 20"):
        await handed_over(stage, receipt)
    for before, after in ((25, 40), (50, 50)):
        await commit(stage, before)
        await handed_over(stage, receipt)
        assert await committed_offsets(stage.bootstrap, stage.group) == {(stage.source, 0): after}


async def test_a_source_that_was_created_again_is_not_skipped(stage: Stage) -> None:
    await stage.fill(60)
    await stage.make_plan()
    receipt = await stage.replay()
    later = tuple(each.model_copy(update={"end": 61}) for each in receipt.partitions)
    with pytest.raises(WorkerError, match="ends at offset 60, the replay at 61: the topic was created again"):
        await handed_over(stage, receipt.model_copy(update={"partitions": later, "group": "forgotten"}))


@pytest.mark.long
async def test_the_ledger_in_postgresql_counts_where_kafka_has_forgotten(stage: Stage, postgresql_url: str) -> None:
    stage.ledger = postgresql_url
    await stage.fill(300)
    await stage.make_plan()
    await stop_half_way(stage)
    forget_group(stage)
    receipt = await stage.replay()
    assert receipt.partitions[0].counts.read == 300
    assert not (await stage.verify()).findings
    ledger = open_ledger(postgresql_url)
    assert [(each.count, each.stage) for each in ledger.dead_letters(receipt.replay_id)] == [(50, "decode")]
    ledger.close()
    with pytest.raises(WorkerError, match="holds all of its output, the run is finished"):
        await stage.replay()


async def test_a_group_at_work_is_not_moved(stage: Stage) -> None:
    await stage.fill(60)
    await stage.make_plan()
    receipt = await stage.replay()
    async with AIOKafkaConsumer(stage.source, bootstrap_servers=stage.bootstrap, group_id=stage.group):
        with pytest.raises(WorkerError, match="stop its workers first"):
            await handed_over(stage, receipt)


async def handed_over(stage: Stage, receipt: Receipt) -> None:
    settings = stage.given[0]
    await hand_over(KafkaClients(settings.kafka), settings, receipt)


async def commit(stage: Stage, offset: int) -> None:
    place = TopicPartition(stage.source, 0)
    async with AIOKafkaConsumer(
        bootstrap_servers=stage.bootstrap, group_id=stage.group, enable_auto_commit=False
    ) as consumer:
        consumer.assign([place])
        await consumer.commit({place: OffsetAndMetadata(offset, "")})


async def test_a_receipt_of_another_chain_or_cluster_proves_nothing(stage: Stage) -> None:
    await stage.fill(12)
    await stage.make_plan()
    await stage.replay()
    receipt = read_receipt(stage.receipt)
    write_receipt(receipt.model_copy(update={"cluster_id": "another"}), stage.receipt)
    with pytest.raises(WorkerError, match="it is of cluster another"):
        await stage.verify()
    write_receipt(receipt, stage.receipt)
    stage.configure(unknown_type="skip")
    with pytest.raises(WorkerError, match="the configuration of the route has fingerprint"):
        await stage.verify()


async def test_a_proof_finds_what_another_replay_wrote_of_the_same_offsets(stage: Stage) -> None:
    """Both of them: the first one's records stand before the second one's, and the second one's behind."""
    await stage.fill(60)
    await stage.make_plan()
    first = await stage.replay()
    stage.receipt.unlink()
    await stage.make_plan()
    second = await stage.replay(again=True)
    for receipt, other in ((first, second), (second, first)):
        found = (await stage.verify(receipt)).findings
        assert list(found.counts) == ["doubled by another pass"]
        assert (
            f"replay {other.replay_id} also wrote {other.partitions[0].counts.produced} of these offsets"
            in found.lines()[0]
        )


async def test_a_proof_finds_nothing_in_replays_that_share_a_topic_and_no_offsets(stage: Stage) -> None:
    await stage.fill(60)
    await stage.make_plan(end="40")
    first = await stage.replay()
    stage.receipt.unlink()
    await stage.make_plan(start="40")
    second = await stage.replay()
    for receipt in (first, second):
        assert not (await stage.verify(receipt)).findings
