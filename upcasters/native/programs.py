"""The program of one object: its keys are known in their order, so what the operations make of them is known as well.

An expression is a tuple whose first item says what it is; ``native/reading/src/plan.rs`` has the list.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from msgspec import Raw

from upcasters.compile.groups import CHANGES_OF_VALUES, Flat
from upcasters.compile.layouts import LEVELS_OF_RESULTS, Unexpected
from upcasters.depth import is_too_deep
from upcasters.document import encode, from_plain
from upcasters.native.places import Place
from upcasters.operations.base import taken
from upcasters.operations.fields import Drop, FirstOf, Rename
from upcasters.operations.filling import Default
from upcasters.operations.keys import RenameKeys
from upcasters.operations.lists import FieldsToList
from upcasters.operations.nesting import Nest
from upcasters.operations.texts import Template
from upcasters.operations.values import Convert, Derive

Expression = tuple[Any, ...]
Key = str | int
"""A key with a name, or the token of a run of others."""

MOST_ARGUMENTS = 8
# Results that are deeper together with the most that is read natively would be near the limit.
MOST_LEVELS = 64


class Work:
    """The new object so far: the expression of each field, in order. ``changed`` are the fields inside of which
    something is changed."""

    def __init__(self, place: Place, tokens: Sequence[str | None], changed: Collection[Any] = ()) -> None:
        self.place = place
        self.changed = changed
        self.fields: dict[Key, Expression] = {}
        self.held: dict[int, Place] = {}
        for token, key in enumerate(tokens):
            if key is None:
                self.fields[token] = ("run", token)
                continue
            child = place.child(key)
            self.fields[key] = ("span", token) if child is None else ("child", token)
            if child is not None:
                self.held[token] = child
        self.before = dict(self.fields)

    def run(self, operations: Sequence[Flat]) -> None:
        """What the operations do. Raises Unexpected where an event is to go to the reference."""
        for operation in operations:
            _RUN[type(operation)](operation, self)

    def remove(self, key: str) -> None:
        """Take a field out, if it is there. Raises Unexpected where an event may be refused for its value, which
        nothing would work out any more."""
        value = self.fields.pop(key, None)
        if value is not None and not self._is_sure(value):
            raise Unexpected

    def replace(self, key: str, value: Expression) -> None:
        """Give a field another value, in its place. Raises Unexpected as ``remove`` does."""
        if not self._is_sure(self.fields[key]):
            raise Unexpected
        self.fields[key] = value

    def _is_sure(self, value: Expression) -> bool:
        """True where a value is there for every event."""
        kind = value[0]
        if kind == "child":
            return self.held[value[1]].path[-1] not in self.changed
        if kind in ("if null", "if number"):
            return all(map(self._is_sure, value[2:]))
        if kind in _WRITTEN:
            return all(map(self._is_sure, value[1].values() if kind == "object" else value[1]))
        return kind in ("span", "constant")

    def rename(self, names: Mapping[Any, str]) -> None:
        renamed: dict[Key, Expression] = {names.get(key, key): value for key, value in self.fields.items()}
        if len(renamed) != len(self.fields):
            raise Unexpected
        self.fields = renamed

    def stamp(self, key: str, number: bytes | None, text: bytes) -> None:
        """Write a version where another one stands; as a number where the new one is one."""
        value = self.fields.get(key)
        if value is None:
            return
        if value[0] != "span":
            raise Unexpected
        new = (
            ("constant", text) if number is None else ("if number", value[1], ("constant", number), ("constant", text))
        )
        self.fields[key] = ("if null", value[1], value, new)

    def program(self, *, opened: bool, looked_at: bool) -> tuple[Any, ...]:
        """The program as the extension takes it. What is not opened stays as it is.

        What only a shape looks at is written anew or not, which nobody knows here; where there is no white space that
        is the same.
        """
        exports = [self._exported(key) for key in self.place.exports]
        if not opened:
            return looked_at, True, [("refuse",)], exports
        same = list(self.fields.items()) == list(self.before.items()) and not self._holds_objects()
        return True, same, self._instructions(), exports

    def _exported(self, key: str) -> Expression | None:
        value = self.fields.get(key)
        return ("refuse",) if value is not None and value[0] in _WRITTEN else value

    def _holds_objects(self) -> bool:
        return bool(self.held) or self.place.each is not None

    def _instructions(self) -> list[Expression]:
        made: list[Expression] = []
        text = _write(self.fields, made, b"{")
        return [*made, ("text", text + b"}")]


_WRITTEN = ("object", "list")
"""Values of which the program writes the brackets."""


def _write(fields: Mapping[Any, Expression], made: list[Expression], text: bytes) -> bytes:
    """Add what writes the fields of an object; the constant bytes behind the last value, which are yet to be added."""
    for number, (key, value) in enumerate(fields.items()):
        text += b"," if number else b""
        if isinstance(key, str):
            text += encode(key) + b":"
        text = _write_value(value, made, text)
    return text


def _write_value(value: Expression, made: list[Expression], text: bytes) -> bytes:
    if value[0] == "constant":
        return text + bytes(value[1])
    if value[0] == "object":
        return _write(value[1], made, text + b"{") + b"}"
    if value[0] == "list":
        for number, item in enumerate(value[1]):
            text = _write_value(item, made, text + (b"," if number else b"["))
        return text + b"]"
    made += [("text", text), value]
    return b""


def _rename(operation: Rename, work: Work) -> None:
    given = operation.default
    if operation.missing == "error" and given is None and not operation.names.keys() <= work.fields.keys():
        raise Unexpected
    work.rename(operation.names)
    for name in operation.names.values() if given is not None else ():
        if name not in work.fields:
            work.fields[name] = ("constant", encode(given))


def _rename_keys(operation: RenameKeys, work: Work) -> None:
    work.rename({key: operation.rule(key) for key in work.fields if isinstance(key, str)})


def _first_of(operation: FirstOf, work: Work) -> None:
    found = [str(source[0]) for source in operation.sources if source[0] in work.fields]
    if len(found) > 1 or (not found and operation.missing == "error"):
        raise Unexpected
    if found:
        work.rename({found[0]: str(operation.target[0])})


def _default(operation: Default, work: Work) -> None:
    key = str(operation.path[0])
    filler = ("constant", encode(operation.value))
    if key not in work.fields:
        work.fields[key] = filler
    elif operation.exists == "replace":
        work.replace(key, filler)
    elif operation.null == "replace":
        work.fields[key] = _where_null(work.fields[key], filler)
    elif operation.exists == "error":
        raise Unexpected


def _where_null(value: Expression, filler: Expression, refuse: bool = False) -> Expression:
    """``filler`` in the place of a null; with ``refuse``, nothing else may stand there."""
    kind = value[0]
    if kind == "span":
        return ("if null", value[1], filler, ("refuse",) if refuse else value)
    if kind == "constant":
        return filler if value[1] == b"null" else ("refuse",) if refuse else value
    if kind == "if null" and value[3][0] in ("span", "constant") and value[2][0] == "constant":
        null, other = value[2], value[3]
        inner = ("refuse",) if refuse else other if other[0] == "span" else _where_null(other, filler)
        return ("if null", value[1], _where_null(null, filler, refuse), inner)
    raise Unexpected


def _drop(operation: Drop, work: Work) -> None:
    if operation.missing == "error" and operation.path[0] not in work.fields:
        raise Unexpected
    work.remove(str(operation.path[0]))


def _derive(operation: Derive, work: Work) -> None:
    key = str(operation.path[0])
    if key not in work.fields:
        computed = _computed(operation, work)
        if computed is not None:
            work.fields[key] = computed
    elif operation.exists == "replace":
        computed = _computed(operation, work)
        if computed is not None:
            work.replace(key, computed)
    elif operation.null == "replace":
        computed = _computed(operation, work)
        filler = work.fields[key] if computed is None else computed
        work.fields[key] = _where_null(work.fields[key], filler, refuse=operation.exists == "error")
    elif operation.exists == "error":
        raise Unexpected


def _computed(operation: Derive, work: Work) -> Expression | None:
    """The call; None where a missing source means that nothing is derived."""
    arguments: list[Expression] = []
    for source in operation.sources:
        assert isinstance(source, tuple)
        value = work.fields.get(str(source[0]))
        if value is None:
            if operation.missing == "skip":
                return None
            if operation.missing == "error":
                raise Unexpected
            arguments.append(("nothing",))
        elif len(source) == 1:
            arguments.append(_argument(value))
        elif operation.missing == "skip" or value[0] != "child":
            raise Unexpected
        else:
            keys = _exported(work.held[value[1]], source[1:])
            arguments.append(("deep", value[1], keys, operation.missing == "error"))
    if len(arguments) > MOST_ARGUMENTS:
        raise Unexpected
    return ("call", operation.using, arguments)


def _argument(value: Expression) -> Expression:
    """A value that a function may be given as it was read: what another function made is no such value."""
    parts = value[2:] if value[0] in ("if null", "if number") else (value,)
    if any(part[0] not in ("span", "constant") for part in parts):
        raise Unexpected
    return value


def _exported(place: Place | None, keys: Sequence[Any]) -> list[int]:
    found = []
    for key in keys:
        assert place is not None  # `Places` has one for each part of what a function reads
        found.append(place.exports.index(key))
        place = place.child(key)
    return found


def _nest(operation: Nest, work: Work) -> None:
    if operation.into in work.fields and operation.into not in operation.names:
        raise Unexpected
    if operation.missing == "error" and not all(name in work.fields for name in operation.names):
        raise Unexpected
    inside = {name: work.fields.pop(name) for name in operation.names if name in work.fields}
    work.fields[operation.into] = ("object", inside)


def _fields_to_list(operation: FieldsToList, work: Work) -> None:
    if operation.missing == "skip" and not any(name in work.fields for name in operation.names):
        return
    names = taken(operation.names, [key for key in work.fields if isinstance(key, str)], operation.short)
    if not all(name in work.fields for name in names):
        raise Unexpected
    items = [work.fields.pop(name) for name in names]
    key = str(operation.path[0])
    if key in work.fields:
        raise Unexpected
    work.fields[key] = ("list", items)


def _change_value(operation: Any, work: Work) -> None:
    key = str(operation.path[0])
    value = work.fields.get(key)
    if value is None:
        if operation.missing == "error":
            raise Unexpected
        return
    if value[0] != "span":
        raise Unexpected
    if isinstance(operation, Convert) and operation.null == "error":
        work.fields[key] = ("if null", value[1], ("refuse",), ("call", operation.forward, [value]))
    else:
        work.fields[key] = ("bytes", _of_bytes(operation.changed), value[1])


def _of_bytes(change: Callable[[Any], Any]) -> Callable[[bytes], bytes]:
    def changed(text: bytes) -> bytes:
        made = encode(change(Raw(text)))
        if is_too_deep(made, MOST_LEVELS):
            raise Unexpected
        return made

    return changed


def finish(result: Any) -> bytes:
    """A function's result as JSON. Raises what ``from_plain`` raises."""
    return encode(from_plain(result, (), LEVELS_OF_RESULTS))


