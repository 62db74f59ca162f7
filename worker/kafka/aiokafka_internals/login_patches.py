"""Patches of aiokafka's login (``login``): connections log in one after the other while it is refused, with the current
secret, and are renewed before the broker ends their session.

A broker that ends sessions (``connections.max.reauth.ms``, the life of a token) closes connections that are used after
the end of theirs. aiokafka ignores the session's end, and sees a broken connection. Here a connection is closed before
that, when Java's clients would log in again: the next request opens a new one. It costs one handshake a session.
"""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import Callable
from typing import Any

from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import SaslAuthenticationFailed
from aiokafka.protocol.admin import SaslAuthenticateRequest

from worker.kafka.login import Login
from worker.kafka.oauth import TokenError

RENEWED_AT = (0.85, 0.95)
"""The shares of a session's life between which a connection is renewed, at random, so that not all are renewed at once.
Java's clients do the same."""


A_STALL = 0.5
"""Seconds for which a busy process may not get to its connections."""


def _login_of(connection: AIOKafkaConnection) -> Login | None:
    given = connection._sasl_oauth_token_provider or connection._sasl_plain_password
    return getattr(given, "login", None)


def taking_turns(connect: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(connect)
    async def connecting(connection: AIOKafkaConnection) -> Any:
        if login := _login_of(connection):
            await login.wait_turn()
        return await connect(connection)

    return connecting


def telling_of_refusals(handshake: Callable[..., Any]) -> Callable[..., Any]:
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
        login.accept()

    return handshaking


def noting_the_session(send: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(send)
    def sending(connection: AIOKafkaConnection, request: Any, *arguments: Any, **options: Any) -> Any:
        answer = send(connection, request, *arguments, **options)
        return note_session(connection, answer) if isinstance(request, SaslAuthenticateRequest) else answer

    return sending


async def note_session(connection: AIOKafkaConnection, answer: Any) -> Any:
    asked = time.monotonic()
    told = await answer
    if connection._sasl_mechanism == "OAUTHBEARER" and told.sasl_auth_bytes:
        # RFC 7628: a token is refused by an answer that says why, to which aiokafka does not listen.
        raise SaslAuthenticationFailed("the broker refuses the token")
    if life := getattr(told, "session_lifetime_ms", 0) / 1000:
        share = random.uniform(*RENEWED_AT)  # noqa: S311  (no secret)
        vars(connection)["_renewed_at"] = asked + life * share - min(A_STALL, life / 4)
    return told


def ending_sessions(connect: Callable[..., Any]) -> Callable[..., Any]:
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
    """Close a connection after its pending answers."""
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


def closing_all(close: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(close)
    async def closing(client: AIOKafkaClient) -> None:
        leaving = _leaving(client)
        ends = [connection.close(reason=CloseReason.SHUTDOWN) for connection in leaving]
        leaving.clear()
        await close(client)
        if ends:
            await asyncio.gather(*ends)

    return closing
