"""Applies a redrive's plan: a replay whose source is the dead-letter topic. It upcasts the original records of dead
letters with the current chain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import structlog

from upcasters.event import SourcePartition, SourceRecord
from upcasters.outcome import Fault
from worker.dead_letters import Reporter
from worker.dlq.letters import Letter
from worker.dlq.selection import RedriveBounds, RedriveScope, Selection, redriven, selection_of
from worker.kafka.raw_headers import writable
from worker.lanes.faults import PoisonError
from worker.lanes.processing import UNREADABLE, Processor, Work
from worker.lanes.supervisor import Supervisor
from worker.preflight.asking import ask_brokers
from worker.preflight.facts import Backlog, ClusterFacts
from worker.replay.apply.running import Replay, settings_of_pass
from worker.replay.plan.file import Plan
from worker.replay.plan.planning import judged
from worker.routes.route import Route
from worker.service import Service
from worker.settings import Settings


class Redriver(Processor):
    """``lane`` is the route of the pass, from the dead-letter topic; ``route`` is the original route, whose destination
    gets each output in the partition of its original record.

    Lanes, refusals and the breaker identify a letter by its own offset; the chain and readers of the output by the
    original record's offset.
    """

    def __init__(
        self,
        lane: Route,
        source: SourcePartition,
        reporter: Reporter,
        clock: Callable[[], float],
        *,
        route: Route,
        selection: Selection,
    ) -> None:
        super().__init__(lane, source, reporter, clock)
        self._of_records = route
        self._selection = selection
        self._pinned: dict[int, Route] = {}

    def process_records(self, records: Sequence[SourceRecord], work: Work) -> None:
        for record in records:
            letter = self._selection.choose(self._source.partition, record)
            if isinstance(letter, Letter):
                self._redrive(letter, work)
            else:
                work.counters.skipped[letter] += 1

    def _redrive(self, letter: Letter, work: Work) -> None:
        number = self._source.partition
        origin = self._selection.origin(number, letter)
        processor = Processor(
            self._route_to(origin.partition), origin, self._reporter, self._clock, redriven(number, letter)
        )
        processor.refused_ahead, processor.keyless_until = self.refused_ahead, self.keyless_until
        record, offset = letter.restored(), letter.record.offset or 0
        fault = self.refusals.get(offset) or (None if all(map(writable, record.headers)) else UNREADABLE)
        if fault:
            processor.refusals[record.offset or 0] = fault
        if offset in self.restamped:
            processor.restamped.add(record.offset or 0)
        about = _about(work, letter.record)
        try:
            processor.process_records((record,), about)
        except PoisonError as error:
            raise PoisonError(offset, error.cause) from error
        # The offset of the letter, which is what a proof finds in the output, too.
        work.written += [(offset, *each[1:]) for each in about.written]

    def _route_to(self, partition: int) -> Route:
        """The route with the destination pinned to the original record's partition, also where the dead-letter topic
        has fewer partitions."""
        if partition not in self._pinned:
            destination = replace(self._of_records.destination, pinned=partition)
            self._pinned[partition] = replace(self._of_records, destination=destination)
        return self._pinned[partition]


def _about(work: Work, record: SourceRecord) -> Work:
    """The same work, for a record that was restored from a letter."""
    on_dead_letter = work.on_dead_letter

    def of_letter(_: SourceRecord, fault: Fault) -> None:
        if on_dead_letter is not None:
            on_dead_letter(record, fault)

    return replace(work, written=[], on_dead_letter=of_letter)


log = structlog.get_logger(__name__)


class Redriving(Replay):
    """One process's work on a redrive. It takes any free port, since the live worker may run beside it."""

    activity = "redrive"
    make_bounds = RedriveBounds

    @staticmethod
    def settings_for(settings: Settings, plan: Plan) -> Settings:
        place = RedriveScope(plan.cluster_id, plan.route.source, plan.topic, settings.kafka.group_id)
        found = settings_of_pass(settings, plan, place.redrives)
        return found.model_copy(update={"http": settings.http.model_copy(update={"port": 0})})

    def _service(self) -> Service:
        """A service that reads, pauses and shows the dead-letter topic, but checks the topics of the route."""
        lane = self._given.route.model_copy(update={"source": self._plan.topic})
        return Service(
            settings=self._settings.model_copy(update={"routes": (lane,)}),
            chains={self._plan.topic: replace(self._given, route=lane)},
            clients=self._clients,
            make_supervisor=self._supervisor,
            prepare=self._prepare,
            check_topics=self._check_topics,
        )

    async def _check_topics(self) -> ClusterFacts:
        """Check the topics, except the source: it is not read, and may not exist any more."""
        assert self._plan.redrive is not None  # noqa: S101  (it is a redrive's)
        facts = await ask_brokers(self._clients, self._settings, start_producers=True)
        backlog = Backlog(self._plan.counts.produced, self._plan.redrive.oldest)
        for warning in judged(self._settings, self._given, facts, backlog, but=self._given.route.source):
            log.warning("preflight", found=warning)
        return facts

    def _supervisor(self, routes: Sequence[Route]) -> Supervisor:
        lane = self._route(routes)
        route = replace(lane, source=self._given.route.source)
        selection = selection_of(self._plan)
        return self._new_supervisor(lane, partial(Redriver, route=route, selection=selection))
