"""The fast path: the operations of all hops fused into one generated function, built once and readable.

The generated code does the common case. Whatever it does not expect, it leaves by an exception, and the plain
reference (``reference.py``) runs the event again, hop by hop, and says what is wrong. So the two must agree only
where the fast path comes to an end; tests hold them to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from msgspec import Raw

from upcasters.conditions import AllOf, Always, AnyOf, Condition, Not, Present
from upcasters.context import Context
from upcasters.document import (
    NULLS,
    Object,
    decode_object,
    decode_objects,
    decode_plain,
    from_plain,
    open_container,
    open_object,
    plain,
)
from upcasters.operations.base import Operation
from upcasters.operations.choice import Switch, When
from upcasters.operations.events import DropEvent, EventOperation, SplitEach, SplitEvent
from upcasters.operations.fields import (
    Default,
    Drop,
    FirstOf,
    KeyRule,
    Optional,
    Rename,
    RenameKeys,
)
from upcasters.operations.reach import At, Everywhere, Subdocument
from upcasters.operations.values import Convert, Derive, DropDerived, MapValues
from upcasters.paths import EACH, Path, overlap, show
from upcasters.step import Hop, walk

Fused = Callable[[Object, Context], Object]
Shape = Callable[[Object], str | None]

_MOST_REMEMBERED_KEYS = 4096


class Unexpected(Exception):
    """The generated code met a case that it leaves to the reference."""


@dataclass(frozen=True)
class Compiled:
    """A generated function, its source, and whether it reads or changes anything beside the document."""

    function: Fused
    source: str
    needs_context: bool


def compile_hops(hops: Sequence[Hop]) -> Compiled:
    """One function for all operations of ``hops``: takes the opened document and its context, gives the document."""
    operations = [operation for hop in hops for operation in hop.operations]
    code = _Code()
    for operation in fuse(operations):
        _emit(operation, code)
        if isinstance(operation, Operation) and _may_end(operation):
            code.line("if context.dropped or context.children is not None: return root")
    source = code.function(
        f"def upcast(root, context):  # {' -> '.join([hops[0].source[1], *(hop.target[1] for hop in hops)])}"
    )
    return Compiled(code.build(source, "upcast"), source, any(map(needs_context, operations)))


def compile_shapes(shapes: Sequence[tuple[str, Condition]]) -> tuple[Shape, str]:
    """One function that gives the first version whose shape fits, or None; and its source."""
    code = _Code()
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


# Fusing: fewer operations that do the same.


@dataclass(frozen=True)
class Renames:
    """Renames of one object by several hops, as one: what must be there before and after, and what must not."""

    at: Path
    names: Mapping[str, str]
    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()

    def touches(self) -> tuple[Path, ...]:
        keys = {*self.names, *self.names.values(), *self.before, *self.after, *self.absent}
        return tuple((*self.at, key) for key in keys)


@dataclass(frozen=True)
class Discard:
    """A default that a later hop drops: only a field that was there before is left to remove."""

    path: Path

    def touches(self) -> tuple[Path, ...]:
        return (self.path,)


Fusable = Operation | Renames | Discard


def fuse(operations: Iterable[Operation]) -> list[Fusable]:
    """The operations with renames of one object merged and defaults that do not live left out."""
    fused: list[Fusable] = []
    for operation in operations:
        lowered = _lower(operation)
        if lowered is None:
            continue
        if isinstance(lowered, Renames):
            _merge_renames(fused, lowered)
        elif not (isinstance(operation, (Default, Drop)) and _overtakes_default(fused, operation)):
            fused.append(lowered)
    return fused


def _lower(operation: Operation) -> Fusable | None:
    if isinstance(operation, Optional):
        return None
    if isinstance(operation, Rename) and operation.wrong_type == "error" and EACH not in operation.at:
        if operation.missing == "error":
            return Renames(operation.at, operation.names, before=frozenset(operation.names))
        if not operation.at:
            return Renames(operation.at, operation.names)
    if isinstance(operation, FirstOf):
        at = operation.target[:-1]
        if all(source[:-1] == at for source in operation.sources):
            target = str(operation.target[-1])
            names = {str(source[-1]): target for source in operation.sources if source != operation.target}
            return Renames(at, names, after=frozenset((target,) if operation.missing == "error" else ()))
    return operation


def _touches(operation: Fusable) -> tuple[Path, ...] | None:
    """Every path that matters to an operation, or None where it may be any."""
    if isinstance(operation, (Renames, Discard)):
        return operation.touches()
    if isinstance(operation, (Default, Convert, MapValues, Derive)) and not needs_context(operation):
        return (*operation.reads(), *operation.writes())
    return None


def _merge_renames(fused: list[Fusable], later: Renames) -> None:
    mine = later.touches()
    for index in range(len(fused) - 1, -1, -1):
        earlier = fused[index]
        if isinstance(earlier, Renames) and earlier.at == later.at:
            merged = _composed(earlier, later)
            if merged is not None:
                fused[index] = merged
                return
        theirs = _touches(earlier)
        if theirs is None or any(overlap(a, b) for a in mine for b in theirs):
            break
    fused.append(later)


def _composed(first: Renames, second: Renames) -> Renames | None:
    """Both renames as one, or None where that cannot be told without the document."""
    made = set(first.names.values())
    known = made | set(first.names)
    for key in second.before:
        sources = [old for old, new in first.names.items() if new == key]
        if key in known and not (sources and set(sources) <= first.before):
            return None
    touched = {*second.names, *second.names.values()}
    if first.after & touched or (second.after | second.absent) & known:
        return None
    if first.absent & touched or len(made) != len(first.names) or (set(second.names.values()) & known):
        return None
    names = {old: second.names.get(new, new) for old, new in first.names.items()}
    names.update({old: new for old, new in second.names.items() if old not in known})
    between = {new for new in made if new in second.names and new not in first.names}
    return Renames(
        first.at,
        names,
        first.before | {key for key in second.before if key not in made},
        first.after | second.after,
        first.absent | second.absent | between,
    )


def _overtakes_default(fused: list[Fusable], later: Default | Drop) -> bool:
    """True where an earlier default of the same field was replaced by what ``later`` does to it."""
    path = later.path
    if EACH in path or not (isinstance(later, Drop) or later.exists == "replace"):
        return False
    if isinstance(later, Drop) and (later.missing, later.wrong_type) != ("error", "error"):
        return False
    for index in range(len(fused) - 1, -1, -1):
        earlier = fused[index]
        if isinstance(earlier, Default) and earlier.path == path:
            if earlier.exists != "keep" or earlier.missing != "error" or later.missing != "error":
                return False
            fused[index] = Discard(path) if isinstance(later, Drop) else replace(later, exists="replace")
            return True
        theirs = _touches(earlier)
        if theirs is None or any(overlap(path, other) for other in theirs):
            return False
    return False


# Code: lines of Python, the constants they name, and the objects that are open.


@dataclass
class _Code:
    lines: list[str] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    opened: dict[Path, str] = field(default_factory=lambda: {(): "root"})
    slots: dict[str, str] = field(default_factory=dict)
    depth: int = 1
    variables: int = 0

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def variable(self) -> str:
        self.variables += 1
        return f"v{self.variables}"

    def constant(self, value: Any, hint: str) -> str:
        for name, known in self.constants.items():
            if known is value:
                return name
        name = f"{hint}_{len(self.constants)}"
        self.constants[name] = value
        return name

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """An indented block; objects opened inside are not known to be open behind it."""
        self.line(head)
        outside = dict(self.opened)
        self.depth += 1
        start = len(self.lines)
        yield
        if len(self.lines) == start:
            self.line("pass")
        self.depth -= 1
        self.opened = {path: name for path, name in outside.items() if self.opened.get(path) == name}

    def object(self, path: Path) -> str:
        """The variable of the object at a path that must be there."""
        if path not in self.opened:
            parent, key = self.object(path[:-1]), path[-1]
            name = self.variable()
            self.slots[name] = f"{parent}[{key!r}]"
            self.line(f"{name} = {self.slots[name]}  # {_comment(path)}")
            self.line(f"if type({name}) is not dict: {name} = {self.slots[name]} = open_object({name})")
            self.opened[path] = name
        return self.opened[path]

    def looked_at(self, path: Path) -> str:
        """The variable of the object at a path that may be missing or something else: then it is empty."""
        if path not in self.opened:
            parent, key = self.looked_at(path[:-1]), path[-1]
            name = self.variable()
            self.line(f"{name} = {parent}.get({key!r})  # {_comment(path)}")
            self.line(f"if type({name}) is not dict: {name} = look({parent}, {key!r}, {name})")
            self.opened[path] = name
        return self.opened[path]

    def forget(self, path: Path) -> None:
        """What lies at or below ``path`` is another object now."""
        self.opened = {
            known: name
            for known, name in self.opened.items()
            if len(known) < len(path) or not overlap(known[: len(path)], path) or not known
        }

    def forget_all(self) -> None:
        self.opened = {(): "root"}

    def call(self, operation: Operation) -> None:
        """The operation's own code, for what is not worth generating."""
        name = self.constant(operation.apply, "apply")
        self.line(f"{name}(root, context)  # {_comment_text(str(operation))}")
        self.forget_all()

    def function(self, head: str, result: str = "root") -> str:
        return "\n".join([head, *self.lines, f"    return {result}", ""])

    def build(self, source: str, name: str) -> Any:
        scope: dict[str, Any] = {**_SCOPE, **self.constants}
        exec(compile(source, f"<upcasters: {name}>", "exec"), scope)  # noqa: S102  # our own generated text
        return scope[name]


