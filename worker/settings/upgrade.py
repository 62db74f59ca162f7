"""Upgrades older configuration to the current format, by the same engine as events.

A whole document is upcast at once. To find what becomes of a single setting it is upcast alone: that gives the
warnings, the lines of error messages, and the edits of a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from worker.deprecation import Deprecation, find
from worker.errors import WorkerError
from worker.settings.environment import Environment, location_of, variable_name
from worker.settings.file import Location, dotted
from worker.settings.sections import parse_text

if TYPE_CHECKING:
    from upcasters import Fault, Upcaster

OLDEST, CURRENT = 1, 3


@dataclass(frozen=True)
class Renamed:
    """One setting of an older format: where it stands, and where it belongs today. Values differ where a word did.

    ``variable`` is the environment variable that holds it; empty where a file does.
    """

    old: Location
    new: Location
    old_value: Any
    new_value: Any
    deprecation: Deprecation
    variable: str = ""

    @property
    def is_word(self) -> bool:
        """True where the name is that of today and only the value is not."""
        return self.old == self.new


def upgrade(document: Mapping[str, Any], version: int = OLDEST) -> dict[str, Any]:
    """The document in today's format. Raises WorkerError where an old and a new name are both there."""
    from upcasters import DeadLettered, Event, Upcast
    from worker.settings.history import VERSION

    try:
        value = msgspec.json.encode(dict(document))
    except (TypeError, ValueError, RecursionError, msgspec.EncodeError):
        raise WorkerError("it holds something that is neither text, number, list nor mapping", code="UPC1105") from None
    event = Event(value, None, [(VERSION, str(version).encode())])
    outcome = _upcaster().upcast(event)
    if isinstance(outcome, DeadLettered):
        raise WorkerError(_refusal(outcome.fault), code="UPC1105")
    if isinstance(outcome, Upcast):
        value = outcome.output(event)[0].value or value
    made: dict[str, Any] = msgspec.json.decode(value)
    return made


def _refusal(fault: Fault) -> str:
    if fault.error_type == "FieldExists":
        return f"{fault.path} is given under its old and its new name: remove the old one"
    return fault.message


@cache
def _upcaster() -> Upcaster:
    from worker.settings.history import chain

    return chain.upcaster()


def renamed_in(document: Mapping[str, Any], version: int = OLDEST) -> list[Renamed]:
    """Every setting of an older format that the document holds, in its order."""
    found = (renamed(location, value, version) for location, value in leaves(document))
    return [each for each in found if each is not None]


def renamed(location: Location, value: Any, version: int = OLDEST) -> Renamed | None:
    """What became of one setting; None where it is one of today's, or none at all."""
    new, new_value = alone(location, value, version)
    if new == location and new_value == value:
        return None
    since = max(start for start in range(version, CURRENT) if alone(location, value, start) != (location, value))
    return Renamed(location, new, value, new_value, find(f"config format {since}"))


def alone(location: Location, value: Any, version: int = OLDEST) -> tuple[Location, Any]:
    """Where one setting goes, and its value there."""
    made: Any = upgrade(_nested(location, value), version)
    indexes = [part for part in location if isinstance(part, int)]
    new: list[str | int] = []
    depth = _depth(value)
    while _depth(made) > depth:
        if isinstance(made, list):
            new.append(indexes.pop(0) if indexes else 0)
            made = made[0]
        else:
            (key,) = made
            new.append(key)
            made = made[key]
    return tuple(new), made


def upgraded(environment: Environment) -> tuple[list[Renamed], Environment]:
    """What the environment holds of older formats, and the environment without it. Raises WorkerError where a variable
    of today says something else."""
    variables, older, found = dict(environment.variables), dict[str, str](), list[Renamed]()
    for name in environment.ours:
        location, value = location_of(name), _parsed(environment.variables[name])
        inside = renamed_in(_nested(location, value))
        if not inside:
            continue
        new, new_value = alone(location, value)
        newer, text = variable_name(new), new_value if isinstance(new_value, str) else json.dumps(new_value)
        del variables[name]
        if variables.get(newer, text) != text:
            raise WorkerError(f"environment variable {name}: {newer} has another value: remove {name}", code="UPC1105")
        variables[newer], older[newer] = text, name
        found += [replace(each, variable=name) for each in inside]
    return found, Environment(variables, older)


def _parsed(text: str) -> Any:
    """Lists and mappings in a variable; what is none, or broken, is text to those who check it."""
    try:
        return parse_text(text) if text.lstrip().startswith(("[", "{")) else text
    except ValueError:
        return text


def _nested(location: Location, value: Any) -> dict[str, Any]:
    first, *inside = location
    made = value
    for part in reversed(inside):
        made = [made] if isinstance(part, int) else {part: made}
    return {str(first): made}


def _depth(value: Any) -> int:
    """How many containers stand inside each other along the first of their members."""
    depth = 0
    while isinstance(value, dict | list):
        depth += 1
        value = next(iter(value.values() if isinstance(value, dict) else value), None)
    return depth


def leaves(node: Any, at: Location = ()) -> Iterator[tuple[Location, Any]]:
    """Every setting with its location; an empty list or mapping is one, too."""
    items: list[tuple[Any, Any]] = []
    if isinstance(node, Mapping):
        items = [(str(key), value) for key, value in node.items()]
    elif isinstance(node, list):
        items = list(enumerate(node))
    if not items and at:
        yield at, node
    for key, value in items:
        yield from leaves(value, (*at, key))


def version_of(given: Any) -> int:
    """The format that a document states. Raises WorkerError where there is no such format."""
    number = int(given) if isinstance(given, str) and given.isdecimal() else given
    if isinstance(number, bool) or not isinstance(number, int):
        raise WorkerError(f"version is not a number: write version: {CURRENT}", code="UPC1105")
    if number > CURRENT:
        raise WorkerError(
            f"it has format {number}, this worker reads formats up to {CURRENT}: use a newer worker", code="UPC1105"
        )
    if number < OLDEST:
        raise WorkerError(f"there is no format {number}: the formats are {OLDEST} to {CURRENT}", code="UPC1105")
    return number


def name_of(location: Location) -> str:
    """A setting's name in warnings: without positions in lists."""
    return dotted(tuple(part for part in location if isinstance(part, str)))
