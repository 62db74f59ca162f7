"""The parent's HTTP port: sends each request to all children and merges their answers; and the composition of
`--processes`."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import msgspec
import structlog
from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from worker.api import RouteStatus, Status, listening
from worker.api.bounded_thread import BoundedThread
from worker.api.probes import probe_answer
from worker.api.problems import answer_with_problems
from worker.api.v1_adapter import V1Adapter
from worker.exposition import encoder_for
from worker.http_request import HttpAnswer, ask_worker
from worker.loop import done_before
from worker.processes.answers import Scrapes, one_route, one_status, reasons
from worker.processes.family import ChildWorker, Family
from worker.settings import Settings

PATIENCE = 3.0
"""Seconds for an answer. A child that is at work answers within a slice of it."""
SLOW = re.compile(r"/v[12]/(dead-letters|checklist)\b")
SLOW_SECONDS = 29.0
"""The same for what reads topics."""
PASSED_ON = ("authorization", "content-type", "accept")
LARGEST = 4 * 1024 * 1024
STARTING = 30.0
"""Seconds that a child may be silent after its start: imports, on a busy machine."""
RATES = ("records_per_second", "bytes_per_second")


def family_api(family: Family, registry: CollectorRegistry, why_not_ready: Callable[[], list[str]]) -> ASGIApp:
    """``registry`` is the parent's own; ``why_not_ready`` is what keeps it from starting children.

    What is different in each child is put together here, in both versions of the API; the rest any child answers.
    """
    api = FastAPI(title="upcast", docs_url=None, redoc_url=None, openapi_url=None)
    answer_with_problems(api)
    port = _Port(family, registry, why_not_ready)
    for path, serve in (("/livez", port.livez), ("/readyz", port.readyz), ("/metrics", port.metrics)):
        api.get(path)(serve)
    api.get("/v2/stream")(port.stream)
    together = APIRouter()
    together.get("/v2/status", response_model=Status)(port.status)
    # V1Adapter knows the bodies of requests by the names of these functions.
    for change in (port.pause, port.resume):
        together.post(f"/v2/routes/{{source}}/{change.__name__}", response_model=RouteStatus)(change)
    together.post("/v2/routes/{source}/rate", response_model=RouteStatus)(port.limit_rate)
    api.include_router(together)
    api.api_route("/{path:path}", methods=["GET", "POST"])(port.other)
    return V1Adapter(api, list(together.routes), BoundedThread())


class _Port:
    def __init__(self, family: Family, registry: CollectorRegistry, why_not_ready: Callable[[], list[str]]) -> None:
        self._family = family
        self._why_not_ready = why_not_ready
        self._scrapes = Scrapes(len(family.members), registry)
        self._scraping = asyncio.Lock()

    async def livez(self) -> JSONResponse:
        """A child that was just started (again) may be silent for a while."""
        now = time.monotonic()
        settled = [each for each in self._working() if each.pid and now - each.started > STARTING]
        return probe_answer(reasons(await _answers(settled, "/livez")))

    async def readyz(self) -> JSONResponse:
        return probe_answer(await self._not_ready())

    async def _not_ready(self) -> list[str]:
        return self._why_not_ready() or reasons(await _answers(self._working(), "/readyz"))

    async def metrics(self, request: Request) -> Response:
        members = [each for each in self._family.members if each.pid]
        pids = [each.pid for each in members]
        encode, content_type = encoder_for(request.headers.get("accept", ""))
        async with self._scraping:
            texts = [
                (member.number, pid, answer.body.decode())
                for member, pid, answer in zip(members, pids, await _answers(members, "/metrics"), strict=True)
                if answer.ok
            ]
            text = await asyncio.to_thread(self._merged, texts, encode)
        return Response(text, headers={"content-type": content_type})

    def _merged(self, texts: Iterable[tuple[int, int | None, str]], encode: Callable[[Any], bytes]) -> bytes:
        """In a thread: of many partitions it takes a second."""
        self._scrapes.begin()
        for number, pid, text in texts:
            self._scrapes.note(number, pid, text)
        return encode(self._scrapes)

    async def status(self) -> JSONResponse:
        found = [each.json for each in await _answers(self._working(), "/v2/status") if each.ok]
        if not found:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "no process answers: try again")
        members = [
            {"number": each.number, "pid": each.pid, "killed": len(each.deaths)} for each in self._family.members
        ]
        told = one_status(found) | {"why_not_ready": await self._not_ready(), "processes": members}
        return JSONResponse(told)

    async def pause(self, source: str, request: Request) -> Response:
        return await self._change(source, "pause", await _body(request), request)

    async def resume(self, source: str, request: Request) -> Response:
        return await self._change(source, "resume", await _body(request), request)

    async def limit_rate(self, source: str, request: Request) -> Response:
        body = _shared(await _body(request), len(self._family.members))
        return await self._change(source, "rate", body, request)

    async def _change(self, source: str, change: str, body: bytes, request: Request) -> Response:
        """For all of them."""
        query = f"?{request.url.query}" if request.url.query else ""
        path = f"/v2/routes/{quote(source, safe='')}/{change}{query}"
        found = await _answers(self._working(), path, "POST", body, _headers(request))
        refused = next((answer for answer in found if not answer.ok), None)
        return _as_it_is(refused) if refused else JSONResponse(one_route([answer.json for answer in found]))

    async def stream(self) -> Response:
        raise HTTPException(HTTPStatus.NOT_IMPLEMENTED, "with --processes there is no stream: use /v2/status")

    async def other(self, path: str, request: Request) -> Response:
        """What is the same whoever answers it."""
        query = f"?{request.url.query}" if request.url.query else ""
        body, first = await _body(request), [each for each in self._family.members if each.pid][:1]
        found = await _answers(first, f"/{path}{query}", request.method, body, _headers(request))
        return _as_it_is(found[0] if found else HttpAnswer(0))

    def _working(self) -> list[ChildWorker]:
        return [each for each in self._family.members if not each.finished]


async def _answers(
    members: Sequence[ChildWorker],
    path: str,
    method: str = "GET",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> list[HttpAnswer]:
    """At the same time. Never raises."""
    how = (path, SLOW_SECONDS if SLOW.match(path) else PATIENCE, method, body, headers)
    asked = (asyncio.to_thread(ask_worker, "127.0.0.1", each.port, *how) for each in members)
    return list(await asyncio.gather(*asked))


def _as_it_is(answer: HttpAnswer) -> Response:
    if not answer.status:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "a process does not answer: try again")
    return Response(answer.body, answer.status, media_type=answer.content_type)


def _headers(request: Request) -> dict[str, str]:
    return {name: request.headers[name] for name in PASSED_ON if name in request.headers}


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {LARGEST} bytes")
    return bytes(body)


def _shared(body: bytes, size: int) -> bytes:
    """A rate is meant for all; each child gets its share. What is wrong about it a child says."""
    try:
        told: Any = msgspec.json.decode(body or b"{}")
    except msgspec.DecodeError:
        return body
    if not isinstance(told, dict):
        return body
    shares = {name: told[name] / size for name in RATES if isinstance(told.get(name), int | float)}
    return msgspec.json.encode(told | shares) if body else body


log = structlog.get_logger(__name__)


async def keep_together(
    settings: Settings,
    family: Family,
    registry: CollectorRegistry,
    stop: asyncio.Event,
    prepare: Callable[[], Awaitable[None]],
) -> bool:
    """Serve, ``prepare``, then run all children; whether they came to an end by themselves, or ``stop`` came first.

    Raises WorkerError of ``prepare``, and where a child ended with an error.
    """
    starting = ["starting"]
    async with listening(settings.http, family_api(family, registry, lambda: starting)):
        if not await done_before(stop, asyncio.ensure_future(prepare())):
            return False
        async with family.running() as ended:
            starting.clear()
            log.info("running", processes=len(family.members))
            return await done_before(stop, ended)