def _comment(path: Path) -> str:
    return _comment_text(show(path))


def _comment_text(text: str) -> str:
    return text.encode("unicode_escape").decode()[:100]


_EMPTY: Object = {}


def _look(parent: Object, key: str, node: Any) -> Object:
    """An object where there is one, opened in its place; else an empty one that nobody writes to."""
    if type(node) is Raw:
        try:
            found = parent[key] = decode_object(node)
        except msgspec.ValidationError:
            return _EMPTY
        return found
    return _EMPTY


_decode_object_list = msgspec.json.Decoder(list[dict[str, Raw]]).decode


def _open_items(node: Any) -> Any:
    """A container whose items are most likely all objects, opened two levels deep in one go where they are."""
    try:
        return decode_objects(node) if type(node) is Raw else open_container(node)
    except msgspec.ValidationError:
        try:
            return _decode_object_list(node)
        except msgspec.ValidationError:
            return open_container(node)


class _Spellings(dict[str, str]):
    """Keys and how a rule spells them, remembered up to a bound; ``settled`` are those that stay as they are."""

    def __init__(self, rule: KeyRule) -> None:
        self.rule = rule
        self.settled: set[str] = set()

    def __missing__(self, key: str) -> str:
        spelled = self.rule(key)
        if len(self) < _MOST_REMEMBERED_KEYS:
            self[key] = spelled
            if spelled == key:
                self.settled.add(key)
        return spelled


