"""What every process that processes records has: its version, its metrics, its name in dead letters, and its
signals."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from importlib import metadata

import structlog
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from upcasters.native.extension import EXTENSION
from worker.dead_letters import Reporter
from worker.lanes.timeouts import Timeouts
from worker.metrics import WorkerMetrics
from worker.settings import Settings

VERSION = metadata.version("upcast-worker")

log = structlog.get_logger(__name__)


def new_process_metrics(registry: CollectorRegistry) -> None:
    # Each counter would otherwise have a second series with the time of its birth, which nobody asks for.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus-client has no type for it
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)


def new_metrics(registry: CollectorRegistry, group: str) -> WorkerMetrics:
    new_process_metrics(registry)
    metrics = WorkerMetrics(registry, group)
    metrics.build_info.labels(VERSION, "pure" if EXTENSION is None else "native").set(1)
    return metrics


def reporter_of(settings: Settings, replay_id: str = "") -> Reporter:
    """The name that this process writes into dead letters."""
    kafka = settings.kafka
    return Reporter(kafka.group_id, kafka.group_instance_id or socket.gethostname(), VERSION, replay_id)


def timeouts_of(settings: Settings) -> Timeouts:
    """The lanes' timeouts by the settings. A fenced lane waits for at least a heartbeat, which tells whether it still
    owns the partition."""
    http = settings.http
    return Timeouts(
        stuck_after=http.stuck_after,
        held_back_after=http.held_back_after,
        fenced_pause=max(Timeouts.fenced_pause, settings.kafka.heartbeat_interval),
    )


def stop_on_signals() -> asyncio.Event:
    """An event that the first SIGTERM or SIGINT sets; the second ends the process at once."""
    stop = asyncio.Event()

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        log.info("stopping", signal=signal.Signals(number).name)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal, number)
    return stop
