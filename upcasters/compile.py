"""The fast path: the operations of all hops fused into one generated function, built once and readable.

What happens to the fields of one object is put together (``layouts.py``); here are the ways to the objects, loops over
their items, conditions, and plain calls of whatever is not worth generating. The generated code does the common case.
Whatever it does not expect, it leaves by an exception, and the plain reference (``reference.py``) runs the event again,
hop by hop, and says what is wrong. So the two must agree only where the fast path comes to an end; tests hold them to
that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from upcasters.code import Code, comment, comment_text
from upcasters.conditions import AllOf, Always, AnyOf, Condition, Not, Present
from upcasters.context import Context
from upcasters.document import Object
from upcasters.layouts import FlatGroup, Layouts, grouped
from upcasters.operations.base import Operation
from upcasters.operations.choice import Switch, When
from upcasters.operations.events import DropEvent, EventOperation, SplitEach, SplitEvent
from upcasters.operations.reach import At, Everywhere, Subdocument
from upcasters.operations.values import Derive, DropDerived
from upcasters.paths import EACH, Path
from upcasters.step import Hop, walk

Fused = Callable[[Object, Context], Object]
Shape = Callable[[Object], str | None]


@dataclass(frozen=True)
class Compiled:
    """A generated function, its source, and whether it reads or changes anything beside the document."""

    function: Fused
    source: str
    needs_context: bool


def compile_hops(hops: Sequence[Hop]) -> Compiled:
    """One function for all operations of ``hops``: takes the opened document and its context, gives the document."""
    operations = [operation for hop in hops for operation in hop.operations]
    code = Code()
    _emit_all(operations, code)
    source = code.function(
        f"def upcast(root, context):  # {' -> '.join([hops[0].source[1], *(hop.target[1] for hop in hops)])}"
    )
    return Compiled(code.build(source, "upcast"), source, any(map(needs_context, operations)))


def compile_shapes(shapes: Sequence[tuple[str, Condition]]) -> tuple[Shape, str]:
    """One function that gives the first version whose shape fits, or None; and its source."""
    code = Code()
    for version, condition in shapes:
        code.line(f"if {_condition(condition, code)}: return {version!r}")
    source = code.function("def shape(root):", "None")
    return code.build(source, "shape"), source


def needs_context(operation: Operation) -> bool:
    """True where the operation reads or changes key, headers, type or coordinates."""
    if isinstance(operation, Derive):
        return not all(isinstance(source, tuple) for source in operation.sources)
    if isinstance(operation, DropDerived):
        return needs_context(operation.derive)
    if isinstance(operation, (At, Everywhere)):
        return any(map(needs_context, operation.operations))
    if isinstance(operation, When):
        return any(map(needs_context, (*operation.operations, *operation.otherwise)))
    if isinstance(operation, Switch):
        return True
    return isinstance(operation, (EventOperation, Subdocument))


def _may_end(operation: Operation) -> bool:
    """True where the event may end, or become several, in the operation."""
    return any(isinstance(inner, (DropEvent, SplitEach, SplitEvent)) for inner in walk([operation]))


# Emitting: code for each operation, or for all those on the fields of one object.


def _emit_all(operations: Iterable[Operation], code: Code) -> None:
    for operation in grouped(operations):
        if isinstance(operation, FlatGroup):
            _emit_group(operation, code)
        elif isinstance(operation, When) and not _may_end(operation):
            _emit_when(operation, code)
        else:
            code.call(operation)
            if _may_end(operation):
                code.line("if context.dropped or context.children is not None: return root")


def _emit_group(group: FlatGroup, code: Code) -> None:
    layouts = code.constant(Layouts(group.operations), "layouts")
    for operation in group.operations:
        code.line(f"# {comment(group.at) or 'root'}: {comment_text(str(operation))}")

    def body(target: str) -> None:
        slot = f" = {code.slots[target]}" if target in code.slots else ""
        code.line(f"{target}{slot} = {layouts}[tuple({target})]({target})")

    _at_each(group.at, "skip" if group.optional else "error", code, body)
    for path in group.touched:
        code.forget(path)


def _at_each(path: Path, missing: str, code: Code, body: Callable[[str], None]) -> None:
    """Code that runs ``body`` for every object at a path; ``missing="skip"`` puts it behind an ``if``."""
    known = max(length for length in range(len(path) + 1) if path[:length] in code.opened)
    variable = code.opened[path[:known]]
    if known == len(path):
        body(variable)
    elif path[known] is EACH:
        _loop(path, known, missing, code, body, variable)
    elif missing == "skip":
        with code.block(f"if {path[known]!r} in {variable}:"):
            _step_in(path, known, missing, code, body)
    else:
        _step_in(path, known, missing, code, body)


def _step_in(path: Path, known: int, missing: str, code: Code, body: Callable[[str], None]) -> None:
    if known + 1 < len(path) and path[known + 1] is EACH:
        parent, key, name = code.opened[path[:known]], path[known], code.variable()
        code.line(f"{name} = {parent}[{key!r}]  # {comment(path[: known + 1])}")
        code.line(f"if type({name}) is Raw: {name} = {parent}[{key!r}] = open_items({name})")
        _loop(path, known + 1, missing, code, body, name)
    else:
        code.object(path[: known + 1])
        _at_each(path, missing, code, body)


def _loop(path: Path, at: int, missing: str, code: Code, body: Callable[[str], None], container: str) -> None:
    key, item = code.variable(), code.variable()
    inner_is_container = at + 1 < len(path) and path[at + 1] is EACH
    with code.block(f"for {key}, {item} in pairs({container}):  # {comment(path[: at + 1])}"):
        if inner_is_container:
            code.line(f"if type({item}) is Raw: {item} = {container}[{key}] = open_items({item})")
            _loop(path, at + 1, missing, code, body, item)
            return
        code.slots[item] = f"{container}[{key}]"
        code.line(f"if type({item}) is not dict: {item} = {code.slots[item]} = open_object({item})")
        code.opened[path[: at + 1]] = item
        _at_each(path, missing, code, body)


def _emit_when(operation: When, code: Code) -> None:
    with code.block(f"if {_condition(operation.condition, code, look=False)}:"):
        _emit_all(operation.operations, code)
    if operation.otherwise:
        with code.block("else:"):
            _emit_all(operation.otherwise, code)


def _condition(condition: Condition, code: Code, *, look: bool = True) -> str:
    """A condition as an expression. With ``look``, nothing is changed between conditions and objects are shared."""
    if isinstance(condition, Always):
        return "True"
    if isinstance(condition, Present) and (look or condition.path[:-1] in code.opened):
        return f"{condition.path[-1]!r} in {_looked_at(condition.path[:-1], code)}"
    if isinstance(condition, Not):
        return f"not ({_condition(condition.part, code, look=look)})"
    if isinstance(condition, (AllOf, AnyOf)):
        word = " and " if isinstance(condition, AllOf) else " or "
        return word.join(f"({_condition(part, code, look=look)})" for part in condition.parts) or "True"
    return f"{code.constant(condition.test, 'test')}(root)"


def _looked_at(path: Path, code: Code) -> str:
    """The object at a path, empty where there is none: opened now if it is the first, else only when asked for."""
    if path in code.opened or len(code.opened) == 1:
        return code.looked_at(path)
    known = max(length for length in range(len(path)) if path[:length] in code.opened)
    expression = code.opened[path[:known]]
    for key in path[known:]:
        expression = f"look_at({expression}, {key!r})"
    return expression