_SCOPE: dict[str, Any] = {
    "Raw": Raw,
    "open_object": open_object,
    "open_items": _open_items,
    "look": _look,
    "plain": plain,
    "decode_plain": decode_plain,
    "from_plain": from_plain,
    "NULLS": NULLS,
    "Unexpected": Unexpected,
}


# Emitting: one function for each operation that is worth it.


def _emit(operation: Fusable, code: _Code) -> None:
    if isinstance(operation, Renames):
        _emit_renames(operation, code)
    elif isinstance(operation, Discard):
        code.line(f"{code.object(operation.path[:-1])}.pop({operation.path[-1]!r}, None)  # a dead default")
        code.forget(operation.path)
    elif isinstance(operation, RenameKeys) and _simple_respelling(operation):
        _emit_rename_keys(operation, code)
    elif isinstance(operation, Default):
        _emit_default(operation, code)
    elif isinstance(operation, Derive) and not needs_context(operation) and operation.missing != "skip":
        _emit_derive(operation, code)
    elif isinstance(operation, (Convert, MapValues)) and operation.wrong_type == "error":
        _emit_convert(operation, code)
    elif isinstance(operation, Drop) and EACH not in operation.path and operation.wrong_type == "error":
        _emit_drop(operation, code)
    elif isinstance(operation, When) and not _may_end(operation):
        _emit_when(operation, code)
    else:
        assert isinstance(operation, Operation)
        code.call(operation)


