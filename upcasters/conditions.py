"""Questions about a document, for ``when``, ``drop_event`` and the shapes of versions."""

from __future__ import annotations

import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from upcasters.context import Context
from upcasters.document import (
    Object,
    ScalarKey,
    ValueType,
    article,
    compared,
    from_plain,
    is_null,
    json_type,
    number_of,
    open_array,
    plain,
    same,
    scalar_key,
    scalar_value,
    value_of,
)
from upcasters.errors import StepError
from upcasters.operations.base import checked, choice, constant, listed
from upcasters.operations.values import EVENT_TYPE, VERSION, OutsideValue, outside
from upcasters.paths import EACH, Path, PathLike, overlap, show
from upcasters.patterns import compiled
from upcasters.traversal import MISSING, find

T = TypeVar("T")


class Condition(ABC):
    """A question with a yes or no answer that changes nothing. Combine with ``&``, ``|`` and ``~``."""

    @abstractmethod
    def test(self, root: Object) -> bool:
        """The answer for one document, around which nothing stands."""

    def answer(self, root: Object, context: Context) -> bool:
        """The answer for one document and what stands around it."""
        return self.test(root)

    @abstractmethod
    def reads(self) -> tuple[Path, ...]:
        """The paths that the answer depends on."""

    def needs(self) -> str | None:
        """A key without which an object's answer is no; None where there is no such key."""
        return None

    def outside(self) -> tuple[OutsideValue, ...]:
        """What the answer depends on beside the document."""
        return ()

    def is_local(self) -> bool:
        """True where the answer depends on names, types and single values of the object itself alone."""
        parts = tuple(leaves(self))
        return all(len(path) == 1 for path in self.reads()) and not any(map(_looks_inside, parts))

    def __and__(self, other: Condition) -> Condition:
        return AllOf((self, other))

    def __or__(self, other: Condition) -> Condition:
        return AnyOf((self, other))

    def __invert__(self) -> Condition:
        return Not(self)


class FieldCondition(Condition):
    """A question about the value of one field; where the field is not there the answer is no."""

    path: Path

    @abstractmethod
    def holds(self, node: Any) -> bool:
        """The answer for a value that is there."""

    def examples(self) -> list[Any]:
        """Some values for which the answer is yes, where the condition names any."""
        return []

    def test(self, root: Object) -> bool:
        node = find(root, self.path)
        return node is not MISSING and self.holds(node)

    def needs(self) -> str | None:
        return str(self.path[0])

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    @property
    def named(self) -> str:
        """The field for people."""
        return show(self.path)


@dataclass(frozen=True)
class Present(FieldCondition):
    """The field is there (null counts as there)."""

    path: Path

    def holds(self, node: Any) -> bool:
        return True

    def __str__(self) -> str:
        return f"{self.named} is present"


@dataclass(frozen=True)
class Equals(FieldCondition):
    """The field is there and equals a JSON value."""

    path: Path
    value: Any

    def holds(self, node: Any) -> bool:
        return same(node, self.value, self.path)

    def examples(self) -> list[Any]:
        return [self.value]

    def __str__(self) -> str:
        return f"{self.named} equals {self.value!r}"


@dataclass(frozen=True)
class OneOf(FieldCondition):
    """The field is there and is one of several single values."""

    path: Path
    values: frozenset[ScalarKey]

    def holds(self, node: Any) -> bool:
        return json_type(node) not in ("object", "array") and scalar_key(compared(node, self.path)) in self.values

    def examples(self) -> list[Any]:
        return list(map(scalar_value, self.values))

    def __str__(self) -> str:
        return f"{self.named} is one of {', '.join(sorted(repr(scalar_value(value)) for value in self.values))}"


@dataclass(frozen=True)
class Matches(FieldCondition):
    """The field is there and is a text in which a pattern is found."""

    path: Path
    pattern: str

    def holds(self, node: Any) -> bool:
        return json_type(node) == "string" and compiled(self.pattern).search(plain(node)) is not None

    def __str__(self) -> str:
        return f"{self.named} matches {self.pattern!r}"


