"""Operations on the fields of one object, run once for each layout of keys instead of once for each event.

Objects of one version mostly have the same keys in the same order. What renames, defaults and conversions do to such a
layout is worked out symbolically when it is seen again: a chain of renames becomes one, a default that is overwritten
vanishes, and what is left is one small function that builds the new object from the values of the old.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import Raw

from upcasters.compile.groups import CHANGES_OF_VALUES, Flat
from upcasters.context import Context
from upcasters.depth import MOST_LEVELS
from upcasters.document import (
    CONTAINERS,
    FEW_DIGITS,
    NULLS,
    Object,
    decode_plain,
    decode_text,
    encode,
    from_plain,
    open_array,
    open_object,
    plain,
    refuse_lost_values,
)
from upcasters.errors import WrongType
from upcasters.event import Event
from upcasters.operations.base import ChangeValue, taken
from upcasters.operations.fields import Drop, FirstOf, Rename
from upcasters.operations.filling import Default
from upcasters.operations.keys import RenameKeys
from upcasters.operations.lists import FieldsToList, ListToFields, Wrap
from upcasters.operations.nesting import Nest
from upcasters.operations.texts import JoinValues, SplitList, SplitValue, Template, parts_of
from upcasters.operations.values import Convert, Derive, MapValues, ParseJson
from upcasters.paths import Path

DocumentChange = Callable[[Object], Object]
"""Gives the new object."""
CountedChange = tuple[Callable[[Object], Any] | None, int | None, int | None]
"""The change, and by how many bytes and quotes the object's text gets longer. Where that is None, the change is made in
place, and what it gives is the two numbers."""

# Beyond these an object is a map with keys of its own rather than a record; it is changed without a layout.
MOST_LAYOUTS = 256
MOST_KEYS = 64
MOST_LETTERS = 4_096

ANY_LEVELS = MOST_LEVELS
# Functions' results of more levels than that are left to the reference, so that few functions cannot make what is deep.
LEVELS_OF_RESULTS = 8

_NO_CONTEXT = Context(Event(None), None, None, [], "")


class Unexpected(Exception):
    """The generated code met a case that it leaves to the reference."""


def can_count(operation: Flat) -> bool:
    """True where the operation gives keys other names, and values to those that were missing, and no more."""
    if isinstance(operation, Default):
        return operation.exists != "replace" and operation.null == "keep"
    return isinstance(operation, (Rename, RenameKeys, FirstOf))


def added_levels(operations: Iterable[Flat]) -> int:
    """How much deeper than it was an object may be for these operations, at most."""
    return sum(map(_added_by, operations))


def _added_by(operation: Flat) -> int:
    if isinstance(operation, ParseJson) or (isinstance(operation, Convert) and operation.null == "keep"):
        return ANY_LEVELS
    if isinstance(operation, (Derive, Convert)):
        return LEVELS_OF_RESULTS
    if isinstance(operation, (Default, Rename)):
        given = operation.default if isinstance(operation, Rename) else operation.value
        return 0 if given is None else bytes(given).count(b"{") + bytes(given).count(b"[")
    return 1 if isinstance(operation, (FieldsToList, Nest, Wrap, SplitList)) else 0


class Layouts(dict[tuple[str, ...], Any]):
    """The change for each layout of keys, None where there is none; worked out when a layout is seen again.

    Keys that are others in every event so cost nothing but themselves, and leave the room to those that come again.
    """

    def __init__(self, operations: Sequence[Flat]) -> None:
        self.operations = tuple(operations)
        self._seen: set[int] = set()

    def __missing__(self, layout: tuple[str, ...]) -> Any:
        if len(layout) > MOST_KEYS or len(self) >= MOST_LAYOUTS or sum(map(len, layout)) > MOST_LETTERS:
            return self._unknown()
        if hash(layout) not in self._seen:
            if len(self._seen) >= MOST_LAYOUTS:
                self._seen.clear()
            self._seen.add(hash(layout))
            return self._unknown()
        found = self[layout] = self._known(layout)
        return found

    def _known(self, layout: tuple[str, ...]) -> DocumentChange | None:
        return specialised(layout, self.operations)[0]

    def _unknown(self) -> DocumentChange:
        return self.plainly

    def plainly(self, target: Object) -> Object:
        """The operations one by one, as the reference runs them."""
        for operation in self.operations:
            operation.apply(target, _NO_CONTEXT)
            if isinstance(operation, (Derive, Convert)) and not _is_shallow(target, LEVELS_OF_RESULTS):
                raise Unexpected
        return target


class CountingLayouts(Layouts):
    """The same with by how much longer the text gets, for operations of which that can be told: ``can_count``."""

    def _known(self, layout: tuple[str, ...]) -> CountedChange:  # type: ignore[override]  # another kind of entry
        work = _worked_out(layout, self.operations)
        return (_unexpected, 0, 0) if work is None else (work.change(layout)[0], *work.growth(layout))

    def _unknown(self) -> CountedChange:  # type: ignore[override]  # as above
        return self._counted, None, None

    def _counted(self, target: Object) -> tuple[int, int]:
        before = encode(target)
        return difference(before, encode(self.plainly(target)))


def _is_shallow(node: Any, levels: int) -> bool:
    """True where objects and arrays that are open are no more than so many levels further down."""
    if type(node) is not dict and type(node) is not list:
        return True
    parts = node.values() if type(node) is dict else node
    return levels >= 0 and all(_is_shallow(part, levels - 1) for part in parts)


def specialised(layout: tuple[str, ...], operations: Iterable[Flat]) -> tuple[DocumentChange | None, str]:
    """The function that makes the new object out of one with these keys, None where it stays; and its source."""
    work = _worked_out(layout, operations)
    return (_unexpected, "raise Unexpected") if work is None else work.change(layout)


def _worked_out(layout: tuple[str, ...], operations: Iterable[Flat]) -> _Work | None:
    """The new object out of one with these keys; None where that is the reference's."""
    work = _Work({key: f"old[{key!r}]" for key in layout})
    try:
        for operation in operations:
            _RUN[type(operation)](operation, work)
    except Unexpected:
        return None
    return work


