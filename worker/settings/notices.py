"""Warnings about settings: a line for each deprecated name or value, at its first place, and one for each variable that
is ignored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from worker.deprecation import DEPRECATED, Deprecation
from worker.settings.environment import Environment, variable_name
from worker.settings.file import ConfigFile, Location
from worker.settings.model import Settings
from worker.settings.upgrade import Renamed, name_of


def notices(file: ConfigFile, environment: Environment, renamed: Sequence[Renamed]) -> list[str]:
    """Those of older formats, and those that are of today and will go."""
    first: dict[tuple[str, str], str] = {}
    for each in renamed:
        word = str(each.old_value) if each.is_word else ""
        first.setdefault((each.variable + name_of(each.old), word), line_of(each, file))
    return [*first.values(), *_leaving(file, environment)]


def sampled(settings: Settings, file: ConfigFile, environment: Environment) -> Iterator[str]:
    """A line for each route that validates by the old name of ``observe``, which once made dead letters."""
    for index, route in enumerate(settings.routes):
        for key in ("target", "source"):
            if getattr(route.validation, key) == "sampled":
                location: Location = ("routes", index, "validate", key)
                yield (
                    f"{environment.place(location, file)}: {name_of(location)}: the value sampled is deprecated: "
                    "write observe; both count and report events that violate their model; only always makes dead "
                    "letters of them"
                )


def ignored(variable: str) -> str:
    """The note about a variable that Kubernetes has set for a Service of that name."""
    return (
        f"environment variable {variable}: it holds the address of a Service and no port, so it is ignored: "
        "set enableServiceLinks: false for the Pod, and ports with UPCAST_HTTP__PORT and UPCAST_HTTP__LEGACY_PORT"
    )


def line_of(each: Renamed, file: ConfigFile) -> str:
    """The warning about one setting."""
    place = f"environment variable {each.variable}" if each.variable else f"{file.place(each.old)}: {name_of(each.old)}"
    until = _until(each.deprecation)
    if each.is_word:
        return f"{place}: the value {each.old_value} is deprecated: write {each.new_value}; {until}"
    if _is_whole(each):
        return f"{place} is deprecated: write {variable_name(each.new)}; {until}"
    inside = f": {name_of(each.old)}" if each.variable else ""
    return f"{place}{inside} is deprecated: write {name_of(each.new)}; {until}"


def _is_whole(each: Renamed) -> bool:
    """True where the variable's own name is the old one, and not one inside its JSON."""
    return each.variable.upper() == variable_name(each.old)


def notice_of(location: Location, file: ConfigFile, environment: Environment) -> str | None:
    """The warning about a setting of today that will go; None where it stays, or is not set."""
    entry = _LEAVING.get(location)
    if entry is None or not (environment.variable_of(location) or location in file.lines):
        return None
    return f"{environment.place(location, file)}: {entry.name} is deprecated: use {entry.replacement}; {_until(entry)}"


_LEAVING: dict[Location, Deprecation] = {
    tuple(entry.name.split(".")): entry for entry in DEPRECATED if entry.kind == "setting"
}


def _leaving(file: ConfigFile, environment: Environment) -> Iterator[str]:
    return (line for location in _LEAVING if (line := notice_of(location, file, environment)))


def _until(entry: Deprecation) -> str:
    return f"version {entry.removal} removes it"
