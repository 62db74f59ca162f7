"""Which paths the operations of a way look at: what lies elsewhere need not be opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from upcasters.operations.base import Operation
from upcasters.paths import Path
from upcasters.step import Hop


def touched_paths(hops: Iterable[Hop]) -> tuple[Path, ...]:
    """The paths of all operations, each once. What lies further down is opened by whoever comes to it."""
    found = (path for hop in hops for operation in hop.operations for path in _touched(operation))
    return tuple(dict.fromkeys(found))


def _touched(operation: Operation) -> Iterator[Path]:
    yield from operation.reads()
    yield from operation.writes()
