"""Values are computed, converted, looked up, taken apart and put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import msgspec

from upcasters.context import Context, last_header
from upcasters.depth import MOST_LEVELS, is_too_deep
from upcasters.document import (
    Object,
    ScalarKey,
    Whole,
    can_be_read,
    compared,
    decode_text,
    from_plain,
    is_null,
    json_text,
    json_type,
    plain,
    same,
    scalar_key,
    scalar_value,
    value_of,
)
from upcasters.duplicates import refuse_in_text
from upcasters.errors import (
    Ambiguous,
    EventError,
    FieldExists,
    FormatMismatch,
    FunctionFailed,
    MissingField,
    StepError,
    TooDeep,
    UnmappedValue,
    WrongType,
)
from upcasters.operations.base import (
    ChangeValue,
    Inverse,
    Operation,
    Reversibility,
    at_least_one,
    choice,
    constant,
    function_given,
    paths,
    single,
)
from upcasters.paths import EACH, Path, PathLike, overlap, show
from upcasters.traversal import MISSING, ON_MISSING, OnMissing, OnWrongType, find, parent_of, peek, slots

OnNull = Literal["error", "keep"]


@dataclass(frozen=True)
class FromKey:
    """The record key as text, or None."""

    def __str__(self) -> str:
        return "the record key"


@dataclass(frozen=True)
class FromOrigin:
    """``topic/partition/offset`` of the source record."""

    def __str__(self) -> str:
        return "the source coordinates"


@dataclass(frozen=True)
class FromTimestamp:
    """The record's timestamp in milliseconds, or None."""

    def __str__(self) -> str:
        return "the record timestamp"


@dataclass(frozen=True)
class FromPosition:
    """The position, from 0, of the item that ``at("items.*", …)`` or ``everywhere`` is at."""

    def __str__(self) -> str:
        return "the position"


@dataclass(frozen=True)
class FromEventType:
    """The type that the event has at this point."""

    def __str__(self) -> str:
        return "the event type"


@dataclass(frozen=True)
class FromVersion:
    """The version that the event came with, as it names it."""

    def __str__(self) -> str:
        return "the version that the event came with"


@dataclass(frozen=True)
class HeaderValue:
    """The last header of this name as text, or None."""

    name: str

    def __str__(self) -> str:
        return f"header {self.name}"


KEY = FromKey()
"""A source: the record key as text, or None."""

ORIGIN = FromOrigin()
"""A source: `topic/partition/offset` of the source record."""

TIMESTAMP = FromTimestamp()
"""A source: the record's timestamp in milliseconds, or None."""

POSITION = FromPosition()
"""A source: the position, from 0, of the item that `at("items.*", …)` or `everywhere` is at."""

EVENT_TYPE = FromEventType()
"""A source: the type that the event has at this point."""

VERSION = FromVersion()
"""A source: the version that the event came with, as it names it."""

OutsideValue = FromKey | FromOrigin | FromTimestamp | FromPosition | FromEventType | FromVersion | HeaderValue
Source = Path | OutsideValue
SourceLike = PathLike | OutsideValue


def header(name: str) -> HeaderValue:
    """A header as a source of ``derive``, or asked for by a condition."""
    return HeaderValue(name)


def _source(spec: SourceLike) -> Source:
    if isinstance(spec, OutsideValue):
        return spec
    return single(spec)


def text_of(value: bytes | None, what: str) -> str | None:
    """Bytes of a key or header as text. Raises WrongType where they are not UTF-8."""
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        raise WrongType(f"{what} is not UTF-8") from None


def outside(source: OutsideValue, context: Context) -> Any:
    """What stands around the document, or None. Raises WrongType for a key or header that is not UTF-8."""
    if isinstance(source, FromKey):
        return text_of(context.read_key, "the record key")
    if isinstance(source, HeaderValue):
        return text_of(last_header(context.headers, source.name), str(source))
    if isinstance(source, FromTimestamp):
        return context.record.timestamp
    if isinstance(source, FromPosition):
        return context.position
    if isinstance(source, FromEventType):
        return context.event_type
    return context.version if isinstance(source, FromVersion) else context.origin


