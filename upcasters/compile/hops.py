"""The fast path: the operations of all hops fused into one generated function, built once and readable.

What happens to the fields of one object is put together (``groups``, ``layouts``); here are the ways to the objects,
loops over their items, and plain calls of whatever is not worth generating. The generated code does the common case.
Whatever it does not expect, it leaves by an exception, and the plain reference (``upcasters.reference``) runs the event
again, hop by hop, and says what is wrong. So the two must agree only where the fast path comes to an end; tests hold
them to that.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, get_args

from upcasters.compile.code import UNCHECKED, Code, comment, comment_text
from upcasters.compile.conditions import expression, looked_at
from upcasters.compile.groups import Flat, FlatGroup, Group, grouped
from upcasters.compile.layouts import ANY_LEVELS, CountingLayouts, Layouts, Unexpected, added_levels, can_count
from upcasters.compile.switches import SwitchRun, may_end, runs
from upcasters.conditions import Condition
from upcasters.context import Context
from upcasters.depth import MOST_ADDED
from upcasters.document import Object, ScalarKey, compared, scalar_key
from upcasters.operations.base import Operation
from upcasters.operations.choice import Switch, When, walk
from upcasters.operations.events import (
    DropEvent,
    DropHeader,
    EventOperation,
    FieldToHeader,
    MustBeType,
    RenameHeader,
    RenameType,
    SetHeader,
    SetKey,
    Tombstone,
)
from upcasters.operations.fields import Drop, Move, Rename
from upcasters.operations.filling import Copy, DropEqual
from upcasters.operations.keys import RenameKeys
from upcasters.operations.lists import ListToFields, MoveItems
from upcasters.operations.nesting import KeepOnly, Unnest
from upcasters.operations.numbers import Scale
from upcasters.operations.presence import MustBeAbsent, MustExist, Optional
from upcasters.operations.scopes import At, Everywhere, Subdocument, Walk, go_together
from upcasters.operations.times import ConvertTime
from upcasters.operations.values import Derive, DropDerived, PrintJson
from upcasters.paths import EACH, Path
from upcasters.step import Hop
from upcasters.traversal import MISSING

Inner = Callable[[Object, Context], Any]
"""Gives the document, and where that is counted by how many bytes and quotes its text is to be longer."""


class Fused(Protocol):
    """A generated function: gives the document."""

    __globals__: dict[str, Any]

    def __call__(self, root: Object, context: Context, /) -> Object: ...


@dataclass(frozen=True)
class Compiled:
    """A generated function, and its source."""

    function: Fused
    source: str


def compile_hops(hops: Sequence[Hop], *, keeps_keys: bool = True) -> Compiled:
    """One function for all operations of ``hops``: takes the opened document and its context, gives the document."""
    code = Code()
    first, *others = _stretches([hop.operations for hop in hops])
    _emit_all(first, code)
    _emit_others(others, code)
    versions = " -> ".join([hops[0].source[1], *(hop.target[1] for hop in hops)])
    source = code.text(f"def upcast(root, context):  # {versions}")
    return Compiled(code.build(source, "upcast", {} if keeps_keys else UNCHECKED), source)


def emit_hops(hops: Sequence[Sequence[Operation]], code: Code, *, keeps_keys: bool, counts: bool) -> None:
    """The lines of the same inside of another function, where ``value`` is the text of ``root``, opened unchecked.

    They raise Unexpected where a key was lost; or, with ``counts`` and where that can be told (``code.counts``), they
    leave in ``added`` and ``quotes`` by how many bytes and quotes the new text is to be longer.
    """
    first, *others = _stretches(hops)
    groups = grouped(runs(first))
    code.counts = counts and keeps_keys and not others and all(map(_can_count, groups))
    _emit_first(groups, code, checks=keeps_keys and not code.counts)
    _emit_groups(groups, code)
    _emit_others(others, code)


def _stretches(hops: Sequence[Sequence[Operation]]) -> list[list[Operation]]:
    """The operations of all hops, parted where a hop may leave a document that is too deep: between hops it is none."""
    stretches, added = [list[Operation]()], 0
    for operations in hops:
        if added > MOST_ADDED:
            stretches.append([])
            added = 0
        stretches[-1] += operations
        added += sum(map(_levels_added, walk(operations)))
    return stretches


def _levels_added(operation: Operation) -> int:
    """How many levels an operation adds at most, without those inside of it."""
    if isinstance(operation, get_args(Flat)):
        return added_levels([operation])
    if isinstance(operation, (Copy, Move, MoveItems)):
        return len(operation.target)
    return 0 if isinstance(operation, (At, When, Switch, *_NOT_DEEPER)) else ANY_LEVELS


def _emit_others(stretches: Iterable[Sequence[Operation]], code: Code) -> None:
    for operations in stretches:
        code.line("if is_too_deep(encode(root), SHALLOW): raise Unexpected")
        code.levels = 0
        _emit_all(operations, code)


def _can_count(group: Group) -> bool:
    if isinstance(group, FlatGroup):
        return all(map(can_count, group.operations))
    if isinstance(group, When):
        return _all_can_count((*group.operations, *group.otherwise))
    if isinstance(group, SwitchRun):
        return all(_all_can_count(part.all() if isinstance(part, Switch) else [part]) for part in group.parts)
    return False


def _all_can_count(operations: Iterable[Operation]) -> bool:
    return all(map(_can_count, grouped(runs(operations))))


def _emit_first(groups: Sequence[Group], code: Code, *, checks: bool) -> None:
    """Opens the objects of the leading groups, as far as nothing before has touched them, and checks all at once."""
    code.decode, touched = "decode_unchecked", list[Path]()
    for group in itertools.takewhile(bool, map(_leading, groups)):
        assert group is not None
        if not any(group.at[: len(one)] == one for one in touched if one):
            _open_first(group, code)
        touched += group.touched
    if code.counts:
        code.line("added = quotes = 0")
        return
    code.decode = "decode_object"
    if checks:
        code.line("again = encode(root)")
        code.line("if len(again) != len(value) and may_lack_keys(value, again): raise Unexpected")


def _leading(group: Group) -> FlatGroup | None:
    """Where the group's object is, and what it touches; None where that is not told before it runs."""
    if isinstance(group, Move) and _is_plain(group):
        return FlatGroup(group.source[:-1], [], [group.source, group.target], False)
    return group if isinstance(group, FlatGroup) else None


