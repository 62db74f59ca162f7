"""One HTTP request to a worker. Of the standard library alone: the health check starts with it twice a minute."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple


class HttpAnswer(NamedTuple):
    """``status`` is 0 where no worker answered; then ``body`` says why."""

    status: int
    body: bytes = b""
    content_type: str = ""

    @property
    def ok(self) -> bool:
        return self.status == HTTPStatus.OK

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    @property
    def json(self) -> Any:
        """Raises ValueError where it is none."""
        return json.loads(self.body)


def ask_worker(
    host: str,
    port: int,
    path: str,
    seconds: float,
    method: str = "GET",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> HttpAnswer:
    """The answer of a worker, within ``seconds``. Never raises."""
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        connection.request(method, path, body or None, dict(headers or {}))
        answer = connection.getresponse()
        return HttpAnswer(answer.status, answer.read(), answer.headers.get("content-type", ""))
    except (OSError, http.client.HTTPException) as error:
        return HttpAnswer(0, str(error).encode())
    finally:
        connection.close()
