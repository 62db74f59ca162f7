"""The API on a port, in a thread of its own, before a worker that only remembers what it was told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from tests.limits import HANG
from worker.api import LaneStatus, RouteStatus, Status, create_api, listening
from worker.api.view import CannotDecideError, Decided, Lookups, NotRunningError
from worker.routes.chains import RouteChain, load_chains
from worker.settings import HttpSettings, RouteSettings

TOKEN = "a-token-of-enough-letters"
AUTHORISED = {"authorization": f"Bearer {TOKEN}"}


class FakeWorker:
    """Has one route, and remembers what it was told to do."""

    def __init__(self, source: str = "legacy") -> None:
        self.starting = False
        self.not_live: list[str] = []
        self.not_ready: list[str] = []
        self.requests: list[tuple[str, str, int]] = []
        self.route = RouteStatus(
            source=source,
            destination="current",
            dead_letter="legacy-dlt",
            chain="m:c",
            fingerprint="f",
            delivery="exactly-once",
            lanes=[LaneStatus(topic=source, partition=0, state="running", lag=3)],
        )

    def note(self, version: str, route: str, status: int) -> None:
        self.requests.append((version, route, status))

    def why_not_live(self) -> list[str]:
        return self.not_live

    def why_not_ready(self) -> list[str]:
        return self.not_ready

    def status(self) -> Status:
        routes = [self.route.model_copy()]
        return Status(
            version="1", state="running", consumer_group="g", why_not_ready=self.why_not_ready(), routes=routes
        )

    def _check(self, source: str) -> None:
        if self.starting:
            raise NotRunningError
        if source != self.route.source:
            raise KeyError(source)

    def route_chains(self) -> Mapping[str, RouteChain]:
        return load_chains([RouteSettings(source=self.route.source, destination="current")])

    def pause(self, source: str) -> None:
        self._check(source)
        self.route.paused = True

    def resume(self, source: str) -> None:
        self._check(source)
        self.route.paused = False

    def limit_rate(self, source: str, records_per_second: float | None, bytes_per_second: float | None = None) -> None:
        self._check(source)
        self.route.records_per_second = records_per_second

    async def decide(self, source: str, partition: int, go_on_at: int | Literal["found", "end"]) -> Decided:
        """Partition 0 has been read up to 400 and was found to end at 300; it ends at 450."""
        self._check(source)
        places: dict[int | str, int] = {"found": 300, "end": 450}
        to = places.get(go_on_at, int(go_on_at) if isinstance(go_on_at, int) else 0)
        if partition or to > 450:
            raise CannotDecideError(f"{source}:{partition}: needs no decision")
        return Decided(before=400, go_on_at=to, first_left_out=300, left_out=max(0, to - 300))


@contextmanager
def served(worker: FakeWorker, **lookups: Any) -> Iterator[str]:
    """The address, ``host:port``. ``lookups`` are those of ``Lookups``. Requests are noted in ``worker.requests``."""
    started: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    api = create_api(worker, CollectorRegistry(), SecretStr(TOKEN), worker.note, Lookups(**lookups))

    async def serve() -> None:
        async with listening(HttpSettings(port=0), api) as address:
            started.put_nowait(address)
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(started.get(), loop).result(timeout=HANG)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=HANG)
        loop.close()
