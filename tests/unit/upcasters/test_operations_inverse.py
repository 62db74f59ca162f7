"""What says that it can be undone exactly gives the same document back, headers and key too."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.upcasters.generated import SOURCE, any_operation, events
from upcasters import Event, EventError, Operation, Reversibility, StepError
from upcasters.context import Context
from upcasters.document import read, same, write
from upcasters.operations.base import undo
from upcasters.operations.fields import Optional
from upcasters.step import walk


def written(draw: st.DrawFn) -> Operation | None:
    try:
        return draw(any_operation)
    except StepError:
        return None


@st.composite
def undoable(draw: st.DrawFn) -> Operation | None:
    """An operation that says that it can be undone exactly."""
    operation = written(draw)
    if operation is None or operation.inverse().kind is not Reversibility.EXACT:
        return None
    # `optional` speaks of a field that older documents do not have; one that has it cannot go down.
    return None if any(isinstance(one, Optional) for one in walk((operation,))) else operation


@settings(max_examples=6000, deadline=None)
@given(undoable(), events())
def test_undone(operation: Operation | None, event: Event) -> None:
    if operation is None:
        return
    before, root = read(event.value or b""), read(event.value or b"")
    context = Context.of(event, SOURCE, "t")
    try:
        operation.apply(root, context)
        after = read(write(root))
    except (EventError, RecursionError):
        return
    for back in undo((operation,)).operations:
        back.apply(after, context)
    assert same(before, after), f"{operation}: {write(before)!r} became {write(after)!r}"
    assert (context.key, list(context.headers)) == (event.key, list(event.headers))
    assert context.event_type == "t"
