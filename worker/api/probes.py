"""What an orchestrator and Prometheus ask: `/livez`, `/readyz` and `/metrics`."""

from __future__ import annotations

from http import HTTPStatus

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from worker.api.view import WorkerView


def probes(worker: WorkerView, registry: CollectorRegistry) -> list[Route]:
    async def livez(_: Request) -> JSONResponse:
        """503 where only a restart can help. Kafka being away is no such reason."""
        return _answer(worker.why_not_live())

    async def readyz(_: Request) -> JSONResponse:
        """503 with the reasons until partitions are assigned and being worked on."""
        return _answer(worker.why_not_ready())

    async def metrics(request: Request) -> Response:
        """Prometheus text, or OpenMetrics where the scrape asks for it."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]


def _answer(reasons: list[str]) -> JSONResponse:
    body = {"status": "unavailable" if reasons else "ok", "reasons": reasons}
    return JSONResponse(body, HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK)
