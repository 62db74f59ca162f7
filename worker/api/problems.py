"""Errors as problem details (RFC 9457), never with a value that the caller sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from worker.errors import WorkerError

MEDIA_TYPE = "application/problem+json"


class ProblemResponse(JSONResponse):
    media_type = MEDIA_TYPE


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **members: Any) -> ProblemResponse:
    """``members`` are extensions beside the ones that the RFC names."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return ProblemResponse({**body, "code": f"UPC6{status}", **members}, status_code=status, headers=headers)


def answer_with_problems(app: Starlette) -> None:
    """Every error of ``app`` goes out as a problem."""
    app.exception_handlers.update({HTTPException: _http_error, Exception: _bug})


async def _http_error(request: Request, error: HTTPException) -> ProblemResponse:
    detail = error.detail
    if detail == HTTPStatus(error.status_code).phrase:
        detail = f"{request.method} is not served there" if error.status_code == 405 else "nothing is served there"
    return problem(error.status_code, detail, error.headers)


@contextmanager
def unavailable() -> Iterator[None]:
    """What cannot be done now (WorkerError) may be asked for again."""
    try:
        yield
    except WorkerError as error:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, str(error), {"retry-after": "10"}) from None


async def _bug(_: Request, error: Exception) -> ProblemResponse:
    detail = f"unexpected {type(error).__name__}; the log has the place"
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail)
