"""Changes of the event around the document: its type, headers and key, and whether it is one, none or many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from msgspec import Raw

from upcasters.context import Child, Context, last_header
from upcasters.document import Object, from_plain, is_null, json_text, json_type, open_object, plain
from upcasters.errors import (
    Ambiguous,
    FieldExists,
    FormatMismatch,
    MissingField,
    StepError,
    TooLarge,
    UnmappedValue,
    WrongType,
)
from upcasters.operations.base import (
    Inverse,
    Operation,
    Reversibility,
    choice,
    different_names,
    function_given,
    named_back,
    paths,
    single,
)
from upcasters.operations.restoring import frozen
from upcasters.operations.scopes import items_of
from upcasters.operations.values import called, name_of, string, text_of
from upcasters.paths import EACH, Path, PathLike, show
from upcasters.traversal import MISSING, ON_MISSING, OnMissing, find, parent_of


class EventOperation(Operation):
    """An operation on what stands around the document."""

    needs_context = True

    def reads(self) -> tuple[Path, ...]:
        return ()

    def writes(self) -> tuple[Path, ...]:
        return ()


@dataclass(frozen=True)
class RenameType(EventOperation):
    """The event's type changes: to a fixed name, or by a field's value."""

    to: str | None
    path: Path = ()
    table: Mapping[str, str] | None = None

    def apply(self, root: Object, context: Context) -> None:
        context.event_type = self.to if self.to is not None else self.type_of(root)

    def type_of(self, root: Object) -> str:
        """The type that the field's value stands for. Raises MissingField, WrongType or UnmappedValue."""
        node = find(root, self.path)
        if node is MISSING:
            raise MissingField(f"{show(self.path)}, which names the new type, is missing", self.path)
        assert self.table is not None
        found = self.table.get(string(node, self.path))
        if found is None:
            raise UnmappedValue(f"{show(self.path)} has a value for which there is no type", self.path)
        return found

    def targets(self) -> tuple[str, ...]:
        """Every type that may come out."""
        return (self.to,) if self.to is not None else tuple(dict.fromkeys((self.table or {}).values()))

    def reads(self) -> tuple[Path, ...]:
        return (self.path,) if self.path else ()

    def inverse(self) -> Inverse:
        """The step knows the older type and gives it back; here is only to be seen that the way down is the way up."""
        return Inverse(() if self.to is not None else (MustBeType(self),))

    def __str__(self) -> str:
        return f"rename the type to {self.to or f'what {show(self.path)} says'}"


@dataclass(frozen=True)
class MustBeType(EventOperation):
    """Undo of a computed type: going up again the document has to get the type that it has now."""

    rename: RenameType

    def apply(self, root: Object, context: Context) -> None:
        if self.rename.type_of(root) != context.event_type:
            path = self.rename.path
            raise Ambiguous(f"{show(path)} does not stand for the type that the event has", path)

    def reads(self) -> tuple[Path, ...]:
        return self.rename.reads()

    def inverse(self) -> Inverse:
        return Inverse((self.rename,))

    def __str__(self) -> str:
        return f"{show(self.rename.path)} must stand for the event's type"


def rename_type(
    to: str | None = None, *, field: PathLike | None = None, types: Mapping[str, str] | None = None
) -> Operation:
    """Give the event a new type: ``rename_type("order.placed")``, or look it up by a field's value in ``types``."""
    if (to is None) == (field is None or types is None):
        raise StepError("rename_type has a name, or a field and types", "Give one of the two.", "option")
    if to == "" or types == {} or "" in (types or {}).values():
        raise StepError("rename_type gives an empty type", "Name the new type.", "option")
    if to is not None:
        return RenameType(to)
    assert field is not None
    assert types is not None
    return RenameType(None, single(field), dict(types))


@dataclass(frozen=True)
class SetHeader(EventOperation):
    """A header gets a fixed value."""

    name: str
    value: bytes
    exists: Literal["error", "replace"] = "error"

    def apply(self, root: Object, context: Context) -> None:
        if self.exists == "error" and has_header(context, self.name):
            raise FieldExists(f"header {self.name} is there already")
        put_header(context, self.name, self.value)

    def inverse(self) -> Inverse:
        back = DropHeader(self.name, "error")
        if self.exists == "replace":
            return Inverse.lossy(f"the old header {self.name} is gone", back)
        return Inverse((back,))

    def __str__(self) -> str:
        return f"set header {self.name}"


def has_header(context: Context, name: str) -> bool:
    """True where there is a header of that name, also one without a value."""
    return any(name == known for known, _ in context.headers)


