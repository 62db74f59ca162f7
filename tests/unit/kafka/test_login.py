"""The login of all clients: its password read again, refusals told while they last, sessions ended in good time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import SaslAuthenticationFailed
from structlog.testing import capture_logs

from worker.kafka import login as logins
from worker.kafka.aiokafka_internals.login_patches import (
    closing_all,
    ending_sessions,
    note_session,
    telling_of_refusals,
)
from worker.kafka.login import Login
from worker.kafka.oauth import TokenError
from worker.settings import KafkaSettings

NODE = 1
GIVEN = {"sasl_password": "given"}
TOKEN = {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_file": "/no/token", "sasl_username": None}


def login(**given: Any) -> Login:
    usual = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "sasl_username": "w"}
    return Login(KafkaSettings.model_validate({"bootstrap_servers": "h:1", "group_id": "g"} | usual | given))


async def connection(of: Login) -> AIOKafkaConnection:
    return AIOKafkaConnection("127.0.0.1", 1, **of.options())


async def password_sent(of: AIOKafkaConnection) -> str:
    sent: list[str] = []

    async def handshake(connection: AIOKafkaConnection) -> None:
        sent.append(connection._sasl_plain_password)

    await telling_of_refusals(handshake)(of)
    return sent[0]


async def test_each_connection_has_the_password_as_the_file_has_it_now(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    given = login(sasl_password_file=file)
    assert await password_sent(await connection(given)) == "first"
    file.write_text("second\n")
    assert await password_sent(await connection(given)) == "second"


@pytest.mark.parametrize(
    "spoil", [Path.unlink, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"\xff")]
)
async def test_while_the_file_is_being_written_the_last_password_serves(tmp_path: Path, spoil: Any) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    given = login(sasl_password_file=file)
    spoil(file)
    assert await password_sent(await connection(given)) == "first"


async def test_a_password_without_a_file_is_as_it_was_given() -> None:
    assert await password_sent(await connection(login(**GIVEN))) == "given"


async def refuse(of: AIOKafkaConnection, error: Exception) -> None:
    async def handshake(_: AIOKafkaConnection) -> None:
        raise error

    with pytest.raises(type(error)):
        await telling_of_refusals(handshake)(of)


async def test_a_refusal_is_reported_once_and_ends_with_the_next_success(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("x")
    given = login(sasl_password_file=tmp_path / "password")
    with capture_logs() as lines:
        for _ in range(3):
            await refuse(await connection(given), SaslAuthenticationFailed("Authentication failed"))
        assert "check kafka.sasl_username and kafka.sasl_password_file" in given.refused
        await password_sent(await connection(given))
    assert given.refused == ""
    assert [line["event"] for line in lines] == ["the brokers refuse the login", "the brokers accept the login again"]


async def test_a_token_that_cannot_be_had_says_why() -> None:
    given = login(**TOKEN)
    await refuse(await connection(given), TokenError("kafka.sasl_oauth_token_file: cannot read /no/token"))
    assert given.refused == "kafka.sasl_oauth_token_file: cannot read /no/token"


async def test_a_refusal_that_nobody_repeats_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    given = login(**GIVEN)
    await refuse(await connection(given), SaslAuthenticationFailed("Authentication failed"))
    monkeypatch.setattr(logins, "COUNTS_FOR", 0.0)
    assert given.refused == ""


async def test_while_it_is_refused_clients_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    given, slept = login(**GIVEN), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(logins, "asyncio", SimpleNamespace(sleep=sleep))
    await given.wait_turn()
    assert slept == []
    given.refuse(SaslAuthenticationFailed(""))
    await asyncio.gather(*(given.wait_turn() for _ in range(3)))
    assert slept == [logins.AGAIN_AFTER] * 3


async def test_a_refused_token_is_an_error_and_no_login() -> None:
    """RFC 7628; aiokafka goes on as if it had been taken, and the broker hangs up at its next request."""

    async def answer() -> Any:
        return SimpleNamespace(sasl_auth_bytes=b'{"status":"invalid_token"}', session_lifetime_ms=0)

    given: Any = SimpleNamespace(_sasl_mechanism="OAUTHBEARER")
    with pytest.raises(SaslAuthenticationFailed):
        await note_session(given, answer())


class Connection:
    def __init__(self) -> None:
        self._sasl_mechanism = "PLAIN"
        self._requests: list[tuple[int, object, asyncio.Future[None]]] = []
        self.closed: CloseReason | None = None

    async def start_session(self, milliseconds: int) -> None:
        async def answer() -> Any:
            return SimpleNamespace(sasl_auth_bytes=b"", session_lifetime_ms=milliseconds)

        await note_session(self, answer())  # as far as it is looked at

    def wait_for_answer(self) -> asyncio.Future[None]:
        future = asyncio.get_running_loop().create_future()
        self._requests.append((0, None, future))
        return future

    def close(self, reason: CloseReason) -> asyncio.Future[None]:
        self.closed = reason
        for *_, future in self._requests:
            future.cancel()
        closed = asyncio.get_running_loop().create_future()
        closed.set_result(None)
        return closed


class Client:
    """Opens a new connection where it has none, as aiokafka's does."""

    def __init__(self, known: Connection) -> None:
        self._conns = {(NODE, 0): known}

    async def open(self, node: int, *, group: int) -> Connection:
        return self._conns.setdefault((node, group), Connection())

    async def close(self) -> None:
        """Only those that it knows."""


get = ending_sessions(Client.open)


async def used_after(milliseconds: int, known: Connection) -> tuple[Client, Connection]:
    await known.start_session(milliseconds)
    client = Client(known)
    return client, await get(client, NODE, group=0)


@pytest.mark.parametrize("milliseconds", [0, 3_600_000], ids=["no end", "in an hour"])
async def test_a_session_that_goes_on_keeps_its_connection(milliseconds: int) -> None:
    known = Connection()
    assert (await used_after(milliseconds, known))[1] is known
    assert known.closed is None


async def test_a_session_that_ends_soon_is_ended_silently() -> None:
    """As an idle connection: aiokafka takes no other reason without looking for what is wrong."""
    known = Connection()
    assert (await used_after(-1, known))[1] is not known
    assert known.closed is CloseReason.IDLE_DROP


async def test_what_waits_for_an_answer_gets_it_first() -> None:
    known = Connection()
    answers = [known.wait_for_answer(), known.wait_for_answer()]
    _, new = await used_after(-1, known)
    assert new is not known
    for answer in answers:
        assert known.closed is None
        answer.set_result(None)
        await asyncio.sleep(0)
    assert known.closed is CloseReason.IDLE_DROP


async def test_a_client_that_ends_does_not_wait_for_answers() -> None:
    known = Connection()
    known.wait_for_answer()
    client, _ = await used_after(-1, known)
    await closing_all(Client.close)(client)
    assert known.closed is not None
