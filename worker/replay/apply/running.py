"""Applies a plan, from its preconditions to the receipt: the composition of `upcast replay`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from worker.api import Lookups, create_api, listening
from worker.errors import MAY_PASS, WorkerError
from worker.kafka.clients import KafkaClients
from worker.lanes.lane_context import MakeProcessor, SharedLook
from worker.lanes.processing import Processor
from worker.lanes.supervisor import Supervisor
from worker.ledger import Run, RunState, open_existing_ledger, open_ledger
from worker.metrics import WorkerMetrics
from worker.processes.child import Child
from worker.replay.apply.account import PartitionAccount
from worker.replay.apply.ledger_entries import Books, refuse_finished
from worker.replay.apply.preconditions import prepare, refuse_other_route
from worker.replay.apply.receipt import PartitionReceipt, Receipt, write_receipt
from worker.replay.apply.resume import PartitionState, ReplayBounds
from worker.replay.plan.file import Plan
from worker.replay.plan.filters import filtered
from worker.replay.plan.overlap import refuse_live
from worker.routes.chains import RouteChain
from worker.routes.route import Route
from worker.runtime import VERSION, new_metrics, reporter_of, stop_on_signals, timeouts_of
from worker.service import Service
from worker.settings import Settings
from worker.settings.group_names import replay_group

OnPartitions = Callable[[Sequence[PartitionState]], None]

COMMANDS = {"replay": "upcast replay PLAN", "redrive": "upcast dlq redrive"}
NOTE_SECONDS = 1.0
"""Seconds between two updates of the progress."""


@dataclass(frozen=True)
class ReplayOptions:
    """What the operator asked for beside the plan."""

    receipt: Path | None
    """None where only the ledger keeps it."""
    reason: str = ""
    records_per_second: float | None = None
    bytes_per_second: float | None = None
    again: bool = False
    """Whether to write output of offsets that other passes have read already."""


def settings_of_pass(settings: Settings, plan: Plan, group: str) -> Settings:
    """The settings of a pass: the same cluster and route, but a consumer group of its own."""
    kafka = settings.kafka.model_copy(update={"group_id": group, "group_instance_id": None})
    always = {"lineage_headers": True, "delivery": "exactly-once"}
    routes = tuple(route.model_copy(update=always) for route in settings.routes if route.source == plan.route.source)
    http = settings.http.model_copy(update={"legacy_port": None})
    return settings.model_copy(update={"kafka": kafka, "http": http, "routes": routes})


def settings_of_replay(settings: Settings, plan: Plan) -> Settings:
    return settings_of_pass(settings, plan, replay_group(settings.kafka.group_id, plan.replay_id))


async def apply_share(settings: Settings, given: RouteChain, plan: Plan, wishes: ReplayOptions, child: Child) -> None:
    """One process's share of a replay; it shows no progress and writes no receipt."""
    stop = stop_on_signals()
    child.stop_without_parent(stop)
    structlog.contextvars.bind_contextvars(process=child.number)
    share = replace(
        wishes,
        records_per_second=child.share(wishes.records_per_second),
        bytes_per_second=child.share(wishes.bytes_per_second),
    )
    async with open_books(settings, plan) as books:
        replay = Replay(settings, given, plan, share, books, child)
        await replay.run(lambda _: None, stop)


@asynccontextmanager
async def open_books(settings: Settings, plan: Plan) -> AsyncIterator[Books]:
    ledger = await asyncio.to_thread(open_ledger, settings.ledger.url.get_secret_value())
    try:
        yield Books(ledger, plan, VERSION)
    finally:
        await asyncio.to_thread(ledger.close)


