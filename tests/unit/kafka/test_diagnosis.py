"""A broker that closes a connection may ask for a login, or be about to end: it is asked which."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import SaslHandShakeRequest

from worker.kafka import diagnosis
from worker.kafka.diagnosis import Address, Cause, diagnose
from worker.settings import KafkaSettings

CLOSED = KafkaConnectionError("Connection closed")
NO_LOGINS, NOT_THIS_ONE = 34, 33


class Connection:
    """Answers a handshake with this code, or is closed instead."""

    def __init__(self, code: int | None) -> None:
        self._code = code

    async def send(self, request: Any) -> Any:
        assert isinstance(request, SaslHandShakeRequest)
        if self._code is None:
            raise CLOSED
        return SimpleNamespace(error_code=self._code)

    async def close(self) -> None:
        """Nothing to close."""


async def cause(monkeypatch: pytest.MonkeyPatch, code: int | None, *, accepts: bool = True) -> Cause:
    async def connect(*_: Any, **__: Any) -> Connection:
        if not accepts:
            raise CLOSED
        return Connection(code)

    async def no_tls(_: Address) -> bool:
        return False

    monkeypatch.setattr(diagnosis, "create_conn", connect)
    monkeypatch.setattr(diagnosis, "_speaks_tls", no_tls)
    settings = KafkaSettings(bootstrap_servers="h:1", group_id="g")
    return await diagnose(CLOSED, Address("h", 1), settings, {})


@pytest.mark.parametrize("code", [0, NOT_THIS_ONE])
async def test_a_listener_that_takes_logins_needs_other_settings(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    found = await cause(monkeypatch, code)
    assert found.permanent
    assert "set kafka.security_protocol to SASL_PLAINTEXT" in found.text


@pytest.mark.parametrize(("code", "accepts"), [(NO_LOGINS, True), (None, True), (None, False)])
async def test_a_connection_that_broke_by_chance_is_made_again(
    monkeypatch: pytest.MonkeyPatch, code: int | None, accepts: bool
) -> None:
    """As when a broker is killed between two requests: a start is not refused for that."""
    assert await cause(monkeypatch, code, accepts=accepts) == Cause("the connection was closed", permanent=False)