def _unexpected(_: Object) -> Object:
    raise Unexpected


@dataclass
class _Work:
    """The new object so far: what each field will be, in order, and the lines that lead there."""

    fields: dict[str, str]
    lines: list[str] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    variables: int = 0

    def constant(self, value: Any, hint: str) -> str:
        name = f"{hint}_{len(self.constants)}"
        self.constants[name] = value
        return name

    def variable(self, expression: str) -> str:
        self.variables += 1
        name = f"v{self.variables}"
        self.lines.append(f"{name} = {expression}")
        return name

    def plain(self, node: str) -> str:
        """The variable of a node's plain value."""
        made = self.variable(f"decode_plain({node}) if type({node}) is Raw else plain({node})")
        self.lines.append(f"if type({made}) in CONTAINERS: refuse_lost_values({node}, {made})")
        return made

    def fresh(self, made: str) -> str:
        """The variable of the node that a function's result is."""
        plain = f"type({made}) is str and {made}.isascii() or type({made}) is int and -FEW_DIGITS < {made} < FEW_DIGITS"
        return self.variable(f"{made} if {plain} else from_plain({made}, (), {LEVELS_OF_RESULTS})")

    def rename(self, names: Mapping[str, str]) -> None:
        renamed = {names.get(key, key): value for key, value in self.fields.items()}
        if len(renamed) != len(self.fields):
            raise Unexpected
        self.fields = renamed

    def change(self, layout: tuple[str, ...]) -> tuple[DocumentChange | None, str]:
        """The function for objects with these keys, None where they stay as they are; and its source."""
        in_place = self._in_place(layout)
        made = _display(self.fields) if in_place is None else "old"
        lines = [*self.lines, *(in_place or ()), f"return {made}"]
        source = "def change(old):\n" + "".join(f"    {line}\n" for line in lines)
        if lines == ["return old"]:
            return None, source
        scope: dict[str, Any] = {**_SCOPE, **self.constants}
        exec(compile(source, "<upcasters: layout>", "exec"), scope)  # noqa: S102  # our own generated text
        change: DocumentChange = scope["change"]
        return change, source

    def growth(self, layout: tuple[str, ...]) -> tuple[int, int]:
        """By how many bytes and quotes the new object's text is longer, where no value but a new one is another."""
        constants = b"".join(encode(self.constants[value]) for value in self.fields.values() if value in self.constants)
        return difference(_keys_text(layout), _keys_text(self.fields) + constants)

    def _in_place(self, layout: tuple[str, ...]) -> list[str] | None:
        """Lines that change the object as it is; None where the order of its keys, or a value's key, is another."""
        kept = [key for key in layout if key in self.fields]
        if list(self.fields)[: len(kept)] != kept:
            return None
        changed = {key: value for key, value in self.fields.items() if value != f"old[{key!r}]"}
        if any(value.startswith("old[") for key, value in changed.items() if key in kept):
            return None
        added = [key for key in changed if key not in kept]
        lines = [f"old[{key!r}] = {changed[key]}" for key in (*added, *(key for key in kept if key in changed))]
        return [*lines, *(f"del old[{key!r}]" for key in layout if key not in self.fields)]


def _keys_text(keys: Iterable[str]) -> bytes:
    """The text of an object of these keys, without the values."""
    return encode(dict.fromkeys(keys, Raw(b"")))


def difference(before: bytes, after: bytes) -> tuple[int, int]:
    """By how many bytes and quotes a text is longer than another."""
    return len(after) - len(before), after.count(b'"') - before.count(b'"')