@dataclass(frozen=True)
class StartsWith(FieldCondition):
    """The field is there and is a text that starts with one of several others."""

    path: Path
    prefixes: tuple[str, ...]

    def holds(self, node: Any) -> bool:
        return json_type(node) == "string" and plain(node).startswith(self.prefixes)

    def examples(self) -> list[Any]:
        return [prefix + "1" for prefix in self.prefixes]

    def __str__(self) -> str:
        return f"{self.named} starts with {' or '.join(map(repr, self.prefixes))}"


@dataclass(frozen=True)
class Between(FieldCondition):
    """The field is there and is a number, or a text, within bounds: (word, bound) pairs."""

    path: Path
    bounds: tuple[tuple[str, Any], ...]

    def holds(self, node: Any) -> bool:
        if json_type(node) != json_type(self.bounds[0][1]):
            return False
        value = number_of(compared(node, self.path))
        # What is no number is within no bounds, and a Decimal of it cannot be compared.
        return value == value and all(  # noqa: PLR0124  # NaN is not equal to itself
            _COMPARISONS[word](value, number_of(bound)) for word, bound in self.bounds
        )

    def examples(self) -> list[Any]:
        return [bound for _, bound in self.bounds]

    def __str__(self) -> str:
        return f"{self.named} is {' and '.join(f'{word} {bound!r}' for word, bound in self.bounds)}"


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "at least": operator.ge,
    "above": operator.gt,
    "at most": operator.le,
    "below": operator.lt,
}


@dataclass(frozen=True)
class LengthIs(FieldCondition):
    """The field is there and is a list whose length has an answer."""

    path: Path
    asked: FieldCondition

    def holds(self, node: Any) -> bool:
        return json_type(node) == "array" and self.asked.holds(len(open_array(node)))

    def __str__(self) -> str:
        return f"the length of {self.asked}"


@dataclass(frozen=True)
class Compared(Condition):
    """Two fields are there, and one compares to the other."""

    path: Path
    word: str
    other: Path

    def test(self, root: Object) -> bool:
        one, other = find(root, self.path), find(root, self.other)
        if one is MISSING or other is MISSING:
            return False
        if self.word == "equals":
            return same(one, other, self.path)
        kind = json_type(one)
        if kind != json_type(other) or kind not in ("number", "string"):
            return False
        values = [compared(one, self.path), compared(other, self.other)]
        # What is no number compares to nothing, and a Decimal of it cannot be compared.
        return all(value == value for value in values) and _COMPARISONS[self.word](*map(number_of, values))  # noqa: PLR0124  # NaN is not equal to itself

    def needs(self) -> str | None:
        return str(self.path[0])

    def reads(self) -> tuple[Path, ...]:
        return (self.path, self.other)

    def __str__(self) -> str:
        word = self.word if self.word == "equals" else f"is {self.word}"
        return f"{show(self.path)} {word} {show(self.other)}"


@dataclass(frozen=True)
class HasType(FieldCondition):
    """The field is there and has one of these JSON types."""

    path: Path
    types: tuple[ValueType, ...]

    def holds(self, node: Any) -> bool:
        return json_type(node) in self.types

    def __str__(self) -> str:
        return f"{self.named} is {' or '.join(map(article, self.types))}"


@dataclass(frozen=True)
class IsNull(FieldCondition):
    """The field is there and null."""

    path: Path

    def holds(self, node: Any) -> bool:
        return is_null(node)

    def __str__(self) -> str:
        return f"{self.named} is null"


@dataclass(frozen=True)
class Around(Condition):
    """A question about what stands around the document: the key, a header, the event's type or version."""

    source: OutsideValue
    asked: FieldCondition

    def test(self, root: Object) -> bool:
        return False

    def answer(self, root: Object, context: Context) -> bool:
        value = outside(self.source, context)
        return value is not None and self.asked.holds(value)

    def reads(self) -> tuple[Path, ...]:
        return ()

    def outside(self) -> tuple[OutsideValue, ...]:
        return (self.source,)

    def __str__(self) -> str:
        return str(self.asked).replace(self.asked.named, str(self.source), 1)


@dataclass(frozen=True)
class AllOf(Condition):
    """Every part holds."""

    parts: tuple[Condition, ...]

    def test(self, root: Object) -> bool:
        return all(part.test(root) for part in self.parts)

    def answer(self, root: Object, context: Context) -> bool:
        return all(part.answer(root, context) for part in self.parts)

    def needs(self) -> str | None:
        return next((key for key in (part.needs() for part in self.parts) if key is not None), None)

    def reads(self) -> tuple[Path, ...]:
        return tuple(read for part in self.parts for read in part.reads())

    def outside(self) -> tuple[OutsideValue, ...]:
        return tuple(source for part in self.parts for source in part.outside())

    def __str__(self) -> str:
        return "(" + " and ".join(map(str, self.parts)) + ")"


