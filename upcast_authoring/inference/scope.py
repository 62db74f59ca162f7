"""What changes between two objects, over many events: fields that were renamed, moved, split, dropped, added."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

from upcast_authoring.inference.calls import Call, Code, Path, path_code, shown
from upcast_authoring.inference.columns import (
    ALIKE_OBJECTS,
    MISSING,
    Column,
    constant,
    equal,
    is_map,
    likeness,
    same,
    several,
    share,
    there,
)
from upcast_authoring.inference.scalars import SEPARATORS, change_of
from upcasters import EACH

ALIKE = 0.6
"""From here on two names are taken for spellings of one."""


@dataclass
class Found:
    """``calls`` in their order; ``unexplained`` are lines about paths that nothing explains."""

    calls: list[Call] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)


def changes_between(befores: Sequence[dict[str, Any]], afters: Sequence[dict[str, Any]]) -> Found:
    """The operations that turn each object into the one of the same place in ``afters``."""
    return _Scope(befores, afters).found()


class _Scope:
    """Collects by kind, because the kinds have an order: values change where they were, then fields are taken apart or
    thrown away, then they get other names and places, then new ones come."""

    def __init__(self, befores: Sequence[dict[str, Any]], afters: Sequence[dict[str, Any]]) -> None:
        self._befores, self._afters = befores, afters
        self._values: list[Call] = []
        self._texts: list[Call] = []
        self._emptied: dict[Path, Column] = {}
        self._names: list[tuple[Path, str, Call]] = []
        self._places: list[Call] = []
        self._added: list[Call] = []
        self._gone: dict[Path, Column] = {}
        self._new: dict[Path, Column] = {}
        self._kept: dict[Path, Column] = {}
        self._unexplained: list[str] = []

    def found(self) -> Found:
        self._compare((), self._befores, self._afters)
        self._listed()
        self._spellings()
        self._nested()
        self._unnested()
        self._moved()
        self._split()
        self._joined()
        self._copied()
        self._new_values()
        drops = [
            _drop(path_code(path), column)
            for path, column in self._gone.items()
            if not any(_is_in(path, above) for above in self._emptied)
        ]
        renames = [call for _, _, call in sorted(self._names, key=lambda each: -len(each[0]))]
        calls = [*self._values, *self._texts, *drops, *renames, *self._places, *self._lost(), *self._added]
        return Found(calls, self._unexplained)

    # Key by key.

    def _compare(self, at: Path, befores: Column, afters: Column) -> None:
        """Objects at one path. Keys of one side alone are put aside until all of them are known."""
        for key in _keys(befores, afters):
            path = (*at, key)
            before, after = _column(befores, key), _column(afters, key)
            if not there(after):
                self._gone[path] = before
            elif not there(before):
                self._new[path] = after
            else:
                self._kept[path] = before
                self._compare_values(path, before, after)

    def _compare_values(self, path: Path, before: Column, after: Column) -> None:
        if self._filled(path, before, after) or equal(before, after):
            return
        if any((one is MISSING) != (other is MISSING) for one, other in zip(before, after, strict=True)):
            self._unexplained.append(f"{shown(path)}: is there in other events than before")
            return
        if not self._explain(path, before, after):
            self._unexplained.append(f"{shown(path)}: changes, and no operation does so for all events")

    def _filled(self, path: Path, before: Column, after: Column) -> bool:
        """One value wherever there was none, or null."""
        absent = [value for old, value in zip(before, after, strict=True) if old is MISSING]
        nulls = [value for old, value in zip(before, after, strict=True) if old is None and value is not None]
        rest = [
            (old, value) for old, value in zip(before, after, strict=True) if old is not MISSING and old is not None
        ]
        value = constant([*absent, *nulls])
        if value is MISSING or not all(same(old, new) for old, new in rest):
            return False
        options = {"null": "replace"} if nulls else {}
        sure = len(absent) + len(nulls) > 1
        self._added.append(Call("default", (path_code(path), value), options, sure, "" if sure else "seen once"))
        return True

    def _explain(self, path: Path, before: Column, after: Column) -> bool:
        """Find what turns the one into the other, and note it; False where nothing does."""
        pairs = [(old, new) for old, new in zip(before, after, strict=True) if old is not MISSING]
        if all(same(old, new) for old, new in pairs):
            return True
        skip = _skip(before)
        if all(isinstance(each, dict) for pair in pairs for each in pair):
            if all(old.keys() == new.keys() for old, new in pairs) and is_map([old for old, _ in pairs]):
                return self._items(path, [(old[key], new[key]) for old, new in pairs for key in old], skip)
            self._compare(path, *_empty_where_missing(before, after))
            return True
        if all(isinstance(old, list) and isinstance(new, list) and len(old) == len(new) for old, new in pairs):
            items = [item for old, new in pairs for item in zip(old, new, strict=True)]
            if self._items(path, items, skip):
                return True
        change = change_of(pairs)
        if change is None:
            return False
        self._values.append(change.at(path, skip))
        return True

    def _items(self, path: Path, pairs: list[tuple[Any, Any]], skip: dict[str, Any]) -> bool:
        if all(same(old, new) for old, new in pairs):
            return True
        each = (*path, EACH)
        if all(isinstance(value, dict) for pair in pairs for value in pair):
            inner = changes_between([old for old, _ in pairs], [new for _, new in pairs])
            if inner.calls:
                self._values.append(Call("at", (path_code(each), *inner.calls), skip))
            self._unexplained += [f"{shown(each)}.{line}" for line in inner.unexplained]
            return True
        change = change_of(pairs)
        if change is not None:
            self._values.append(change.at(each, skip))
        return change is not None

    # Fields of one side alone.

    def _listed(self) -> None:
        """Fields that became the items of a list beside them, and items that became fields."""
        for path, column in list(self._new.items()):
            if names := _items_as_fields(column, path[:-1], self._gone):
                self._texts.append(Call("fields_to_list", (names, path_code(path)), _skip(self._new.pop(path))))
                for name in names:
                    del self._gone[*path[:-1], name]
        for path, column in list(self._gone.items()):
            if names := _items_as_fields(column, path[:-1], self._new):
                self._texts.append(Call("list_to_fields", (path_code(path), names), _skip(self._gone.pop(path))))
                for name in names:
                    del self._new[*path[:-1], name]

    def _spellings(self) -> None:
        """Another name in the same object, with the same values or with values that changed."""
        for exactly in (True, False):
            for old, new in self._candidates(exactly=exactly):
                if old not in self._gone or new not in self._new:
                    continue
                before, after = self._gone[old], self._new[new]
                if not exactly and not self._explain(old, before, after):
                    continue
                rivals = sum(equal(before, column) for path, column in self._gone.items() if path[:-1] == old[:-1])
                self._rename(old, new, sure=exactly and (rivals == 1) and several(there(before)))

    def _candidates(self, *, exactly: bool) -> list[tuple[Path, Path]]:
        """Those with the most similar names first."""
        found = [
            (likeness(old[-1], new[-1]), old, new)
            for old, before in self._gone.items()
            for new, after in self._new.items()
            if old[:-1] == new[:-1] and _may_be_one(old[-1], new[-1], before, after, exactly=exactly)
        ]
        return [(old, new) for _, old, new in sorted(found, key=lambda each: -each[0])]

    def _rename(self, old: Path, new: Path, *, sure: bool) -> None:
        column = self._gone.pop(old)
        del self._new[new]
        self._kept[old] = column
        call = Call("rename", (path_code(old), new[-1]), _skip(column), sure, "" if sure else "by name or by one value")
        self._names.append((old, new[-1], call))

    def _nested(self) -> None:
        """Keys that went together into a new child object."""
        for path in [path for path, column in self._new.items() if _all_objects(column)]:
            names = _keys(self._new[path])
            sources = {name: (*path[:-1], name) for name in names}
            if not names or not all(
                source in self._gone and equal(self._gone[source], _column(self._new[path], name))
                for name, source in sources.items()
            ):
                continue
            for source in sources.values():
                del self._gone[source]
            del self._new[path]
            options = {"at": path_code(self._after(path[:-1]))} if path[:-1] else {}
            self._places.append(Call("nest", (names, path[-1]), options))

    def _unnested(self) -> None:
        """Children that took the place of their object."""
        for path in [path for path, column in self._gone.items() if _all_objects(column)]:
            names = _keys(self._gone[path])
            targets = {name: (*path[:-1], name) for name in names}
            if not names or not all(
                target in self._new and equal(self._new[target], _column(self._gone[path], name))
                for name, target in targets.items()
            ):
                continue
            column = self._gone.pop(path)
            for target in targets.values():
                del self._new[target]
            self._texts.append(Call("unnest", (path_code(path), names), _skip(column)))

    def _moved(self) -> None:
        """Fields that went to another object, alone or with what is in them."""
        self._emptied = self._opened(self._gone, self._new)
        self._opened(self._new, self._gone)
        candidates = [
            (likeness(str(old[-1]), str(new[-1])), old, new)
            for old, before in self._gone.items()
            for new, after in self._new.items()
            if old[:-1] != new[:-1] and there(before) and equal(before, after)
        ]
        for alike, old, new in sorted(candidates, key=lambda each: -each[0]):
            if old in self._gone and new in self._new:
                column = self._gone.pop(old)
                del self._new[new]
                sure = several(there(column)) or alike == 1
                options = {**_skip(column), **({"parents": "create"} if len(new) > 1 else {})}
                source = path_code(self._after(old))
                self._places.append(
                    Call("move", (source, path_code(new)), options, sure, "" if sure else "by one value")
                )

    def _opened(self, side: dict[Path, Column], other: dict[Path, Column]) -> dict[Path, Column]:
        """What is in an object, in its place, where the object as a whole is explained by nothing on the other side."""
        opened: dict[Path, Column] = {}
        waiting = list(side)
        while waiting:
            path = waiting.pop()
            column = side[path]
            whole = constant(column) is not MISSING or any(equal(column, each) for each in other.values())
            if whole or not _all_objects(column):
                continue
            opened[path] = side.pop(path)
            for key in _keys(column):
                side[*path, key] = _column(column, key)
                waiting.append((*path, key))
        return opened

    def _lost(self) -> list[Call]:
        """What is left of one side; an object that was opened goes as a whole, when its parts have gone elsewhere."""
        calls = []
        for path, column in self._emptied.items():
            if not any(_is_in(path, above) for above in self._emptied):
                left = any(_is_in(other, path) for other in self._gone)
                source = path_code(self._after(path))
                calls.append(
                    _drop(source, column) if left else Call("drop", (source,), {**_skip(column), "restore": {}})
                )
        return calls

    def _split(self) -> None:
        for old, column in list(self._gone.items()):
            for separator in SEPARATORS:
                if names := self._parts(old[:-1], column, separator):
                    del self._gone[old]
                    for name in names:
                        del self._new[*old[:-1], name]
                    self._texts.append(Call("split_value", (path_code(old), separator, names), _skip(column)))
                    break

    def _parts(self, parent: Path, column: Column, separator: str) -> list[str]:
        """New fields of the object that hold the parts of this one."""
        texts = there(column)
        if not texts or not all(isinstance(text, str) and separator in text for text in texts):
            return []
        many = {len(text.split(separator)) for text in texts}
        near = [path[-1] for path in self._new if path[:-1] == parent]
        if len(many) != 1 or not 1 < (number := many.pop()) <= len(near) or len(near) > 6:
            return []
        wanted = [_part(column, separator, place) for place in range(number)]
        for names in permutations(near, number):
            if all(equal(self._new[*parent, name], part) for name, part in zip(names, wanted, strict=True)):
                return list(names)
        return []

    def _joined(self) -> None:
        for new, column in list(self._new.items()):
            for separator in SEPARATORS:
                if names := self._sources(new[:-1], column, separator):
                    del self._new[new]
                    for name in names:
                        del self._gone[*new[:-1], name]
                    self._texts.append(Call("join_values", (names, separator, path_code(new)), _skip(column)))
                    break

    def _sources(self, parent: Path, column: Column, separator: str) -> list[str]:
        texts = there(column)
        if not texts or not all(isinstance(text, str) and separator in text for text in texts):
            return []
        near = [path[-1] for path in self._gone if path[:-1] == parent]
        many = {len(text.split(separator)) for text in texts}
        if len(many) != 1 or not 1 < (number := many.pop()) <= len(near) or len(near) > 6:
            return []
        for names in permutations(near, number):
            parts = [self._gone[*parent, name] for name in names]
            if all(equal(part, _part(column, separator, place)) for place, part in enumerate(parts)):
                return list(names)
        return []

    def _copied(self) -> None:
        """Fields that say what another one says that stayed."""
        for new, column in list(self._new.items()):
            if not several(there(column)):
                continue
            sources = [path for path, kept in self._kept.items() if equal(kept, column)]
            if not sources:
                continue
            best = max(sources, key=lambda path: likeness(str(path[-1]), str(new[-1])))
            del self._new[new]
            self._added.append(Call("copy", (path_code(self._after(best)), path_code(new)), _skip(column)))

    def _new_values(self) -> None:
        """One value for all events; what is none of that nobody here can explain."""
        for new, column in sorted(self._new.items(), key=lambda each: len(each[0])):
            value = constant(column)
            if value is MISSING:
                self._unexplained.append(f"{shown(new)}: comes from nowhere that these events show")
                continue
            sure = len(column) > 1
            self._added.append(Call("add", (path_code(new), value), {}, sure, "" if sure else "seen once"))

    def _after(self, path: Path) -> Path:
        """Where it is when all renames are done."""
        names = {old: name for old, name, _ in self._names}
        return tuple(names.get(path[: place + 1], key) for place, key in enumerate(path))


def _drop(path: Code, column: Column) -> Call:
    value = constant(column)
    options = _skip(column)
    if value is not MISSING and not isinstance(value, dict | list):
        return Call("drop", (path,), {**options, "restore": value}, sure=False, why="it always said this")
    return Call("drop", (path,), options, sure=False, why="it is lost: nothing after the step says it")


def _keys(*sides: Column) -> list[str]:
    found: dict[str, None] = defaultdict()
    for side in sides:
        for each in side:
            if isinstance(each, dict):
                found.update(dict.fromkeys(each))
    return list(found)


def _column(objects: Column, key: str) -> Column:
    return [each.get(key, MISSING) if isinstance(each, dict) else MISSING for each in objects]


def _all_objects(column: Column) -> bool:
    return bool(there(column)) and all(isinstance(value, dict) for value in there(column))


def _empty_where_missing(before: Column, after: Column) -> tuple[Column, Column]:
    return ([each if each is not MISSING else {} for each in side] for side in (before, after))  # type: ignore[return-value]  # a pair: there are two sides


def _skip(column: Column) -> dict[str, Any]:
    return {} if len(there(column)) == len(column) else {"missing": "skip"}


def _items_as_fields(lists: Column, parent: Path, fields: Mapping[Path, Column]) -> list[str]:
    """The fields of one object that have what the items of a list have, in its order; none where that is not sure."""
    found = there(lists)
    if not found or not all(isinstance(each, list) and len(each) == len(found[0]) for each in found):
        return []
    names = []
    for place in range(len(found[0])):
        items = [each if each is MISSING else each[place] for each in lists]
        alike = [path[-1] for path, column in fields.items() if path[:-1] == parent and equal(column, items)]
        if len(alike) != 1 or not several(there(items)):
            return []
        names += alike
    return names if len(set(names)) == len(names) > 1 else []


def _part(column: Column, separator: str, place: int) -> Column:
    return [text if text is MISSING else text.split(separator)[place] for text in column]


def _may_be_one(old: str, new: str, before: Column, after: Column, *, exactly: bool) -> bool:
    if any((one is MISSING) != (other is MISSING) for one, other in zip(before, after, strict=True)):
        return False
    if exactly:
        return equal(before, after)
    pairs = [(one, other) for one, other in zip(before, after, strict=True) if one is not MISSING]
    if all(isinstance(each, dict) for pair in pairs for each in pair):
        return all(share(one, other) >= ALIKE_OBJECTS for one, other in pairs)
    return likeness(old, new) >= ALIKE


def _is_in(path: Path, above: Path) -> bool:
    return len(above) < len(path) and path[: len(above)] == above


def lines(calls: Iterable[Call]) -> Iterator[str]:
    """The calls as lines of a step, each with what speaks against it."""
    for call in calls:
        yield f"{call.code},{f'  # guessed: {call.why}' if not call.is_sure and call.why else ''}"
