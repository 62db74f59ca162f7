"""Problems of the settings, one line each: place, problem, and what would be right."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from worker.settings.environment import PREFIX, Environment
from worker.settings.file import ConfigFile, Location, dotted

_WRONG_KIND = {
    "string": "must be text: put it in quotes",
    "int": "must be a whole number",
    "float": "must be a number, without a unit",
    "bool": "must be true or false",
    "tuple": "must be a list: write one line `- …` for each",
    "model": "must be a section: write `key: value` lines below it",
}
"""By the first part of pydantic's name for a value of the wrong type."""


def describe(error: ValidationError, model: type[BaseModel], file: ConfigFile, environment: Environment) -> list[str]:
    """A line for each problem. Never a value: it may be a secret."""
    details = error.errors(include_url=False, include_input=False)
    return [f"{environment.place(item['loc'], file)}: {_text(item, model)}" for item in details]


def unknown_variables(model: type[BaseModel], environment: Environment) -> list[str]:
    """Our variables whose first part is no setting; pydantic-settings passes over these in silence."""
    known = sorted(model.model_fields)
    lines = []
    for name in environment.ours:
        first = name.upper().removeprefix(PREFIX).split("__")[0].lower()
        if first not in known:
            hint = _nearest(first, known, f"{PREFIX}{{}}", str.upper)
            lines.append(f"environment variable {name}: unknown setting{hint}")
    return lines


def _text(item: ErrorDetails, model: type[BaseModel]) -> str:
    location = item["loc"]
    name = dotted(location)
    if item["type"] == "extra_forbidden":
        return f"{name}: unknown key{_nearest(str(location[-1]), _keys_beside(location, model))}"
    if item["type"] == "missing":
        return f"{name} is missing: {_description(location, model)}"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "too_short" and item["ctx"]["field_type"] == "Value":
        message = f"must have at least {item['ctx']['min_length']} characters"
    kind, _, how = item["type"].partition("_")
    if how in ("type", "parsing", "from_float"):
        message = _WRONG_KIND.get(kind, message)
    message = message.replace("Input should be", "must be", 1)
    return f"{name}: {message}" if name else message


def _nearest(wrong: str, known: list[str], form: str = "{}", case: Any = str) -> str:
    match = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
    if match:
        return f"; did you mean {form.format(case(match[0]))}?"
    return f"; known here: {', '.join(form.format(case(name)) for name in known)}"


def _keys_beside(location: Location, model: type[BaseModel]) -> list[str]:
    section = _section_at(location[:-1], model)
    return sorted(field.alias or name for name, field in section.model_fields.items()) if section else []


def _description(location: Location, model: type[BaseModel]) -> str:
    section = _section_at(location[:-1], model)
    field = section.model_fields.get(str(location[-1])) if section else None
    return (field and field.description) or "it has no default"


def _section_at(location: Location, model: type[BaseModel]) -> type[BaseModel] | None:
    """The model that holds the keys at ``location``; list positions do not change it."""
    section: type[BaseModel] | None = model
    for part in location:
        if section is not None and isinstance(part, str):
            annotation = next(
                (field.annotation for name, field in section.model_fields.items() if part in (name, field.alias)),
                None,
            )
            section = next(_models_in(annotation), None)
    return section


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not get_origin(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, types.UnionType, tuple, list):
        for part in get_args(annotation):
            yield from _models_in(part)
