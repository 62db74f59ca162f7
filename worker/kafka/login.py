"""The login of a process at the brokers: reads the secret again for each connection, and logs refusals.
``aiokafka_internals.login_patches`` uses it in each connection.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Self

import structlog
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaError

from worker.kafka.oauth import TokenError, token_provider
from worker.settings import KafkaSettings
from worker.settings.sections import read_secret

log = structlog.get_logger(__name__)

AGAIN_AFTER = 1.0
COUNTS_FOR = 10.0
"""Seconds."""


class LoginRefusedError(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """The brokers refuse the login; the message names the setting."""


class Login:
    """The login that all clients of a process share."""

    def __init__(self, kafka: KafkaSettings | None = None) -> None:
        self._kafka = kafka
        self._next = asyncio.Lock()
        self._why = ""
        self._refused_at = 0.0

    @property
    def refused(self) -> str:
        """Why the last attempt failed; empty where it succeeded, or is too long ago to count."""
        return self._why if time.monotonic() - self._refused_at < COUNTS_FOR else ""

    def options(self) -> dict[str, Any]:
        """The login options for aiokafka's clients."""
        kafka = self._kafka
        if kafka is None or not kafka.authenticated:
            return {}
        provider = token_provider(kafka)
        return {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.sasl_username,
            "sasl_plain_password": kafka.sasl_password and _Password(kafka.sasl_password.get_secret_value(), self),
            "sasl_oauth_token_provider": provider and _Tokens(provider, self),
        }

    def password(self, before: str) -> str:
        """The current content of the password file. Where it cannot be read, because it is being written, ``before``
        stays in use until the next connection."""
        if self._kafka is None or self._kafka.sasl_password_file is None:
            return before
        try:
            return read_secret(self._kafka.sasl_password_file) or before
        except (OSError, UnicodeDecodeError) as error:
            log.warning(
                "the password file cannot be read, the last password stays in use",
                file=str(self._kafka.sasl_password_file),
                reason=_reason(error),
            )
            return before

    async def wait_turn(self) -> None:
        """Wait until the next attempt is allowed: while the login is refused, one attempt a second over all clients,
        since brokers count failures."""
        if self.refused:
            async with self._next:
                if self.refused:
                    await asyncio.sleep(AGAIN_AFTER)

    def refuse(self, error: Exception) -> None:
        before, self._why = self._why, _why(error, self._kafka)
        self._refused_at = time.monotonic()
        if self._why != before:
            log.error("the brokers refuse the login", reason=self._why)

    def accept(self) -> None:
        if self._why:
            log.info("the brokers accept the login again")
        self._why = ""


class _Password(str):
    """A password with a reference to its login: aiokafka passes it on to each connection."""

    __slots__ = ("login",)
    login: Login

    def __new__(cls, text: str, login: Login) -> Self:
        made = super().__new__(cls, text)
        made.login = login
        return made


class _Tokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, provider: AbstractTokenProvider, login: Login) -> None:
        self._provider = provider
        self.login = login

    async def token(self) -> str:
        token: str = await self._provider.token()
        return token


def refused_login(kafka: KafkaSettings) -> str:
    if kafka.sasl_mechanism == "OAUTHBEARER":
        given = "sasl_oauth_token_file" if kafka.sasl_oauth_token_file else "sasl_oauth_token_command"
        return f"the broker refuses the token: check what kafka.{given} gives"
    password = "sasl_password_file" if kafka.sasl_password_file else "sasl_password"
    return (
        f"the broker refuses user {kafka.sasl_username}: check kafka.sasl_username and kafka.{password}, "
        f"and that the user exists for {kafka.sasl_mechanism}"
    )


def _why(error: Exception, kafka: KafkaSettings | None) -> str:
    return str(error.args[0]) if isinstance(error, TokenError) or kafka is None else refused_login(kafka)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or "it is not a text file"
