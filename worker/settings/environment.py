"""Settings from environment variables: every key, those inside lists too, and no unknown name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource

from worker.service_links import is_service_link
from worker.settings.file import ConfigFile, Location

PREFIX = "UPCAST_"
NATIVE = "UPCAST_NATIVE"
"""No setting: it is asked when the engine is imported, before there are any."""

# The DevTeam Runner's own names, and the keys of `http` that they set.
RUNNER_PORTS: Mapping[str, str] = MappingProxyType({"DEVTEAM_RUNNER_PORT": "port", "LEGACY_RUNNER_PORT": "legacy_port"})

# Kubernetes puts these into every container beside a Service named `upcast` or `upcast-…`.
_SERVICE_LINK = re.compile(r"UPCAST_(\w+_)?(SERVICE_(HOST|PORT)|PORT)(_\w+)?")


@dataclass(frozen=True)
class Environment:
    """Environment variables by name. ``older`` maps a current variable to the one of an older format that it
    replaces."""

    variables: Mapping[str, str]
    older: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def ours(self) -> tuple[str, ...]:
        """The names of variables that are the worker's."""
        return tuple(name for name in self.variables if _is_ours(name.upper()))

    @cached_property
    def runner_ports(self) -> Mapping[str, str]:
        """The DevTeam Runner's variables that are set, by name. A Service of one of these names sets it, too."""
        return {name: value for name in RUNNER_PORTS if (value := self._runner(name)) and not is_service_link(value)}

    @cached_property
    def service_links(self) -> tuple[str, ...]:
        """The variables of these names that hold the address of a Service, and so no port."""
        return tuple(name for name in RUNNER_PORTS if is_service_link(self._runner(name)))

    def _runner(self, name: str) -> str:
        return self.variables.get(name, "")

    def variable_of(self, location: Location) -> str | None:
        """The variable that set this key, or a part that holds it; None where it came from the file."""
        names = {name.upper(): name for name in self.ours}
        for end in range(len(location), 0, -1):
            name = variable_name(location[:end])
            if name in names:
                return self.older.get(names[name], names[name])
        return next((name for name in self.runner_ports if location == ("http", RUNNER_PORTS[name])), None)

    def place(self, location: Location, file: ConfigFile) -> str:
        """The place of a setting, for messages: its variable, or its line in the file."""
        variable = self.variable_of(location)
        return f"environment variable {variable}" if variable else file.place(location)


def _is_ours(upper: str) -> bool:
    if upper == NATIVE:
        return False
    return upper.startswith(PREFIX) and ("__" in upper or not _SERVICE_LINK.fullmatch(upper))


def variable_name(location: Location) -> str:
    return PREFIX + "__".join(str(part) for part in location).upper()


def location_of(variable: str) -> tuple[str | int, ...]:
    """The key that a variable of ours sets; numbers are positions in lists."""
    parts = variable.upper().removeprefix(PREFIX).lower().split("__")
    return tuple(int(part) if part.isdecimal() else part for part in parts)


class EnvironmentSource(EnvSettingsSource):
    """``UPCAST_KAFKA__GROUP_ID`` is ``kafka.group_id``, ``UPCAST_ROUTES__0__CHAIN`` the first route's."""

    def __init__(self, settings_cls: type[BaseSettings], file: Mapping[str, Any], environment: Environment) -> None:
        self._file = file
        self._environment = environment
        super().__init__(settings_cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._environment.variables.items()}

    def __call__(self) -> dict[str, Any]:
        given = super().__call__()
        for variable, port in self._environment.runner_ports.items():
            given.setdefault("http", {}).setdefault(RUNNER_PORTS[variable], port)
        return _lay_over_mapping(self._file, given)


def _lay_over(below: Any, above: Any) -> Any:
    """``above`` wins; mappings are merged, and numbered entries are merged into the list below."""
    if not isinstance(above, dict):
        return above
    if above and all(key.isdigit() for key in above):
        return _lay_over_list(below if isinstance(below, list) else [], above)
    return _lay_over_mapping(below if isinstance(below, dict) else {}, above)


def _lay_over_mapping(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in below.items() if not _other_form(key, above)}
    return kept | {key: _lay_over(below.get(key), value) for key, value in above.items()}


def _other_form(key: str, above: Mapping[str, Any]) -> bool:
    """A secret's file replaces the secret itself, and the other way round."""
    return f"{key}_file" in above or (key.endswith("_file") and key.removesuffix("_file") in above)


def _lay_over_list(below: list[Any], above: Mapping[str, Any]) -> list[Any]:
    merged = list(below)
    for key in sorted(above, key=int):
        at = int(key)
        if at < len(merged):
            merged[at] = _lay_over(merged[at], above[key])
        else:
            merged.append(_lay_over(None, above[key]))
    return merged
