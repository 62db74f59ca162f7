"""How one value becomes another, where that is the same for all events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from upcast_authoring.inference.calls import Call, Code, Path, path_code
from upcast_authoring.inference.columns import is_number, loads, same, several

Pairs = Sequence[tuple[Any, Any]]
"""A value before and after, for each event that has it."""

FACTORS = (1000, 60, 3600, 86400, 100, 24)
SEPARATORS = (", ", " - ", " ", ",", ";", "/", "-", "_", ":", "|", ".", "\n")
LARGEST_TABLE = 24
LARGEST_GUESS = 3
"""Entries of a table of which some were seen once: more of them are values that something computes."""


@dataclass(frozen=True)
class Change:
    """A call that lacks only its field."""

    name: str
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    sure: bool = True
    why: str = ""

    def at(self, path: Path, skip: Mapping[str, Any]) -> Call:
        """``skip`` are the options for a field that is not everywhere."""
        return Call(self.name, (path_code(path), *self.arguments), {**self.options, **skip}, self.sure, self.why)


def change_of(pairs: Pairs) -> Change | None:
    """The operation that turns each value into the other one; None where none of ours does."""
    values = [(before, after) for before, after in pairs if before is not None]
    nulls = [after for before, after in pairs if before is None]
    found = next(filter(None, (rule(values) for rule in RULES)), None) if values else None
    if found is None or not nulls:
        return found
    for choice, becomes in NULLS.get(found.name, {"keep": None}).items():
        if all(same(after, becomes) for after in nulls):
            return replace(found, options={**found.options, "null": choice})
    return None


def _wrapped(values: Pairs) -> Change | None:
    if all(isinstance(after, list) and len(after) == 1 and same(after[0], before) for before, after in values):
        return Change("wrap")
    if all(isinstance(before, list) and len(before) == 1 and same(before[0], after) for before, after in values):
        return Change("unwrap")
    return None


def _objects(values: Pairs) -> Change | None:
    for name, way in (("to_object", 1), ("from_object", -1)):
        turned = [pair[::way] for pair in values]
        keys = {tuple(after) for _, after in turned if isinstance(after, dict)}
        if len(keys) != 1 or len(key := keys.pop()) != 1:
            continue
        if all(isinstance(after, dict) and same(after[key[0]], before) for before, after in turned):
            return Change(name, (key[0],))
    return None


def _lists(values: Pairs) -> Change | None:
    """Objects by their key, and lists of the same objects that name it."""
    for name, way in (("object_to_list", 1), ("list_to_object", -1)):
        turned = [pair[::way] for pair in values]
        for key in _keys_of_items(turned):
            if all(_is_list_of(before, after, key) for before, after in turned):
                return Change(name, (key,))
    return None


def _keys_of_items(turned: Pairs) -> list[str]:
    items = [item for _, after in turned if isinstance(after, list) for item in after if isinstance(item, dict)]
    return list(items[0]) if items else []


def _is_list_of(before: Any, after: Any, key: str) -> bool:
    if not isinstance(before, dict) or not isinstance(after, list):
        return False
    inside = all(isinstance(value, dict) for value in before.values())
    return inside and same([{**value, key: name} for name, value in before.items()], after)


def _json_texts(values: Pairs) -> Change | None:
    for name, way in (("parse_json", 1), ("print_json", -1)):
        turned = [pair[::way] for pair in values]
        if all(isinstance(text, str) and not isinstance(inside, str) for text, inside in turned) and all(
            isinstance(inside, dict | list) and same(_parsed(text), inside) for text, inside in turned
        ):
            return Change(name)
    return None


def _parsed(text: str) -> Any:
    try:
        return loads(text.encode())
    except ValueError:
        return text


def _numbers(values: Pairs) -> Change | None:
    """Numbers as texts, and the way back; then numbers in another unit."""
    if all(isinstance(text, str) and _is_whole(number) and text == str(number) for text, number in values):
        return Change("convert", (Code("int", int), Code("str", str)), why="texts become numbers")
    if all(isinstance(text, str) and _is_whole(number) and text == str(number) for number, text in values):
        return Change("convert", (Code("str", str), Code("int", int)), why="numbers become texts")
    if all(isinstance(text, str) and is_number(number) and _float(text) == number for text, number in values):
        return Change("convert", (Code("float", float), Code("str", str)), {"exact": False}, why="texts become numbers")
    if all(is_number(before) and is_number(after) for before, after in values):
        return _scaled(values)
    return None


def _float(text: str) -> Decimal | None:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() and Decimal(str(float(text))) == found else None


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _scaled(values: Pairs) -> Change | None:
    sure = several([before for before, _ in values])
    for factor in FACTORS:
        up, down = _times(factor), _over(factor)
        if all(Decimal(str(before)) * factor == Decimal(str(after)) for before, after in values):
            return Change("convert", (up, down), {"exact": False}, sure, f"times {factor}")
        if all(Decimal(str(before)) == Decimal(str(after)) * factor for before, after in values):
            return Change("convert", (down, up), {"exact": False}, sure, f"divided by {factor}")
    return None


def _times(factor: int) -> Code:
    return Code(f"lambda value: value * {factor}", lambda value: value * factor)


def _over(factor: int) -> Code:
    """Whole numbers stay whole where they can."""
    text = f"lambda value: value // {factor} if value % {factor} == 0 else value / {factor}"
    return Code(text, lambda value: value // factor if value % factor == 0 else value / factor)


def _listed_texts(values: Pairs) -> Change | None:
    for name, way in (("split_list", 1), ("join_list", -1)):
        turned = [pair[::way] for pair in values]
        for separator in SEPARATORS:
            if all(isinstance(text, str) and text.split(separator) == parts for text, parts in turned):
                sure = any(len(parts) > 1 for _, parts in turned)
                return Change(name, (separator,), {}, sure, "" if sure else "no list has more than one item")
    return None


def _framed(values: Pairs) -> Change | None:
    """A constant before or behind the text, put there or taken away."""
    if not all(isinstance(before, str) and isinstance(after, str) for before, after in values):
        return None
    many = several([before for before, _ in values])
    for way in (1, -1):
        turned = [pair[::way] for pair in values]
        if all(inner and inner in outer for inner, outer in turned) and many:
            before, after = _frame(turned)
            frame = f"{before}{{}}{after}"
            if {"{", "}"}.isdisjoint(before + after) and all(
                outer == before + inner + after for inner, outer in turned
            ):
                return Change("reformat", ("{}", frame) if way == 1 else (frame, "{}"))
    return None


def _frame(turned: Pairs) -> tuple[str, str]:
    starts = [outer[: outer.index(inner)] for inner, outer in turned]
    ends = [outer[outer.index(inner) + len(inner) :] for inner, outer in turned]
    return min(starts, key=len), min(ends, key=len)


def _table(values: Pairs) -> Change | None:
    """Every value always became the same one."""
    if not all(isinstance(each, str | bool | int) for pair in values for each in pair):
        return None
    table: dict[Any, Any] = {}
    seen: Counter[Any] = Counter()
    for before, after in values:
        if not same(table.setdefault(before, after), after):
            return None
        seen[before, isinstance(before, bool)] += 1
    changed = {before: after for before, after in table.items() if not same(before, after)}
    seen_again = all(seen[before, isinstance(before, bool)] > 1 for before in changed)
    # ``True`` and ``1`` are one key of a dict, and two values.
    if len(changed) > (LARGEST_TABLE if seen_again else LARGEST_GUESS) or len(table) != len(seen):
        return None
    options = {} if len(changed) == len(table) else {"otherwise": "keep"}
    why = "" if seen_again else "some of these values were seen once: there may be more"
    return Change("map_values", (changed,), options, seen_again, why)


def _respelled(values: Pairs) -> Change | None:
    for name, respell in SPELLINGS.items():
        if all(isinstance(before, str) and respell(before) == after for before, after in values):
            return Change("convert", (Code(name, respell),), {}, sure=False, why="the old spelling is lost")
    return None


SPELLINGS: dict[str, Callable[[str], str]] = {"str.lower": str.lower, "str.upper": str.upper, "str.strip": str.strip}
RULES = (_wrapped, _objects, _lists, _json_texts, _numbers, _listed_texts, _framed, _table, _respelled)
NULLS: Mapping[str, Mapping[str, Any]] = {
    "wrap": {"keep": None, "empty": [], "wrap": [None]},
    "object_to_list": {},
    "list_to_object": {},
}
"""By operation, what its choices make of a null; `keep` alone is that of the others."""
