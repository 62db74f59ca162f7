"""Keys that the steps of a route set. No registry is needed to know them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from upcasters import Chain
from upcasters.errors import Irreversible
from upcasters.operations.choice import walk
from upcasters.operations.events import SetKey, SplitEach
from upcasters.paths import Path
from upcasters.step import Step
from worker.settings import RouteSettings


def keys_of(route: RouteSettings, chain: Chain) -> Iterator[tuple[Path, ...]]:
    """The fields of which steps make keys, up to the route's target; previews after it do not count."""
    for step in {step.id: step for step in _steps(route, chain)}.values():
        for operation in walk(step.operations):
            if isinstance(operation, SetKey):
                yield operation.paths
            elif isinstance(operation, SplitEach) and operation.key:
                yield operation.key


def _steps(route: RouteSettings, chain: Chain) -> Iterator[Step]:
    targets = route.policy().target
    for version in chain.versions:
        with suppress(Irreversible):  # such an event ends as a dead letter
            for hop in chain.path(version, targets):
                if not hop.down:  # on the way back nothing sets one
                    yield from hop.steps