def called(function: Callable[..., Any], what: str, path: Path, *arguments: Any) -> Any:
    """A user's function, with whatever it raises as FunctionFailed naming the class, never the value."""
    try:
        return function(*arguments)
    except EventError:
        raise
    except Exception as error:
        raise FunctionFailed(f"{what} raised {type(error).__name__}", path) from error


def name_of(function: Callable[..., Any]) -> str:
    """A function's name as people know it."""
    return getattr(function, "__qualname__", type(function).__name__)


@dataclass(frozen=True)
class Derive(Operation):
    """A field is computed from others, the key, headers or the source coordinates."""

    path: Path
    sources: tuple[Source, ...]
    using: Callable[..., Any]
    exists: Literal["keep", "error", "replace"] = "error"
    missing: Literal["error", "skip", "none"] = "error"
    null: Literal["keep", "replace"] = "keep"
    undo: Literal["drop", "keep"] = "drop"

    needs_context = True

    def apply(self, root: Object, context: Context) -> None:
        parent = parent_of(root, self.path, create=False)
        name = self.path[-1]
        taken = name in parent and not (self.null == "replace" and is_null(parent[name]))
        if taken and self.exists == "keep":
            return
        if taken and self.exists == "error":
            raise FieldExists(f"{show(self.path)} is there already", self.path)
        value = self.compute(root, context)
        if value is not MISSING:
            if context.at_any_depth:
                context.count(value, parent.get(name, MISSING))
            parent[name] = value

    def compute(self, root: Object, context: Context) -> Any:
        """The derived node, or MISSING where a source is missing and that is to be skipped."""
        arguments = []
        for source in self.sources:
            value = self._value(source, root, context)
            if value is MISSING:
                if self.missing == "skip":
                    return MISSING
                if self.missing == "error":
                    where = source if isinstance(source, tuple) else ()
                    name = show(source) if isinstance(source, tuple) else str(source)
                    raise MissingField(f"{name}, from which {show(self.path)} is derived, is missing", where)
                value = None
            arguments.append(value)
        return from_plain(called(self.using, name_of(self.using), self.path, *arguments), self.path)

    def _value(self, source: Source, root: Object, context: Context) -> Any:
        if isinstance(source, tuple):
            node = peek(root, source)
            return node if node is MISSING else plain(node, source)
        value = outside(source, context)
        return MISSING if value is None else value

    def reads(self) -> tuple[Path, ...]:
        return tuple(source for source in self.sources if isinstance(source, tuple))

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        back = DropDerived(self)
        if self.exists == "replace":
            return Inverse.lossy(f"the old {show(self.path)} is gone", back)
        if self.undo == "keep":
            return Inverse((), Reversibility.EQUIVALENT, f"{show(self.path)} stays even where it was derived")
        if any(overlap(self.path, source) for source in self.reads()):
            return Inverse.lossy(f"{show(self.path)} changes what it is derived from", back)
        if self.exists == "error" and self.null == "keep":
            return Inverse((back,))
        why = f"{show(self.path)} is left out where it is what would be derived"
        return Inverse((back,), Reversibility.EQUIVALENT, why)

    def dropped(self) -> tuple[Path, ...]:
        return (self.path,) if self.exists == "replace" else ()

    def may_grow(self) -> bool:
        return True

    def takes_from_around(self) -> bool:
        return not all(isinstance(source, tuple) for source in self.sources)

    def __str__(self) -> str:
        sources = ", ".join(show(source) if isinstance(source, tuple) else str(source) for source in self.sources)
        return f"derive {show(self.path)} from {sources or 'nothing'} with {name_of(self.using)}"