@dataclass(frozen=True)
class AnyOf(Condition):
    """At least one part holds."""

    parts: tuple[Condition, ...]

    def test(self, root: Object) -> bool:
        return any(part.test(root) for part in self.parts)

    def answer(self, root: Object, context: Context) -> bool:
        return any(part.answer(root, context) for part in self.parts)

    def reads(self) -> tuple[Path, ...]:
        return tuple(read for part in self.parts for read in part.reads())

    def outside(self) -> tuple[OutsideValue, ...]:
        return tuple(source for part in self.parts for source in part.outside())

    def __str__(self) -> str:
        return "(" + " or ".join(map(str, self.parts)) + ")"


@dataclass(frozen=True)
class Not(Condition):
    """The part does not hold."""

    part: Condition

    def test(self, root: Object) -> bool:
        return not self.part.test(root)

    def answer(self, root: Object, context: Context) -> bool:
        return not self.part.answer(root, context)

    def reads(self) -> tuple[Path, ...]:
        return self.part.reads()

    def outside(self) -> tuple[OutsideValue, ...]:
        return self.part.outside()

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

    What is written inside of a field changes neither that it is there nor its type; what is written inside of an item
    does not change how many there are. The type and the version that an event came with are others on the way down.
    """
    return not names_the_event(condition) and all(_lasts(part, path) for path in written for part in _parts(condition))


def names_the_event(condition: Condition) -> bool:
    """True where the answer depends on the event's type or the version that it came with."""
    return any(source in (EVENT_TYPE, VERSION) for source in condition.outside())


def _lasts(part: Condition, written: Path) -> bool:
    if isinstance(part, (Present, HasType)) and len(written) > len(part.path):
        return True
    if isinstance(part, LengthIs) and len(written) > len(part.path) + 1:
        return True
    return not any(overlap(read, written) for read in part.reads())


def _parts(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, AllOf):
        for part in condition.parts:
            yield from _parts(part)
    elif not isinstance(condition, Anything):
        yield condition


@dataclass(frozen=True)
class Length:
    """In the place of a field: how many items the list has that stands there."""

    path: Path


@dataclass(frozen=True)
class ValueAt:
    """In the place of a value: the one that stands in another field."""

    path: Path


FieldLike = PathLike | OutsideValue | Length
"""A field, the length of a list, or what stands around the document: ``header("h")``, ``KEY``, ``VERSION`` …"""


def leaves(condition: Condition) -> Iterator[Condition]:
    """The conditions that it is made of: without `&`, `|` and `~`."""
    if isinstance(condition, (AllOf, AnyOf)):
        for part in condition.parts:
            yield from leaves(part)
    elif isinstance(condition, Not):
        yield from leaves(condition.part)
    else:
        yield condition


def _looks_inside(condition: Condition) -> bool:
    is_deep = isinstance(condition, Equals) and isinstance(condition.value, (dict, list))
    return is_deep or isinstance(condition, (LengthIs, Compared))


def present(*fields: FieldLike) -> Condition:
    """All of these fields are there; null counts as there."""
    return _all(tuple(_asked(field, Present) for field in _some(fields)))


def absent(*fields: FieldLike) -> Condition:
    """None of these fields is there."""
    return _all(tuple(Not(_asked(field, Present)) for field in _some(fields)))


def any_present(*fields: FieldLike) -> Condition:
    """At least one of these fields is there."""
    return AnyOf(tuple(_asked(field, Present) for field in _some(fields)))


def equals(field: FieldLike, value: Any) -> Condition:
    """The field is there and equals ``value`` as JSON does: ``1.0`` equals ``1``, ``true`` does not.

    ``equals("paid", value_at("total"))``: both fields are there and equal each other.
    """
    if isinstance(value, ValueAt):
        return _compared(field, "equals", value)
    constant(value)
    return _asked(field, Equals, value_of(value))


