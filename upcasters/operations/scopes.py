"""Operations applied elsewhere: at a path, at any depth, to a sub-document with a version of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import msgspec

from upcasters.conditions import Condition, lasts, names_the_event
from upcasters.context import Context
from upcasters.depth import MOST_ADDED, MOST_LEVELS
from upcasters.document import (
    Object,
    Unread,
    decode_object,
    encode,
    is_null,
    json_text,
    json_type,
    open_array,
    open_container,
    open_object,
    open_unchecked,
    restamped,
    weight,
)
from upcasters.duplicates import duplicate_keys
from upcasters.errors import EventError, MissingField, StepError, TooDeep
from upcasters.operations.base import (
    Inverse,
    Operation,
    at_least_one,
    choice,
    different_names,
    listed,
    run,
    single,
    undo,
)
from upcasters.operations.opened import DEEP, Opened
from upcasters.operations.values import string
from upcasters.paths import EACH, Item, Member, Path, PathLike, overlap, show
from upcasters.traversal import MISSING, OnMissing, OnWrongType, find, numbered, objects, parent_of, slots


@dataclass(frozen=True)
class At(Operation):
    """Operations run on every object at a path, as if it were the document."""

    path: Path
    operations: tuple[Operation, ...]
    missing: OnMissing = "error"
    wrong_type: OnWrongType = "error"

    needs_context = True

    def apply(self, root: Object, context: Context) -> None:
        older, context.older = context.older, _beside(context.older, self.path)
        position, counted = context.position, context.at_any_depth
        context.at_any_depth = counted or self._repeats
        for place, target in list(numbered(root, self.path, self.missing, self.wrong_type)):
            context.position = position if place is None else place
            try:
                run(self.operations, target, context)
            except EventError as error:
                raise error.inside(self.path) from error.__cause__
        context.older, context.position, context.at_any_depth = older, position, counted

    @cached_property
    def _repeats(self) -> bool:
        """True where each of many items may take, say, a header, which is more than the document by itself can make."""
        return EACH in self.path and self.takes_from_around()

    def reads(self) -> tuple[Path, ...]:
        return tuple((*self.path, *read) for operation in self.operations for read in operation.reads())

    def writes(self) -> tuple[Path, ...]:
        return tuple((*self.path, *written) for operation in self.operations for written in operation.writes())

    def dropped(self) -> tuple[Path, ...]:
        return tuple((*self.path, *gone) for operation in self.operations for gone in operation.dropped())

    def inverse(self) -> Inverse:
        inner = undo(self.operations)
        back = At(self.path, inner.operations, self.missing, self.wrong_type)
        return Inverse((back,), inner.kind, inner.why)

    def may_grow(self) -> bool:
        return any(operation.may_grow() for operation in self.operations)

    def takes_from_around(self) -> bool:
        return any(operation.takes_from_around() for operation in self.operations)

    def __str__(self) -> str:
        return f"at {show(self.path)}: " + "; ".join(map(str, self.operations))


def _beside(older: Object | None, path: Path) -> Object | None:
    """The same place in the older document; None where that cannot be told."""
    if older is None or EACH in path:
        return None
    return next(objects(older, path, "skip", "skip"), None)


def at(
    field: PathLike, *operations: Operation, missing: OnMissing = "error", wrong_type: OnWrongType = "error"
) -> Operation:
    """Run operations on every object at ``field``; their paths start there: ``at("items.*", move("a.b", "b"))``."""
    choice(missing, ("error", "skip"), "missing")
    choice(wrong_type, ("error", "skip"), "wrong_type")
    return At(at_least_one(field), some(operations), missing, wrong_type)


def some(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """At least one operation, each of them one. Raises StepError."""
    found = any_number(operations)
    if not found:
        raise StepError("there are no operations", "Give at least one.", "option")
    return found


def any_number(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """Operations, if there are any. Raises StepError for anything else among them."""
    return listed(operations, Operation, "operation", "Use those of `upcasters`.")


@dataclass(frozen=True)
class Everywhere(Operation):
    """Operations run on every object at any depth for which a condition holds, inner ones first.

    The way back takes the outer ones first, so that it meets the same objects in the same state.
    """

    operations: tuple[Operation, ...]
    where: Condition
    stop_at: frozenset[str] = frozenset()
    inner_first: bool = True
    undo_where: Condition | None = None
    only_in: frozenset[str] = frozenset()
    stop_where: Condition | None = None
    nested: Literal["change", "keep"] = "change"

    needs_context = True

    def apply(self, root: Object, context: Context) -> None:
        Walk((self,)).apply(root, context)

    @cached_property
    def _holds(self) -> Callable[[Object, Context], bool]:
        return _asker(self.where)

    def change(self, container: Object, context: Context, position: int | None, opened: Opened | None) -> bool:
        """Run the operations on one object, if it is one for which the condition holds."""
        if not self._holds(container, context):
            return False
        if opened is not None:
            opened.close(container)
        context.position = position
        run(self.operations, container, context)
        return True

    def reads(self) -> tuple[Path, ...]:
        return ((EACH,),)

    def writes(self) -> tuple[Path, ...]:
        return ((EACH,),)

    def inverse(self) -> Inverse:
        inner = undo(self.operations)
        back = replace(
            self,
            operations=inner.operations,
            where=self.undo_where or self.where,
            inner_first=not self.inner_first,
            undo_where=self.where,
        )
        if self.undo_where is None and not lasts(self.where, self._written()):
            why = f"which objects were changed is not known after {self}; give undo_where"
            return Inverse.lossy(why, back)
        if self.stop_where is not None and self._changes_what_it_reads(self.stop_where):
            return Inverse.lossy(f"below which objects nothing was changed is not known after {self}", back)
        return Inverse((back,), inner.kind, inner.why)

    def _written(self) -> list[Path]:
        return [path for operation in self.operations for path in operation.writes()]

    def _changes_what_it_reads(self, condition: Condition) -> bool:
        changed = any(overlap(read, path) for read in condition.reads() for path in self._written())
        return changed or names_the_event(condition)

    def may_grow(self) -> bool:
        return any(operation.may_grow() for operation in self.operations)

    def takes_from_around(self) -> bool:
        return any(operation.takes_from_around() for operation in self.operations)

    @property
    def reach(self) -> str:
        """Which objects are meant, for people."""
        parts = [f"everywhere where {self.where}"]
        if self.only_in:
            parts.append(f"only in {', '.join(sorted(self.only_in))}")
        if self.stop_at:
            parts.append(f"not below {', '.join(sorted(self.stop_at))}")
        if self.stop_where is not None:
            parts.append(f"not inside of what {self.stop_where}")
        if self.nested == "keep":
            parts.append("outermost only")
        return ", ".join(parts)

    def __str__(self) -> str:
        return f"{self.reach}: " + "; ".join(map(str, self.operations))


def _asker(condition: Condition) -> Callable[[Object, Context], bool]:
    """What answers the condition for one object."""
    if all(len(path) == 1 for path in condition.reads()):
        return condition.answer

    def answer(container: Object, context: Context) -> bool:
        # What is only looked at loses nothing: it is opened in a copy, and stays the bytes that it is.
        with duplicate_keys("last-wins"):
            return condition.answer(container.copy(), context)

    return answer


class _EndlessError(Exception):
    """What operations put into an object is changed by them as well, without end."""


class Walk:
    """One way through a document for several ``everywhere`` that go the same way; ``go_together`` says which."""

    def __init__(self, parts: Sequence[Everywhere]) -> None:
        self._parts = tuple(parts)
        self._first = parts[0]
        self._outer_first = not self._first.inner_first or self._first.nested == "keep"
        self._stops = None if self._first.stop_where is None else _asker(self._first.stop_where)
        needed = [part.where.needs() for part in parts]
        self._may_grow = any(part.may_grow() for part in parts)
        self._needed = [encode(key) for key in needed if key is not None] if None not in needed else None

    def apply(self, root: Object, context: Context) -> None:
        """Change a document in place."""
        # Which objects of the older document they were is not known.
        (older, context.older), position = (context.older, None), context.position
        counted, context.at_any_depth = context.at_any_depth, context.at_any_depth or self._may_grow
        try:
            self._visit(root, context, position, 0, None)
        except _EndlessError:
            raise TooDeep("what is changed at any depth, and inside of what that has made,", "upcast") from None
        context.older, context.position, context.at_any_depth = older, position, counted

    def _visit(self, container: Any, context: Context, position: int | None, depth: int, opened: Opened | None) -> bool:
        """Change what is to be changed; True where something was. All else stays the bytes that it is."""
        if depth > MOST_LEVELS + MOST_ADDED:
            raise _EndlessError
        changed = self._outer_first and self._change(container, context, position, opened)
        for key in self._keys_inside(container, context, changed=changed):
            node = container[key]
            if not self._may_change(node):
                continue
            child, inside = _opened(node, depth, opened)
            is_item = type(container) is list
            try:
                if self._visit(child, context, key if is_item else position, depth + 1, inside):
                    if inside is None and type(child) is dict and type(node) is msgspec.Raw:
                        decode_object(node)  # a key that stands twice is refused where it would be lost
                    container[key] = child
                    changed = True
            except EventError as error:
                place = Item(key) if is_item else Member(list(container).index(key), key)
                raise error.inside((place,)) from error.__cause__
        changed = (not self._outer_first and self._change(container, context, position, opened)) or changed
        if changed and opened is not None:
            opened.keep(container)
        return changed

    def _keys_inside(self, container: Any, context: Context, *, changed: bool) -> Iterable[Any]:
        """Where to go on from here."""
        if type(container) is list:
            return range(len(container))
        first = self._first
        if changed and first.nested == "keep":
            return ()
        if self._stops is not None and self._stops(container, context):
            return ()
        keys = list(container)
        if first.only_in:
            keys = [key for key in keys if key in first.only_in]
        return [key for key in keys if key not in first.stop_at] if first.stop_at else keys

    def _may_change(self, node: Any) -> bool:
        """False for a scalar, and where the bytes tell that no object inside has a key that some ``where`` needs.

        A key may be spelled with escapes, so that any backslash leaves it open.
        """
        if type(node) is not msgspec.Raw:
            return json_type(node) in ("object", "array")
        text = bytes(node)
        if text[0] not in b"{[":
            return False
        if self._needed is None:
            return True
        for key in self._needed:  # asked for each part of a document
            if key in text:
                return True
        return b"\\" in text

    def _change(self, container: Any, context: Context, position: int | None, opened: Opened | None) -> bool:
        if type(container) is not dict:
            return False
        changed = False
        for part in self._parts:
            changed = part.change(container, context, position, opened) or changed
        return changed


def go_together(parts: Sequence[Everywhere]) -> bool:
    """True where one walk gives what these give one after the other.

    They go the same way, and all but the one that comes last where inner objects are first, or first where outer ones
    are, only look at and change single values of the object itself: so it does not matter whether the others have been
    inside before.
    """
    first, written = parts[0], {path[0] for part in parts for path in _written(part)}
    same_way = all(
        (part.stop_at, part.only_in, part.inner_first) == (first.stop_at, first.only_in, first.inner_first)
        and part.stop_where is None
        and part.nested == "change"
        for part in parts
    )
    local = parts[:-1] if first.inner_first else parts[1:]
    return same_way and not written & {EACH, *first.stop_at, *first.only_in} and all(map(_is_local, local))


def _written(part: Everywhere) -> Iterator[Path]:
    for operation in part.operations:
        yield from operation.writes()


def _is_local(part: Everywhere) -> bool:
    return part.where.is_local() and all(operation.is_local() for operation in part.operations)


def _opened(node: Any, depth: int, opened: Opened | None) -> tuple[Any, Opened | None]:
    """An object or array, and what opened it whole, if it was not opened for itself."""
    if isinstance(node, Unread):
        return open_container(node), None
    if type(node) is not msgspec.Raw:
        return node, opened
    again = None if opened is None else opened.again(node)
    if again is not None:
        return again, opened
    if depth < DEEP:
        return open_unchecked(node), None
    whole = Opened(node)
    return whole.top, whole


def everywhere(
    where: Condition,
    *operations: Operation,
    stop_at: Iterable[str] = (),
    stop_where: Condition | None = None,
    only_in: Iterable[str] = (),
    nested: Literal["change", "keep"] = "change",
    undo_where: Condition | None = None,
) -> Operation:
    """Run operations on every object, at any depth, for which ``where`` holds; the document itself is one of them.

    Inner objects come first. Below the keys of ``stop_at`` nothing is read, nor inside of an object for which
    ``stop_where`` holds; ``only_in`` names the only keys that lead further. ``nested="keep"`` takes the outermost
    objects only, and leaves those inside of them. It can be undone where the operations leave alone what the conditions
    read, or where ``undo_where`` tells the objects to which they were applied.
    """
    stops = frozenset(different_names(stop_at, "stop_at", at_least=0))
    ways = frozenset(different_names(only_in, "only_in", at_least=0))
    choice(nested, ("change", "keep"), "nested")
    given: dict[str, object] = {"where": where, "stop_where": stop_where, "undo_where": undo_where}
    for option, condition in given.items():
        if condition is not None and not isinstance(condition, Condition):
            what = f"{option} is a {type(condition).__name__}, not a condition"
            raise StepError(what, "Use present, equals, has_type and their like.", "option")
    return Everywhere(
        some(operations), where, stops, undo_where=undo_where, only_in=ways, stop_where=stop_where, nested=nested
    )


@dataclass(frozen=True)
class Subdocument(Operation):
    """A document inside the document, with a type and version of its own, goes to its own current version."""

    path: Path
    event_type: str
    version: str | Path
    missing: OnMissing = "error"
    null: Literal["error", "keep"] = "error"
    to: str | None = None

    needs_context = True

    def apply(self, root: Object, context: Context) -> None:
        for parent, key in slots(root, self.path, self.missing):
            if self.null == "keep" and is_null(parent[key]):
                continue
            inner = open_object(parent[key], self.path)
            before = weight(inner) if context.at_any_depth else 0
            try:
                parent[key] = self._brought(inner, context)
            except EventError as error:
                raise error.inside(self.path) from error.__cause__
            if context.at_any_depth:
                context.count_bytes(weight(inner) - before)

    def _brought(self, inner: Object, context: Context) -> Object:
        if context.bring is None:
            raise StepError("a sub-document needs a chain", "Run it through Chain.upcaster.", "subdocument")
        version = context.bring(self.event_type, self._version(inner), inner, self.to)
        if not isinstance(self.version, str):
            parent = parent_of(inner, self.version, create=False)
            parent[self.version[-1]] = restamped(parent[self.version[-1]], version)
        return inner

    def _version(self, inner: Object) -> str:
        if isinstance(self.version, str):
            return self.version
        node = find(inner, self.version)
        if node is MISSING:
            raise MissingField(f"{show(self.version)}, the sub-document's version, is missing", self.version)
        return string(node, self.version) if json_type(node) == "string" else json_text(node).decode()

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        return Inverse.lossy(f"which version {show(self.path)} had is gone")

    def may_grow(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"bring {show(self.path)} ({self.event_type}) to {self.to or 'its current version'}"


def subdocument(
    field: PathLike,
    event_type: str,
    *,
    version: str | None = None,
    version_field: PathLike | None = None,
    to: str | None = None,
    missing: OnMissing = "error",
    null: Literal["error", "keep"] = "error",
) -> Operation:
    """Bring a document inside the document to the current version of its own type, before the rest of the step.

    Its version is fixed, or stands in ``version_field`` (a path inside it), which is then set to the new one. ``to``
    names another version than the current one, such as that from which the step starts: then the step goes on with
    parts of one age. What is newer already stays as it is.
    """
    if (version is None) == (version_field is None):
        raise StepError("a sub-document has either a version or a version_field", "Give one of the two.", "option")
    choice(missing, ("error", "skip"), "missing")
    choice(null, ("error", "keep"), "null")
    found: str | Path = str(version) if version_field is None else single(version_field)
    return Subdocument(at_least_one(field), event_type, found, missing, null, None if to is None else str(to))


def items_of(node: Any, path: Path) -> list[tuple[str | None, Any]]:
    """The named values of an object or the items of an array (their name is None)."""
    if json_type(node) == "array":
        return [(None, item) for item in open_array(node, path)]
    return list(open_object(node, path).items())