async def apply(
    settings: Settings,
    given: RouteChain,
    plan: Plan,
    wishes: ReplayOptions,
    show: OnPartitions,
    stop: asyncio.Event | None = None,
    kind: type[Replay] | None = None,
) -> Receipt:
    """Apply the plan, or the rest of it; returns the receipt. Raises WorkerError where the plan does not fit any more,
    or where ``stop`` (by default SIGTERM or SIGINT) comes before its end. ``kind`` is the class of the pass."""
    kind, stop = kind or Replay, stop or stop_on_signals()
    if plan.activity != kind.activity:
        raise WorkerError(
            f"plan: it is the plan of a {plan.activity}: apply it with `{COMMANDS[plan.activity]}`", code="UPC1615"
        )
    await given.begin()
    refuse_other_route(plan, given)
    async with open_books(settings, plan) as books:
        await asyncio.to_thread(refuse_finished, books, wishes.receipt)
        work = kind(settings, given, plan, wishes, books)
        await work.run(show, stop)
        return await asyncio.to_thread(work.finish)


class Replay:
    """One process's work on a replay."""

    activity = "replay"
    make_bounds: Callable[[Plan, str], ReplayBounds] = ReplayBounds

    def __init__(
        self,
        settings: Settings,
        given: RouteChain,
        plan: Plan,
        wishes: ReplayOptions,
        books: Books,
        child: Child | None = None,
    ) -> None:
        self._child = child
        self._settings = settings = self.settings_for(settings, plan)
        self._given = replace(given, route=settings.routes[0])
        self._plan = plan
        self._wishes = wishes
        self._books = books
        self._clients = KafkaClients(settings.kafka)
        self._registry = CollectorRegistry()
        self._metrics = new_metrics(self._registry, settings.kafka.group_id)
        self._bounds = type(self).make_bounds(plan, settings.kafka.group_id)
        if child:
            self._bounds.keep_share(child)
        self._run: Run | None = None

    @staticmethod
    def settings_for(settings: Settings, plan: Plan) -> Settings:
        return settings_of_replay(settings, plan)

    async def run(self, show: OnPartitions, stop: asyncio.Event) -> None:
        """Run to the end of the plan. Raises WorkerError, also where ``stop`` comes first."""
        service = self._service()
        try:
            async with self._answering(service), self._noting(stop, show):
                await service.run(stop)
        except BaseException:
            await self._interrupt("failed")
            raise
        if self._bounds.remaining:
            await self._interrupt("stopped")
            raise WorkerError(
                f"{self.activity} {self._plan.replay_id}: stopped with {self._bounds.remaining} offsets left: run "
                "the same "
                "command again to go on",
                MAY_PASS,
                code="UPC1614",
            )

    @asynccontextmanager
    async def _answering(self, service: Service) -> AsyncIterator[None]:
        """Probes, metrics and the API while the block runs."""
        http, metrics = self._settings.http, self._metrics
        lookups = Lookups(partial(open_existing_ledger, self._settings))
        api = create_api(service, self._registry, http.token, metrics.count_request, lookups)
        listener = self._child.listener() if self._child else None
        async with listening(http, api, metrics.count_legacy_request, listener):
            yield

    def _service(self) -> Service:
        source = self._plan.route.source
        return Service(
            settings=self._settings,
            chains={source: self._given},
            clients=self._clients,
            make_supervisor=self._supervisor,
            prepare=self._prepare,
            starts={TopicPartition(source, each.partition): each.start for each in self._plan.ranges},
            processes=self._child.of if self._child else 1,
        )

    def _supervisor(self, routes: Sequence[Route]) -> Supervisor:
        return self._new_supervisor(self._route(routes))

    def _route(self, routes: Sequence[Route]) -> Route:
        (route,) = routes
        wishes = self._wishes
        limits = route.limits.model_copy(update={"records_per_second": wishes.records_per_second})
        route = self._bounds.route = replace(
            route,
            upcaster=filtered(route.upcaster, self._plan.filters),
            replay_id=self._plan.replay_id,
            expected=frozenset(self._plan.allowed),
            limits=limits,
            bytes_per_second=wishes.bytes_per_second,
        )
        return route

    def _new_supervisor(self, route: Route, make_processor: MakeProcessor = Processor) -> Supervisor:
        return Supervisor(
            [route],
            self._clients,
            self._metrics,
            reporter_of(self._settings, self._plan.replay_id),
            timeouts=timeouts_of(self._settings),
            bounds=self._bounds,
            make_processor=make_processor,
            look_at_others=self._look_at_others(),
        )

    def _look_at_others(self) -> SharedLook | None:
        """A live worker may have joined its group since the first check. By now either it sees the announcement of this
        replay, or this check sees the worker."""
        if self._wishes.again or self._plan.redrive is not None:
            return None
        return SharedLook(partial(refuse_live, self._clients, self._plan, self._books.ledger))

    async def _prepare(self) -> None:
        """Once the brokers answer: check the preconditions, and only then record that the replay runs."""
        self._bounds.ledger = await asyncio.to_thread(self._books.reached)
        if self._child is None:
            # The parent of several has asked already: what the others write meanwhile would look forgotten.
            reached, ledger = self._bounds.ledger, self._books.ledger
            await prepare(self._clients, self._plan, reached, ledger, again=self._wishes.again)
        self._run = await asyncio.to_thread(self._books.begin, self._wishes.reason)

    @asynccontextmanager
    async def _noting(self, stop: asyncio.Event, show: OnPartitions) -> AsyncIterator[None]:
        """Report the progress to the ledger, the metrics and the screen while the block runs, and at its end."""
        noting = asyncio.create_task(self._note_now_and_then(show), name="notes")
        noting.add_done_callback(lambda _: stop.set())
        try:
            yield
        finally:
            noting.cancel()
            await asyncio.wait({noting})
            if not noting.cancelled() and (error := noting.exception()):
                raise error
            await self._note(show)

    async def _note_now_and_then(self, show: OnPartitions) -> None:
        while True:
            await asyncio.sleep(NOTE_SECONDS)
            await self._note(show)

    async def _note(self, show: OnPartitions) -> None:
        states = list(self._bounds.states.values())
        show(states)
        _tell(self._metrics, self._plan, states)
        if self._run is not None:
            await asyncio.to_thread(self._books.note, [replace(state) for state in states])

    async def _interrupt(self, state: RunState) -> None:
        if self._run is not None:
            await asyncio.to_thread(self._books.interrupt, state)

    def finish(self) -> Receipt:
        """Record that the replay is finished."""
        assert self._run is not None  # noqa: S101  (the lanes have run)
        receipt = self._receipt(self._run)
        self._books.finish(receipt)
        if self._wishes.receipt is not None:
            write_receipt(receipt, self._wishes.receipt)
        return receipt

    def _receipt(self, run: Run) -> Receipt:
        plan = self._plan
        return Receipt(
            replay_id=plan.replay_id,
            plan_digest=plan.digest(),
            cluster_id=plan.cluster_id,
            group=self._settings.kafka.group_id,
            worker_version=VERSION,
            reason=run.reason,
            started=run.started,
            ended=datetime.now(UTC),
            route=plan.route,
            filters=plan.filters,
            redrive=plan.redrive,
            partitions=tuple(_partition_receipt(state, plan) for state in self._bounds.states.values()),
        )


def _partition_receipt(state: PartitionState, plan: Plan) -> PartitionReceipt:
    account = state.account or PartitionAccount(plan.replay_id)
    return PartitionReceipt(
        partition=state.planned.partition,
        start=state.planned.start,
        end=state.planned.end,
        destination_start=account.destination_start,
        dead_letter_start=account.dead_letter_start,
        counts=account.counts,
        stretches=tuple(account.stretches),
        read_digest=account.source.text,
        written_digest=account.output.text,
    )


def _tell(metrics: WorkerMetrics, plan: Plan, states: Sequence[PartitionState]) -> None:
    for state in states:
        labels = (plan.replay_id, plan.topic, str(state.planned.partition))
        metrics.replay_remaining.labels(*labels).set(state.remaining)
        metrics.replay_complete.labels(*labels).set(not state.remaining)