def _open_first(group: FlatGroup, code: Code) -> None:
    path = group.at[: group.at.index(EACH)] if EACH in group.at else group.at
    if path == group.at and not group.optional:
        code.object(path)
    elif path and (path[:-1] in code.opened or not group.optional):
        parent, name = code.object(path[:-1]), code.variable()
        opened = "decode_unchecked" if path == group.at else "open_items_unchecked"
        code.line(f"{name} = {parent}.get({path[-1]!r})  # {comment(path)}")
        code.line(f"if type({name}) is Raw: {parent}[{path[-1]!r}] = {opened}({name})")


def needs_context(operation: Operation) -> bool:
    """True where the operation reads or changes key, headers, type or coordinates."""
    if isinstance(operation, Derive):
        return operation.takes_from_around()
    if isinstance(operation, DropDerived):
        return needs_context(operation.derive)
    if isinstance(operation, MoveItems):
        return bool(operation.where.outside())
    if isinstance(operation, (At, Everywhere, When, Switch)):
        if isinstance(operation, Everywhere) and operation.may_grow():
            return True
        inside = itertools.islice(walk([operation]), 1, None)
        return any(condition.outside() for condition in _asked(operation)) or any(map(needs_context, inside))
    return isinstance(operation, (EventOperation, Subdocument))


def _asked(operation: Operation) -> Iterator[Condition]:
    """The conditions that an operation asks itself."""
    if isinstance(operation, When):
        yield operation.condition
    elif isinstance(operation, Everywhere):
        yield operation.where
        if operation.stop_where is not None:
            yield operation.stop_where


# Emitting: code for each operation, or for all those on the fields of one object.


def _emit_all(operations: Iterable[Operation], code: Code) -> None:
    _emit_groups(grouped(runs(operations)), code)


