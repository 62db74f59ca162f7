"""The worker's status, as one answer and as a stream; and, with a token, changes to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Path, Query
from fastapi.sse import EventSourceResponse
from pydantic import SecretStr
from starlette.exceptions import HTTPException
from starlette.requests import Request

from worker.api.auth import bearer_token
from worker.api.documents import Decision, Rate
from worker.api.problems import unavailable
from worker.api.v2.answers import may_answer
from worker.api.view import CannotDecideError, Decided, NotRunningError, RouteStatus, Status, WorkerView

log = structlog.get_logger(__name__)

STREAM_SECONDS = 1.0
MOST_STREAMS = 20


PartitionNumber = Annotated[int, Path(ge=0, lt=2**31)]

TAGS: list[str | Enum] = ["status"]

Said = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True)
class Asker:
    """Who asks for a change, and why, as they say: for the log."""

    by: str
    why: str
    client: str

    @property
    def reason(self) -> str:
        """Both in one line, for the ledger."""
        return ": ".join(filter(None, (self.by, self.why)))

    def note(self, change: str, source: str, **more: object) -> None:
        log.warning(
            "changed by request", change=change, topic=source, by=self.by, why=self.why, client=self.client, **more
        )


def asker(request: Request, by: Said = "", why: Said = "") -> Asker:
    return Asker(by, why, request.client.host if request.client else "")


By = Annotated[Asker, Depends(asker)]


def add_status(router: APIRouter, worker: WorkerView) -> None:
    @router.get("/status", tags=TAGS)
    async def status() -> Status:
        """Lanes, lag, states and the fingerprints of the chains."""
        return worker.status()


def add_changes(router: APIRouter, worker: WorkerView, token: SecretStr | None) -> None:
    """Add the endpoints that change something, and so need the token."""
    protected = [Depends(bearer_token(token))]
    problems = may_answer(401, 403, 404, 409, 422)

    @router.post("/routes/{source}/pause", tags=TAGS, dependencies=protected, responses=problems)
    async def pause(source: str, by: By) -> RouteStatus:
        """Pause the route; what is in flight is finished and committed. `by` and `why` go into the log."""
        changed = _changed(worker, source, lambda: worker.pause(source))
        by.note("pause", source)
        return changed

    @router.post("/routes/{source}/resume", tags=TAGS, dependencies=protected, responses=problems)
    async def resume(source: str, by: By) -> RouteStatus:
        """Resume the route; closes an open breaker. `by` and `why` go into the log."""
        changed = _changed(worker, source, lambda: worker.resume(source))
        by.note("resume", source)
        return changed

    @router.post("/routes/{source}/rate", tags=TAGS, dependencies=protected, responses=problems)
    async def limit_rate(source: str, rate: Rate, by: By) -> RouteStatus:
        """Limit the records or bytes a second that this worker reads for the route; a limit that is not named is
        lifted. `by` and `why` go into the log."""
        changed = _changed(
            worker, source, lambda: worker.limit_rate(source, rate.records_per_second, rate.bytes_per_second)
        )
        by.note("rate", source, records_per_second=rate.records_per_second, bytes_per_second=rate.bytes_per_second)
        return changed


def add_decision(router: APIRouter, worker: WorkerView, token: SecretStr | None) -> None:
    @router.post(
        "/routes/{source}/partitions/{partition}/decision",
        tags=TAGS,
        dependencies=[Depends(bearer_token(token))],
        responses=may_answer(401, 403, 404, 409, 422),
    )
    async def decide(source: str, partition: PartitionNumber, decision: Decision, by: By) -> Decided:
        """Decide where a blocked partition goes on, whichever worker of the group owns it. `by` and `why` go into the
        log."""
        try:
            with unavailable():
                decided = await worker.decide(source, partition, decision.go_on_at)
        except CannotDecideError as error:
            raise HTTPException(HTTPStatus.CONFLICT, str(error)) from None
        except KeyError:
            raise _no_route() from None
        except NotRunningError:
            raise _starting() from None
        by.note("decision", source, partition=partition, go_on_at=decided.go_on_at)
        return decided


def add_stream(router: APIRouter, worker: WorkerView) -> None:
    open_streams = 0

    async def place() -> AsyncIterator[None]:
        nonlocal open_streams
        if open_streams >= MOST_STREAMS:
            detail = f"{MOST_STREAMS} streams are open already"
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"retry-after": "10"})
        open_streams += 1
        try:
            yield
        finally:
            open_streams -= 1

    @router.get("/stream", response_class=EventSourceResponse, dependencies=[Depends(place)], responses=may_answer(503))
    async def stream(request: Request) -> AsyncIterator[Status]:
        """Server-sent events: the status now, and then once a second where it has changed. Ends with the worker."""
        stopping: asyncio.Event = request.scope["stopping"]
        last: Status | None = None
        while not stopping.is_set():
            now = worker.status()
            if now != last:
                yield now
            last = now
            await _pause(stopping)


async def _pause(stopping: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(STREAM_SECONDS):
            await stopping.wait()
    except TimeoutError:
        return


def _changed(worker: WorkerView, source: str, change: Callable[[], None]) -> RouteStatus:
    """The route as it is after the change."""
    try:
        change()
    except KeyError:
        raise _no_route() from None
    except NotRunningError:
        raise _starting() from None
    return next(route for route in worker.status().routes if route.source == source)


def _no_route() -> HTTPException:
    return HTTPException(HTTPStatus.NOT_FOUND, "no route of this worker reads that topic")


def _starting() -> HTTPException:
    return HTTPException(HTTPStatus.CONFLICT, "the worker is starting: try again when it runs")
