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
        if given is None or not _same(given.credentials, expected.get_secret_value()):
            raise HTTPException(
                HTTPStatus.UNAUTHORIZED,
                "send the token of http.token as `Authorization: Bearer …`",
                headers={"WWW-Authenticate": "Bearer"},
            )

    return check


def _same(given: str, expected: str) -> bool:
    """Compare in constant time."""
    return secrets.compare_digest(given.encode(), expected.encode())
