"""Errors as problem details (RFC 9457), never with a value that the caller sent."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


class ProblemResponse(JSONResponse):
    media_type = MEDIA_TYPE


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **members: Any) -> ProblemResponse:
    """``members`` are extensions beside the ones that the RFC names."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return ProblemResponse(body | members, status_code=status, headers=headers)


def answer_with_problems(api: FastAPI) -> None:
    """Every error of ``api`` goes out as a problem."""
    api.exception_handler(HTTPException)(_http_error)
    api.exception_handler(RequestValidationError)(_invalid_request)
    api.exception_handler(Exception)(_bug)


async def _http_error(request: Request, error: HTTPException) -> ProblemResponse:
    detail = error.detail
    if detail == HTTPStatus(error.status_code).phrase:
        detail = f"{request.method} {request.url.path} is not served here"
    return problem(error.status_code, detail, error.headers)


async def _invalid_request(_: Request, error: RequestValidationError) -> ProblemResponse:
    errors = [{"pointer": "/" + "/".join(map(str, each["loc"])), "detail": each["msg"]} for each in error.errors()]
    detail = "the request is not as the API describes it"
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors)


async def _bug(_: Request, error: Exception) -> ProblemResponse:
    detail = f"unexpected {type(error).__name__}; the log has the place"
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail)
