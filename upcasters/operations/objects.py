"""Values become objects and back; objects become lists of their members and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from upcasters.context import Context
from upcasters.document import Object, is_null, json_type, open_array, open_object
from upcasters.errors import Ambiguous, FieldExists, MissingField, StepError, WrongType
from upcasters.operations.base import ChangeValue, Inverse, Operation, Reversibility, at_least_one, choice
from upcasters.operations.values import string
from upcasters.paths import EACH, Path, PathLike, show
from upcasters.traversal import ON_MISSING, OnMissing, slots


@dataclass(frozen=True)
class ToObject(ChangeValue):
    """A value becomes the only field of a new object."""

    key: str
    objects: Literal["error", "keep", "wrap"] = "error"
    null: Literal["keep", "wrap"] = "wrap"
    missing: OnMissing = "error"

    def changed(self, node: Any) -> Any:
        if self.null == "keep" and is_null(node):
            return node
        if json_type(node) == "object" and self.objects != "wrap":
            if self.objects == "error":
                raise WrongType(f"{show(self.path)} is an object already", self.path)
            return node
        return {self.key: node}

    def inverse(self) -> Inverse:
        kept = self.objects == "keep"
        back = FromObject(
            self.path,
            self.key,
            "keep" if kept else "error",
            "keep" if self.null == "keep" else "error",
            self.missing,
        )
        if kept:
            why = f"an object at {show(self.path)} that has only {show((self.key,))} is written as its value"
            return Inverse((back,), Reversibility.EQUIVALENT, why)
        return Inverse((back,))

    def __str__(self) -> str:
        return f"put {show(self.path)} into an object as {show((self.key,))}"


@dataclass(frozen=True)
class FromObject(ChangeValue):
    """An object with one field becomes the value of that field."""

    key: str
    others: Literal["error", "keep", "drop"] = "error"
    null: Literal["error", "keep"] = "error"
    missing: OnMissing = "error"

    def changed(self, node: Any) -> Any:
        if self.null == "keep" and is_null(node):
            return node
        own = open_object(node, self.path)
        if self.key not in own and not (own and self.others == "keep"):
            where = (*self.path, self.key)
            raise MissingField(f"{show(where)} is missing", where)
        if len(own) > 1 or self.key not in own:
            if self.others == "error":
                raise WrongType(f"{show(self.path)} holds more than {show((self.key,))}", self.path)
            if self.others == "keep":
                return own
        return own[self.key]

    def inverse(self) -> Inverse:
        objects: Literal["keep", "wrap"] = "keep" if self.others == "keep" else "wrap"
        back = ToObject(self.path, self.key, objects, "keep" if self.null == "keep" else "wrap", self.missing)
        if self.others == "drop":
            return Inverse.lossy(f"what {show(self.path)} held beside {show((self.key,))} is gone", back)
        if self.others == "keep":
            return Inverse.lossy(f"whether {show(self.path)} was an object is gone", back)
        if self.null == "keep":
            why = f"whether {show((*self.path, self.key))} was a null is gone"
            return Inverse((back,), Reversibility.EQUIVALENT, why)
        return Inverse((back,))

    def dropped(self) -> tuple[Path, ...]:
        return (self.path,) if self.others == "drop" else ()

    def __str__(self) -> str:
        return f"take {show((self.key,))} out of the object {show(self.path)}"


def to_object(
    field: PathLike,
    key: str,
    *,
    objects: Literal["error", "keep", "wrap"] = "error",
    null: Literal["wrap", "keep"] = "wrap",
    missing: OnMissing = "error",
) -> Operation:
    """Value to object: ``to_object("customer", "id")`` makes ``"c_1"`` into ``{"id": "c_1"}``.

    What is an object already is an error, stays, or goes into a new one all the same.
    """
    choice(objects, ("error", "keep", "wrap"), "objects")
    choice(null, ("wrap", "keep"), "null")
    choice(missing, ON_MISSING, "missing")
    return ToObject(at_least_one(field), key, objects, null, missing)


def from_object(
    field: PathLike,
    key: str,
    *,
    others: Literal["error", "keep", "drop"] = "error",
    null: Literal["error", "keep"] = "error",
    missing: OnMissing = "error",
) -> Operation:
    """Object to value: ``from_object("worksheets.*", "cells")`` puts a field in the place of its object.

    Other fields in the object are an error, keep it as it is, or are thrown away.
    """
    choice(others, ("error", "keep", "drop"), "others")
    choice(null, ("error", "keep"), "null")
    choice(missing, ON_MISSING, "missing")
    return FromObject(at_least_one(field), key, others, null, missing)


@dataclass(frozen=True)
class ObjectToList(Operation):
    """Every member of an object becomes an item of a list and carries its old key."""

    path: Path
    key: str
    value: str | None = None
    missing: OnMissing = "error"

    def apply(self, root: Object, context: Context) -> None:
        for parent, key in slots(root, self.path, self.missing):
            parent[key] = [self._item(name, node) for name, node in open_object(parent[key], self.path).items()]

    def _item(self, name: str, node: Any) -> Object:
        if self.value is not None:
            return {self.key: name, self.value: node}
        own = open_object(node, (*self.path, EACH))
        if self.key in own:
            where = (*self.path, EACH, self.key)
            raise FieldExists(f"{show(where)} is there already", where)
        return {self.key: name, **own}

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        return Inverse((ListToObject(self.path, self.key, self.value, self.missing),))

    def __str__(self) -> str:
        return f"make the object {show(self.path)} a list, its keys as {_names(self.key, self.value)}"


@dataclass(frozen=True)
class ListToObject(Operation):
    """Every item of a list becomes a member of an object, under the key that it carries."""

    path: Path
    key: str
    value: str | None = None
    missing: OnMissing = "error"

    def apply(self, root: Object, context: Context) -> None:
        for parent, key in slots(root, self.path, self.missing):
            made: Object = {}
            for name, node in self._members(open_array(parent[key], self.path)):
                if name in made:
                    where = (*self.path, EACH, self.key)
                    raise FieldExists(f"two items have the same {show(where)}", where)
                made[name] = node
            parent[key] = made

    def _members(self, items: list[Any]) -> Iterator[tuple[str, Any]]:
        for item in items:
            own = open_object(item, (*self.path, EACH))
            name = string(self._field(own, self.key), (*self.path, EACH, self.key))
            rest = {key: node for key, node in own.items() if key != self.key}
            yield name, rest if self.value is None else self._alone(rest)

    def _alone(self, rest: Object) -> Any:
        assert self.value is not None
        node = self._field(rest, self.value)
        if len(rest) > 1:
            where = (*self.path, EACH)
            raise Ambiguous(f"{show(where)} holds more than {_names(self.key, self.value)}", where)
        return node

    def _field(self, own: Object, name: str) -> Any:
        if name not in own:
            where = (*self.path, EACH, name)
            raise MissingField(f"{show(where)} is missing", where)
        return own[name]

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        return Inverse((ObjectToList(self.path, self.key, self.value, self.missing),))

    def __str__(self) -> str:
        return f"make the list {show(self.path)} an object by {_names(self.key, self.value)}"


def _names(key: str, value: str | None) -> str:
    return show((key,)) if value is None else f"{show((key,))} and {show((value,))}"


def object_to_list(field: PathLike, key: str, *, value: str | None = None, missing: OnMissing = "error") -> Operation:
    """Object of objects to list: ``object_to_list("players", "id")`` gives each player its old key as ``id``.

    With ``value`` the members may be anything: each becomes ``{key: …, value: …}``.
    """
    return ObjectToList(*_members_of(field, key, value, missing))


def list_to_object(field: PathLike, key: str, *, value: str | None = None, missing: OnMissing = "error") -> Operation:
    """List of objects to one object: ``list_to_object("attributes", "key", value="value")``.

    The field ``key`` of each item, a string, becomes its key; two items with the same one are an error.
    """
    return ListToObject(*_members_of(field, key, value, missing))


def _members_of(
    field: PathLike, key: str, value: str | None, missing: OnMissing
) -> tuple[Path, str, str | None, OnMissing]:
    choice(missing, ON_MISSING, "missing")
    if key == value:
        raise StepError("key and value have the same name", "Name them apart.", "collision")
    return at_least_one(field), key, value, missing
