"""The worker's HTTP port: probes, metrics and the API."""

from __future__ import annotations

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from worker.api.probes import probes
from worker.api.problems import answer_with_problems
from worker.api.requests import CountRequest, RequestCounter
from worker.api.server import listening
from worker.api.v2 import v2
from worker.api.view import LaneStatus, RouteStatus, Status, WorkerView

__all__ = ["LaneStatus", "RouteStatus", "Status", "WorkerView", "create_api", "listening"]


def create_api(
    worker: WorkerView,
    registry: CollectorRegistry,
    token: SecretStr | None = None,
    count_request: CountRequest | None = None,
) -> FastAPI:
    """All that is served. FastAPI's own pages are off: they load scripts from elsewhere."""
    api = FastAPI(title="upcast", docs_url=None, redoc_url=None, openapi_url="/v2/openapi.json")
    if count_request:
        api.add_middleware(RequestCounter, count=count_request)
    answer_with_problems(api)
    api.include_router(probes(worker, registry))
    api.include_router(v2(worker, token))
    return api
