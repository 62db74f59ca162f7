"""One row of a record batch as an event: a part is read when somebody asks for it, for the whole batch at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from upcasters.arrow.columns import Found, headers_of, milliseconds_of, numbers_of, texts_of
from upcasters.event import Header

_READERS: Mapping[str, Callable[[pa.Array], list[Any]]] = MappingProxyType(
    {
        "key": texts_of,
        "headers": headers_of,
        "timestamp": milliseconds_of,
        "offset": numbers_of,
        "topic": lambda column: column.to_pylist(),
        "partition": numbers_of,
    }
)


class Row:
    """The event of one row, and its topic and partition. ``move`` takes it to the next.

    What has been asked for once is an attribute from then on: a chain that reads a header reads it in every event.
    """

    value: bytes | None
    key: bytes | None
    headers: Sequence[Header]
    timestamp: int | None
    offset: int | None
    topic: str
    partition: int

    def __init__(self, batch: pa.RecordBatch, found: Found) -> None:
        self._batch = batch
        self._found = found
        self._read: list[tuple[str, list[Any]]] = []
        self.number = 0

    def move(self, number: int, value: bytes | None) -> None:
        """To another row."""
        self.number = number
        self.value = value
        for name, parts in self._read:
            setattr(self, name, parts[number])

    def __getattr__(self, name: str) -> Any:
        """A part that nobody has asked for in this batch yet."""
        if name not in _READERS:
            raise AttributeError(name)
        column = getattr(self._found, name)
        none: Any = () if name == "headers" else None
        parts = _READERS[name](self._batch.column(column)) if column else [none] * self._batch.num_rows
        self._read.append((name, parts))
        setattr(self, name, parts[self.number])
        return parts[self.number]

    @property
    def is_placed(self) -> bool:
        """False where topic or partition is null in this row."""
        found: tuple[object, object] = (self.topic, self.partition)
        return None not in found
