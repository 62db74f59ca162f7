"""By what a plan knows its route again: topics, chain, and what of the configuration decides the output."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from upcasters.fingerprint import fingerprint
from worker.replay.plan.parts import PlannedRoute
from worker.routes.chains import RouteChain
from worker.settings import RouteSettings

DECIDING = (
    "source",
    "destination",
    "dead_letter",
    "event_type",
    "version",
    "target",
    "unknown_type",
    "future_version",
    "duplicate_keys",
    "validation",
    "include_values",
    "stamp",
    "allow_loss",
)
"""The settings that decide what comes out. Limits, rates and the breaker may change between plan and replay."""

LATER = ("stamp", "allow_loss")


def planned_route(given: RouteChain) -> PlannedRoute:
    """What the plan says of the route; the same for the same chain and deciding settings."""
    route = given.route
    return PlannedRoute(
        source=route.source,
        destination=route.destination,
        dead_letter=route.dead_letter,
        chain=route.chain,
        chain_fingerprint=given.chain.fingerprint,
        config_fingerprint=config_fingerprint(route),
        config={name: json.dumps(value, sort_keys=True) for name, value in deciding(route).items()},
        steps={step.id: fingerprint(step) for step in given.chain.steps},
        targets=dict(route.policy().target),
    )


def config_fingerprint(route: RouteSettings) -> str:
    """16 hex digits over the deciding settings."""
    return hashlib.sha256(json.dumps(deciding(route), sort_keys=True).encode()).hexdigest()[:16]


def deciding(route: RouteSettings) -> dict[str, Any]:
    """The settings that decide, as plain JSON values. Those that came later count where they are not as before."""
    later = {name for name in LATER if getattr(route, name) == RouteSettings.model_fields[name].default}
    return route.model_dump(mode="json", include=set(DECIDING) - later)
