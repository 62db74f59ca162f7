"""The composition root: the only place that builds the worker's real parts and joins them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from importlib import metadata

import structlog
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from worker.api import create_api, listening
from worker.chains import load_chains
from worker.clients import Clients
from worker.dead_letters import Reporter
from worker.lanes.supervisor import Supervisor
from worker.lanes.timing import Timing
from worker.metrics import WorkerMetrics
from worker.service import Service
from worker.settings import Settings

VERSION = metadata.version("upcast-worker")

log = structlog.get_logger(__name__)


def serve(settings: Settings) -> None:
    """Run the worker until a signal ends it. Raises ``WorkerError`` where it cannot go on."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = stop_on_signals()
    registry = CollectorRegistry()
    metrics = _metrics(registry, settings)
    clients = Clients(settings.kafka)
    timing = Timing(stuck_after=settings.http.stuck_after)
    service = Service(
        settings=settings,
        chains=load_chains(settings.routes),
        clients=clients,
        make_supervisor=lambda routes: Supervisor(routes, clients, metrics, _reporter(settings), timing=timing),
    )
    api = create_api(
        service, registry, settings.http.token, lambda *request: metrics.api_requests.labels(*request).inc()
    )
    async with listening(settings.http, api):
        await service.run(stop)
    log.info("stopped")


def _metrics(registry: CollectorRegistry, settings: Settings) -> WorkerMetrics:
    # Each counter would otherwise have a second series with the time of its birth, which nobody asks for.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    metrics = WorkerMetrics(registry, settings.kafka.group_id)
    metrics.build_info.labels(VERSION).set(1)
    return metrics


def _reporter(settings: Settings) -> Reporter:
    """Who dead letters say they come from."""
    kafka = settings.kafka
    return Reporter(kafka.group_id, kafka.group_instance_id or socket.gethostname(), VERSION)


def stop_on_signals() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; the second one ends the process at once."""
    stop = asyncio.Event()

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        log.info("stopping", signal=signal.Signals(number).name)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal, number)
    return stop


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
