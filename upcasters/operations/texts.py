"""Texts are put together, taken apart and written in another form."""

from __future__ import annotations

import string as python_string
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal, get_args

from upcasters.context import Context
from upcasters.document import ExactFloat, Object, is_null, json_text, json_type, open_array
from upcasters.errors import FieldExists, FormatMismatch, MissingField, StepError, WrongType
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
from upcasters.operations.values import Derive, OnNull, string
from upcasters.paths import EACH, Path, PathLike, path, show
from upcasters.traversal import ON_MISSING, OnMissing, OnWrongType, objects, slots

Which = Literal["all", "first", "last"]


@dataclass(frozen=True)
class Place:
    """A place for a value in a form, and the constant text before it. ``width`` is how long the value is; 0: any."""

    before: str
    name: str
    width: int = 0

    def __str__(self) -> str:
        return f"{_braced(self.before)}{{{self.name}{f':{self.width}' if self.width else ''}}}"


@dataclass(frozen=True)
class Form:
    """Constant text around places for values: ``"#/definitions/{name}"``."""

    places: tuple[Place, ...]
    end: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The places, in order."""
        return tuple(place.name for place in self.places)

    def written(self, values: Iterable[str]) -> str:
        """The text with these values in their places, in order."""
        return "".join(place.before + value for place, value in zip(self.places, values, strict=True)) + self.end

    def read(self, text: str) -> dict[str, str] | None:
        """The values in a text of this form, None where it has another.

        A value goes on until the constant text behind it first comes, the last one to the end of all.
        """
        found: dict[str, str] = {}
        at = 0
        for place, after in zip(self.places, self._after, strict=True):
            if not text.startswith(place.before, at):
                return None
            at += len(place.before)
            end = self._end(text, at, place.width, after)
            if not at <= end <= len(text) or (place.width and end - at != place.width):
                return None
            found[place.name] = text[at:end]
            at = end
        return found if text[at:] == self.end else None

    def _end(self, text: str, at: int, width: int, after: str | None) -> int:
        if width:
            return at + width
        return len(text) - len(self.end) if after is None else text.find(after, at)

    @cached_property
    def _after(self) -> tuple[str | None, ...]:
        return (*(place.before for place in self.places[1:]), None)

    def fits(self, values: dict[str, str]) -> bool:
        """True where each value is as long as its place says."""
        return all(place.width in (0, len(values[place.name])) for place in self.places)

    def __str__(self) -> str:
        return "".join(map(str, self.places)) + _braced(self.end)


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _form(text: str, option: str) -> Form:
    """A form as it is written. Raises StepError."""
    if not isinstance(text, str):
        raise StepError(f"{option} is a {type(text).__name__}, not a text", "Write a text with {} in it.", "option")
    try:
        parts = list(python_string.Formatter().parse(text))
    except ValueError as error:
        raise StepError(
            f"{option}={text!r} is no text with places: {error}", "Write {{ for a brace.", "option"
        ) from None
    places, before = list[Place](), ""
    for constant, name, width, conversion in parts:
        before += constant
        if name is None:
            continue
        if conversion or (width and not width.isdecimal()):
            what = f"{option}={text!r} has a place that is more than a name and a length"
            raise StepError(what, "Write {name}, or {name:4} for a value of four characters.", "option")
        places.append(Place(before, name, int(width or 0)))
        before = ""
    if not places:
        raise StepError(f"{option}={text!r} has no place for a value", "Write {} where the value goes.", "option")
    return Form(tuple(places), before)


def _readable(text: str, option: str) -> Form:
    """A form from which the values can be read again. Raises StepError."""
    form = _form(text, option)
    different_names(form.names, option)
    for one, other in zip(form.places, form.places[1:], strict=False):
        if not one.width and not other.before:
            what = f"{option}={text!r} has two places with nothing between them"
            raise StepError(what, "Say how long the first one is: {name:4}.", "option")
    return form


@dataclass(frozen=True)
class Reformat(ChangeValue):
    """Texts of one form are written in another."""

    before: Form
    after: Form
    otherwise: Literal["error", "keep"] = "error"
    missing: OnMissing = "error"
    null: OnNull = "error"
    wrong_type: OnWrongType = "error"

    def changed(self, node: Any) -> Any:
        if json_type(node) != "string" and (self.wrong_type == "skip" or (self.null == "keep" and is_null(node))):
            return node
        text = string(node, self.path)
        values = self.before.read(text)
        if values is None:
            if self.otherwise == "keep":
                return node
            raise FormatMismatch(f"{show(self.path)} does not have the form {str(self.before)!r}", self.path)
        made = self.after.written(values[name] for name in self.after.names)
        if not self.after.fits(values) or self.after.read(made) != values:
            raise FormatMismatch(f"{show(self.path)} could not be read again in its new form", self.path)
        return made

    def inverse(self) -> Inverse:
        back = Reformat(self.path, self.after, self.before, self.otherwise, self.missing, self.null, self.wrong_type)
        return named_back(back, "skip" if self.otherwise == "keep" else "error")

    def is_local(self) -> bool:
        return len(self.path) == 1 and self.path[0] is not EACH

    def __str__(self) -> str:
        return f"write {show(self.path)} as {str(self.after)!r} where it is {str(self.before)!r}"


def reformat(
    field: PathLike,
    before: str,
    after: str,
    *,
    otherwise: Literal["error", "keep"] = "error",
    missing: OnMissing = "error",
    null: OnNull = "error",
    wrong_type: OnWrongType = "error",
) -> Operation:
    """Write a text in another form: ``reformat("customer", "{}", "cus_{}")`` puts a constant before it.

    Both forms are constant text around the same places. ``reformat("day", "{y:4}{m:2}{d:2}", "{y}-{m}-{d}")`` says how
    long values are; others go on until the text behind them first comes, the last one to the end. What has another form
    is an error, or kept. On the way down the forms change places.
    """
    choice(otherwise, ("error", "keep"), "otherwise")
    choice(missing, ON_MISSING, "missing")
    choice(null, ("error", "keep"), "null")
    choice(wrong_type, ON_MISSING, "wrong_type")
    old, new = _readable(before, "before"), _readable(after, "after")
    if set(old.names) != set(new.names):
        raise StepError("the two forms have different places", "Name the same ones in both.", "option")
    if old == new:
        raise StepError("both forms are the same", "Leave it out.", "no-op")
    return Reformat(at_least_one(field), old, new, otherwise, missing, null, wrong_type)


@dataclass(frozen=True)
class Filled:
    """Puts values into a form: what ``derive`` calls for a template."""

    form: Form
    numbers: Literal["error", "text"] = "error"

    def __call__(self, *values: Any) -> str:
        return self.form.written(map(self._text, values, self.form.names))

    def _text(self, value: Any, name: str) -> str:
        if isinstance(value, str):
            return value
        if self.numbers == "error" or not isinstance(value, (bool, int, float, Decimal)):
            raise WrongType(f"{name}, which is part of a text, is not a string", path(name))
        if isinstance(value, Decimal):
            return f"{value:f}"
        return str(value) if isinstance(value, ExactFloat) else json_text(value).decode()


@dataclass(frozen=True)
class Template(Derive):
    """A field is a constant text around the values of others."""

    @property
    def numbers(self) -> str:
        """What becomes of numbers and booleans."""
        assert isinstance(self.using, Filled)
        return self.using.numbers

    def __str__(self) -> str:
        assert isinstance(self.using, Filled)
        return f"write {show(self.path)} as {str(self.using.form)!r}"


def template(
    field: PathLike,
    text: str,
    *,
    numbers: Literal["error", "text"] = "error",
    exists: Literal["error", "keep", "replace"] = "error",
    missing: Literal["error", "skip"] = "error",
    undo: Literal["drop", "keep"] = "drop",
) -> Operation:
    """A text around the values of other fields: ``template("url", "https://example.org/orders/{order.id}")``.

    Their values are texts; with ``numbers="text"`` also numbers and booleans, as they are written. ``missing`` is about
    these fields. They stay; on the way down a field that has this very text is left out again.
    """
    choice(numbers, ("error", "text"), "numbers")
    choice(exists, ("error", "keep", "replace"), "exists")
    choice(missing, ON_MISSING, "missing")
    choice(undo, ("drop", "keep"), "undo")
    form = _form(text, "text")
    if any(place.width for place in form.places):
        raise StepError("a place of a template has a length", "Write its name alone.", "option")
    sources = tuple(single(name) for name in form.names)
    return Template(single(field), sources, Filled(form, numbers), exists, missing, "keep", undo)


@dataclass(frozen=True)
class SplitValue(Operation):
    """A string becomes several fields beside it."""

    path: Path
    separator: str
    names: tuple[str, ...]
    missing: OnMissing = "error"
    which: Which = "all"
    short: Literal["error", "keep"] = "error"

    def apply(self, root: Object, context: Context) -> None:
        most = len(self.names)
        for parent, key in slots(root, self.path, self.missing):
            parts = parts_of(string(parent[key], self.path), self.separator, self.which, most)
            if not (1 if self.short == "keep" else most) <= len(parts) <= most:
                wanted = f"1 to {most}" if self.short == "keep" else most
                raise FormatMismatch(f"{show(self.path)} does not have {wanted} parts", self.path)
            del parent[key]
            for name, part in zip(self.names, parts, strict=False):
                if name in parent:
                    where = (*self.path[:-1], name)
                    raise FieldExists(f"{show(where)} is there already", where)
                parent[name] = part

    def reads(self) -> tuple[Path, ...]:
        return (self.path,)

    def writes(self) -> tuple[Path, ...]:
        return (self.path, *((*self.path[:-1], name) for name in self.names))

    def removes(self) -> tuple[Path, ...]:
        return (self.path,)

    def inverse(self) -> Inverse:
        back = JoinValues(self.path, self.separator, self.names, self.missing, self.which, self.short)
        return named_back(back, self.missing)

    def __str__(self) -> str:
        which = "" if self.which == "all" else f"the {self.which} "
        return f"split {show(self.path)} at {which}{self.separator!r} into {', '.join(self.names)}"


@dataclass(frozen=True)
class JoinValues(Operation):
    """Several strings of one object become one field of it."""

    path: Path
    separator: str
    names: tuple[str, ...]
    missing: OnMissing = "error"
    which: Which = "all"
    short: Literal["error", "keep"] = "error"

    def apply(self, root: Object, context: Context) -> None:
        for parent in objects(root, self.path[:-1], self.missing):
            if self.missing == "skip" and not any(name in parent for name in self.names):
                continue
            self._join(parent)

    def _join(self, parent: Object) -> None:
        parts, names = [], taken(self.names, parent, self.short)
        for name in names:
            where = (*self.path[:-1], name)
            if name not in parent:
                raise MissingField(f"{show(where)} is missing", where)
            parts.append(string(parent[name], where))
        joined = self.separator.join(parts)
        if self.separator and parts_of(joined, self.separator, self.which, len(self.names)) != parts:
            raise FormatMismatch(f"a part of {show(self.path)} contains the separator", self.path)
        for name in names:
            del parent[name]
        if self.path[-1] in parent:
            raise FieldExists(f"{show(self.path)} is there already", self.path)
        parent[str(self.path[-1])] = joined

    def reads(self) -> tuple[Path, ...]:
        return tuple((*self.path[:-1], name) for name in self.names)

    def writes(self) -> tuple[Path, ...]:
        return (*self.reads(), self.path)

    def removes(self) -> tuple[Path, ...]:
        return self.reads()

    def inverse(self) -> Inverse:
        back = SplitValue(self.path, self.separator, self.names, self.missing, self.which, self.short)
        if not self.separator:
            return Inverse.lossy(f"where the parts of {show(self.path)} ended is gone", back)
        return named_back(back, self.missing)

    def __str__(self) -> str:
        return f"join {', '.join(self.names)} with {self.separator!r} into {show(self.path)}"


def parts_of(text: str, separator: str, which: Which = "all", most: int = 0) -> list[str]:
    """The parts of a text, ``most`` of them at the first or last separators; its characters where nothing separates."""
    if not separator:
        return list(text)
    if which == "all":
        return text.split(separator)
    return text.split(separator, most - 1) if which == "first" else text.rsplit(separator, most - 1)


def split_value(
    field: PathLike,
    separator: str,
    names: Iterable[str],
    *,
    which: Which = "all",
    short: Literal["error", "keep"] = "error",
    missing: OnMissing = "error",
) -> Operation:
    """Take a string apart: ``split_value("name", " ", ["first", "last"])``; another number of parts is an error.

    With ``which="first"`` or ``"last"`` it is split at the first or last separators only, so that the last or first
    part may hold more of them. With ``short="keep"`` there may be fewer parts, and the last names are left out. An
    empty separator parts all characters.
    """
    return SplitValue(*_parts(field, separator, names, missing, which, short))


def join_values(
    names: Iterable[str],
    separator: str,
    field: PathLike,
    *,
    which: Which = "all",
    short: Literal["error", "keep"] = "error",
    missing: OnMissing = "error",
) -> Operation:
    """Put strings together; one that holds the separator is an error, so that it can be taken apart again.

    With ``which="first"`` the last string may hold it, with ``"last"`` the first one. With ``short="keep"`` the last
    fields may be absent. An empty separator is lossy: where the parts ended is not known afterwards.
    """
    return JoinValues(*_parts(field, separator, names, missing, which, short))


def _parts(
    field: PathLike,
    separator: str,
    names: Iterable[str],
    missing: OnMissing,
    which: Which,
    short: Literal["error", "keep"],
) -> tuple[Path, str, tuple[str, ...], OnMissing, Which, Literal["error", "keep"]]:
    listed = different_names(names, "names", at_least=2)
    spec = settable(field)
    choice(missing, ON_MISSING, "missing")
    choice(which, get_args(Which), "which")
    choice(short, ("error", "keep"), "short")
    if not separator and which != "all":
        raise StepError(f"which={which!r}, and nothing separates", "Give a separator.", "option")
    return spec, separator, listed, missing, which, short


@dataclass(frozen=True)
class SplitList(ChangeValue):
    """A text becomes the list of its parts."""

    separator: str
    ends: Literal["drop", "keep"] = "drop"
    lists: Literal["error", "keep"] = "error"
    missing: OnMissing = "error"
    null: OnNull = "error"

    def changed(self, node: Any) -> Any:
        if (self.lists == "keep" and json_type(node) == "array") or (self.null == "keep" and is_null(node)):
            return node
        return list_of(string(node, self.path), self.separator, self.ends)

    def inverse(self) -> Inverse:
        back = JoinList(self.path, self.separator, self.ends, self.lists, "error", self.missing, self.null)
        if self.lists == "error":
            return Inverse((back,))
        return Inverse((back,), Reversibility.EQUIVALENT, f"a list that {show(self.path)} was already is joined too")

    def __str__(self) -> str:
        return f"split {show(self.path)} at {self.separator!r} into a list"


def list_of(text: str, separator: str, ends: Literal["drop", "keep"]) -> list[str]:
    """The parts of a text; none of an empty one. With ``ends="keep"`` each but the last ends in the separator."""
    if not text:
        return []
    if not separator:
        return list(text)
    parts = text.split(separator)
    if ends == "drop":
        return parts
    kept = [part + separator for part in parts[:-1]]
    return [*kept, parts[-1]] if parts[-1] else kept


@dataclass(frozen=True)
class JoinList(ChangeValue):
    """A list of texts becomes one text."""

    separator: str
    ends: Literal["drop", "keep"] = "drop"
    texts: Literal["error", "keep"] = "error"
    separators: Literal["error", "keep"] = "error"
    missing: OnMissing = "error"
    null: OnNull = "error"

    def changed(self, node: Any) -> Any:
        if (self.texts == "keep" and json_type(node) == "string") or (self.null == "keep" and is_null(node)):
            return node
        parts = [string(item, (*self.path, EACH)) for item in open_array(node, self.path)]
        made = ("" if self.ends == "keep" else self.separator).join(parts)
        if self.separators == "error" and list_of(made, self.separator, self.ends) != parts:
            raise FormatMismatch(f"the items of {show(self.path)} could not be told apart in one text", self.path)
        return made

    def inverse(self) -> Inverse:
        back = SplitList(self.path, self.separator, self.ends, self.texts, self.missing, self.null)
        if self.separators == "keep":
            return Inverse.lossy(f"where the items of {show(self.path)} ended is gone", back)
        if self.texts == "error":
            return Inverse((back,))
        return Inverse((back,), Reversibility.EQUIVALENT, f"a text that {show(self.path)} was already is split too")

    def __str__(self) -> str:
        return f"join the items of {show(self.path)} with {self.separator!r}"


def split_list(
    field: PathLike,
    separator: str,
    *,
    ends: Literal["drop", "keep"] = "drop",
    lists: Literal["error", "keep"] = "error",
    missing: OnMissing = "error",
    null: OnNull = "error",
) -> Operation:
    """Text to list of texts: ``split_list("tags", ",")``. With ``ends="keep"`` items keep the separator, as lines do.

    An empty text becomes an empty list, an empty separator parts all characters. What is a list already is an error, or
    kept.
    """
    choice(ends, ("drop", "keep"), "ends")
    choice(lists, ("error", "keep"), "lists")
    choice(missing, ON_MISSING, "missing")
    choice(null, ("error", "keep"), "null")
    return SplitList(at_least_one(field), separator, ends, lists, missing, null)


def join_list(
    field: PathLike,
    separator: str,
    *,
    ends: Literal["drop", "keep"] = "drop",
    texts: Literal["error", "keep"] = "error",
    separators: Literal["error", "keep"] = "error",
    missing: OnMissing = "error",
    null: OnNull = "error",
) -> Operation:
    """List of texts to text: ``join_list("source", "\\n", ends="keep")`` joins lines that end in a separator already.

    Items that could not be told apart again, such as one that holds the separator, are an error, or are joined all the
    same with ``separators="keep"``, which is lossy. What is a text already is an error, or kept.
    """
    choice(ends, ("drop", "keep"), "ends")
    choice(texts, ("error", "keep"), "texts")
    choice(separators, ("error", "keep"), "separators")
    choice(missing, ON_MISSING, "missing")
    choice(null, ("error", "keep"), "null")
    return JoinList(at_least_one(field), separator, ends, texts, separators, missing, null)
