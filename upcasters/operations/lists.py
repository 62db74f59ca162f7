"""Scalars and fields become lists and back; lists of lists become one; items get numbers or go to another list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain, count, islice
from typing import Any, Literal

from upcasters.conditions import Condition
from upcasters.context import Context
from upcasters.document import Object, is_null, json_type, open_array, open_object, plain, same
from upcasters.duplicates import duplicate_keys
from upcasters.errors import Ambiguous, Conflict, FieldExists, FormatMismatch, MissingField, StepError, WrongType
from upcasters.operations.base import (
    ChangeValue,
    Inverse,
    Operation,
    Reversibility,
    at_least_one,
    choice,
    different_names,
    named_back,
    settable,
    single,
    taken,
)
from upcasters.operations.restoring import RestoreItems
from upcasters.paths import EACH, Path, PathLike, overlap, show
from upcasters.traversal import MISSING, ON_MISSING, OnMissing, objects, parent_of, slots


@dataclass(frozen=True)
class Wrap(ChangeValue):
    """A single value becomes a list of one."""

    null: Literal["keep", "empty", "wrap"] = "wrap"
    lists: Literal["error", "keep", "wrap"] = "error"
    missing: OnMissing = "error"
    many: Literal["error", "first"] = "error"

    def changed(self, node: Any) -> Any:
        if is_null(node) and self.null != "wrap":
            return [] if self.null == "empty" else node
        if self.lists == "wrap" or json_type(node) != "array":
            return [node]
        if self.lists == "error":
            raise WrongType(f"{show(self.path)} is an array already", self.path)
        return node

    def inverse(self) -> Inverse:
        empty: Literal["error", "null"] = "null" if self.null == "empty" else "error"
        back = Unwrap(self.path, empty, self.many, "keep" if self.null == "keep" else "error", self.missing)
        if self.lists == "keep":
            return Inverse.lossy(f"whether {show(self.path)} was a list of one or a single value", back)
        if self.many == "first":
            return Inverse.lossy(f"the items of {show(self.path)} behind the first are left out", back)
        return Inverse((back,))

    def __str__(self) -> str:
        return f"wrap {show(self.path)} in a list"


@dataclass(frozen=True)
class Unwrap(Operation):
    """A list of one becomes its item."""

    path: Path
    empty: Literal["error", "null", "drop"] = "error"
    many: Literal["error", "first"] = "error"
    null: Literal["error", "keep"] = "error"
    missing: OnMissing = "error"

    def apply(self, root: Object, context: Context) -> None:
        for parent, key in list(slots(root, self.path, self.missing)):
            if is_null(parent[key]) and self.null == "keep":
                continue
            self._unwrap(parent, key)

    def _unwrap(self, parent: Any, key: Any) -> None:
        items = open_array(parent[key], self.path)
        if len(items) > 1 and self.many == "error":
            raise WrongType(f"{show(self.path)} has more than one item", self.path)
        if items:
            parent[key] = items[0]
        elif self.empty == "null":
            parent[key] = None
        elif self.empty == "drop" and type(parent) is dict:
            del parent[key]
        else:
            raise WrongType(f"{show(self.path)} is empty", self.path)

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        null: Literal["keep", "empty", "wrap"] = "wrap"
        if self.null == "keep":
            null = "keep"
        elif self.empty == "null":
            null = "empty"
        missing: OnMissing = "skip" if self.empty == "drop" else self.missing
        back = Wrap(self.path, null, "wrap", missing)
        if self.many == "first":
            others = RestoreItems(self.path, self)
            return Inverse.lossy(f"the items of {show(self.path)} behind the first are gone", back, others)
        if self.empty == "drop" or (self.null == "keep" and self.empty == "null"):
            return Inverse.lossy(f"whether {show(self.path)} was empty is gone", back)
        if null == "wrap":
            return Inverse((back,))
        return Inverse((back,), Reversibility.EQUIVALENT, f"whether {show(self.path)} held a null is gone")

    def dropped(self) -> tuple[Path, ...]:
        return (self.path,) if self.many == "first" else ()

    def __str__(self) -> str:
        return f"take {show(self.path)} out of its list"


def wrap(
    field: PathLike,
    *,
    null: Literal["keep", "empty", "wrap"] = "wrap",
    lists: Literal["error", "keep", "wrap"] = "error",
    missing: OnMissing = "error",
    many: Literal["error", "first"] = "error",
) -> Operation:
    """Scalar to list of one. A null becomes ``[null]``, ``[]`` (``empty``) or stays.

    A list is an error, stays, or becomes the one item of a new list. On the way down a list of several is an error, or
    its ``first`` item is taken, which is lossy (``many``).
    """
    choice(many, ("error", "first"), "many")
    choice(null, ("keep", "empty", "wrap"), "null")
    choice(lists, ("error", "keep", "wrap"), "lists")
    choice(missing, ON_MISSING, "missing")
    return Wrap(at_least_one(field), null, lists, missing, many)


def unwrap(
    field: PathLike,
    *,
    empty: Literal["error", "null", "drop"] = "error",
    many: Literal["error", "first"] = "error",
    null: Literal["error", "keep"] = "error",
    missing: OnMissing = "error",
) -> Operation:
    """List of one to scalar. Empty lists, longer lists and null are errors unless told otherwise."""
    choice(empty, ("error", "null", "drop"), "empty")
    choice(many, ("error", "first"), "many")
    choice(null, ("error", "keep"), "null")
    choice(missing, ON_MISSING, "missing")
    return Unwrap(at_least_one(field), empty, many, null, missing)


@dataclass(frozen=True)
class FieldsToList(Operation):
    """Fields of one object become a list in it, in this order."""

    path: Path
    names: tuple[str, ...]
    missing: OnMissing = "error"
    short: Literal["error", "keep"] = "error"
    more: Literal["error", "cut"] = "error"

    def apply(self, root: Object, context: Context) -> None:
        for parent in objects(root, self.path[:-1], self.missing):
            if self.missing == "error" or any(name in parent for name in self.names):
                self._gather(parent)

    def _gather(self, parent: Object) -> None:
        items = []
        for name in taken(self.names, parent, self.short):
            if name not in parent:
                where = (*self.path[:-1], name)
                raise MissingField(f"{show(where)} is missing", where)
            items.append(parent.pop(name))
        if self.path[-1] in parent:
            raise FieldExists(f"{show(self.path)} is there already", self.path)
        parent[str(self.path[-1])] = items

    def reads(self) -> tuple[Path, ...]:
        return tuple((*self.path[:-1], name) for name in self.names)

    def writes(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys((*self.reads(), self.path)))

    def removes(self) -> tuple[Path, ...]:
        return self.reads()

    def inverse(self) -> Inverse:
        back = ListToFields(self.path, self.names, self.missing, self.short, self.more)
        if self.more == "cut":
            why = f"the items of {show(self.path)} behind {show((self.names[-1],))} are left out"
            return Inverse.lossy(why, back)
        return named_back(back, self.missing)

    def __str__(self) -> str:
        return f"put {', '.join(self.names)} into the list {show(self.path)}"


@dataclass(frozen=True)
class ListToFields(Operation):
    """The items of a list become fields beside it."""

    path: Path
    names: tuple[str, ...]
    missing: OnMissing = "error"
    short: Literal["error", "keep"] = "error"
    more: Literal["error", "cut"] = "error"

    def apply(self, root: Object, context: Context) -> None:
        for parent, key in slots(root, self.path, self.missing):
            items = open_array(parent[key], self.path)
            if not self.takes(len(items)):
                raise FormatMismatch(f"{show(self.path)} does not have {self._wanted} items", self.path)
            del parent[key]
            for name, item in zip(self.names, items, strict=False):
                if name in parent:
                    where = (*self.path[:-1], name)
                    raise FieldExists(f"{show(where)} is there already", where)
                parent[name] = item

    def takes(self, number: int) -> bool:
        """True for a list of so many items."""
        enough = 1 if self.short == "keep" else len(self.names)
        return number >= enough and (self.more == "cut" or number <= len(self.names))

    @property
    def _wanted(self) -> str:
        most = len(self.names)
        if self.more == "cut":
            return f"at least {1 if self.short == 'keep' else most}"
        return f"1 to {most}" if self.short == "keep" else str(most)

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys((self.path, *((*self.path[:-1], name) for name in self.names))))

    def removes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        back = FieldsToList(self.path, self.names, self.missing, self.short, self.more)
        if self.more == "cut":
            why = f"the items of {show(self.path)} behind {show((self.names[-1],))} are gone"
            return Inverse.lossy(why, back, RestoreItems(self.path, self))
        return named_back(back, self.missing)

    def dropped(self) -> tuple[Path, ...]:
        return (self.path,) if self.more == "cut" else ()

    def __str__(self) -> str:
        return f"take the items of {show(self.path)} out as {', '.join(self.names)}"


def fields_to_list(
    names: Iterable[str],
    field: PathLike,
    *,
    missing: OnMissing = "error",
    short: Literal["error", "keep"] = "error",
    more: Literal["error", "cut"] = "error",
) -> Operation:
    """Fields to list: ``fields_to_list(["lat", "lon"], "place.position")`` takes those beside it, in this order.

    With ``missing="skip"`` none of them may be there; with ``short="keep"`` the last ones may be absent, and the list
    is shorter. On the way down a list of more items is an error, or is ``cut``, which is lossy.
    """
    return FieldsToList(*_row(names, field, missing, short, more))


def list_to_fields(
    field: PathLike,
    names: Iterable[str],
    *,
    missing: OnMissing = "error",
    short: Literal["error", "keep"] = "error",
    more: Literal["error", "cut"] = "error",
) -> Operation:
    """List to fields: ``list_to_fields("place.position", ["lat", "lon"])`` puts the items beside it, by their order.

    Fewer items are an error, or the last names are left out with ``short="keep"``; more are an error, or are ``cut``,
    which is lossy.
    """
    return ListToFields(*_row(names, field, missing, short, more))


def _row(
    names: Iterable[str],
    field: PathLike,
    missing: OnMissing,
    short: Literal["error", "keep"],
    more: Literal["error", "cut"],
) -> tuple[Path, tuple[str, ...], OnMissing, Literal["error", "keep"], Literal["error", "cut"]]:
    spec = settable(field)
    choice(missing, ON_MISSING, "missing")
    choice(short, ("error", "keep"), "short")
    choice(more, ("error", "cut"), "more")
    return spec, different_names(names, "names", at_least=2), missing, short, more


@dataclass(frozen=True)
class Flatten(Operation):
    """A list of lists becomes one list."""

    path: Path
    missing: OnMissing = "error"
    scalars: Literal["error", "keep"] = "error"

    def apply(self, root: Object, context: Context) -> None:
        for parent, key in slots(root, self.path, self.missing):
            parent[key] = [item for node in open_array(parent[key], self.path) for item in self._items(node)]

    def _items(self, node: Any) -> list[Any]:
        if self.scalars == "keep" and json_type(node) != "array":
            return [node]
        return open_array(node, (*self.path, EACH))

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        why = f"where the inner lists of {show(self.path)} ended is gone"
        return (
            Inverse.lossy(why) if self.scalars == "keep" else Inverse.lossy(why, IntoOneList(self.path, self.missing))
        )

    def __str__(self) -> str:
        return f"flatten {show(self.path)}"


@dataclass(frozen=True)
class IntoOneList(Operation):
    """Undo of ``flatten``: all items become one inner list, which at least is a list of lists."""

    path: Path
    missing: OnMissing = "error"

    def apply(self, root: Object, context: Context) -> None:
        for parent, key in slots(root, self.path, self.missing):
            items = open_array(parent[key], self.path)
            parent[key] = [items] if items else []

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        return Inverse((Flatten(self.path, self.missing),))

    def __str__(self) -> str:
        return f"put all of {show(self.path)} into one inner list"


def flatten(field: PathLike, *, missing: OnMissing = "error", scalars: Literal["error", "keep"] = "error") -> Operation:
    """Put the items of inner lists into one list; an item that is not a list is an error, or kept."""
    choice(missing, ON_MISSING, "missing")
    choice(scalars, ("error", "keep"), "scalars")
    return Flatten(at_least_one(field), missing, scalars)


@dataclass(frozen=True)
class Number(Operation):
    """Every object in a list gets its position as a field; or, behind the largest number, each that has none."""

    path: Path
    name: str
    start: int | Literal["next"] = 0
    missing: OnMissing = "error"
    remove: bool = False
    text: str = ""
    exists: Literal["error", "keep", "replace"] = "error"
    over: Literal["each", "all"] = "each"

    def apply(self, root: Object, context: Context) -> None:
        lists = map(self._opened, slots(root, self.path, self.missing))
        for items in lists if self.over == "each" else [list(chain.from_iterable(lists))]:
            if self.start == "next":
                self._go_on(items)
            else:
                self._number(items, self.start)

    def _opened(self, slot: tuple[Any, Any]) -> list[Object]:
        """The objects of a list, in their places."""
        parent, key = slot
        parent[key] = items = open_array(parent[key], self.path)
        for index, node in enumerate(items):
            items[index] = open_object(node, (*self.path, EACH))
        return items

    def _number(self, items: list[Object], start: int) -> None:
        kept = {_comparable(item[self.name]) for item in items if self.name in item}
        for position, item in enumerate(items, start):
            number = self.text.replace("{}", str(position)) if self.text else position
            if self.remove:
                self._remove(item, number)
            else:
                self._add(item, number, kept)

    def _go_on(self, items: list[Object]) -> None:
        numbers = [self._whole(item[self.name]) for item in items if self.name in item]
        following = count(max(numbers, default=0) + 1)
        for item in items:
            if self.name not in item:
                item[self.name] = next(following)

    def _whole(self, node: Any) -> int:
        where = (*self.path, EACH, self.name)
        found = plain(node, where)
        if type(found) is not int:
            raise WrongType(f"{show(where)} is not a whole number", where)
        return found

    def _add(self, item: Object, number: str | int, kept: set[Any]) -> None:
        where = (*self.path, EACH, self.name)
        if self.name not in item or self.exists == "replace":
            if number in kept and self.exists != "replace":
                raise Conflict(f"two items would have the same {show(where)}", where)
            item[self.name] = number
        elif self.exists == "error":
            raise FieldExists(f"{show(where)} is there already", where)

    def _remove(self, item: Object, number: str | int) -> None:
        if self.name in item and same(item[self.name], number):
            del item[self.name]
        elif self.exists == "error":
            where = (*self.path, EACH, self.name)
            raise Ambiguous(f"{show(where)} is not the position any more", where)

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return ((*self.path, EACH, self.name),)

    def inverse(self) -> Inverse:
        if self.start == "next":
            why = f"{show((*self.path, EACH, self.name))} stays, since it was not in all items"
            return Inverse((), Reversibility.EQUIVALENT, why)
        back = replace(self, remove=not self.remove, exists="keep" if self.exists == "replace" else self.exists)
        if self.exists == "replace":
            return Inverse.lossy(f"the old {show((*self.path, EACH, self.name))} is gone", back)
        if self.exists == "error":
            return Inverse((back,))
        why = f"{show((*self.path, EACH, self.name))} is left out where it is the position"
        return Inverse((back,), Reversibility.EQUIVALENT, why)

    def dropped(self) -> tuple[Path, ...]:
        return ((*self.path, EACH, self.name),) if self.exists == "replace" else ()

    def __str__(self) -> str:
        verb = "remove the number from" if self.remove else "number"
        return f"{verb} the items of {show(self.path)} as {self.name}"


def _comparable(node: Any) -> Any:
    """A text or number, that equals another as JSON does; None for what is neither."""
    return plain(node) if json_type(node) in ("string", "number") else None


def number(
    field: PathLike,
    name: str,
    *,
    start: int | Literal["next"] = 0,
    text: str = "",
    over: Literal["each", "all"] = "each",
    exists: Literal["error", "keep", "replace"] = "error",
    missing: OnMissing = "error",
) -> Operation:
    """Give every object in the list at ``field`` its position as ``name``: ``number("cells", "id", text="cell-{}")``.

    A number that starts at ``start``, or a ``text`` with the number in the place of ``{}``. Where ``field`` means
    several lists, each is counted anew, or they are counted on through ``all``. What has a ``name`` is an error, keeps
    it, or gets another; that two items get the same one is an error. With ``start="next"`` and ``exists="keep"`` only
    items without a ``name`` get one, counted on behind the largest that there is; on the way down they keep it.
    """
    choice(over, ("each", "all"), "over")
    choice(exists, ("error", "keep", "replace"), "exists")
    choice(missing, ON_MISSING, "missing")
    if text and text.count("{}") != 1:
        raise StepError(f"text={text!r} has no place for the number, or several", "Write {} once.", "option")
    if isinstance(start, str):
        choice(start, ("next",), "start")
        if text or exists != "keep":
            remedy = "Say exists='keep', and leave text out."
            raise StepError("start='next' goes on behind numbers that are kept", remedy, "option")
    elif type(start) is not int:
        raise StepError(f"start={start!r} is no whole number", "Use one such as 0 or 1, or 'next'.", "option")
    return Number(at_least_one(field), name, start, missing, text=text, exists=exists, over=over)


@dataclass(frozen=True)
class MoveItems(Operation):
    """The items of a list for which a condition holds go to the end of another list."""

    path: Path
    where: Condition
    target: Path
    empty: Literal["keep", "drop"] = "keep"
    missing: OnMissing = "error"
    undoes: bool = False

    needs_context = True

    def apply(self, root: Object, context: Context) -> None:
        for parent, key in slots(root, self.path, self.missing):
            moved, left = list[Any](), list[Any]()
            for item in open_array(parent[key], self.path):
                (moved if self._is_meant(item, context) else left).append(item)
            if not moved:
                return
            self._append(root, moved, context)
            if left or self.empty == "keep":
                parent[key] = left
            else:
                del parent[key]

    def _is_meant(self, item: Any, context: Context) -> bool:
        if json_type(item) != "object":
            return False
        # What is only looked at loses nothing: it is opened in a copy, and stays the bytes that it is.
        with duplicate_keys("last-wins"):
            return self.where.answer(_copied(open_object(item)), context)

    def _append(self, root: Object, moved: list[Any], context: Context) -> None:
        owner, name = parent_of(root, self.target, create=False), self.target[-1]
        there = open_array(owner.get(name, []), self.target)
        had = context.older_at(self.target) if self.undoes else MISSING
        owner[name] = [*there, *moved] if json_type(had) != "array" else self._ordered(there, moved, had, context)

    def _ordered(self, there: list[Any], moved: list[Any], had: Any, context: Context) -> list[Any]:
        """Both lists as one, in which they alternate as in the older document."""
        others, back, made = iter(there), iter(moved), list[Any]()
        for item in open_array(had):
            made += islice(back if self._is_meant(item, context) else others, 1)
        return [*made, *others, *back]

    def reads(self) -> tuple[Path, ...]:
        return (self.path, self.target)

    def writes(self) -> tuple[Path, ...]:
        return (self.path, self.target)

    def inverse(self) -> Inverse:
        back = MoveItems(self.target, self.where, self.path, "drop", "skip", not self.undoes)
        why = (
            f"items come back to {show(self.path)} behind the others, with those of {show(self.target)} that meet the "
            "condition by themselves"
        )
        return Inverse((back,), Reversibility.EQUIVALENT, why)

    def __str__(self) -> str:
        return f"move the items of {show(self.path)} of which {self.where} to {show(self.target)}"


def _copied(node: Any) -> Any:
    """With copies of the objects that are open already, however deep: what is opened in them stays in the copy."""
    if type(node) is not dict:
        return node
    return {name: _copied(child) for name, child in node.items()}


def move_items(
    field: PathLike,
    where: Condition,
    target: PathLike,
    *,
    empty: Literal["keep", "drop"] = "keep",
    missing: OnMissing = "error",
) -> Operation:
    """Take the items of a list for which ``where`` holds to another list, as in
    ``move_items("related", equals("type", "member"), "members")``.

    Paths in ``where`` start at the item; what is no object stays. Items go to the end of the list at ``target``, which
    is made where it is not there; where no item is meant, nothing changes. A list of which nothing is left stays empty,
    or is dropped. On the way down each item of ``target`` for which ``where`` holds goes to the end of ``field``, also
    one that never came from there. Where there is but one, ``unwrap(target, missing="skip")`` makes it a field.
    """
    choice(empty, ("keep", "drop"), "empty")
    choice(missing, ON_MISSING, "missing")
    if not isinstance(where, Condition):
        raise StepError("where is not one of `upcasters`", "Use present, equals, has_type and their like.", "option")
    source, other = single(field), single(target)
    if overlap(source, other):
        raise StepError(f"{show(source)} and {show(other)} lie in each other", "Name two lists.", "path")
    return MoveItems(source, where, other, empty, missing)
