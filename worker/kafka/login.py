"""How a process logs in at the brokers: its secret read again each time, a refusal told, a session ended in good time.

A broker that ends sessions (``connections.max.reauth.ms``, the life of a token) closes a connection that is used past
the end of its own. aiokafka does not know of it, and takes it for a connection that broke. Here a connection is given
up before, as Java's clients log in again before: what is sent next opens a new one. It costs one handshake a session.
"""

# ruff: noqa: SLF001  (the room of the clients: their private names are what this file is about)

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import Callable
from typing import Any, Self

import structlog
from aiokafka.abc import AbstractTokenProvider
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaError, SaslAuthenticationFailed
from aiokafka.protocol.admin import SaslAuthenticateRequest

from worker.kafka.oauth import TokenError, token_provider
from worker.settings import KafkaSettings
from worker.settings.section import read_secret

log = structlog.get_logger(__name__)

RENEWED_AT = (0.85, 0.95)
"""Shares of a session's life; at random, so that not all connections are made anew at once. Java's clients do so."""


A_STALL = 0.5
"""Seconds that a process may be kept from its connections."""
AGAIN_AFTER = 1.0
COUNTS_FOR = 10.0
"""Seconds."""


class LoginRefusedError(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """The brokers do not take our login: one line that names the setting."""


class Login:
    """The login of all clients that share it."""

    def __init__(self, kafka: KafkaSettings | None = None) -> None:
        self._kafka = kafka
        self._next = asyncio.Lock()
        self._why = ""
        self._refused_at = 0.0

    @property
    def refused(self) -> str:
        """Why the last attempt failed; empty where it went well, or was so long ago that nobody seems to need one."""
        return self._why if time.monotonic() - self._refused_at < COUNTS_FOR else ""

    def options(self) -> dict[str, Any]:
        """What aiokafka's clients take."""
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
        """As its file has it now. One that cannot be read, because it is being written, is read at the next connection;
        until then the last one serves."""
        if self._kafka is None or self._kafka.sasl_password_file is None:
            return before
        try:
            return read_secret(self._kafka.sasl_password_file) or before
        except (OSError, UnicodeDecodeError) as error:
            log.warning("password not read again", file=str(self._kafka.sasl_password_file), reason=_reason(error))
            return before

    async def turn(self) -> None:
        """Return when it may be tried: once a second while it is refused, over all clients. Brokers count failures."""
        if self.refused:
            async with self._next:
                if self.refused:
                    await asyncio.sleep(AGAIN_AFTER)

    def refuse(self, error: Exception) -> None:
        before, self._why = self._why, _why(error, self._kafka)
        self._refused_at = time.monotonic()
        if self._why != before:
            log.error("login refused", reason=self._why)

    def take(self) -> None:
        if self._why:
            log.info("login taken again")
        self._why = ""


class _Password(str):
    """A password that knows whose it is: the one thing of ours that aiokafka hands on to each connection."""

    __slots__ = ("login",)
    login: Login

    def __new__(cls, text: str, login: Login) -> Self:
        made = super().__new__(cls, text)
        made.login = login
        return made


class _Tokens(AbstractTokenProvider):  # type: ignore[misc]
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


def _login_of(connection: AIOKafkaConnection) -> Login | None:
    given = connection._sasl_oauth_token_provider or connection._sasl_plain_password
    return getattr(given, "login", None)


def _taking_turns(connect: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(connect)
    async def connecting(connection: AIOKafkaConnection) -> Any:
        if login := _login_of(connection):
            await login.turn()
        return await connect(connection)

    return connecting


def _telling_of_refusals(handshake: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(handshake)
    async def handshaking(connection: AIOKafkaConnection) -> None:
        login = _login_of(connection)
        if login is None:
            await handshake(connection)
            return
        if connection._sasl_plain_password is not None:
            connection._sasl_plain_password = login.password(connection._sasl_plain_password)
        try:
            await handshake(connection)
        except (SaslAuthenticationFailed, TokenError) as error:
            login.refuse(error)
            raise
        login.take()

    return handshaking


def _noting_the_session(send: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(send)
    def sending(connection: AIOKafkaConnection, request: Any, *arguments: Any, **options: Any) -> Any:
        answer = send(connection, request, *arguments, **options)
        return _note_session(connection, answer) if isinstance(request, SaslAuthenticateRequest) else answer

    return sending


async def _note_session(connection: AIOKafkaConnection, answer: Any) -> Any:
    asked = time.monotonic()
    told = await answer
    if connection._sasl_mechanism == "OAUTHBEARER" and told.sasl_auth_bytes:
        # RFC 7628: a token is refused by an answer that says why, to which aiokafka does not listen.
        raise SaslAuthenticationFailed("the broker refuses the token")
    if life := getattr(told, "session_lifetime_ms", 0) / 1000:
        share = random.uniform(*RENEWED_AT)  # noqa: S311  (no secret)
        vars(connection)["_renewed_at"] = asked + life * share - min(A_STALL, life / 4)
    return told


def _ending_sessions(connect: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(connect)
    async def connecting(
        client: AIOKafkaClient, node: Any, *, group: ConnectionGroup = ConnectionGroup.DEFAULT, **options: Any
    ) -> Any:
        known = client._conns.get((node, group))
        if known is not None and time.monotonic() >= vars(known).get("_renewed_at", float("inf")):
            del client._conns[node, group]
            _give_up(client, known)
        return await connect(client, node, group=group, **options)

    return connecting


def _give_up(client: AIOKafkaClient, connection: AIOKafkaConnection) -> None:
    """What waits for an answer there gets it first."""
    leaving = _leaving(client)
    leaving.add(connection)
    waiting = [answer for _, _, answer in connection._requests]

    def end(_: Any = None) -> None:
        if all(answer.done() for answer in waiting):
            leaving.discard(connection)
            connection.close(reason=CloseReason.IDLE_DROP)

    for answer in waiting:
        answer.add_done_callback(end)
    if not waiting:
        end()


def _leaving(client: AIOKafkaClient) -> set[AIOKafkaConnection]:
    found: set[AIOKafkaConnection] = vars(client).setdefault("_leaving", set())
    return found


def _closing_all(close: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(close)
    async def closing(client: AIOKafkaClient) -> None:
        leaving = _leaving(client)
        ends = [connection.close(reason=CloseReason.SHUTDOWN) for connection in leaving]
        leaving.clear()
        await close(client)
        if ends:
            await asyncio.gather(*ends)

    return closing


AIOKafkaConnection.connect = _taking_turns(AIOKafkaConnection.connect)
AIOKafkaConnection._do_sasl_handshake = _telling_of_refusals(AIOKafkaConnection._do_sasl_handshake)
AIOKafkaConnection.send = _noting_the_session(AIOKafkaConnection.send)
AIOKafkaClient._get_conn = _ending_sessions(AIOKafkaClient._get_conn)
AIOKafkaClient.close = _closing_all(AIOKafkaClient.close)
