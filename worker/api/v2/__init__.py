"""The current API, and `/v1`, which is derived from it. Built when it is first asked for: it takes a while."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from worker.api.bounded_thread import BoundedThread
from worker.api.documents import DeprecationList, DeprecationNotice, Problem, UpcastRequest
from worker.api.problems import ProblemResponse, answer_with_problems, problem
from worker.api.v1_adapter import V1Adapter, older_document
from worker.api.v2.answers import may_answer, with_models
from worker.api.v2.chain import add_chain
from worker.api.v2.checklist import add_checklist
from worker.api.v2.dead_letters import add_dead_letters, add_letter, add_redrive
from worker.api.v2.ledger import add_runs
from worker.api.v2.status import add_changes, add_decision, add_status, add_stream
from worker.api.v2.upcasting import add_upcast
from worker.api.view import Lookups, WorkerView
from worker.deprecation import DEPRECATED
from worker.routes.chains import RouteChain

DESCRIPTION = "What the worker does, its chains, and what would become of an event. Errors are problem details."


def build(
    worker: WorkerView,
    token: SecretStr | None,
    lookups: Lookups,
) -> ASGIApp:
    """All that is served beside the probes. FastAPI's own pages are off: they load scripts from elsewhere."""
    aside = BoundedThread()
    v2 = router_of(worker, worker.route_chains(), token, lookups, aside)
    api = FastAPI(
        title="upcast",
        version="2",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    answer_with_problems(api)
    api.exception_handler(RequestValidationError)(_invalid_request)
    api.include_router(v2)
    _add_documents(api, aside)
    return V1Adapter(api, list(v2.routes), aside)


def router_of(
    worker: WorkerView,
    chains: Mapping[str, RouteChain],
    token: SecretStr | None,
    lookups: Lookups,
    aside: BoundedThread,
) -> APIRouter:
    """Every endpoint of the current version."""
    v2 = APIRouter(prefix="/v2", responses=may_answer())
    add_status(v2, worker)
    add_stream(v2, worker)
    add_changes(v2, worker, token)
    add_decision(v2, worker, token)
    add_chain(v2, chains, aside)
    add_upcast(v2, chains, aside)
    add_runs(v2, lookups, BoundedThread())  # of its own: a database that does not answer holds up nobody else
    letters = BoundedThread()
    add_dead_letters(v2, chains, lookups, letters)
    add_letter(v2, chains, token, lookups, letters)
    add_redrive(v2, chains, token, lookups, BoundedThread())
    add_checklist(v2, lookups, BoundedThread())
    _add_deprecations(v2)
    return v2


def _add_deprecations(router: APIRouter) -> None:
    @router.get("/deprecations", tags=["deprecations"])
    async def deprecations() -> DeprecationList:
        """What is deprecated, since when, and when it may go."""
        return DeprecationList(deprecations=[DeprecationNotice.model_validate(each) for each in DEPRECATED])


def _add_documents(api: FastAPI, aside: BoundedThread) -> None:
    def current() -> dict[str, Any]:
        return with_models(api.openapi(), Problem, UpcastRequest)

    @api.get("/v2/openapi.json", include_in_schema=False)
    async def openapi() -> JSONResponse:
        return JSONResponse(await aside.run(current))

    @api.get("/v1/openapi.json", include_in_schema=False)
    async def older_openapi() -> JSONResponse:
        return JSONResponse(await aside.run(lambda: older_document(current())))


async def _invalid_request(request: Request, error: RequestValidationError) -> ProblemResponse:
    errors = [{"pointer": _pointer(each), "detail": _text(each, request)} for each in error.errors()]
    detail = "the request is not as the API describes it"
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors)


def _pointer(error: Any) -> str:
    """Of what is no JSON there are no parts: pydantic counts characters then."""
    location = ("body",) if error["type"] == "json_invalid" else error["loc"]
    return "/" + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in location)


def _text(error: Any, request: Request) -> str:
    """pydantic's words, less what may quote the caller."""
    if error["type"] == "json_invalid":
        return "the body is not JSON"
    if error["loc"] == ("body",) and "json" not in request.headers.get("content-type", "json"):
        return "the body is not marked as JSON: send `Content-Type: application/json`"
    return str(error["msg"]).removeprefix("Value error, ")