def put_header(context: Context, name: str, value: bytes | None) -> None:
    """Set a header: in the place of the last one of that name, or at the end."""
    for index in range(len(context.headers) - 1, -1, -1):
        if context.headers[index][0] == name:
            context.headers[index] = (name, value)
            return
    context.headers.append((name, value))


@dataclass(frozen=True)
class RenameHeader(EventOperation):
    """Headers of one name get another, each in its place."""

    old: str
    new: str
    missing: OnMissing = "error"

    def apply(self, root: Object, context: Context) -> None:
        names = [name for name, _ in context.headers]
        if self.old not in names:
            if self.missing == "error":
                raise MissingField(f"header {self.old} is missing")
            return
        if self.new in names:
            raise FieldExists(f"header {self.new} is there already")
        context.headers[:] = [(self.new if name == self.old else name, value) for name, value in context.headers]

    def inverse(self) -> Inverse:
        return named_back(RenameHeader(self.new, self.old, self.missing), self.missing)

    def __str__(self) -> str:
        return f"rename header {self.old} to {self.new}"


@dataclass(frozen=True)
class DropHeader(EventOperation):
    """Headers of one name go."""

    name: str
    missing: OnMissing = "error"

    def apply(self, root: Object, context: Context) -> None:
        kept = [pair for pair in context.headers if pair[0] != self.name]
        if len(kept) == len(context.headers) and self.missing == "error":
            raise MissingField(f"header {self.name} is missing")
        context.headers[:] = kept

    def inverse(self) -> Inverse:
        return Inverse.lossy(f"header {self.name} is dropped")

    def __str__(self) -> str:
        return f"drop header {self.name}"


@dataclass(frozen=True)
class HeaderToField(EventOperation):
    """A header's text becomes a field, and the header goes."""

    name: str
    path: Path
    missing: OnMissing = "error"

    def apply(self, root: Object, context: Context) -> None:
        value = text_of(last_header(context.headers, self.name), f"header {self.name}")
        if value is None:
            if self.missing == "error":
                raise MissingField(f"header {self.name} is missing")
            return
        parent = parent_of(root, self.path, create=False)
        if self.path[-1] in parent:
            raise FieldExists(f"{show(self.path)} is there already", self.path)
        parent[self.path[-1]] = value
        context.headers[:] = [pair for pair in context.headers if pair[0] != self.name]

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        back = FieldToHeader(self.path, self.name, self.missing)
        return Inverse((back,), Reversibility.EQUIVALENT, f"of several headers {self.name} only the last one is kept")

    def __str__(self) -> str:
        return f"move header {self.name} to {show(self.path)}"


@dataclass(frozen=True)
class FieldToHeader(EventOperation):
    """A string field becomes a header, and the field goes."""

    path: Path
    name: str
    missing: OnMissing = "error"

    def apply(self, root: Object, context: Context) -> None:
        node = find(root, self.path)
        if node is MISSING:
            if self.missing == "error":
                raise MissingField(f"{show(self.path)} is missing", self.path)
            return
        if has_header(context, self.name):
            raise FieldExists(f"header {self.name} is there already")
        context.headers.append((self.name, string(node, self.path).encode()))
        del parent_of(root, self.path, create=False)[self.path[-1]]

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)

    def removes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        return named_back(HeaderToField(self.name, self.path, self.missing), self.missing)

    def __str__(self) -> str:
        return f"move {show(self.path)} to header {self.name}"


def set_header(name: str, value: str, *, exists: Literal["error", "replace"] = "error") -> Operation:
    """Set a record header to a fixed text."""
    choice(exists, ("error", "replace"), "exists")
    return SetHeader(name, value.encode(), exists)


def rename_header(old: str, new: str, *, missing: OnMissing = "error") -> Operation:
    """Give a record header another name."""
    choice(missing, ON_MISSING, "missing")
    if old == new:
        raise StepError(f"header {old} is renamed to its own name", "Leave it out.", "no-op")
    return RenameHeader(old, new, missing)


def drop_header(name: str, *, missing: OnMissing = "error") -> Operation:
    """Throw a record header away: lossy."""
    choice(missing, ON_MISSING, "missing")
    return DropHeader(name, missing)


def header_to_field(name: str, field: PathLike, *, missing: OnMissing = "error") -> Operation:
    """Move a record header into the document, as a string."""
    choice(missing, ON_MISSING, "missing")
    return HeaderToField(name, single(field), missing)


def field_to_header(field: PathLike, name: str, *, missing: OnMissing = "error") -> Operation:
    """Move a string field out of the document into a record header."""
    choice(missing, ON_MISSING, "missing")
    return FieldToHeader(single(field), name, missing)