def _rename(operation: Rename, work: _Work) -> None:
    given = operation.default
    if operation.missing == "error" and given is None and not operation.names.keys() <= work.fields.keys():
        raise Unexpected
    work.rename(operation.names)
    for name in operation.names.values() if given is not None else ():
        if name not in work.fields:
            work.fields[name] = work.constant(given, "value")


def _rename_keys(operation: RenameKeys, work: _Work) -> None:
    work.rename({key: operation.rule(key) for key in work.fields})


def _first_of(operation: FirstOf, work: _Work) -> None:
    found = [str(source[0]) for source in operation.sources if source[0] in work.fields]
    if len(found) > 1 or (not found and operation.missing == "error"):
        raise Unexpected
    if found:
        work.rename({found[0]: str(operation.target[0])})


def _default(operation: Default, work: _Work) -> None:
    key = str(operation.path[0])
    if key not in work.fields or operation.exists == "replace":
        work.fields[key] = work.constant(operation.value, "value")
    elif operation.null == "replace":
        value = work.variable(work.fields[key])
        filler = work.constant(operation.value, "value")
        work.lines.append(f"if {value} in NULLS: {value} = {filler}")
        work.fields[key] = value
    elif operation.exists == "error":
        raise Unexpected


def _drop(operation: Drop, work: _Work) -> None:
    if operation.missing == "error" and operation.path[0] not in work.fields:
        raise Unexpected
    work.fields.pop(str(operation.path[0]), None)


def _derive(operation: Derive, work: _Work) -> None:
    key = str(operation.path[0])
    if key not in work.fields or operation.exists == "replace":
        computed = _computed(operation, work)
        if computed is not None:
            work.fields[key] = computed
    elif operation.null == "replace":
        value = work.variable(work.fields[key])
        inner = _Work(work.fields, [], work.constants, work.variables)
        computed = _computed(operation, inner)
        work.variables = inner.variables
        if operation.exists == "error":
            work.lines.append(f"if {value} not in NULLS: raise Unexpected")
        if computed is not None:
            work.lines.append(f"if {value} in NULLS:")
            work.lines += [f"    {line}" for line in (*inner.lines, f"{value} = {computed}")]
        work.fields[key] = value
    elif operation.exists == "error":
        raise Unexpected


def _computed(operation: Derive, work: _Work) -> str | None:
    """The derived value; None where a missing source means that nothing is derived."""
    arguments = []
    for source in operation.sources:
        assert isinstance(source, tuple)
        if source[0] not in work.fields:
            if operation.missing == "skip":
                return None
            if operation.missing == "error":
                raise Unexpected
            arguments.append("None")
        elif len(source) == 1:
            node = work.variable(work.fields[str(source[0])])
            arguments.append(work.plain(node))
        elif operation.missing == "skip":
            raise Unexpected
        else:
            arguments.append(_deeper(source, work, operation.missing))
    made = work.variable(f"{work.constant(operation.using, 'using')}({', '.join(arguments)})")
    return work.fresh(made)


def _deeper(source: Path, work: _Work, missing: str) -> str:
    """The variable of a plain value further down; None, or Unexpected, where it is not there."""
    node = work.variable(work.fields[str(source[0])])
    opened = "open_object" if missing == "error" else "object_or_none"
    for key in source[1:]:
        work.lines.append(f"if type({node}) is not dict: {node} = {opened}({node})")
        found = f"{node}[{key!r}]"
        node = work.variable(found if missing == "error" else f"{found} if {node} and {key!r} in {node} else None")
    return work.plain(node)


def _object_or_none(node: Any) -> Object | None:
    try:
        return open_object(node)
    except WrongType:
        return None


def _change_value(operation: ChangeValue, work: _Work) -> None:
    key = str(operation.path[0])
    if key in work.fields:
        work.fields[key] = _CHANGES.get(type(operation), _changed)(operation, work, work.variable(work.fields[key]))
    elif operation.missing == "error":
        raise Unexpected


def _converted(operation: Convert, work: _Work, node: str) -> str:
    if operation.null == "keep":
        return _changed(operation, work, node)
    work.lines.append(f"if {node} in NULLS: raise Unexpected")
    made = work.variable(f"{work.constant(operation.forward, 'using')}({work.plain(node)})")
    return work.fresh(made)


def _mapped(operation: MapValues, work: _Work, node: str) -> str:
    if operation.ambiguous:
        return _changed(operation, work, node)
    mapped = work.constant(operation.changed, "changed")
    texts = work.constant({old: new for (_, old), new in operation.table.items() if type(old) is str}, "table")
    text = work.plain(node)
    found = f"{texts}.get({text}, {node})" if operation.otherwise == "keep" else f"{texts}[{text}]"
    return work.variable(f"{found} if type({text}) is str else {mapped}({node})")


