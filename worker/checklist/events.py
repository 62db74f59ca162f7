"""Evidence about events: from the ledger, that all were preserved, and from Kafka, that processing continues."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from aiokafka import TopicPartition

from worker.checklist.evidence import Evidence, Facts, failed, passed, unknown
from worker.checklist.running import is_ready
from worker.kafka.clients import started
from worker.kafka.log_offsets import LogOffsets, hidden_in, once_readable
from worker.kafka.open_transactions import OpenTransaction, open_transactions
from worker.kafka.refusals import answered
from worker.kafka.topics import places_of
from worker.kafka.waiting import ask_once
from worker.ledger import Ledger, Run
from worker.replay.apply.receipt import Receipt, kept_receipt
from worker.replay.topics import committed_of, partitions_of


async def replays_proved(facts: Facts) -> list[Evidence]:
    """For each route its newest replay: finished, found PASS by `upcast verify`, and from the topic's beginning."""
    runs = await asyncio.to_thread(facts.ledger.runs)
    found = []
    for source in facts.chains:
        run = _newest(runs, source)
        found.append(await asyncio.to_thread(_proved, facts.ledger, run, source))
        receipt = await asyncio.to_thread(kept_receipt, facts.ledger, run.replay_id) if run else None
        if receipt and (before := await _left_before(facts, receipt)):
            found.append(unknown(f"{source}: {before}"))
    return found


async def _left_before(facts: Facts, receipt: Receipt) -> str:
    starts = {TopicPartition(receipt.route.source, each.partition): each.start for each in receipt.partitions}
    offsets, _ = await _offsets(facts, list(starts))
    left = sum(max(0, start - offsets[place].start) for place, start in starts.items())
    told = f"{left:,} offsets lie before the range of replay {receipt.replay_id}, which does not cover them"
    return told if left else ""


def _newest(runs: list[Run], source: str) -> Run | None:
    return next((run for run in runs if run.route == source and run.kind == "replay"), None)


def _proved(ledger: Ledger, run: Run | None, source: str) -> Evidence:
    if run is None:
        return unknown(f"{source}: the ledger has no replay of it")
    if run.state != "finished":
        left = sum(each.end - each.committed for each in ledger.progress(run.replay_id))
        told = run.as_of(datetime.now(UTC)).told
        return failed(f"{source}: replay {run.replay_id} is {told}, {left:,} offsets are left: run it to its end")
    proof = ledger.proof(run.replay_id)
    if proof is None:
        return unknown(f"{source}: replay {run.replay_id} is finished and not verified: run `upcast verify`")
    when = f"{proof.made:%Y-%m-%d %H:%M}Z"
    if proof.findings:
        return failed(
            f"{source}: `upcast verify` found {proof.findings:,} differences in replay {run.replay_id} ({when})"
        )
    if proof.undecided:
        return unknown(
            f"{source}: `upcast verify` was UNDECIDED on {proof.undecided:,} of replay {run.replay_id} ({when})"
        )
    return passed(f"{source}: replay {run.replay_id}, {proof.records:,} records, verified {when}: PASS")


async def group_in_step(facts: Facts) -> list[Evidence]:
    """No partition has lost unread records to retention, none begins before the end of its replay, and the backlog is
    small."""
    await ask_once(facts.clients)
    reached = await committed_of(facts.clients, facts.settings.kafka.group_id, *facts.chains)
    committed = {partition: each.offset for partition, each in reached.items()}
    runs = await asyncio.to_thread(facts.ledger.runs)
    found = []
    for source in facts.chains:
        run = _newest(runs, source)
        receipt = await asyncio.to_thread(kept_receipt, facts.ledger, run.replay_id) if run else None
        found.append(await _in_step(facts, source, committed, receipt))
    return found


async def _in_step(
    facts: Facts, source: str, committed: Mapping[TopicPartition, int], receipt: Receipt | None
) -> Evidence:
    places = places_of(source, await partitions_of(facts.clients, source))
    offsets, hidden = await _offsets(facts, places)
    ends = {TopicPartition(source, each.partition): each.end for each in receipt.partitions} if receipt else {}
    waiting = 0
    for place in places:
        at = committed.get(place)
        if wrong := _out_of_step(at, offsets[place], ends.get(place, 0)):
            return failed(f"{source} partition {place.partition}: {wrong}")
        waiting += 0 if at is None else max(0, offsets[place].stable - at)
    if waiting and not await is_ready(facts):
        return failed(
            f"{source}: {waiting:,} offsets are unread, and no worker is ready at {facts.worker}: start `upcast run`"
        )
    if hidden:
        return unknown(f"{hidden[0]}: {hidden[0].fix}, then look again")
    behind = f", at or past the end of replay {receipt.replay_id}" if receipt else ""
    return passed(f"{source}: {len(places)} partitions, no offset left out{behind}; {waiting:,} offsets are unread")


def _out_of_step(committed: int | None, log: LogOffsets, replayed: int) -> str:
    if committed is None:
        return "the group has committed nothing: start `upcast run`" if log.stable > log.start else ""
    if committed < log.start:
        return f"retention deleted offsets {committed} to {log.start - 1} before they were processed"
    if committed < replayed:
        return f"the group is at offset {committed}, the replay ended at {replayed}: use `upcast run --after`"
    return ""


async def _offsets(
    facts: Facts, places: list[TopicPartition]
) -> tuple[Mapping[TopicPartition, LogOffsets], list[OpenTransaction]]:
    """The committed and log offsets, and the open transactions that hide records."""
    await ask_once(facts.clients)
    with answered("kafka: offsets cannot be read"):
        async with started(facts.clients.reader()) as reader:
            offsets = await once_readable(reader, places)
            return offsets, await open_transactions(reader, hidden_in(offsets))
