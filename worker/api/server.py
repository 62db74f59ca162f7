"""The HTTP server, in the worker's own event loop."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog
import uvicorn
from fastapi import FastAPI

from worker.errors import MAY_PASS, NEEDS_A_PERSON, WorkerError
from worker.settings import HttpSettings

log = structlog.get_logger(__name__)

# What a slow client may hold up the stop of the worker.
GRACE_SECONDS = 1


class _Server(uvicorn.Server):
    """Leaves the signals to the worker, which has more to stop than this server."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(http: HttpSettings, api: FastAPI) -> AsyncIterator[str]:
    """Serve ``api`` inside the block; yields its address as ``host:port``."""
    bound = bind(http)
    host, port = bound.getsockname()[:2]
    server = _Server(
        uvicorn.Config(
            api,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[bound]), name="http")
    log.info("http is listening", host=host, port=port)
    try:
        yield f"{host}:{port}"
    finally:
        server.should_exit = True
        await serving
        bound.close()


def bind(http: HttpSettings) -> socket.socket:
    """Take the port now, so that a port in use is one clear line."""
    family = socket.AF_INET6 if ":" in http.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((http.host, http.port))
        # Callers wait in the kernel from now on, where they would be refused until uvicorn is up.
        bound.listen()
    except OSError as error:
        bound.close()
        raise _cannot_bind(http, error) from None
    return bound


def _cannot_bind(http: HttpSettings, error: OSError) -> WorkerError:
    where = f"http: cannot listen on {http.host}:{http.port}"
    if error.errno == errno.EADDRINUSE:
        return WorkerError(
            f"{where}: the port is in use: stop what listens there, or set http.port (UPCAST_HTTP__PORT)",
            MAY_PASS,
        )
    return WorkerError(f"{where}: {error.strerror}: correct http.host and http.port", NEEDS_A_PERSON)
