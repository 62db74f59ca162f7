"""Closes connections whose request head does not arrive in time: uvicorn waits for it for ever."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

HEAD_SECONDS = 10.0
"""From the connection, or from the answer before, to the end of the request's head. As long as a body may take."""


class HeaderTimeout(H11Protocol):
    """Closes a connection on which no whole head has come in time; one whose request is being answered stays."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._await_head()

    def on_response_complete(self) -> None:
        # Before uvicorn, which begins with the next request here where one is there already.
        self._await_head()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._forget()
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        # uvicorn's annotation leaves out that there is none before the first request.
        answered: RequestResponseCycle | None = self.cycle
        if answered is None or answered.response_complete:
            self.transport.close()
