"""Lists what this version offers (schema versions, settings and endpoints by name), and what past versions offered.

`python -m worker.offered` adds what is new to that record. It never removes a name: the deprecation policy needs them
all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from upcast_authoring.deprecation.policy import DeprecationPolicy, Offer, minor_of
from worker.deprecation.registry import DEPRECATED

FILE = "released.json"


def policy() -> DeprecationPolicy:
    """The policy of this worker's own version."""
    return DeprecationPolicy(DEPRECATED, offered(), released(), this_version())


def this_version() -> str:
    major, minor = minor_of(metadata.version("upcast-worker"))
    return f"{major}.{minor}"


def released() -> Mapping[str, Offer]:
    """By minor version, this one among them."""
    content = json.loads((files("worker.deprecation") / FILE).read_text(encoding="utf-8"))
    return {version: {kind: frozenset(names) for kind, names in offer.items()} for version, offer in content.items()}


def offered() -> Offer:
    return {"schema": frozenset(_schemas()), "setting": frozenset(_settings()), "endpoint": frozenset(_endpoints())}


def _schemas() -> Iterator[str]:
    from upcasters.devteam_runner import chain

    yield from (f"{event_type} {version}" for event_type, version in chain.versions)


def _settings() -> Iterator[str]:
    from worker.settings import RouteSettings, Settings
    from worker.settings.environment import RUNNER_PORTS
    from worker.settings.history import CONFIG, chain

    yield from RUNNER_PORTS
    yield from (f"config format {version}" for version in chain.types[CONFIG])
    yield from _names(Settings, "")
    yield from _names(RouteSettings, "routes.")


def _names(model: type[BaseModel], before: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner: Any = field.annotation
        key = before + (field.alias or name)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _names(inner, f"{key}.")
        elif key != "routes":
            yield key


def _endpoints() -> Iterator[str]:
    from worker.api.endpoints import endpoints

    yield from (f"{method} {path}" for method, path, _ in endpoints())


def main() -> None:
    """Add what this version offers to the record."""
    version, now, before = this_version(), offered(), released()
    known = before.get(version, {})
    content = {**before, version: {kind: now[kind] | known.get(kind, frozenset()) for kind in now}}
    text = json.dumps(
        {at: {kind: sorted(names) for kind, names in offer.items()} for at, offer in content.items()}, indent=2
    )
    (Path(str(files("worker.deprecation") / FILE))).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
