"""Makes the plan of a redrive: selects dead letters and runs their original records through the chain, without writing.
Also finds an unfinished plan in a file."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from upcasters.event import SourcePartition, SourceRecord
from worker.dead_letters import Reporter
from worker.dlq.redrive import Redriver
from worker.dlq.selection import EarlierRedrives, RedriveScope, Selection, TakenLetters, taken_before, takes
from worker.errors import WorkerError
from worker.kafka.clients import KafkaClients
from worker.kafka.log_offsets import LogOffsets, hidden_in, once_readable
from worker.kafka.open_transactions import open_transactions
from worker.kafka.topics import places_of
from worker.kafka.waiting import wait_for_broker
from worker.ledger import Ledger
from worker.preflight.asking import ask_brokers
from worker.preflight.facts import ClusterFacts, TopicFacts
from worker.progress import OnProgress
from worker.replay.plan.dry_run import DryRun, PlanOptions
from worker.replay.plan.file import Plan, Predecessor, Redrive, TakenBefore, read_plan
from worker.replay.plan.identity import planned_route
from worker.replay.plan.planning import judged, left_out
from worker.replay.plan.trial import Trial
from worker.replay.ranges import Range
from worker.replay.reading import Piece, open_range_reader
from worker.replay.topics import cluster_id_of
from worker.routes.chains import RouteChain
from worker.routes.route import Route
from worker.runtime import VERSION
from worker.settings import Settings

MOST_NOTED = 100
"""Kinds of faults that fit into the metadata of an offset, which has 4,096 bytes."""


@dataclass(frozen=True)
class RedriveOptions:
    """What the operator asked for: faults by fingerprint (``*`` for all), and how often a letter may have been
    redriven."""

    fingerprints: tuple[str, ...]
    rounds: int


async def plan_redrive(
    settings: Settings,
    given: RouteChain,
    chosen: RedriveOptions,
    wishes: PlanOptions,
    ledger: Ledger,
    progress: OnProgress,
) -> Plan:
    """Returns the plan. Raises WorkerError where a redrive could not work."""
    now, clients = time.time(), KafkaClients(settings.kafka)
    await wait_for_broker(clients)
    only = settings.model_copy(update={"routes": (given.route,)})
    facts = await ask_brokers(clients, only)
    topic = _dead_letters(facts, given)
    place = RedriveScope(await cluster_id_of(clients), given.route.source, topic.name, settings.kafka.group_id)
    async with open_range_reader(clients, topic.partitions) as consumer:
        before = await taken_before(place, clients, consumer, ledger)
        offsets = await once_readable(consumer, places_of(topic.name, topic.partitions))
        hidden = await open_transactions(consumer, hidden_in(offsets))
        first = {at.partition: each.start for at, each in offsets.items()}
        aligned = topic.partitions == facts.topic(given.route.destination).partitions
        redrive = _redrive(chosen, before, first, aligned)
        selection = Selection(
            given.route.source, topic.name, frozenset(chosen.fingerprints), chosen.rounds, aligned, before.done
        )
        ranges = [_range(at.partition, chosen, before, each) for at, each in sorted(offsets.items())]
        dry_run = RedriveDryRun(clients, given, facts, wishes, ranges, selection)
        await dry_run.read(consumer, progress)
    backlog = dry_run.trial.backlog()
    return Plan(
        created=datetime.fromtimestamp(now, UTC),
        worker_version=VERSION,
        cluster_id=place.cluster,
        asked_from=wishes.start,
        asked_to=wishes.end,
        route=planned_route(given),
        redrive=redrive.model_copy(update={"oldest": backlog.oldest}),
        warnings=(*judged(only, given, facts, backlog, but=given.route.source), *map(left_out, hidden)),
        allowed=wishes.allow,
        **dry_run.findings(),
    )


def _dead_letters(facts: ClusterFacts, given: RouteChain) -> TopicFacts:
    topic = facts.topic(given.route.dead_letter)
    if not topic.partitions:
        raise WorkerError(
            f"{topic.name}: the topic does not exist, or the worker's user may not describe it: correct the route's "
            "dead_letter",
            code="UPC1206",
        )
    return topic


def _redrive(chosen: RedriveOptions, before: EarlierRedrives, first: dict[int, int], aligned: bool) -> Redrive:
    taken = [
        TakenBefore(partition=number, fingerprint=fingerprint, limits=limits)
        for number, done in sorted(before.done.items())
        for fingerprint, limits in done.after(first.get(number, 0)).items()
    ]
    _refuse_too_many(taken, chosen, first)
    return Redrive(
        fingerprints=tuple(sorted(chosen.fingerprints)),
        rounds=chosen.rounds,
        aligned=aligned,
        taken=tuple(taken),
        predecessors=tuple(Predecessor(partition=at, digest=text) for at, text in sorted(before.digests.items())),
    )


def _refuse_too_many(taken: Sequence[TakenBefore], chosen: RedriveOptions, partitions: Iterable[int]) -> None:
    for number in partitions:
        names = {each.fingerprint for each in taken if each.partition == number} | set(chosen.fingerprints)
        if len(names) > MOST_NOTED:
            raise WorkerError(
                f"dlq: {len(names)} kinds of faults would have been redriven, and an offset in Kafka has room for "
                f"{MOST_NOTED}: redrive all kinds at once, with --all",
                code="UPC1804",
            )


def _range(number: int, chosen: RedriveOptions, before: EarlierRedrives, offsets: LogOffsets) -> Range:
    """The range without letters that earlier redrives took."""
    done = before.done.get(number, TakenLetters())
    start = min(done.up_to(fingerprint, chosen.rounds) for fingerprint in chosen.fingerprints)
    return Range(number, min(max(offsets.start, start), offsets.stable), offsets.stable)


class RedriveTrial(Trial):
    """A trial of the selected letters only; ``selection`` is set before anything is read."""

    selection: Selection

    def _for_the_chain(self, piece: Piece) -> Sequence[SourceRecord]:
        return [record for record, _ in self.selection.chosen(piece.partition, piece.slice.records)]


class RedriveDryRun(DryRun):
    """A dry run that reads dead letters and runs their original records through the chain."""

    def __init__(
        self,
        clients: KafkaClients,
        given: RouteChain,
        facts: ClusterFacts,
        wishes: PlanOptions,
        ranges: Sequence[Range],
        selection: Selection,
    ) -> None:
        self._selection = selection
        super().__init__(clients, given, facts, wishes, ranges)

    def _read_topic(self, given: RouteChain) -> str:
        return given.route.dead_letter

    def _make_trial(self, route: Route, reporter: Reporter) -> Trial:
        lane = replace(route, source=self._topic)
        processor = partial(Redriver, route=route, selection=self._selection)
        trial = RedriveTrial(lane, self._ranges, self._producer, reporter, self._wishes.coordinates, processor)
        trial.selection = self._selection
        return trial

    def _records_of(self, piece: Piece) -> Iterable[tuple[SourceRecord, SourcePartition]]:
        return self._selection.chosen(piece.partition, piece.slice.records)


def unfinished(path: Path, chosen: tuple[str, ...], source: str, ledger: Ledger, *, anew: bool) -> Plan | None:
    """The plan in the file at ``path``, where its redrive has yet to run or to finish; else None. With ``anew`` only a
    redrive that has begun counts, and then WorkerError is raised: a new plan would overwrite what it needs. Raises
    WorkerError also where the file is the plan of another pass."""
    if not path.exists():
        return None
    plan = read_plan(path)
    run = ledger.run(plan.replay_id)
    if ledger.receipt(plan.replay_id) is not None:
        return None
    asked = (source, tuple(sorted(chosen)))
    if plan.redrive is None or (plan.route.source, plan.redrive.fingerprints) != asked:
        raise WorkerError(f"{path}: holds the plan of another pass: give another file with --file", code="UPC1617")
    if run is None:
        return None if anew or plan.objections() or not takes(plan) else plan
    if anew:
        raise WorkerError(
            f"{path}: holds the plan of redrive {plan.replay_id}, which is not finished: finish it by running the "
            "command without --plan",
            code="UPC1617",
        )
    return plan
