"""One operation on one document, as text in and text out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from upcasters import Event, EventError, Operation, Reversibility, SourcePartition
from upcasters.context import Context
from upcasters.document import read, same, write
from upcasters.event import Header
from upcasters.operations.base import undo


def context(
    *, key: bytes | None = None, headers: Sequence[Header] = (), timestamp: int | None = None, offset: int | None = 7
) -> Context:
    """The context of a record of ``orders/0``."""
    return Context.of(Event(None, key, headers, timestamp, offset), SourcePartition("orders", 0), "order")


def applied(before: str, *operations: Operation, around: Context | None = None) -> str:
    """The document after the operations."""
    root = read(before.encode())
    for operation in operations:
        operation.apply(root, around or context())
    return write(root).decode()


def undone(after: str, *operations: Operation, around: Context | None = None) -> str:
    """The document before the operations, from the one after them."""
    return applied(after, *undo(operations).operations, around=around)


def refused(
    error: type[EventError], path: str, before: str, operation: Operation, around: Context | None = None
) -> str:
    """The message of the error that an operation raises about a place."""
    with pytest.raises(error) as caught:
        applied(before, operation, around=around)
    assert type(caught.value) is error
    assert caught.value.path == path
    assert caught.value.stage in ("upcast", "encode")
    assert len(str(caught.value).split()) > 2, "the message is a sentence"
    return str(caught.value)


def assert_reversible(before: str, *operations: Operation, around: Context | None = None) -> None:
    """The operations say that they can be undone exactly, and can."""
    assert undo(operations).kind is Reversibility.EXACT
    after = applied(before, *operations, around=around)
    assert_same(undone(after, *operations, around=around), before)


def assert_same(one: str, other: str) -> None:
    """Both are the same JSON, whatever the order of keys and the way that numbers are written."""
    first, second = read(one.encode()), read(other.encode())
    assert same(first, second), f"{one} != {other}"


def touches(operation: Operation) -> dict[str, Any]:
    """What an operation says of itself."""
    return {"reads": operation.reads(), "writes": operation.writes(), "dropped": operation.dropped()}