def _emit_groups(groups: Iterable[Group], code: Code) -> None:
    for operation in walks(groups):
        if isinstance(operation, FlatGroup):
            _emit_group(operation, code)
        elif isinstance(operation, list):
            _emit_walk(operation, code)
        elif isinstance(operation, SwitchRun):
            _emit_switches(operation, code)
        elif may_end(operation):
            code.call(operation)
            code.line(f"if context.ended: return {code.result}")
        else:
            _EMIT.get(type(operation), _emit_call)(operation, code)


def walks(
    groups: Iterable[Group],
) -> list[Group | list[Everywhere]]:
    """The same, with several ``everywhere`` put together that one walk can do."""
    found: list[Group | list[Everywhere]] = []
    for group in groups:
        if isinstance(group, Everywhere) and not may_end(group):
            before = found[-1] if found else None
            if isinstance(before, list) and go_together([*before, group]):
                before.append(group)
            else:
                found.append([group])
        else:
            found.append(group)
    return found


def _emit_walk(parts: Sequence[Everywhere], code: Code) -> None:
    code.levels += ANY_LEVELS
    name = code.constant(Walk(parts).apply, "walk")
    for part in parts:
        code.line(f"# {comment_text(str(part))}")
    code.line(f"{name}(root, context)")
    code.forget_all()


def _emit_call(operation: Operation, code: Code) -> None:
    code.call(operation, 0 if isinstance(operation, _NOT_DEEPER) else ANY_LEVELS)


def _emit_group(group: FlatGroup, code: Code) -> None:
    missing = "skip" if group.optional else "error"
    if not group.operations:
        _at_each(group.at, missing, code, lambda _: None)
        return
    code.levels += added_levels(group.operations)
    layouts = code.constant((CountingLayouts if code.counts else Layouts)(group.operations), "layouts")
    for operation in group.operations:
        code.line(f"# {comment(group.at) or 'root'}: {comment_text(str(operation))}")

    def body(target: str) -> None:
        slot = f" = {code.slots[target]}" if target in code.slots else ""
        if not code.counts:
            code.line(f"change = {layouts}[tuple({target})]")
            code.line(f"if change is not None: {target}{slot} = change({target})")
            return
        code.line(f"change, more_bytes, more_quotes = {layouts}[tuple({target})]")
        code.line(f"if more_bytes is None: more_bytes, more_quotes = change({target})")
        code.line(f"elif change is not None: {target}{slot} = change({target})")
        code.line("added += more_bytes; quotes += more_quotes")

    _at_each(group.at, missing, code, body)
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
    pairs = f"{container}.items() if type({container}) is dict else pairs({container})"
    with code.block(f"for {key}, {item} in {pairs}:  # {comment(path[: at + 1])}"):
        if inner_is_container:
            code.line(f"if type({item}) is Raw: {item} = {container}[{key}] = open_items({item})")
            _loop(path, at + 1, missing, code, body, item)
            return
        code.slots[item] = f"{container}[{key}]"
        code.open_item(item)
        code.opened[path[: at + 1]] = item
        _at_each(path, missing, code, body)


def _emit_when(operation: When, code: Code) -> None:
    with code.block(f"if {expression(operation.condition, code, look=False)}:"):
        _emit_all(operation.operations, code)
    if operation.otherwise:
        with code.block("else:"):
            _emit_all(operation.otherwise, code)


def _emit_at(operation: At, code: Code) -> None:
    if operation.wrong_type == "skip" or needs_context(operation):
        code.call(operation)
        return
    inside = code.inner()
    _emit_all(operation.operations, inside)
    name = code.define("at", inside, comment(operation.path))

    def body(target: str) -> None:
        slot = f" = {code.slots[target]}" if target in code.slots else ""
        code.line(f"{target}{slot} = {name}({target}, context)")

    _at_each(operation.path, operation.missing, code, body)
    for path in operation.writes():
        code.forget(path)


