"""The HTTP server, in the worker's own event loop."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

import structlog
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from worker.api.header_timeout import HeaderTimeout
from worker.api.legacy_port import CountLegacy, LegacyPort
from worker.api.limits import STREAMS
from worker.errors import MAY_PASS, NEEDS_A_PERSON, WorkerError
from worker.settings import HttpSettings

log = structlog.get_logger(__name__)

# What a slow client may hold up the stop of the worker.
GRACE_SECONDS = 1


def uncounted(_version: str, _route: str) -> None:
    """Count nothing."""


class _Server(uvicorn.Server):
    """Leaves the signals to the worker, which has more to stop than this server."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(
    http: HttpSettings, api: ASGIApp, count_legacy: CountLegacy = uncounted, given: socket.socket | None = None
) -> AsyncIterator[str]:
    """Serve ``api`` inside the block; yields its address as ``host:port``.

    On the legacy port too, where the settings have one; ``count_legacy`` is called for each request there. On the
    socket that is ``given`` and on no other, where there is one.
    """
    stopping = asyncio.Event()
    with _bound(http, given) as (current, *legacy):
        host, port = current.getsockname()[:2]
        if legacy:
            api = LegacyPort(api, legacy[0].getsockname()[1], count_legacy)
        server = _Server(
            uvicorn.Config(
                _heard(stopping, api),
                http=HeaderTimeout,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[current, *legacy]), name="http")
        if given is None:
            log.info("http is listening", host=host, port=port)
        for other in legacy:
            log.info("http is listening on the legacy port", host=host, port=other.getsockname()[1])
        try:
            yield f"{host}:{port}"
        finally:
            stopping.set()
            server.should_exit = True
            await serving


def _heard(stopping: asyncio.Event, api: ASGIApp) -> ASGIApp:
    """``api``, whose long answers end when the server stops. HEAD is GET, whose body the server leaves out."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked = {**scope, "stopping": stopping}
        if asked.get("method") == "HEAD" and asked["path"] not in STREAMS:
            asked["method"] = "GET"
        await api(asked, receive, send)

    return app


@contextmanager
def _bound(http: HttpSettings, given: socket.socket | None) -> Iterator[list[socket.socket]]:
    """The sockets of the port and, where there is one, the legacy port."""
    with ExitStack() as stack:
        if given is not None:
            yield [stack.enter_context(given)]
            return
        bound = [stack.enter_context(bind(http.host, http.port, "http.port"))]
        if http.legacy_port is None:
            pass
        elif http.legacy_port == http.port:
            log.warning("the legacy port is off: it is the same as the port", port=http.port)
        else:
            bound.append(stack.enter_context(bind(http.host, http.legacy_port, "http.legacy_port")))
        yield bound


def bind(host: str, port: int, setting: str) -> socket.socket:
    """Take the port now, so that a port in use is one clear line."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        # Callers wait in the kernel from now on, where they would be refused until uvicorn is up.
        bound.listen()
    except OSError as error:
        bound.close()
        raise _cannot_bind(host, port, setting, error) from None
    return bound


def _cannot_bind(host: str, port: int, setting: str, error: OSError) -> WorkerError:
    where = f"http: cannot listen on {host}:{port}"
    if error.errno == errno.EADDRINUSE:
        remedy = "stop what listens there, or set {} ({})"
        if setting == "http.legacy_port":
            remedy = "stop what listens there, or leave out {} ({})"
        names = _VARIABLES[setting]
        return WorkerError(f"{where}: the port is in use: {remedy.format(setting, names)}", MAY_PASS, code="UPC1008")
    return WorkerError(f"{where}: {error.strerror}: correct http.host and {setting}", NEEDS_A_PERSON, code="UPC1009")


_VARIABLES = {"http.port": "UPCAST_HTTP__PORT", "http.legacy_port": "LEGACY_RUNNER_PORT"}
