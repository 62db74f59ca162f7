"""The composition root: the only place that builds the worker's real parts and joins them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from prometheus_client import CollectorRegistry

from upcasters.native.extension import engine
from worker.api import Lookups, create_api, listening
from worker.errors import MAY_PASS, WorkerError
from worker.kafka.clients import KafkaClients
from worker.kafka.waiting import wait_for_broker
from worker.lanes.counters import TransactionTracing
from worker.lanes.lane_context import SharedLook
from worker.lanes.supervisor import Supervisor
from worker.ledger import open_existing_ledger
from worker.loop import run_in_loop
from worker.preflight.asking import refuse_what_cannot_work
from worker.processes.child import this_child
from worker.routes.chains import RouteChain, load_chains
from worker.runtime import VERSION, new_metrics, new_process_metrics, reporter_of, stop_on_signals, timeouts_of
from worker.service import Service
from worker.settings import Settings
from worker.tracing import tracing

if TYPE_CHECKING:
    from worker.api.view import LetterAsked, RedriveWish
    from worker.checklist.evidence import ChecklistLine
    from worker.dlq.beside import Redrives
    from worker.dlq.listing import Listing
    from worker.ledger import Ledger
    from worker.replay.apply.receipt import Receipt

T = TypeVar("T")

LISTING_SECONDS = 20.0
"""Seconds to read dead letters for the API."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Replays:
    """The operator's options about replays: ``after`` is the receipt of the replay after which to begin, ``beside`` are
    ids of replays that may write the same offsets."""

    after: Receipt | None = None
    beside: Collection[str] = ()
    noted: set[str] = field(default_factory=set)
    """Replays of ``beside`` for which the ledger has recorded that the worker started."""


def serve(settings: Settings, replays: Replays) -> None:
    """Run the worker until a signal ends it. Raises ``WorkerError`` where it cannot go on."""
    run_in_loop(_serve(settings, replays))


def serve_together(settings: Settings, arguments: Sequence[str], size: int, replays: Replays) -> None:
    """Run the worker in ``size`` processes, each started with ``arguments``. Raises ``WorkerError``, also where one of
    them has ended by itself."""
    run_in_loop(_serve_together(settings, arguments, size, replays))


async def _serve_together(settings: Settings, arguments: Sequence[str], size: int, replays: Replays) -> None:
    from worker.processes.api import keep_together
    from worker.processes.family import Family

    stop, registry = stop_on_signals(), CollectorRegistry()
    new_process_metrics(registry)
    chains = load_chains(settings.routes, settings.schema_registry)
    clients = KafkaClients(settings.kafka)

    async def prepare() -> None:
        """What would be refused is refused once, before there are children."""
        await wait_for_broker(clients)
        await _settle_with_replays(clients, settings, replays)
        await refuse_what_cannot_work(clients, settings, {source: given.traits for source, given in chains.items()})

    await keep_together(settings, Family(arguments, size), registry, stop, prepare)
    log.info("stopped")


async def _serve(settings: Settings, replays: Replays) -> None:
    with tracing(settings.tracing, settings.kafka.group_id, VERSION) as traces:
        await _serve_traced(settings, replays, traces)