_RUN: dict[type, Callable[[Any, Work], None]] = {
    Rename: _rename,
    RenameKeys: _rename_keys,
    FirstOf: _first_of,
    Default: _default,
    Drop: _drop,
    Derive: _derive,
    Template: _derive,
    Nest: _nest,
    FieldsToList: _fields_to_list,
    **dict.fromkeys(CHANGES_OF_VALUES, _change_value),
}


def knows(operations: Sequence[Flat]) -> bool:
    """True where a program can be made of all these operations."""
    return all(type(operation) in _RUN for operation in operations)


def listed(program: tuple[Any, ...], place: Place, tokens: Sequence[str | None]) -> str:
    """A program for people: the text that it writes, with ``<key>`` for what stands there in the event."""
    opened, same, instructions, _ = program
    return "".join(_told(one, place, tokens) for one in instructions) if opened and not same else "as it is"


def _told(expression: Expression, place: Place, tokens: Sequence[str | None]) -> str:
    kind, *given = expression
    if kind in ("text", "constant"):
        return str(given[0].decode())
    if kind in ("run", "nothing", "refuse"):
        return {"run": "<others>", "nothing": "<nothing>", "refuse": "<left to Python>"}[kind]
    if kind in ("call", "bytes"):
        values = given[1] if kind == "call" else [("span", given[1])]
        name = getattr(given[0], "__name__", type(given[0]).__name__)
        return f"{name}({', '.join(_told(value, place, tokens) for value in values)})"
    key = str(tokens[given[0]])
    if kind in ("span", "child"):
        return f"<{key}>"
    if kind == "deep":
        return f"<{'.'.join([key, *_exported_names(place.child(key), given[1])])}>"
    yes, no = (_told(branch, place, tokens) for branch in given[1:3])
    return f"<{yes} if {key} is {'null' if kind == 'if null' else 'a number'}, else {no}>"


def _exported_names(place: Place | None, keys: Sequence[int]) -> list[str]:
    names = []
    for key in keys:
        assert place is not None
        names.append(place.exports[key])
        place = place.child(names[-1])
    return names