@dataclass(frozen=True)
class DropDerived(Operation):
    """Undo of ``derive``: the field goes where it is what would be derived again."""

    derive: Derive

    needs_context = True

    def apply(self, root: Object, context: Context) -> None:
        path = self.derive.path
        node = find(root, path)
        if node is MISSING or context.had(path):
            return
        expected = self.derive.compute(root, context)
        if expected is not MISSING and same(node, expected, path):
            del parent_of(root, path, create=False)[path[-1]]
        elif self.derive.exists == "error":
            raise Ambiguous(f"{show(path)} has been changed and cannot be left out without loss", path)

    def reads(self) -> tuple[Path, ...]:
        return (self.derive.path, *self.derive.reads())

    def writes(self) -> tuple[Path, ...]:
        return (self.derive.path,)

    def inverse(self) -> Inverse:
        return Inverse((self.derive,))

    def __str__(self) -> str:
        return f"leave out {show(self.derive.path)} where it would be derived"


def derive(
    field: PathLike,
    sources: Iterable[SourceLike],
    using: Callable[..., Any],
    *,
    exists: Literal["keep", "error", "replace"] = "error",
    missing: Literal["error", "skip", "none"] = "error",
    null: Literal["keep", "replace"] = "keep",
    undo: Literal["drop", "keep"] = "drop",
) -> Operation:
    """Compute a field: ``derive("metadata.repo_path", ["metadata.project_id"], workspace)``.

    ``using`` gets one plain value per source and must give the same result each time. ``missing`` is about the
    sources: ``none`` hands in None. On the way down a field that equals the derived value is left out again.
    """
    function_given(using, "using")
    choice(exists, ("keep", "error", "replace"), "exists")
    choice(missing, ("error", "skip", "none"), "missing")
    choice(null, ("keep", "replace"), "null")
    choice(undo, ("drop", "keep"), "undo")
    listed = [sources] if isinstance(sources, str) else sources
    return Derive(single(field), tuple(map(_source, listed)), using, exists, missing, null, undo)