def _at_each(path: Path, missing: str, code: _Code, body: Callable[[str], None]) -> None:
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


def _step_in(path: Path, known: int, missing: str, code: _Code, body: Callable[[str], None]) -> None:
    if known + 1 < len(path) and path[known + 1] is EACH:
        parent, key, name = code.opened[path[:known]], path[known], code.variable()
        code.line(f"{name} = {parent}[{key!r}]  # {_comment(path[: known + 1])}")
        code.line(f"if type({name}) is Raw: {name} = {parent}[{key!r}] = open_items({name})")
        _loop(path, known + 1, missing, code, body, name)
    else:
        code.object(path[: known + 1])
        _at_each(path, missing, code, body)


def _loop(path: Path, at: int, missing: str, code: _Code, body: Callable[[str], None], container: str) -> None:
    key, item = code.variable(), code.variable()
    inner_is_container = at + 1 < len(path) and path[at + 1] is EACH
    with code.block(f"for {key}, {item} in pairs({container}):  # {_comment(path[: at + 1])}"):
        if inner_is_container:
            code.line(f"if type({item}) is Raw: {item} = {container}[{key}] = open_items({item})")
            _loop(path, at + 1, missing, code, body, item)
            return
        code.slots[item] = f"{container}[{key}]"
        code.line(f"if type({item}) is not dict: {item} = {code.slots[item]} = open_object({item})")
        code.opened[path[: at + 1]] = item
        _at_each(path, missing, code, body)


def _pairs(container: Any) -> Any:
    """The keys and items of an object, or the indexes and items of an array."""
    if type(container) is dict:
        return container.items()
    if type(container) is list:
        return enumerate(container)
    raise Unexpected


_SCOPE["pairs"] = _pairs


def _emit_renames(operation: Renames, code: _Code) -> None:
    target = code.object(operation.at)
    names = {old: new for old, new in operation.names.items() if old != new}
    for key in sorted(operation.before):
        code.line(f"if {key!r} not in {target}: raise Unexpected")
    for key in sorted(operation.absent):
        code.line(f"if {key!r} in {target}: raise Unexpected")
    if names:
        spelled = code.constant(names.get, "names")
        renamed = code.variable()
        if operation.before & names.keys():
            _rebuild(target, renamed, f"{spelled}(k, k)", code)
        else:
            keys = code.constant(frozenset(names), "keys")
            with code.block(f"if not {keys}.isdisjoint({target}):  # rename {_comment_text(str(names))}"):
                _rebuild(target, renamed, f"{spelled}(k, k)", code)
    for key in sorted(operation.after):
        code.line(f"if {key!r} not in {target}: raise Unexpected")
    for path in operation.touches():
        code.forget(path)


def _rebuild(target: str, renamed: str, key: str, code: _Code) -> None:
    code.line(f"{renamed} = {{{key}: x for k, x in {target}.items()}}")
    code.line(f"if len({renamed}) != len({target}): raise Unexpected")
    slot = f" = {code.slots[target]}" if target in code.slots else ""
    code.line(f"{target}{slot} = {renamed}")


def _simple_respelling(operation: RenameKeys) -> bool:
    return not (operation.subtree or operation.checks_way_back) and operation.wrong_type == "error"


def _emit_rename_keys(operation: RenameKeys, code: _Code) -> None:
    spelled = _Spellings(operation.rule)
    spellings = code.constant(spelled, "spellings")

    settled = code.constant(spelled.settled, "settled")

    def body(target: str) -> None:
        with code.block(f"if not {settled}.issuperset({target}):"):
            _rebuild(target, code.variable(), f"{spellings}[k]", code)

    _at_each(operation.at, operation.missing, code, body)
    code.forget((*operation.at, EACH))


