"""What every operation can do: change a document, say what it touches, and name its inverse."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from types import UnionType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, get_args

import msgspec

from upcasters.context import Context
from upcasters.document import Object, from_plain, json_type, write
from upcasters.errors import EncodeError, StepError
from upcasters.paths import EACH, Path, PathLike, path, show
from upcasters.traversal import OnMissing, OnWrongType, slots

T = TypeVar("T")

OnExists = Literal["error", "replace", "same"]
ON_EXISTS: tuple[str, ...] = get_args(OnExists)
OnConflict = Literal["error", "same", "keep", "replace"]
ON_CONFLICT: tuple[str, ...] = get_args(OnConflict)


class Reversibility(enum.IntEnum):
    """How far a change can be undone, best first.

    ``EXACT`` gives the same document back; ``EQUIVALENT`` one that means the same to a reader of the old version
    (a field equal to its default is left out, an alias is written in its first spelling); ``NEEDS_VALUE`` works
    with a value that the step gives; ``LOSSY`` means that something is gone.
    """

    EXACT = 0
    EQUIVALENT = 1
    NEEDS_VALUE = 2
    LOSSY = 3

    @property
    def reversible(self) -> bool:
        """True where the way down may be taken without being asked for by name."""
        return self is not Reversibility.LOSSY

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True)
class Inverse:
    """The operations that undo a change, how well, and where not exactly: why."""

    operations: tuple[Operation, ...]
    kind: Reversibility = Reversibility.EXACT
    why: str = ""

    @staticmethod
    def lossy(why: str, *operations: Operation) -> Inverse:
        """An undo that cannot bring everything back; ``operations`` are the best that can be done."""
        return Inverse(operations, Reversibility.LOSSY, why)


class Operation(ABC):
    """One declarative change. Frozen; shared by all events; keeps nothing of any of them."""

    needs_context: ClassVar[bool] = False

    @abstractmethod
    def apply(self, root: Object, context: Context) -> None:
        """Change ``root`` in place. Raises EventError where the document is not what the operation expects."""

    @abstractmethod
    def reads(self) -> tuple[Path, ...]:
        """The paths whose values the operation looks at."""

    @abstractmethod
    def writes(self) -> tuple[Path, ...]:
        """The paths that the operation sets or removes."""

    def removes(self) -> tuple[Path, ...]:
        """The paths among ``writes`` that hold nothing any more behind the operation."""
        return ()

    @abstractmethod
    def inverse(self) -> Inverse:
        """What undoes the operation."""

    @abstractmethod
    def __str__(self) -> str: ...

    def dropped(self) -> tuple[Path, ...]:
        """The paths whose values the operation throws away, as it says."""
        return ()

    def is_local(self) -> bool:
        """True where it has to do with names and single values of the object alone, and not with what is inside."""
        return False

    def may_grow(self) -> bool:
        """True where what it adds depends on the document, so that at each of many depths it may add what the last one
        added, too. It counts what it adds where the context says so."""
        return False

    def takes_from_around(self) -> bool:
        """True where it puts into the document what stands around it: key, headers, type, place."""
        return False


@dataclass(frozen=True)
class ChangeValue(Operation):
    """Each value at ``path`` becomes what ``changed`` makes of it, where it stands.

    Generated code does so, too, without the operation where it has a better way.
    """

    path: Path

    if TYPE_CHECKING:

        @property
        def missing(self) -> OnMissing: ...
        @property
        def wrong_type(self) -> OnWrongType: ...
    else:
        wrong_type = "error"  # of those that leave no choice

    @abstractmethod
    def changed(self, node: Any) -> Any:
        """The node that one becomes. Raises EventError where it is not what the operation expects."""

    def apply(self, root: Object, context: Context) -> None:
        for parent, key in slots(root, self.path, self.missing, self.wrong_type):
            made = self.changed(parent[key])
            if context.at_any_depth and self.may_grow():
                context.count(made, parent[key])
            parent[key] = made

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return (self.path,)


def run(operations: tuple[Operation, ...], root: Object, context: Context) -> None:
    """Apply operations one after the other; none after the event has ended or was split."""
    for operation in operations:
        if context.ended:
            return
        operation.apply(root, context)


def worst(inverses: Iterable[Inverse]) -> tuple[Reversibility, str]:
    """The weakest link of several inverses and why it is weak."""
    kind, why = Reversibility.EXACT, ""
    for inverse in inverses:
        if inverse.kind > kind:
            kind, why = inverse.kind, inverse.why
    return kind, why


def undo(operations: tuple[Operation, ...]) -> Inverse:
    """The inverse of operations that run one after the other."""
    inverses = [operation.inverse() for operation in reversed(operations)]
    kind, why = worst(inverses)
    return Inverse(tuple(step for inverse in inverses for step in inverse.operations), kind, why)


def named_back(back: Operation, missing: str, exists: str = "error") -> Inverse:
    """The undo of a change of names: not exact where a document may have had the new name from the start."""
    if missing == "error" and exists == "error":
        return Inverse((back,))
    return Inverse((back,), Reversibility.EQUIVALENT, f"what had the new name already is changed too ({back})")


def constant(value: Any) -> msgspec.Raw:
    """A JSON value as bytes that events can share without sharing state."""
    try:
        return msgspec.Raw(write({"": from_plain(value)})[4:-1])
    except EncodeError as error:
        raise StepError(str(error), "Give a value that JSON has.", "value") from None


def at_least_one(spec: PathLike) -> Path:
    """A path that names something. Raises StepError for the whole document or a malformed path."""
    found = checked(spec)
    if not found:
        raise StepError("the path names the whole document", "Name a field of it.", "path")
    return found


def single(spec: PathLike) -> Path:
    """A path that names one place: no ``*``. Raises StepError."""
    found = at_least_one(spec)
    if EACH in found:
        raise StepError(
            f"{show(found)} has a '*', which this operation cannot follow",
            "Put the operation into at('items.*', …) and name the fields inside.",
            "path",
        )
    return found


def checked(spec: PathLike) -> Path:
    """A path, with the complaint about a malformed one as a StepError."""
    try:
        return path(spec)
    except ValueError as error:
        raise StepError(str(error), "See docs/upcasters.md, 'Paths'.", "path") from None


def settable(field: PathLike) -> Path:
    """A path that ends in a field's name. Raises StepError."""
    spec = at_least_one(field)
    if spec[-1] is EACH:
        raise StepError(f"{show(spec)} ends in '*'", "Name the field to be set.", "path")
    return spec


