"""The endpoints for orchestrators and Prometheus: `/livez`, `/readyz` and `/metrics`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from http import HTTPStatus

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from worker.api.view import WorkerView
from worker.exposition import encoder_for


def probes(worker: WorkerView, registry: CollectorRegistry) -> list[Route]:
    async def livez(_: Request) -> JSONResponse:
        """503 where only a restart can help. Brokers that do not answer are no such reason."""
        return probe_answer(worker.why_not_live())

    async def readyz(_: Request) -> JSONResponse:
        """503 with the reasons, until partitions are assigned and processed."""
        return probe_answer(worker.why_not_ready())

    async def metrics(request: Request) -> Response:
        """Prometheus text, or OpenMetrics where the scrape asks for it."""
        encode, content_type = encoder_for(request.headers.get("accept", ""))
        text = await asyncio.to_thread(encode, Moment(registry))
        return Response(text, headers={"content-type": content_type})

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]


class Moment(Collector):
    """What a registry holds now. It is taken where the lanes work, so that its figures agree with each other; a thread
    makes text of it, which takes several times as long and would hold up the heartbeats of many partitions."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._families = [*registry.collect()]

    def collect(self) -> Iterable[Metric]:
        return self._families


def probe_answer(reasons: list[str]) -> JSONResponse:
    body = {"status": "unavailable" if reasons else "ok", "reasons": reasons}
    return JSONResponse(body, HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK)
