"""Every setting with its value and where that comes from, for `upcast config check`. Secrets are not shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, SecretStr

from worker.settings.file import Location, dotted
from worker.settings.load import Loaded
from worker.settings.notices import line_of, notice_of
from worker.settings.sections import Section

HIDDEN = "(hidden)"
DEFAULT = "default"


@dataclass(frozen=True)
class Setting:
    """``source`` is ``default``, a file with its line, or an environment variable. ``deprecation`` is a warning."""

    name: str
    value: Any
    source: str
    deprecation: str = ""


def settings_with_sources(loaded: Loaded) -> list[Setting]:
    """In the order of the models."""
    return [_setting(loaded, location, value) for location, value in _leaves(loaded.settings, ())]


def _leaves(section: BaseModel, at: Location) -> Iterator[tuple[Location, Any]]:
    for name, field in type(section).model_fields.items():
        location, value = (*at, field.alias or name), getattr(section, name)
        if name.endswith("_file") and name.removesuffix("_file") in type(section).model_fields and value is None:
            continue
        if isinstance(value, Section):
            yield from _leaves(value, location)
        elif name == "routes":
            for index, route in enumerate(value):
                yield from _leaves(route, (*location, index))
        else:
            yield location, value


def _setting(loaded: Loaded, location: Location, value: Any) -> Setting:
    return Setting(dotted(location), _shown(value), _source(loaded, location), _deprecation(loaded, location))


def _shown(value: Any) -> Any:
    """As plain JSON values."""
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, tuple):
        return [each.model_dump(exclude_defaults=True) if isinstance(each, BaseModel) else each for each in value]
    return value if isinstance(value, int | float | dict | None) else str(value)


def _source(loaded: Loaded, location: Location) -> str:
    given = (*location[:-1], f"{location[-1]}_file")
    for one in (location, given):
        variable = loaded.environment.variable_of(one)
        if variable is not None and _is_set(loaded, one, variable):
            return f"environment variable {variable}"
        if one in loaded.file.lines:
            return loaded.file.place(one) + _as_older(loaded, one)
    return DEFAULT


def _as_older(loaded: Loaded, location: Location) -> str:
    """The name under which it stands there, where that is an older one."""
    return next((f" as {dotted(each.old)}" for each in loaded.renamed if each.new == location and not each.is_word), "")


def _is_set(loaded: Loaded, location: Location, variable: str) -> bool:
    """Whether a variable that holds a whole section has this key, too."""
    text = loaded.environment.variables.get(variable, "")
    return not text.lstrip().startswith("{") or f'"{location[-1]}"' in text or f"{location[-1]}:" in text


def _deprecation(loaded: Loaded, location: Location) -> str:
    for each in loaded.renamed:
        if each.new[: len(location)] == location:
            return line_of(each, loaded.file)
    return notice_of(location, loaded.file, loaded.environment) or ""


def value_text(setting: Setting) -> str:
    """The value as one line of text."""
    value = setting.value
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value)