@dataclass(frozen=True)
class Convert(ChangeValue):
    """Every value at a path goes through a function, and back through another."""

    forward: Callable[[Any], Any]
    backward: Callable[[Any], Any] | None = None
    missing: OnMissing = "error"
    null: OnNull = "error"
    wrong_type: OnWrongType = "error"
    exact: bool = True

    def changed(self, node: Any) -> Any:
        if is_null(node):
            if self.null == "error":
                raise WrongType(f"{show(self.path)} is null", self.path)
            return node
        return from_plain(called(self.forward, name_of(self.forward), self.path, plain(node, self.path)), self.path)

    def inverse(self) -> Inverse:
        if self.backward is None:
            return Inverse.lossy(f"{show(self.path)} is converted by {name_of(self.forward)}, with no function back")
        options = (self.missing, self.null, self.wrong_type, self.exact)
        back = Convert(self.path, self.backward, self.forward, *options)
        if self.exact:
            return Inverse((back,))
        why = f"{name_of(self.backward)} gives a value of {show(self.path)} that means the same"
        return Inverse((back,), Reversibility.EQUIVALENT, why)

    def may_grow(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"convert {show(self.path)} with {name_of(self.forward)}"


def convert(
    field: PathLike,
    forward: Callable[[Any], Any],
    backward: Callable[[Any], Any] | None = None,
    *,
    missing: OnMissing = "error",
    null: OnNull = "error",
    wrong_type: OnWrongType = "error",
    exact: bool = True,
) -> Operation:
    """Change values by a pair of functions: ``convert("nodes.*.seconds", to_milliseconds, to_seconds)``.

    The functions get and give plain Python values; a null is an error, or kept. Without ``backward`` it is lossy; with
    ``exact=False`` it gives back a value that only means the same, such as a rounded one.
    """
    function_given(forward, "forward")
    if backward is not None:
        function_given(backward, "backward")
    choice(missing, ON_MISSING, "missing")
    choice(null, ("error", "keep"), "null")
    choice(wrong_type, ON_MISSING, "wrong_type")
    return Convert(at_least_one(field), forward, backward, missing, null, wrong_type, exact)


Table = Mapping[Any, Any] | Iterable[tuple[Any, Any]]
"""Old values and what they become: a dict, or pairs."""


@dataclass(frozen=True)
class MapValues(ChangeValue):
    """Every value at a path is looked up in a table."""

    table: Mapping[ScalarKey, Any]
    otherwise: Literal["error", "keep"] = "error"
    missing: OnMissing = "error"
    null: OnNull = "error"
    wrong_type: OnWrongType = "error"
    back: Mapping[ScalarKey, Any] | None = None
    ambiguous: Mapping[ScalarKey, frozenset[ScalarKey]] = field(default_factory=dict)
    """What several values became, and these values."""

    def apply(self, root: Object, context: Context) -> None:
        for parent, key in slots(root, self.path, self.missing, self.wrong_type):
            parent[key] = self.changed(parent[key], context)

    def changed(self, node: Any, context: Context | None = None) -> Any:
        if json_type(node) in ("object", "array") and not self.takes_whole:
            raise WrongType(f"{show(self.path)} is not a single value", self.path)
        found = scalar_key(compared(node, self.path))
        if found in self.ambiguous:
            had = MISSING if context is None else context.older_at(self.path)
            if had is not MISSING and _key(had) in self.ambiguous[found]:
                return had
            raise Ambiguous(f"{show(self.path)} came from one of several values", self.path)
        if found in self.table:
            return self.table[found]
        if self.otherwise == "keep" or (self.null == "keep" and is_null(node)):
            return node
        raise UnmappedValue(f"{show(self.path)} has a value that the table does not list", self.path)

    @cached_property
    def takes_whole(self) -> bool:
        """True where the table lists an object or array."""
        return any(isinstance(key[1], Whole) for key in self.table)

    def one_to_one(self) -> bool:
        """True where no two values become the same one."""
        return len(set(map(_key, self.table.values()))) == len(self.table)

    def inverse(self) -> Inverse:
        targets: dict[ScalarKey, Any] = {}
        came_from: dict[ScalarKey, set[ScalarKey]] = {}
        for old, new in self.table.items():
            came_from.setdefault(_key(new), set()).add(old)
            targets[_key(new)] = _node(scalar_value(old))
        if self.null == "keep" and scalar_key(None) in targets and scalar_key(None) not in self.table:
            came_from[scalar_key(None)].add(scalar_key(None))
        if self.back is not None:
            targets.update(self.back)
        named_back = self.back or {}
        ambiguous = {new: frozenset(olds) for new, olds in came_from.items() if len(olds) > 1 and new not in named_back}
        options = (self.otherwise, self.missing, self.null, self.wrong_type)
        back = MapValues(self.path, targets, *options, ambiguous=ambiguous)
        named = {*self.table, *(self.back or ()), *ambiguous}
        if self.otherwise == "keep" and any(new not in named for new in map(_key, self.table.values())):
            return Inverse.lossy(f"a value of {show(self.path)} may have been one of the results before", back)
        if ambiguous:
            why = f"several values of {show(self.path)} become the same one, which then has no way back"
            return Inverse((back,), Reversibility.EQUIVALENT, why)
        if not self.one_to_one() or self.back:
            return Inverse((back,), Reversibility.EQUIVALENT, f"{show(self.path)} goes back to the value named")
        return Inverse((back,))

    def is_local(self) -> bool:
        return len(self.path) == 1 and self.path[0] is not EACH

    def __str__(self) -> str:
        return f"map the values of {show(self.path)} by a table of {len(self.table)}"


def map_values(
    field: PathLike,
    table: Table,
    *,
    otherwise: Literal["error", "keep"] = "error",
    missing: OnMissing = "error",
    null: OnNull = "error",
    wrong_type: OnWrongType = "error",
    back: Table | None = None,
) -> Operation:
    """Replace values by a table: ``map_values("status", {"done": "completed"})``.

    A table of objects or arrays is a list of (old, new) pairs.
    A value that is not listed is an error, or kept. A table that is not one-to-one is known as such: on the way
    down it is ambiguous unless ``back`` names the older value. ``back`` may also name values that only the newer
    version has, and what they become. Where other values are kept, it is needed as well for results that are no values
    of the table: a document may have had them before.
    """
    choice(otherwise, ("error", "keep"), "otherwise")
    choice(missing, ON_MISSING, "missing")
    choice(null, ("error", "keep"), "null")
    choice(wrong_type, ON_MISSING, "wrong_type")
    lookup = _lookup(table, "table")
    undo = None if back is None else _lookup(back, "back")
    made = set(map(_key, lookup.values()))
    for new, old in (undo or {}).items():
        becomes = lookup.get(_key(old), MISSING)
        if new in made and (becomes is MISSING or _key(becomes) != new):
            what = f"back sends {scalar_value(new)!r} to {plain(old)!r}, which the table does not turn into it"
            stays = otherwise == "keep" and _key(old) == new
            remedy = (
                "It stays, so list it in the table, too"
                if stays
                else "Name for each result one of the values that become it"
            )
            raise StepError(what, f"{remedy}.", "value")
        if becomes is MISSING and otherwise == "error":
            what = f"back sends {scalar_value(new)!r} to {plain(old)!r}, which the table does not list"
            raise StepError(what, "Name a value that the older version has.", "value")
    return MapValues(at_least_one(field), lookup, otherwise, missing, null, wrong_type, undo)


def _lookup(table: Table, option: str) -> dict[ScalarKey, Any]:
    pairs = list(table.items() if isinstance(table, Mapping) else table)
    if not pairs:
        raise StepError(f"{option} is empty", "List at least one value.", "option")
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise StepError(f"{option} holds what is no pair of values", "List (old, new) pairs.", "option")
        for value in pair:
            constant(value)
    return {scalar_key(value_of(old)): _node(value_of(new)) for old, new in pairs}


def _key(node: Any) -> ScalarKey:
    return scalar_key(plain(node))


def _node(value: Any) -> Any:
    """A value that events can share: objects and arrays as bytes."""
    return constant(value) if isinstance(value, (dict, list)) else value


def string(node: Any, path: Path) -> str:
    """The text of a string node. Raises WrongType for anything else."""
    if json_type(node) != "string":
        raise WrongType(f"{show(path)} is not a string", path)
    text: str = decode_text(node) if type(node) is msgspec.Raw else plain(node, path)
    return text


@dataclass(frozen=True)
class ParseJson(ChangeValue):
    """JSON text inside a string becomes the value that it stands for."""

    missing: OnMissing = "error"
    null: OnNull = "error"

    def changed(self, node: Any) -> Any:
        if self.null == "keep" and is_null(node):
            return node
        raw = string(node, self.path).strip(" \t\r\n").encode()
        if len(raw) > 2 * MOST_LEVELS and is_too_deep(raw):
            raise TooDeep(f"the JSON text in {show(self.path)}", "upcast", self.path)
        if not can_be_read(raw):
            raise FormatMismatch(f"{show(self.path)} does not hold JSON text", self.path)
        refuse_in_text(raw)
        return msgspec.Raw(raw)

    def inverse(self) -> Inverse:
        why = f"white space around the text of {show(self.path)} is not kept"
        back = PrintJson(self.path, self.missing, "print" if self.null == "error" else "keep")
        return Inverse((back,), Reversibility.EQUIVALENT, why)

    def __str__(self) -> str:
        return f"parse the JSON text in {show(self.path)}"


@dataclass(frozen=True)
class PrintJson(ChangeValue):
    """A value becomes a string that holds its JSON text."""

    missing: OnMissing = "error"
    null: Literal["error", "keep", "print"] = "error"

    def changed(self, node: Any) -> Any:
        if self.null != "print" and is_null(node):
            if self.null == "error":
                raise WrongType(f"{show(self.path)} is null", self.path)
            return node
        return json_text(node).decode()

    def inverse(self) -> Inverse:
        return Inverse((ParseJson(self.path, self.missing, "keep" if self.null == "keep" else "error"),))

    def may_grow(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"print {show(self.path)} as JSON text"


def parse_json(field: PathLike, *, missing: OnMissing = "error", null: OnNull = "error") -> Operation:
    """Read JSON text inside a string; its numbers and spacing stay as written."""
    choice(missing, ON_MISSING, "missing")
    choice(null, ("error", "keep"), "null")
    return ParseJson(at_least_one(field), missing, null)


def print_json(
    field: PathLike, *, missing: OnMissing = "error", null: Literal["error", "keep", "print"] = "error"
) -> Operation:
    """Write a value as JSON text into a string. A null is an error, kept, or printed: ``"null"``."""
    choice(missing, ON_MISSING, "missing")
    choice(null, ("error", "keep", "print"), "null")
    return PrintJson(at_least_one(field), missing, null)


@dataclass(frozen=True)
class Function(Operation):
    """A Python function changes the declared paths; it sees and can change nothing else."""

    using: Callable[[Any], Any]
    read: tuple[Path, ...]
    written: tuple[Path, ...]
    back: Callable[[Any], Any] | None = None
    drops: tuple[Path, ...] = ()

    def apply(self, root: Object, context: Context) -> None:
        view: dict[str, Any] = {}
        for path in self._seen:
            node = find(root, path)
            if node is not MISSING:
                _put(view, path, plain(node, path))
        result = called(self.using, name_of(self.using), (), view)
        changed = view if result is None else result
        if type(changed) is not dict:
            raise WrongType(f"{name_of(self.using)} gave a {type(changed).__name__}, not a dict")
        for path in self.written:
            self._write(root, path, find(changed, path), context)

    @cached_property
    def _seen(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys((*self.read, *self.written)))

    def _write(self, root: Object, path: Path, value: Any, context: Context) -> None:
        if value is not MISSING:
            made = from_plain(value, path)
            if context.at_any_depth:
                context.count(made, find(root, path))
            parent_of(root, path, create=True)[path[-1]] = made
        elif find(root, path) is not MISSING:
            del parent_of(root, path, create=False)[path[-1]]

    def reads(self) -> tuple[Path, ...]:
        return self.read

    def writes(self) -> tuple[Path, ...]:
        return self.written

    def removes(self) -> tuple[Path, ...]:
        return self.drops

    def inverse(self) -> Inverse:
        if self.back is None:
            return Inverse.lossy(f"function {name_of(self.using)} has no function back")
        return Inverse((Function(self.back, self.read, self.written, self.using),))

    def dropped(self) -> tuple[Path, ...]:
        return self.drops

    def may_grow(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"call {name_of(self.using)} on {', '.join(map(show, self.written))}"


def _put(view: dict[str, Any], path: Path, value: Any) -> None:
    for segment in path[:-1]:
        child = view.get(segment)  # type: ignore[arg-type]  # single() let no EACH in
        if type(child) is not dict:
            child = view[segment] = {}  # type: ignore[index]  # an object: `type` says so
        view = child
    if type(value) is dict and type(view.get(path[-1])) is dict:  # type: ignore[arg-type]  # an object: `type` says so
        view[path[-1]].update(value)  # type: ignore[index]  # an object: `type` says so
    else:
        view[path[-1]] = value  # type: ignore[index]  # an object: `type` says so


def function(
    using: Callable[[Any], Any],
    *,
    reads: Iterable[PathLike],
    writes: Iterable[PathLike],
    back: Callable[[Any], Any] | None = None,
    drops: Iterable[PathLike] = (),
) -> Operation:
    """For what no operation says: ``using`` gets a dict with the declared paths only and changes or returns it.

    ``reads`` and ``writes`` declare the paths; what it does to others is ignored. ``back`` is the function for the
    way down; ``drops`` are the paths that it throws away on purpose.
    """
    function_given(using, "using")
    if back is not None:
        function_given(back, "back")
    written = paths(writes, "writes")
    if not written:
        raise StepError("function writes nothing", "Declare the paths that it writes.", "option")
    return Function(using, paths(reads, "reads"), written, back, paths(drops, "drops"))
