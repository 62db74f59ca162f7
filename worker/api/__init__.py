"""The worker's HTTP ports: probes, metrics and the API."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.types import ASGIApp

from worker.api.lazy_app import LazyApp
from worker.api.limits import RequestLimits
from worker.api.page import page
from worker.api.probes import probes
from worker.api.problems import answer_with_problems
from worker.api.requests import CountRequest, RequestCounter
from worker.api.server import listening
from worker.api.view import (
    AskChecklist,
    ListDeadLetters,
    OpenLedger,
    RouteStatus,
    Status,
    WorkerView,
    no_checklist,
    no_dead_letters,
    no_ledger,
)
from worker.lanes.state import LaneStatus

__all__ = ["LaneStatus", "RouteStatus", "Status", "WorkerView", "create_api", "listening"]


def create_api(
    worker: WorkerView,
    registry: CollectorRegistry,
    token: SecretStr | None = None,
    count_request: CountRequest | None = None,
    open_ledger: OpenLedger = no_ledger,
    ask_checklist: AskChecklist = no_checklist,
    list_dead_letters: ListDeadLetters = no_dead_letters,
) -> ASGIApp:
    """All that is served. The API itself is built when it is first asked for: many workers only answer probes."""

    def build() -> ASGIApp:
        from worker.api.v2 import build

        return build(worker, token, open_ledger, ask_checklist, list_dead_letters)

    app = Starlette(routes=[*probes(worker, registry), *page()])
    app.router.redirect_slashes = False
    app.router.default = LazyApp(build)
    answer_with_problems(app)
    limited = RequestLimits(app)
    return RequestCounter(limited, count=count_request) if count_request else limited