@dataclass(frozen=True)
class SetKey(EventOperation):
    """The record key becomes the text of one or more fields."""

    paths: tuple[Path, ...]
    separator: str = "/"
    numbers: Literal["error", "text"] = "error"

    def apply(self, root: Object, context: Context) -> None:
        nodes = [find(root, path) for path in self.paths]
        parts = list(map(self._part, nodes, self.paths))
        text = joined(parts, self.separator, self.paths).encode()
        context.set_key([(str(path[-1]), node) for path, node in zip(self.paths, nodes, strict=True)], text)

    def _part(self, node: Any, path: Path) -> str:
        text = _text(node, path)
        if json_type(node) == "string":
            if self.numbers == "text" and _reads_as_one(text):
                what = f"{show(path)} is a text that reads as a number or boolean, which would give the same key"
                raise WrongType(what, path)
        elif self.numbers == "error":
            raise WrongType(f"{show(path)} is a {json_type(node)}, and set_key does not say numbers='text'", path)
        return text

    def reads(self) -> tuple[Path, ...]:
        return self.paths

    def inverse(self) -> Inverse:
        return Inverse.lossy("the old record key is gone")

    def __str__(self) -> str:
        return f"set the record key from {', '.join(map(show, self.paths))}"


def _text(node: Any, path: Path) -> str:
    if node is MISSING or is_null(node):
        raise MissingField(f"{show(path)}, which is part of the key, is missing", path)
    kind = json_type(node)
    if kind == "string":
        return string(node, path)
    if kind in ("object", "array"):
        raise WrongType(f"{show(path)} is {kind} and cannot be part of the key", path)
    return json_text(node).decode()


def joined(parts: Sequence[str], separator: str, paths: Sequence[Path]) -> str:
    """One key out of several parts. Raises FormatMismatch where other parts would give the same one."""
    key = separator.join(parts)
    if len(parts) > 1 and key.split(separator) != list(parts):
        path = next((path for part, path in zip(parts, paths, strict=True) if separator in part), paths[0])
        raise FormatMismatch(f"{show(path)}, which is part of the key, holds the separator", path)
    return key


def _reads_as_one(text: str) -> bool:
    """True for a text that a number or boolean is written as."""
    try:
        return type(msgspec.json.decode(text)) in (int, float, bool)
    except msgspec.DecodeError:
        return False


def set_key(*fields: PathLike, separator: str = "/", numbers: Literal["error", "text"] = "error") -> Operation:
    """Make the record key out of texts; a part that holds the separator is an error. Partitions stay as they are.

    ``numbers="text"`` takes numbers and booleans as well, as they are written; a text that reads as one is then an
    error, so that no two events with different fields get the same key.
    """
    if not fields:
        raise StepError("set_key has no fields", "Name at least one.", "option")
    if not separator and len(fields) > 1:
        raise StepError("the separator is empty", "Give at least one character.", "option")
    choice(numbers, ("error", "text"), "numbers")
    return SetKey(tuple(map(single, fields)), separator, numbers)


@dataclass(frozen=True)
class DropEvent(EventOperation):
    """The event ends here, on purpose: skipped, reason ``dropped``."""

    def apply(self, root: Object, context: Context) -> None:
        context.dropped = True

    def inverse(self) -> Inverse:
        return Inverse.lossy("the event is dropped")

    def __str__(self) -> str:
        return "drop the event"


def drop_event() -> Operation:
    """End the event here: ``when(equals("kind", "heartbeat"), drop_event())``."""
    return DropEvent()


@dataclass(frozen=True)
class Tombstone(EventOperation):
    """The event ends here as a null value, which deletes what has its key from a compacted topic."""

    def apply(self, root: Object, context: Context) -> None:
        if context.key is None:
            raise MissingField("the record has no key, and a tombstone without one deletes nothing")
        context.tombstoned = True

    def inverse(self) -> Inverse:
        return Inverse.lossy("the event becomes a tombstone")

    def __str__(self) -> str:
        return "make the event a tombstone"


def tombstone() -> Operation:
    """Make the event a null value with its key: ``when(equals("op", "d"), tombstone())``.

    In a compacted topic that deletes what has the key; a route to any other topic is refused. A record without a key is
    an error.
    """
    return Tombstone()


# Of all events that one becomes. What they share is written once for each, so that a hostile event of a megabyte
# could become gigabytes; no honest one comes near this.
MOST_BYTES = 2**26


def _weight(fields: Object) -> int:
    """About how many bytes the fields take, as text and in memory."""
    unopened = [value for value in fields.values() if type(value) is Raw]
    return 64 * len(fields) + sum(map(len, fields)) + sum(map(len, unopened))