def is_single(value: msgspec.Raw | None) -> bool:
    """True for no value, and for one that is neither an object nor an array."""
    return value is None or json_type(value) not in ("object", "array")


def different_names(listed: Iterable[str], option: str, at_least: int = 1) -> tuple[str, ...]:
    """Different keys, in order. Raises StepError for too few, doubles, or one string where a list belongs."""
    if isinstance(listed, str):
        raise StepError(f"{option}={listed!r} is one string", f"Write a list: [{listed!r}].", "option")
    found = tuple(listed)
    if len(found) < at_least or len(set(found)) != len(found):
        count = "one name is" if at_least == 1 else f"{at_least} different names are"
        raise StepError(f"{option}: at least {count} needed, and each only once", "List each name once.", "option")
    return found


def taken(names: tuple[str, ...], keys: Iterable[str], short: Literal["error", "keep"]) -> tuple[str, ...]:
    """The fields that have to be there in an object with these keys: with ``short="keep"``, up to the last one."""
    if short == "error":
        return names
    last = max((position for position, name in enumerate(names) if name in keys), default=0)
    return names[: last + 1]


def paths(listed: Iterable[PathLike], option: str) -> tuple[Path, ...]:
    """Several paths that name one place each. Raises StepError, also for one string where a list belongs."""
    if isinstance(listed, str):
        raise StepError(f"{option}={listed!r} is one string", f"Write a list: [{listed!r}].", "option")
    return tuple(map(single, listed))


def function_given(function: object, option: str) -> None:
    """Raises StepError where something that is to be called cannot be."""
    if not callable(function):
        raise StepError(f"{option} is a {type(function).__name__}, not a function", "Give a function.", "option")


def listed(given: Any, kinds: type[T] | UnionType, one: str, remedy: str, code: str = "option") -> tuple[T, ...]:
    """What was given as a list, each of it of these kinds. Raises StepError."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise StepError(f"{type(given).__name__} is no list of {one}s", "Put it into [ ].", code)
    found = tuple(given)
    for each in found:
        if not isinstance(each, kinds):
            raise StepError(f"{type(each).__name__} is no {one}", remedy, code)
    return found


def choice(value: str, allowed: tuple[str, ...], option: str) -> str:
    """``value`` if it is one of ``allowed``. Raises StepError naming the option."""
    if value not in allowed:
        raise StepError(f"{option}={value!r} is not a choice", f"Use one of {', '.join(allowed)}.", "option")
    return value