def _changed(operation: ChangeValue, work: _Work, node: str) -> str:
    return work.variable(f"{work.constant(operation.changed, 'changed')}({node})")


_CHANGES: dict[type, Callable[[Any, _Work, str], str]] = {Convert: _converted, MapValues: _mapped}
"""Those of which not all is the operation's own method."""


def _split_value(operation: SplitValue, work: _Work) -> None:
    key = str(operation.path[0])
    if key not in work.fields:
        if operation.missing == "error":
            raise Unexpected
        return
    most = len(operation.names)
    cut = "" if operation.which == "all" else f", {operation.which!r}, {most}"
    parts = work.variable(f"parts_of(text({work.fields.pop(key)}), {operation.separator!r}{cut})")
    work.lines.append(f"if len({parts}) != {most}: raise Unexpected")
    for position, name in enumerate(operation.names):
        if name in work.fields:
            raise Unexpected
        work.fields[name] = f"{parts}[{position}]"


def _join_values(operation: JoinValues, work: _Work) -> None:
    if operation.missing == "skip" and not any(name in work.fields for name in operation.names):
        return
    names = taken(operation.names, work.fields, operation.short)
    if not all(name in work.fields for name in names):
        raise Unexpected
    parts = work.variable(f"[{', '.join(f'text({work.fields.pop(name)})' for name in names)}]")
    joined = work.variable(f"{operation.separator!r}.join({parts})")
    if operation.separator:
        again = f"{joined}.split({operation.separator!r})"
        if operation.which != "all":
            again = f"parts_of({joined}, {operation.separator!r}, {operation.which!r}, {len(operation.names)})"
        work.lines.append(f"if {again} != {parts}: raise Unexpected")
    key = str(operation.path[0])
    if key in work.fields:
        raise Unexpected
    work.fields[key] = joined


def _fields_to_list(operation: FieldsToList, work: _Work) -> None:
    if operation.missing == "skip" and not any(name in work.fields for name in operation.names):
        return
    names = taken(operation.names, work.fields, operation.short)
    if not all(name in work.fields for name in names):
        raise Unexpected
    items = work.variable(f"[{', '.join(work.fields.pop(name) for name in names)}]")
    key = str(operation.path[0])
    if key in work.fields:
        raise Unexpected
    work.fields[key] = items


def _list_to_fields(operation: ListToFields, work: _Work) -> None:
    key = str(operation.path[0])
    if key not in work.fields:
        if operation.missing == "error":
            raise Unexpected
        return
    items = work.variable(f"open_array({work.fields.pop(key)})")
    differs = "<" if operation.more == "cut" else "!="
    work.lines.append(f"if len({items}) {differs} {len(operation.names)}: raise Unexpected")
    for position, name in enumerate(operation.names):
        if name in work.fields:
            raise Unexpected
        work.fields[name] = f"{items}[{position}]"


def _nest(operation: Nest, work: _Work) -> None:
    if operation.into in work.fields and operation.into not in operation.names:
        raise Unexpected
    if operation.missing == "error" and not all(name in work.fields for name in operation.names):
        raise Unexpected
    inside = {name: work.fields.pop(name) for name in operation.names if name in work.fields}
    work.fields[operation.into] = work.variable(_display(inside))


def _display(fields: Mapping[str, str]) -> str:
    """An object of these fields, as an expression."""
    return f"{{{', '.join(f'{key!r}: {value}' for key, value in fields.items())}}}"


def _text(node: Any) -> str:
    if type(node) is Raw:
        found: str = decode_text(node)
        return found
    if type(node) is str:
        return node
    made = plain(node)
    if type(made) is str:
        return made
    raise Unexpected


_RUN: dict[type, Callable[[Any, _Work], None]] = {
    Rename: _rename,
    RenameKeys: _rename_keys,
    FirstOf: _first_of,
    Default: _default,
    Drop: _drop,
    Derive: _derive,
    Template: _derive,
    Nest: _nest,
    SplitValue: _split_value,
    JoinValues: _join_values,
    FieldsToList: _fields_to_list,
    ListToFields: _list_to_fields,
    **dict.fromkeys(CHANGES_OF_VALUES, _change_value),
}

_SCOPE: dict[str, Any] = {
    "CONTAINERS": CONTAINERS,
    "FEW_DIGITS": FEW_DIGITS,
    "NULLS": NULLS,
    "Raw": Raw,
    "Unexpected": Unexpected,
    "decode_plain": decode_plain,
    "encode": encode,
    "from_plain": from_plain,
    "parts_of": parts_of,
    "refuse_lost_values": refuse_lost_values,
    "plain": plain,
    "text": _text,
    "object_or_none": _object_or_none,
    "open_array": open_array,
    "open_object": open_object,
}