@dataclass(frozen=True)
class SplitEach(EventOperation):
    """The event becomes one event for each item of an array or value of an object."""

    path: Path
    into: str
    item: str
    version: str | None = None
    name: str | None = None
    number: str | None = None
    total: str | None = None
    id: str | None = None
    key: tuple[Path, ...] = ()

    def apply(self, root: Object, context: Context) -> None:
        node = find(root, self.path)
        if node is MISSING:
            raise MissingField(f"{show(self.path)} is missing", self.path)
        items = items_of(node, self.path)
        del parent_of(root, self.path, create=False)[self.path[-1]]
        rest = {key: value if type(value) is Raw else frozen(value) for key, value in root.items()}
        if len(items) * _weight(rest) > MOST_BYTES:
            raise TooLarge(f"{len(items)} children would be more than {MOST_BYTES} bytes together", self.path)
        origin = context.origin
        added = [name for name in (self.id, self.name, self.number, self.total, self.item) if name is not None]
        for name in added if items else ():
            if name in rest:
                raise FieldExists(f"{show((name,))} is there already", (name,))
        context.children = [
            self._child(dict(rest), position, len(items), name, value, origin)
            for position, (name, value) in enumerate(items)
        ]

    def _child(self, body: Object, position: int, total: int, name: str | None, value: Any, origin: str) -> Child:
        if self.id is not None:
            body[self.id] = f"{origin}/{position}"
        if self.name is not None:
            body[self.name] = name
        if self.number is not None:
            body[self.number] = position
        if self.total is not None:
            body[self.total] = total
        body[self.item] = value
        if not self.key:
            return Child(body, self.into, self.version or "")
        nodes = [find(body, path) for path in self.key]
        text = joined(list(map(_text, nodes, self.key)), "/", self.key).encode()
        named = [(str(path[-1]), node) for path, node in zip(self.key, nodes, strict=True)]
        return Child(body, self.into, self.version or "", text, named)

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        names = (self.id, self.name, self.number, self.total, self.item)
        return (self.path, *((name,) for name in names if name is not None))

    def removes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        return Inverse.lossy(f"one event of several cannot be put together again ({self})")

    def __str__(self) -> str:
        return f"split into one {self.into} for each of {show(self.path)}"


def split_each(
    field: PathLike,
    into: str,
    *,
    item: str,
    version: str | None = None,
    name: str | None = None,
    number: str | None = None,
    total: str | None = None,
    id: str | None = None,
    key: Iterable[PathLike] = (),
) -> Operation:
    """One event of type ``into`` for each item of the array, or value of the object, at ``field``.

    Each child has the rest of the document and the item as ``item``; where asked, the item's key as ``name``, its
    position as ``number``, how many there are as ``total``, an ``id`` made from the source coordinates, and a
    record key joined from fields of the child. ``version`` is the child's own; without one, the step's target.
    """
    added = [one for one in (id, name, number, total, item) if one is not None]
    if len(set(added)) != len(added):
        raise StepError("split_each gives two fields of a child the same name", "Name them apart.", "collision")
    return SplitEach(
        single(field),
        into,
        item,
        version and str(version),
        name,
        number,
        total,
        id,
        paths(key, "key"),
    )


@dataclass(frozen=True)
class SplitEvent(EventOperation):
    """A function makes 0..N events out of one."""

    using: Callable[[Any, str], Iterable[tuple[str, Any]]]
    into: tuple[str, ...]
    version: str | None = None

    def apply(self, root: Object, context: Context) -> None:
        made = called(self._children, name_of(self.using), (), plain(root), context.origin)
        context.children = [self._child(event_type, body) for event_type, body in made]

    def _children(self, document: Any, origin: str) -> list[tuple[str, Any]]:
        return [(event_type, body) for event_type, body in self.using(document, origin)]

    def _child(self, event_type: str, body: Any) -> Child:
        if event_type not in self.into:
            raise UnmappedValue(f"{name_of(self.using)} made an event of a type that the step does not declare")
        return Child(open_object(from_plain(body)), event_type, self.version or "")

    def reads(self) -> tuple[Path, ...]:
        return ((EACH,),)

    def writes(self) -> tuple[Path, ...]:
        return ((EACH,),)

    def inverse(self) -> Inverse:
        return Inverse.lossy(f"one event of several cannot be put together again ({self})")

    def __str__(self) -> str:
        return f"split with {name_of(self.using)} into {', '.join(self.into)}"


def split_event(
    using: Callable[[Any, str], Iterable[tuple[str, Any]]],
    into: Iterable[str],
    *,
    version: str | None = None,
) -> Operation:
    """Make 0..N events: ``using(document, origin)`` gives (type, document) pairs; the children go on by themselves.

    ``origin`` (topic/partition/offset) is what ids are made from; ``into`` declares every type that may come out.
    """
    function_given(using, "using")
    return SplitEvent(using, different_names(into, "into"), version and str(version))