def _emit_switches(operation: SwitchRun, code: Code) -> None:
    code.levels += sum(map(_levels_added, walk(operation.parts))) if code.counts else ANY_LEVELS
    cases = code.constant(Cases(operation, counts=code.counts), "cases")
    code.line(f"# {comment_text(str(operation))}")
    node = f"{looked_at(operation.path[:-1], code)}.get({operation.path[-1]!r}, MISSING)"
    if code.counts:
        code.line(f"root, more_bytes, more_quotes = {cases}.of({node})(root, context)")
        code.line("added += more_bytes; quotes += more_quotes")
    else:
        code.line(f"root = {cases}.of({node})(root, context)")
    code.forget_all()


class Cases(dict[Any, Inner]):
    """The function for each value of a field, by the value alone where it is a text; made when it is first chosen."""

    def __init__(self, switches: SwitchRun, *, counts: bool) -> None:
        self._switches = switches
        self._counts = counts
        self._values = switches.values()

    def of(self, node: Any) -> Inner:
        """The function for a document with this value."""
        value = compared(node)
        if type(value) is not str:
            value = scalar_key(value) if type(value) not in (dict, list) else MISSING
        return self[value]

    def __missing__(self, value: Any) -> Inner:
        key = (False, value) if type(value) is str else value
        if key not in self._values:
            return self._otherwise
        function = self[value] = self._chosen(key)
        return function

    @cached_property
    def _otherwise(self) -> Inner:
        return self._chosen(None)

    def _chosen(self, value: ScalarKey | None) -> Inner:
        operations = self._switches.chosen(value)
        if operations is None:
            raise Unexpected
        return _function(operations, counts=self._counts)


def _function(operations: Sequence[Operation], *, counts: bool) -> Inner:
    """The operations as a function; with ``counts`` it also gives by how many bytes and quotes the text gets longer."""
    code = Code(counts=counts)
    if counts:
        code.result, code.decode = "root, added, quotes", "decode_unchecked"
        code.line("added = quotes = 0")
    _emit_all(operations, code)
    function: Inner = code.build(code.text("def case(root, context):"), "case")
    return function


def _is_plain(operation: Move) -> bool:
    return (operation.missing, operation.exists, operation.prune) == ("error", "error", False)


def _emit_move(operation: Move, code: Code) -> None:
    if not _is_plain(operation):
        code.call(operation)
        return
    code.levels += len(operation.target)
    parent, node = code.object(operation.source[:-1]), code.variable()
    code.line(f"{node} = {parent}.pop({operation.source[-1]!r})  # {comment_text(str(operation))}")
    code.forget(operation.source)
    if operation.parents == "create":
        for depth in range(1, len(operation.target)):
            above, key = code.object(operation.target[: depth - 1]), operation.target[depth - 1]
            code.line(f"if {key!r} not in {above}: {above}[{key!r}] = {{}}")
            code.object(operation.target[:depth])
    parent, key = code.object(operation.target[:-1]), operation.target[-1]
    code.line(f"if {key!r} in {parent}: raise Unexpected")
    code.line(f"{parent}[{key!r}] = {node}")
    code.forget(operation.target)


def _emit_local(
    at: Path, change: Callable[[Object], None], operation: Operation, code: Code, missing: str = "error"
) -> None:
    name = code.constant(change, "change")
    _at_each(at, missing, code, lambda target: code.line(f"{name}({target})  # {comment_text(str(operation))}"))
    for path in operation.writes():
        code.forget(path)


def _emit_unnest(operation: Unnest, code: Code) -> None:
    _emit_local(operation.child[:-1], operation.lift, operation, code, operation.absent)


def _emit_keep_only(operation: KeepOnly, code: Code) -> None:
    code.levels += 1
    _emit_local(operation.at, operation.keep, operation, code)


_NOT_DEEPER = (
    *(ConvertTime, Drop, DropHeader, FieldToHeader, ListToFields, MustExist, PrintJson, Rename, RenameHeader),
    *(RenameKeys, Scale, DropEqual, DropEvent, MustBeAbsent, MustBeType, Optional, RenameType, SetHeader, SetKey),
    *(Tombstone, Unnest),
)

_EMIT: dict[type, Callable[[Any, Code], None]] = {
    At: _emit_at,
    KeepOnly: _emit_keep_only,
    Move: _emit_move,
    Unnest: _emit_unnest,
    When: _emit_when,
}
