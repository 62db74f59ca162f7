"""Questions about a document, for ``when``, ``drop_event`` and the shapes of versions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from upcasters.document import JsonType, Object, is_null, json_type, same, value_of
from upcasters.errors import StepError
from upcasters.operations.base import checked, choice, constant
from upcasters.paths import EACH, Path, PathLike, overlap, show
from upcasters.traversal import MISSING, find

T = TypeVar("T")


class Condition(ABC):
    """A question with a yes or no answer that changes nothing. Combine with ``&``, ``|`` and ``~``."""

    @abstractmethod
    def test(self, root: Object) -> bool:
        """The answer for one document."""

    @abstractmethod
    def reads(self) -> tuple[Path, ...]:
        """The paths that the answer depends on."""

    def needs(self) -> str | None:
        """A key without which an object's answer is no; None where there is no such key."""
        return None

    def __and__(self, other: Condition) -> Condition:
        return AllOf((self, other))

    def __or__(self, other: Condition) -> Condition:
        return AnyOf((self, other))

    def __invert__(self) -> Condition:
        return Not(self)


@dataclass(frozen=True)
class Present(Condition):
    """The field is there (null counts as there)."""

    path: Path

    def test(self, root: Object) -> bool:
        return find(root, self.path) is not MISSING

    def needs(self) -> str | None:
        return str(self.path[0])

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def __str__(self) -> str:
        return f"{show(self.path)} is present"


@dataclass(frozen=True)
class Equals(Condition):
    """The field is there and equals a JSON value."""

    path: Path
    value: Any

    def test(self, root: Object) -> bool:
        node = find(root, self.path)
        return node is not MISSING and same(node, self.value)

    def needs(self) -> str | None:
        return str(self.path[0])

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def __str__(self) -> str:
        return f"{show(self.path)} equals {self.value!r}"


@dataclass(frozen=True)
class HasType(Condition):
    """The field is there and has one of these JSON types."""

    path: Path
    types: tuple[JsonType, ...]

    def test(self, root: Object) -> bool:
        node = find(root, self.path)
        return node is not MISSING and json_type(node) in self.types

    def needs(self) -> str | None:
        return str(self.path[0])

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def __str__(self) -> str:
        return f"{show(self.path)} is {' or '.join(self.types)}"


@dataclass(frozen=True)
class IsNull(Condition):
    """The field is there and null."""

    path: Path

    def test(self, root: Object) -> bool:
        node = find(root, self.path)
        return node is not MISSING and is_null(node)

    def needs(self) -> str | None:
        return str(self.path[0])

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def __str__(self) -> str:
        return f"{show(self.path)} is null"


@dataclass(frozen=True)
class AllOf(Condition):
    """Every part holds."""

    parts: tuple[Condition, ...]

    def test(self, root: Object) -> bool:
        return all(part.test(root) for part in self.parts)

    def needs(self) -> str | None:
        return next((key for key in (part.needs() for part in self.parts) if key is not None), None)

    def reads(self) -> tuple[Path, ...]:
        return tuple(read for part in self.parts for read in part.reads())

    def __str__(self) -> str:
        return "(" + " and ".join(map(str, self.parts)) + ")"


@dataclass(frozen=True)
class AnyOf(Condition):
    """At least one part holds."""

    parts: tuple[Condition, ...]

    def test(self, root: Object) -> bool:
        return any(part.test(root) for part in self.parts)

    def reads(self) -> tuple[Path, ...]:
        return tuple(read for part in self.parts for read in part.reads())

    def __str__(self) -> str:
        return "(" + " or ".join(map(str, self.parts)) + ")"


@dataclass(frozen=True)
class Not(Condition):
    """The part does not hold."""

    part: Condition

    def test(self, root: Object) -> bool:
        return not self.part.test(root)

    def reads(self) -> tuple[Path, ...]:
        return self.part.reads()

    def __str__(self) -> str:
        return f"not {self.part}"


@dataclass(frozen=True)
class Anything(Condition):
    """Holds for every object: the shape of the version that is left when no other fits."""

    def test(self, root: Object) -> bool:
        return True

    def reads(self) -> tuple[Path, ...]:
        return ()

    def __str__(self) -> str:
        return "always"


def implies(one: Condition, other: Condition) -> bool:
    """True where ``other`` surely holds whenever ``one`` does: all that it asks for ``one`` asks for, too."""
    if isinstance(other, AnyOf) and one != other:
        return any(implies(one, part) for part in other.parts)
    asked = list(_parts(one))
    return all(part in asked for part in _parts(other))


def lasts(condition: Condition, written: Iterable[Path]) -> bool:
    """True where ``condition``, where it holds, still does after these paths were written.

    What is written inside of a field changes neither that it is there nor its type.
    """
    return all(_lasts(part, path) for path in written for part in _parts(condition))


def _lasts(part: Condition, written: Path) -> bool:
    if isinstance(part, (Present, HasType)) and len(written) > len(part.path):
        return True
    return not any(overlap(read, written) for read in part.reads())


def _parts(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, AllOf):
        for part in condition.parts:
            yield from _parts(part)
    elif not isinstance(condition, Anything):
        yield condition


def present(*fields: PathLike) -> Condition:
    """All of these fields are there; null counts as there."""
    return _all(tuple(Present(_exact(field)) for field in _some(fields)))


def absent(*fields: PathLike) -> Condition:
    """None of these fields is there."""
    return _all(tuple(Not(Present(_exact(field))) for field in _some(fields)))


def any_present(*fields: PathLike) -> Condition:
    """At least one of these fields is there."""
    return AnyOf(tuple(Present(_exact(field)) for field in _some(fields)))


def equals(field: PathLike, value: Any) -> Condition:
    """The field is there and equals ``value`` as JSON does: ``1.0`` equals ``1``, ``true`` does not."""
    constant(value)
    return Equals(_exact(field), value_of(value))


def has_type(field: PathLike, *types: JsonType) -> Condition:
    """The field is there and its JSON type is one of ``types``."""
    for kind in _some(types):
        choice(kind, get_args(JsonType), "type")
    return HasType(_exact(field), types)


def is_null_at(field: PathLike) -> Condition:
    """The field is there and null."""
    return IsNull(_exact(field))


def anything() -> Condition:
    """Holds for every object."""
    return Anything()


def _all(parts: tuple[Condition, ...]) -> Condition:
    return parts[0] if len(parts) == 1 else AllOf(parts)


def _some(listed: tuple[T, ...]) -> tuple[T, ...]:
    if not listed:
        raise StepError("the condition asks about nothing", "Name at least one field or type.", "option")
    return listed


def _exact(field: PathLike) -> Path:
    spec = checked(field)
    if EACH in spec or not spec:
        message = f"a condition cannot ask about {show(spec) or 'the whole document'}"
        raise StepError(message, "Name one field.", "path")
    return spec
