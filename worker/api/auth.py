"""Authorisation of requests that change something: by the bearer token; without one they are off."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


def bearer_token(expected: SecretStr | None) -> Callable[[Credentials], None]:
    """A dependency that lets only requests with this token through."""

    def check(given: Credentials) -> None:
        if expected is None:
            raise HTTPException(
                HTTPStatus.FORBIDDEN, "requests that change something are off: set http.token to allow them"
            )
        if given is None:
            raise _unauthorised()
        _compare(given, expected)

    return check


def sent_token(expected: SecretStr | None) -> Callable[[Credentials], bool]:
    """A dependency that says whether this token was sent; a wrong one is refused."""

    def check(given: Credentials) -> bool:
        if expected is None or given is None:
            return False
        _compare(given, expected)
        return True

    return check


def _compare(given: HTTPAuthorizationCredentials, expected: SecretStr) -> None:
    if not _same(given.credentials, expected.get_secret_value()):
        raise _unauthorised()


def _unauthorised() -> HTTPException:
    return HTTPException(
        HTTPStatus.UNAUTHORIZED,
        "send the token of http.token as `Authorization: Bearer …`",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _same(given: str, expected: str) -> bool:
    """Compare in constant time."""
    return secrets.compare_digest(given.encode(), expected.encode())