def one_of(field: FieldLike, values: Iterable[Any]) -> Condition:
    """The field is there and is one of these texts, numbers, booleans or null."""
    found: tuple[Any, ...] = listed(
        values, str | int | float | None, "single value", "List single JSON values.", "value"
    )
    for value in _some(found):
        constant(value)
    return _asked(field, OneOf, frozenset(scalar_key(value_of(value)) for value in found))


def matches(field: FieldLike, pattern: str) -> Condition:
    """The field is there and is a text in which this regular expression is found; ``^`` and ``$`` are its ends.

    A text that ends in a line break does not end before it.
    """
    try:
        compiled(pattern)
    except (re.error, TypeError) as error:
        raise StepError(f"{pattern!r} is no regular expression: {error}", "Mend the pattern.", "option") from None
    return _asked(field, Matches, pattern)


def starts_with(field: FieldLike, *prefixes: str) -> Condition:
    """The field is there and is a text that starts with one of these."""
    return _asked(field, StartsWith, listed(_some(prefixes), str, "text", "Give texts.", "value"))


def between(
    field: FieldLike, *, at_least: Any = None, above: Any = None, at_most: Any = None, below: Any = None
) -> Condition:
    """The field is there and is a number within these bounds, by all of its digits; or a text, by its characters.

    ``between("total", above=0)``, ``between("day", at_least="2024-01-01", below="2025-01-01")``. What has another type
    than the bounds is not within them. A bound may be another field: ``between("end", above=value_at("start"))``.
    """
    words = {"at least": at_least, "above": above, "at most": at_most, "below": below}
    given = {word: bound for word, bound in words.items() if bound is not None}
    others = [_compared(field, word, bound) for word, bound in given.items() if isinstance(bound, ValueAt)]
    if others:
        fixed = {word: bound for word, bound in given.items() if not isinstance(bound, ValueAt)}
        return _all((*others, _within(field, fixed)) if fixed else tuple(others))
    return _within(field, given)


def _within(field: FieldLike, given: Mapping[str, Any]) -> Condition:
    for bound in given.values():
        constant(bound)
    bounds = tuple((word, value_of(bound)) for word, bound in given.items())
    kinds = {json_type(from_plain(bound)) if not isinstance(bound, bool) else "boolean" for _, bound in bounds}
    if len(kinds) != 1 or not kinds <= {"number", "string"}:
        what = "the bounds are not all numbers, or all texts" if bounds else "there are no bounds"
        raise StepError(what, "Give at_least, above, at_most or below.", "value")
    return _asked(field, Between, bounds)


def has_type(field: PathLike, *types: ValueType) -> Condition:
    """The field is there and its JSON type is one of ``types``."""
    for kind in _some(types):
        choice(kind, get_args(ValueType), "type")
    return HasType(_exact(field), types)


def is_null_at(field: PathLike) -> Condition:
    """The field is there and null."""
    return IsNull(_exact(field))


def length(field: PathLike) -> Length:
    """How many items a list has, in the place of a field: ``between(length("items"), at_least=2)``.

    ``equals``, ``one_of`` and ``between`` take it; where the field is no list the answer is no.
    """
    return Length(_exact(field))


def value_at(field: PathLike) -> ValueAt:
    """The value of another field, in the place of a value: ``equals("paid", value_at("total"))``.

    ``equals`` and ``between`` take it; where one of both is not there the answer is no.
    """
    return ValueAt(_exact(field))


def anything() -> Condition:
    """Holds for every object."""
    return Anything()


def _asked(field: FieldLike, kind: Callable[..., FieldCondition], *arguments: Any) -> Condition:
    """A condition of a kind about a field, the length of a list, or what stands around the document."""
    if isinstance(field, OutsideValue):
        return Around(field, kind((str(field),), *arguments))
    if not isinstance(field, Length):
        return kind(_exact(field), *arguments)
    asked = kind(field.path, *arguments)
    if not isinstance(asked, (Equals, OneOf, Between)) or any(type(value) is not int for value in asked.examples()):
        raise StepError("a length is a whole number", "Use equals, one_of or between with whole numbers.", "value")
    return LengthIs(field.path, asked)


def _compared(field: FieldLike, word: str, value: ValueAt) -> Condition:
    """A condition that compares two fields."""
    if isinstance(field, (OutsideValue, Length)):
        raise StepError("only fields are compared to each other", "Name a field on both sides.", "value")
    return Compared(_exact(field), word, value.path)


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
