"""Names of fields that a chain has in its steps and models: they tell nothing of an event, so a fault may tell them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from upcasters.operations.base import Operation
from upcasters.operations.choice import walk
from upcasters.operations.lists import MoveItems
from upcasters.operations.presence import Optional
from upcasters.operations.scopes import Everywhere
from upcasters.validation.declared import Declared
from upcasters.version_graph import VersionGraph


def known_names(chain: VersionGraph) -> frozenset[str]:
    """All of them; another key of an object may be a value, such as an address."""
    models = {version.model for version in chain.versions.values() if version.model is not None}
    declared = (Declared(model).names() for model in models)
    return frozenset().union(*declared, *(_names_of(step.operations) for step in chain.steps))


def _names_of(operations: Iterable[Operation]) -> Iterator[str]:
    for operation in walk(operations):
        paths = [*operation.reads(), *operation.writes()]
        if isinstance(operation, Everywhere):
            yield from (*operation.stop_at, *operation.only_in)
            paths += operation.where.reads()
        if isinstance(operation, MoveItems):
            paths += operation.where.reads()
        if isinstance(operation, Optional):
            paths.append(operation.path)
        for path in paths:
            yield from (part for part in path if isinstance(part, str))
