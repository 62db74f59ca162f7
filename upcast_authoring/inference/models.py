"""A pydantic model of the events that were seen."""

from __future__ import annotations

import itertools
import keyword
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from upcast_authoring.inference.calls import code_of
from upcast_authoring.inference.columns import MISSING, Column, is_map, is_number, there

CLASS = '''\
class {name}(BaseModel):
    """{text}"""

    model_config = ConfigDict(extra="allow")

{fields}
'''


RESERVED = frozenset(
    (
        "Any",
        "BaseModel",
        "Baseline",
        "ConfigDict",
        "EACH",
        "Field",
        "Step",
        *("bool", "dict", "float", "int", "list", "str"),
    )
)
"""Names that mean something else in the module of a step."""
SCALARS: dict[str, Callable[[Any], bool]] = {
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": is_number,
    "str": lambda value: isinstance(value, str),
}


@dataclass
class ModelSource:
    """``classes`` are the sources of all classes, in their order; the last one is the event's."""

    name: str
    classes: list[str] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    """Of pydantic, and `Any`."""
    names: set[str] = field(default_factory=set)
    """Of classes and fields."""

    @property
    def text(self) -> str:
        return "\n\n".join(self.classes).rstrip("\n")


def model_of(documents: Sequence[dict[str, Any]], name: str, text: str) -> ModelSource:
    """Fields that were in all of them are required; what is more in an event is allowed."""
    made = ModelSource(_unique(name, RESERVED), imports={"BaseModel", "ConfigDict"})
    made.names.add(made.name)
    _add_class(made, documents, made.name, text)
    return made


def _add_class(made: ModelSource, objects: Column, name: str, text: str) -> None:
    keys = dict.fromkeys(key for each in objects for key in each)
    names = _field_names(keys)
    made.names.update(names.values())
    fields = [_field(made, key, names[key], [each.get(key, MISSING) for each in objects], name) for key in keys]
    made.classes.append(CLASS.format(name=name, text=text, fields="\n".join(fields) or "    # It was empty."))


def _field(made: ModelSource, key: str, name: str, column: Column, owner: str) -> str:
    found = _type(made, there(column), f"{owner}{_class_name(key)}")
    optional = len(there(column)) < len(column)
    if optional and not found.endswith("| None") and found not in ("None", "Any"):
        found = f"{found} | None"
    if name == key:
        return f"    {key}: {found}{' = None' if optional else ''}"
    made.imports.add("Field")
    return f"    {name}: {found} = Field({'None, ' if optional else ''}alias={code_of(key)})"


def _type(made: ModelSource, values: Column, name: str) -> str:
    some = [value for value in values if value is not None]
    found = _type_of(made, some, name)
    return found if len(some) == len(values) or found in ("None", "Any") else f"{found} | None"


def _type_of(made: ModelSource, values: Column, name: str) -> str:
    if not values:
        return "None"
    for found, is_one in SCALARS.items():
        if all(map(is_one, values)):
            return found
    if all(isinstance(value, list) for value in values):
        items = [item for value in values for item in value]
        return f"list[{_type(made, items, _singular(name)) if items else _any(made)}]"
    if all(isinstance(value, dict) for value in values):
        return _object_type(made, values, name)
    return _any(made)


def _object_type(made: ModelSource, values: Column, name: str) -> str:
    """A class, or a dict where the keys are names of things."""
    if is_map(values):
        items = [item for value in values for item in value.values()]
        return f"dict[str, {_type(made, items, _singular(name))}]"
    name = _unique(name, made.names | RESERVED)
    made.names.add(name)
    _add_class(made, values, name, f"``{name}``.")
    return name


def _any(made: ModelSource) -> str:
    made.imports.add("Any")
    return "Any"


def _singular(name: str) -> str:
    return name[:-1] if name.endswith("s") and len(name) > 2 else f"{name}Item"


def _class_name(key: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^0-9a-zA-Z]+", key)) or "Field"


def _field_names(keys: Iterable[str]) -> dict[str, str]:
    """For each key the name of its field: itself where Python and pydantic take that, and no two the same."""
    names = {key: key for key in keys if _is_field(key)}
    for key in keys:
        if key not in names:
            found = re.sub(r"[^0-9a-zA-Z]+", "_", key).strip("_")
            names[key] = _unique(found if _is_field(found) else f"field_{found}".rstrip("_"), set(names.values()))
    return names


def _is_field(name: str) -> bool:
    """Whether a field may have this name. Python takes some letters beyond ASCII for others; a field named like a type
    would stand for it in those behind it."""
    if not (name.isidentifier() and name.isascii()) or keyword.iskeyword(name) or name in RESERVED:
        return False
    return not name.startswith(("_", "model_")) and not hasattr(BaseModel, name)


def _unique(name: str, taken: Collection[str]) -> str:
    """The name, with a number where it is taken."""
    found = (f"{name}{number}" if number > 1 else name for number in itertools.count(1))
    return next(each for each in found if each not in taken)
