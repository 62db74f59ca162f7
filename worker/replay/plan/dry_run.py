"""The dry run: reads the range, runs the chain over every record, and returns the findings as parts of a plan."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aiokafka import AIOKafkaConsumer

from upcasters import Chain
from upcasters.event import Event, SourcePartition, SourceRecord
from upcasters.step import Hop
from worker.dead_letters import Reporter
from worker.kafka.clients import KafkaClients
from worker.preflight.facts import ClusterFacts
from worker.progress import OnProgress
from worker.replay.census.counting import RangeProgress
from worker.replay.plan.data_loss import Loss
from worker.replay.plan.file import Estimate, Filters, HopCount, LossReport, PassageCount
from worker.replay.plan.filters import filtered
from worker.replay.plan.loss_values import values_of
from worker.replay.plan.samples import Sample, Samples
from worker.replay.plan.trial import Trial
from worker.replay.ranges import Range
from worker.replay.reading import Piece, read_ranges, with_schemas
from worker.routes.chains import RouteChain, build_route
from worker.routes.route import Route


def hop_counts(chain: Chain, targets: Mapping[str, str], passages: Iterable[PassageCount]) -> tuple[HopCount, ...]:
    """The records of each hop, in the chain's order. Hops are counted up to one after which the event decides: a split,
    a new type."""
    counts: dict[int, tuple[Hop, int]] = {}
    for passage in passages:
        for hop in _way(chain, targets, passage):
            _, before = counts.get(id(hop.steps[0]), (hop, 0))
            counts[id(hop.steps[0])] = (hop, before + passage.records)
    order = {node: place for place, node in enumerate(chain.versions)}
    ordered = sorted(counts.values(), key=lambda found: order.get(found[0].source, 0))
    return tuple(_count(hop, records) for hop, records in ordered)


def _way(chain: Chain, targets: Mapping[str, str], passage: PassageCount) -> tuple[Hop, ...]:
    node = (passage.event_type, passage.from_version)
    return chain.path(node, targets) if node in chain.versions else ()


def _count(hop: Hop, records: int) -> HopCount:
    return HopCount(event_type=hop.source[0], source=hop.source[1], target=hop.target[1], step=hop.id, records=records)


LINEAGE_BYTES = 250
"""What a replay's own headers add to each record."""


@dataclass(frozen=True)
class PlanOptions:
    """What the operator asked for. ``sample`` events of each type and version are looked at closely; ``coordinates``
    are kept of each kind of dead letter and each lost path."""

    start: str = "earliest"
    end: str = "now"
    filters: Filters = field(default_factory=Filters)
    sample: int = 100
    coordinates: int = 5
    allow: tuple[str, ...] = ()


class DryRun:
    """Runs once: ``read``, then ``findings``."""

    def __init__(
        self,
        clients: KafkaClients,
        given: RouteChain,
        facts: ClusterFacts,
        wishes: PlanOptions,
        ranges: Sequence[Range],
    ) -> None:
        self._topic = self._read_topic(given)
        self._given = given
        self._wishes = wishes
        self._ranges = ranges
        self._producer = clients.producer()
        """Never started: it only knows how large a batch may be."""
        upcaster = filtered(given.upcaster, wishes.filters)
        route = replace(build_route(given, facts, clients.kafka), upcaster=upcaster, lineage_headers=False)
        reporter = Reporter(clients.kafka.group_id, "plan", "plan")
        self.trial = self._make_trial(route, reporter)
        self._samples = Samples(upcaster, wishes.sample, sum(each.offsets for each in ranges), self._records_of)
        self._seconds = 0.0

    # What a redrive does differently.

    def _read_topic(self, given: RouteChain) -> str:
        return given.route.source

    def _make_trial(self, route: Route, reporter: Reporter) -> Trial:
        return Trial(route, self._ranges, self._producer, reporter, self._wishes.coordinates)

    def _records_of(self, piece: Piece) -> Iterable[tuple[SourceRecord, SourcePartition]]:
        source = SourcePartition(self._topic, piece.partition)
        return ((record, source) for record in piece.slice.records)

    async def read(self, consumer: AIOKafkaConsumer, progress: OnProgress) -> None:
        """Read the ranges and run the chain. Raises WorkerError where reading fails or a replay would be blocked."""
        behind = RangeProgress(self._ranges, progress)
        began = time.monotonic()
        try:
            await self._given.begin()
            async for piece in with_schemas(read_ranges(consumer, self._topic, self._ranges), self._given.learn):
                counters = self.trial.process(piece)
                self._samples.look(piece, counters)
                behind.reached(piece.partition, piece.slice.next_offset)
        finally:
            await self._producer.stop()
        self._seconds = time.monotonic() - began

    def findings(self) -> Mapping[str, Any]:
        """The parts of the plan that the events decide."""
        trial, policy = self.trial, self._given.route.policy()
        passages = trial.passages()
        return {
            "ranges": trial.ranges(),
            "counts": trial.counts(),
            "passages": passages,
            "hops": hop_counts(self._given.chain, policy.target, passages),
            "dead_letters": trial.faults(),
            "observed": trial.violations(),
            "dead_letters_truncated": trial.faults_truncated,
            "determinism": self._samples.determinism(self._wishes.coordinates),
            "loss": self._loss(),
            "estimate": self._estimate(),
        }

    def _loss(self) -> LossReport:
        given = self._given
        loss = Loss(given.chain, given.route.policy(), self._wishes.coordinates, values_of(given))
        return loss.look(self._samples if given.route.by_schema else self._bare_samples())

    def _bare_samples(self) -> Iterator[Sample]:
        for sample in self._samples:
            bare = self._given.bare(sample.event)
            if isinstance(bare, Event):
                yield sample._replace(event=bare)

    def _estimate(self) -> Estimate:
        counts = self.trial.counts()
        return Estimate(
            seconds=round(self._seconds, 1),
            records_per_second=round(counts.read / self._seconds) if self._seconds else 0,
            input_bytes=self.trial.input_bytes,
            output_records=counts.produced,
            output_bytes=self.trial.output_bytes + LINEAGE_BYTES * counts.produced,
        )
