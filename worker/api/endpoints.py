"""Every endpoint by method and path template: of both versions of the API, and the probes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry

from worker.api.bounded_thread import BoundedThread
from worker.api.probes import probes
from worker.api.v1_adapter import older_path
from worker.api.v2 import router_of
from worker.api.view import Lookups, WorkerView


def endpoints() -> Iterator[tuple[str, str, str]]:
    """Method, path and what it is for. Only routes are looked at, so that no worker is needed."""
    nobody = cast("WorkerView", None)
    routes = router_of(nobody, {}, None, Lookups(), BoundedThread()).routes
    current = [route for route in routes if isinstance(route, APIRoute)]
    for probe in probes(nobody, CollectorRegistry()):
        yield "GET", probe.path, _summary(probe.endpoint.__doc__)
    for route in current:
        for method in sorted(route.methods or ()):
            yield method, route.path, _summary(route.description)
            if (path := older_path(route)) is not None:
                yield method, path, f"as `{route.path}`, in camelCase"


def _summary(text: str | None) -> str:
    return " ".join((text or "").partition("\n\n")[0].split())
