"""A plain HTTP client for tests."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.limits import HANG


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


async def request(
    address: str, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: Any = None
) -> Answer:
    """``address`` is ``host:port``; ``body`` goes out as JSON, or as the bytes that it is."""
    return await asyncio.to_thread(request_blocking, address, path, method, headers, body)


def request_blocking(
    address: str, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: Any = None
) -> Answer:
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=HANG)
    try:
        content = body if body is None or isinstance(body, bytes) else json.dumps(body)
        given = {"content-type": "application/json"} if content else {}
        connection.request(method, path, content, {**given, **(headers or {})})
        answer = connection.getresponse()
        lower = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, lower, answer.read().decode())
    finally:
        connection.close()