async def _serve_traced(settings: Settings, replays: Replays, traces: TransactionTracing | None) -> None:
    stop, child = stop_on_signals(), this_child()
    if child:
        settings = child.settings(settings)
        child.stop_without_parent(stop)
        structlog.contextvars.bind_contextvars(process=child.number)
    log.info("starting", version=VERSION, engine=engine())
    registry = CollectorRegistry()
    metrics = new_metrics(registry, settings.kafka.group_id)
    clients = KafkaClients(settings.kafka)
    # A replay may have begun since that was asked first. By then it can see this member of the group, or is seen.
    look = SharedLook(partial(_refuse_beside, clients, settings, replays), once=True)
    service = Service(
        settings=settings,
        chains=load_chains(settings.routes, settings.schema_registry),
        clients=clients,
        make_supervisor=lambda routes: Supervisor(
            routes,
            clients,
            metrics,
            reporter_of(settings),
            timeouts=timeouts_of(settings),
            tracing=traces,
            look_at_others=look,
        ),
        prepare=partial(_settle_with_replays, clients, settings, replays),
        processes=child.of if child else 1,
        count_members=metrics.count_disagreeing,
    )
    redrives = LazyRedrives(settings)
    api = create_api(
        service,
        registry,
        settings.http.token,
        metrics.count_request,
        Lookups(
            partial(open_existing_ledger, settings),
            partial(ask_checklist, settings),
            partial(list_dead_letters, settings),
            partial(look_at_letter, settings),
            redrives.start,
        ),
    )
    listener = child.listener() if child else None
    async with listening(settings.http, api, metrics.count_legacy_request, listener):
        try:
            await service.run(stop)
        finally:
            await redrives.stop()
    log.info("stopped")


async def _settle_with_replays(clients: KafkaClients, settings: Settings, replays: Replays) -> None:
    from worker.replay.apply.handover import hand_over

    if replays.after:
        await hand_over(clients, settings, replays.after)
    await _refuse_beside(clients, settings, replays)


async def _refuse_beside(clients: KafkaClients, settings: Settings, replays: Replays) -> None:
    from worker.replay.plan.overlap import refuse_beside

    async with _existing_ledger(settings) as ledger:
        await refuse_beside(clients, settings, ledger, replays.beside, replays.noted)


@asynccontextmanager
async def _existing_ledger(settings: Settings) -> AsyncIterator[Ledger | None]:
    """The ledger; None where there is none, or where it cannot be opened: a live worker does not need it."""
    try:
        ledger = await asyncio.to_thread(open_existing_ledger, settings)
    except WorkerError as error:
        log.warning("the ledger cannot be read, so replays in it are unknown", reason=str(error))
        ledger = None
    try:
        yield ledger
    finally:
        if ledger:
            await asyncio.to_thread(ledger.close)


def ask_checklist(settings: Settings) -> Sequence[ChecklistLine]:
    """The lines of the checklist; called in a thread, for its checks take a while. Raises WorkerError."""
    from worker.checklist.asking import ask

    return asyncio.run(ask(settings, None, None, {}))


def list_dead_letters(settings: Settings, given: RouteChain) -> Listing:
    """The dead letters of a route by fault; called in a thread, with a loop of its own. Raises WorkerError."""
    from worker.dlq.listing import list_letters

    return asyncio.run(_within_time(list_letters(settings, given, lambda *_: None), given))


def look_at_letter(settings: Settings, given: RouteChain, asked: LetterAsked) -> Mapping[str, Any]:
    """One dead letter for the API; called in a thread, with a loop of its own. Raises WorkerError."""
    from worker.dlq.looking import look_at
    from worker.replay.plan.file import Coordinates

    place = Coordinates(partition=asked.partition, offset=asked.offset)
    return asyncio.run(_within_time(look_at(settings, given.route, place, trusted=asked.trusted), given))


async def _within_time(reading: Awaitable[T], given: RouteChain) -> T:
    try:
        async with asyncio.timeout(LISTING_SECONDS):
            return await reading
    except TimeoutError:
        raise WorkerError(
            f"{given.route.dead_letter}: takes over {LISTING_SECONDS:g} s to read: use `upcast dlq`",
            MAY_PASS,
            code="UPC1803",
        ) from None


class LazyRedrives:
    """The redrives that are started at this worker; what they need is imported with the first one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._redrives: Redrives | None = None

    def start(self, given: RouteChain, wish: RedriveWish) -> Mapping[str, Any]:
        """Called in a thread, one call at a time. Raises WorkerError and CannotRedriveError."""
        from worker.dlq.beside import Redrives

        if self._redrives is None:
            self._redrives = Redrives(self._settings)
        return self._redrives.start(given.route, wish)

    async def stop(self) -> None:
        if self._redrives is not None:
            await self._redrives.stop()
