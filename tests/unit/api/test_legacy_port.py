"""The second port: the same API, counted, with its own notice."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from tests.http import request
from tests.ports import free_port
from tests.served_api import FakeWorker
from worker.api import create_api, listening
from worker.errors import MAY_PASS, WorkerError
from worker.metrics import WorkerMetrics
from worker.settings import HttpSettings


@asynccontextmanager
async def both_ports(legacy: int, registry: CollectorRegistry) -> AsyncIterator[str]:
    metrics = WorkerMetrics(registry, "g")
    api = create_api(FakeWorker(), registry, None, metrics.count_request)
    async with listening(HttpSettings(port=0, legacy_port=legacy), api, metrics.count_legacy_request) as address:
        yield address


async def test_the_same_api_is_served_there_and_counted() -> None:
    port, registry = free_port(), CollectorRegistry()
    with capture_logs() as logs:
        await _ask_both(port, registry)
    assert [entry["user_agent"] for entry in logs if "user_agent" in entry] == ["old-client/1"]


async def _ask_both(port: int, registry: CollectorRegistry) -> None:
    async with both_ports(port, registry) as address:
        legacy = f"127.0.0.1:{port}"
        for path in ("/v1/status", "/v2/status", "/v2/status", "/livez"):
            answer = await request(legacy, path, headers={"user-agent": "old-client/1"})
            assert answer.status == 200
            assert answer.headers["sunset"].endswith("GMT")
        assert "sunset" not in (await request(address, "/v2/status")).headers
    count = "upcaster_legacy_port_requests_total"
    assert registry.get_sample_value(count, {"version": "v2", "route": "/v2/status"}) == 2
    assert registry.get_sample_value(count, {"version": "v1", "route": "/v1/status"}) == 1
    every = {"version": "v2", "route": "/v2/status", "status": "200"}
    assert registry.get_sample_value("upcaster_api_requests_total", every) == 3


async def test_it_is_off_where_both_are_one_port() -> None:
    port = free_port()
    api = create_api(FakeWorker(), CollectorRegistry())
    with capture_logs() as logs:
        async with listening(HttpSettings(port=port, legacy_port=port), api) as address:
            assert "sunset" not in (await request(address, "/v2/status")).headers
    assert any(entry["event"].startswith("the legacy port is off") for entry in logs)


async def test_a_port_in_use_names_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = HttpSettings(port=0, legacy_port=taken.getsockname()[1])
        with pytest.raises(WorkerError, match=r"leave out http\.legacy_port \(LEGACY_RUNNER_PORT\)") as caught:
            async with listening(settings, create_api(FakeWorker(), CollectorRegistry())):
                pass
    assert caught.value.exit_code == MAY_PASS
