"""The current API: what the worker does, and, with a token, changes to it."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Self

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from worker.api.auth import bearer_token
from worker.api.view import NotRunningError, RouteStatus, Status, WorkerView


class Rate(BaseModel):
    model_config = ConfigDict(extra="forbid")

    records_per_second: float | None = Field(None, gt=0, allow_inf_nan=False, description="None lifts the limit.")
    bytes_per_second: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Of keys and values. None lifts the limit."
    )

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name records_per_second or bytes_per_second; null lifts the limit")
        return self


def v2(worker: WorkerView, token: SecretStr | None) -> APIRouter:
    router = APIRouter(prefix="/v2", tags=["v2"])
    protected = [Depends(bearer_token(token))]

    @router.get("/status")
    async def status() -> Status:
        """Lanes, lag, states and the fingerprints of the chains."""
        return worker.status()

    @router.post("/routes/{source}/pause", dependencies=protected)
    async def pause(source: str) -> RouteStatus:
        """Stop fetching; what is in flight is finished and committed."""
        return _changed(worker, source, lambda: worker.pause(source))

    @router.post("/routes/{source}/resume", dependencies=protected)
    async def resume(source: str) -> RouteStatus:
        """Go on, also after the breaker has opened."""
        return _changed(worker, source, lambda: worker.resume(source))

    @router.post("/routes/{source}/rate", dependencies=protected)
    async def limit_rate(source: str, rate: Rate) -> RouteStatus:
        """Bound the records or bytes a second that this worker reads for the route; what is not named is lifted."""
        return _changed(
            worker, source, lambda: worker.limit_rate(source, rate.records_per_second, rate.bytes_per_second)
        )

    return router


def _changed(worker: WorkerView, source: str, change: Callable[[], None]) -> RouteStatus:
    """The route as it is after the change."""
    try:
        change()
    except KeyError:
        raise HTTPException(HTTPStatus.NOT_FOUND, "no route of this worker reads that topic") from None
    except NotRunningError:
        raise HTTPException(HTTPStatus.CONFLICT, "the worker is starting: try again when it runs") from None
    return next(route for route in worker.status().routes if route.source == source)
