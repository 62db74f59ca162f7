"""The stream of status snapshots."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.http import request_blocking
from tests.limits import HANG
from tests.served_api import FakeWorker, served
from worker.api.v2 import status


@contextmanager
def stream(address: str) -> Iterator[Iterator[Any]]:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=HANG) as client, client.makefile("rb") as lines:
        client.sendall(b"GET /v2/stream HTTP/1.1\r\nHost: a\r\n\r\n")
        yield (json.loads(line.removeprefix(b"data: ")) for line in lines if line.startswith(b"data: "))


def test_a_snapshot_now_and_then_when_it_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "STREAM_SECONDS", 0.01)
    worker = FakeWorker()
    with served(worker) as address, stream(address) as messages:
        assert next(messages)["routes"][0]["paused"] is False
        worker.route.paused = True
        assert next(messages)["routes"][0]["paused"] is True


def test_at_most_one_message_a_second() -> None:
    worker = FakeWorker()
    with served(worker) as address:
        began = time.monotonic()
        with stream(address) as messages:
            next(messages)
            worker.route.paused = True
            next(messages)
            assert time.monotonic() - began > 0.9


def test_it_ends_with_the_worker() -> None:
    with served(FakeWorker()) as address, stream(address) as messages:
        next(messages)
        # Leaving ``served`` waits for the server's thread, which a stream must not hold up.


def test_only_so_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "MOST_STREAMS", 1)
    with served(FakeWorker()) as address, stream(address) as messages:
        next(messages)
        answer = request_blocking(address, "/v2/stream")
    assert (answer.status, answer.json["detail"]) == (503, "1 streams are open already")
