"""Pairs for `infer` where there are none: events of two versions that are not the same events, or two models.

Fields of one side are matched with those of the other, by their names first, then by the values that both sides have.
Then each event of the one side is rewritten as it would be on the other. What was matched by less than a spelling is
told as a guess.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from upcast_authoring.inference.calls import Call
from upcast_authoring.inference.columns import MISSING, is_number, likeness

ALIKE = 0.6
"""From here on two names in one object are taken for one, changed."""
SHARED = 0.5
"""From here on so much of the values of two fields is the same that they are taken for one field."""
ENOUGH = 3
"""Different values that say something."""
Place = tuple[str, ...]
BY_NAME, BY_VALUES = "by its name alone", "by the values of both"


@dataclass(frozen=True)
class Aligned:
    """``guessed`` has the places of ``afters`` that were matched by less than a spelling, with why; ``made_up`` those
    whose value no event shows."""

    afters: list[dict[str, Any]]
    guessed: Mapping[Place, str]
    made_up: frozenset[Place]
    stuck: frozenset[Place]
    """What has another type afterwards, and values that cannot be taken for that."""

    def marked(self, call: Call) -> Call:
        """The operation, with what it rests on."""
        target = _target(call)
        why = next((why for place, why in self.guessed.items() if target in (place[-1], ".".join(place))), "")
        if not why and any(target == ".".join(place) for place in self.made_up):
            why = "what stands there in older events is yours to say"
        return replace(call, sure=False, why=why) if why and call.is_sure else call


def _target(call: Call) -> str:
    """The name or place that a rename, move or addition ends with."""
    place = {"rename": 1, "move": 1, "add": 0, "default": 0}.get(call.name)
    if place is None or len(call.arguments) <= place:
        return ""
    given = call.arguments[place]
    return str(getattr(given, "value", given))


def align(befores: Sequence[dict[str, Any]], afters: Sequence[dict[str, Any]], *, by_values: bool) -> Aligned:
    """What each event of ``befores`` would be among ``afters``. ``by_values``: their values are real ones."""
    old, new = _columns(befores), _columns(afters)
    matches = _Matches(old, new, by_values=by_values)
    rewritten = [matches.rewritten(event, afters) for event in befores]
    made_up = frozenset(place for place in new if place not in matches.sources)
    return Aligned(rewritten, matches.guessed, made_up, frozenset(matches.stuck))


def _columns(events: Sequence[dict[str, Any]]) -> dict[Place, list[Any]]:
    """What stands at each place that is no object, in the events that have it."""
    found: dict[Place, list[Any]] = defaultdict(list)
    for event in events:
        for place, value in _leaves(event):
            found[place].append(value)
    return found


def _leaves(value: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _leaves(each, (*at, key))
    elif at:
        yield at, value


class _Matches:
    """For each place of the new side its place on the old one."""

    def __init__(self, old: Mapping[Place, list[Any]], new: Mapping[Place, list[Any]], *, by_values: bool) -> None:
        self._old, self._new = old, new
        self.sources: dict[Place, Place] = {place: place for place in new if place in old}
        self.guessed: dict[Place, str] = {}
        self.stuck: set[Place] = set()
        self._match_spellings()
        if by_values:
            self._match_values()
        self._match_names()

    def _left(self) -> tuple[list[Place], list[Place]]:
        taken = set(self.sources.values())
        return [each for each in self._old if each not in taken], [
            each for each in self._new if each not in self.sources
        ]

    def _match_spellings(self) -> None:
        """One name in other letters, or in another object; where several have it, in the nearest one."""
        for near in (True, False):
            olds, news = self._left()
            for new in news:
                alike = [old for old in olds if _spelling(old[-1]) == _spelling(new[-1]) and self._fit(old, new)]
                found = [old for old in alike if _spelled(old[:-1]) == _spelled(new[:-1])] if near else alike
                rivals = [each for each in news if _spelling(each[-1]) == _spelling(new[-1])]
                if len(found) == 1 and (near or len(rivals) == 1) and found[0] not in self.sources.values():
                    self.sources[new] = found[0]

    def _match_values(self) -> None:
        olds, news = self._left()
        ranked = [(_shared(self._old[old], self._new[new]), old, new) for old in olds for new in news]
        self._take([each for each in ranked if each[0] >= SHARED], BY_VALUES)

    def _match_names(self) -> None:
        olds, news = self._left()
        ranked = [(likeness(old[-1], new[-1]), old, new) for old in olds for new in news if old[:-1] == new[:-1]]
        self._take([each for each in ranked if each[0] >= ALIKE and self._fit(*each[1:])], BY_NAME)

    def _take(self, ranked: list[tuple[float, Place, Place]], why: str) -> None:
        for _, old, new in sorted(ranked, key=lambda each: -each[0]):
            if new not in self.sources and old not in self.sources.values():
                self.sources[new] = old
                self.guessed[new] = why

    def _fit(self, old: Place, new: Place) -> bool:
        """Whether what stands in the one may stand in the other, as it is or converted."""
        kinds = {_kind(value) for value in self._new[new]} - {"null"}
        return all(_converted(value, kinds) is not MISSING for value in self._old[old])

    def rewritten(self, event: dict[str, Any], afters: Sequence[dict[str, Any]]) -> dict[str, Any]:
        there = dict(_leaves(event))
        made: dict[str, Any] = {}
        for new, column in self._new.items():
            source = self.sources.get(new)
            if source is None:
                if len(column) == len(afters):  # what only some have, old ones do not get
                    _put(made, new, _made_up(column))
            elif source in there:
                kinds = {_kind(value) for value in column} - {"null"}
                value = _converted(there[source], kinds)
                if value is MISSING:
                    self.stuck.add(source)
                _put(made, new, there[source] if value is MISSING else value)
        return made


def _spelling(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum()) or name


def _spelled(place: Place) -> tuple[str, ...]:
    return tuple(map(_spelling, place))


def _shared(one: Sequence[Any], other: Sequence[Any]) -> float:
    """How much of the values that the smaller side has are on the other one, too; 0 for too few to tell."""
    first, second = ({json.dumps(value, default=str, sort_keys=True) for value in side} for side in (one, other))
    fewer = min(len(first), len(second))
    return len(first & second) / fewer if fewer >= ENOUGH else 0.0


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if is_number(value):
        return "int" if isinstance(value, int) else "float"
    return type(value).__name__


def _converted(value: Any, kinds: set[str]) -> Any:
    """The value as one of these kinds; ``MISSING`` where it is none, and none can be made of it."""
    kind = _kind(value)
    if kind == "null" or not kinds or kind in kinds or (kind == "int" and "float" in kinds):
        return value
    if kind == "str" and kinds <= {"int", "float"}:
        return _number(value, kinds)
    if kinds == {"str"} and kind in ("int", "float"):
        return str(value)
    return MISSING


def _number(text: str, kinds: set[str]) -> Any:
    try:
        return int(text) if kinds == {"int"} else Decimal(text)
    except (ValueError, ArithmeticError):
        return MISSING


def _made_up(column: Sequence[Any]) -> Any:
    """The one value that is always there, or nothing where that may be, or what is empty of its kind."""
    first = column[0]
    if all(value == first for value in column):
        return first
    if None in column:
        return None
    return {"str": "", "int": 0, "float": 0, "bool": False, "list": []}.get(_kind(first), {})


def _put(document: dict[str, Any], place: Place, value: Any) -> None:
    for key in place[:-1]:
        document = document.setdefault(key, {})
    document[place[-1]] = value