def _emit_default(operation: Default, code: _Code) -> None:
    value = code.constant(operation.value, "value")
    key = operation.path[-1]

    def body(parent: str) -> None:
        slot = f"{parent}[{key!r}]"
        if operation.exists == "replace":
            code.line(f"{slot} = {value}")
        elif operation.null == "replace":
            code.line(f"if {key!r} not in {parent} or {slot} in NULLS: {slot} = {value}")
        else:
            code.line(f"if {key!r} not in {parent}: {slot} = {value}")
        if operation.exists == "error":
            code.line("else: raise Unexpected")

    _at_each(operation.path[:-1], operation.missing, code, body)
    code.forget(operation.path)


def _emit_derive(operation: Derive, code: _Code) -> None:
    parent, key = code.object(operation.path[:-1]), operation.path[-1]
    test = f"{key!r} not in {parent}"
    if operation.null == "replace":
        test += f" or {parent}[{key!r}] in NULLS"
    if operation.exists == "replace":
        _emit_computed(operation, parent, code)
    else:
        with code.block(f"if {test}:"):
            _emit_computed(operation, parent, code)
        if operation.exists == "error":
            code.line("else: raise Unexpected")
    code.forget(operation.path)


def _emit_computed(operation: Derive, parent: str, code: _Code) -> None:
    arguments = [_argument(source, operation.missing, code) for source in operation.sources]
    result = code.variable()
    code.line(f"{result} = {code.constant(operation.using, 'using')}({', '.join(arguments)})")
    simple = f"{result} if type({result}) is str and {result}.isascii()"
    code.line(f"{parent}[{operation.path[-1]!r}] = {simple} else from_plain({result})")


def _argument(source: Any, missing: str, code: _Code) -> str:
    """A variable with the plain value of a source."""
    value = code.variable()
    if missing == "none":
        known = max(length for length in range(len(source)) if source[:length] in code.opened)
        parent = code.opened[source[:known]]
        for key in source[known:-1]:
            name = code.variable()
            code.line(f"{name} = {parent}.get({key!r})")
            code.line(f"if type({name}) is not dict: {name} = look({parent}, {key!r}, {name})")
            parent = name
        code.line(f"{value} = {parent}.get({source[-1]!r})")
    else:
        code.line(f"{value} = {code.object(source[:-1])}[{source[-1]!r}]")
    code.line(f"{value} = decode_plain({value}) if type({value}) is Raw else plain({value})")
    return value


def _emit_convert(operation: Convert | MapValues, code: _Code) -> None:
    change = operation.converted if isinstance(operation, Convert) else operation.mapped
    changed = code.constant(change, "changed")
    key = operation.path[-1]
    if key is EACH:
        code.call(operation)
        return

    def body(parent: str) -> None:
        line = f"{parent}[{key!r}] = {changed}({parent}[{key!r}])"
        code.line(f"if {key!r} in {parent}: {line}" if operation.missing == "skip" else line)

    _at_each(operation.path[:-1], operation.missing, code, body)
    code.forget(operation.path)


def _emit_drop(operation: Drop, code: _Code) -> None:
    key = operation.path[-1]

    def body(parent: str) -> None:
        code.line(f"{parent}.pop({key!r}, None)" if operation.missing == "skip" else f"del {parent}[{key!r}]")

    _at_each(operation.path[:-1], operation.missing, code, body)
    code.forget(operation.path)


def _emit_when(operation: When, code: _Code) -> None:
    with code.block(f"if {_condition(operation.condition, code, look=False)}:"):
        for inner in fuse(operation.operations):
            _emit(inner, code)
    if operation.otherwise:
        with code.block("else:"):
            for inner in fuse(operation.otherwise):
                _emit(inner, code)


def _condition(condition: Condition, code: _Code, *, look: bool = True) -> str:
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


def _looked_at(path: Path, code: _Code) -> str:
    """The object at a path, empty where there is none: opened now if it is the first, else only when asked for."""
    if path in code.opened or len(code.opened) == 1:
        return code.looked_at(path)
    known = max(length for length in range(len(path)) if path[:length] in code.opened)
    expression = code.opened[path[:known]]
    for key in path[known:]:
        expression = f"look_at({expression}, {key!r})"
    return expression


def _look_at(parent: Object, key: str) -> Object:
    node = parent.get(key)
    return node if type(node) is dict else _look(parent, key, node)


_SCOPE["look_at"] = _look_at
