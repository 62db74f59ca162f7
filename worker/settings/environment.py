"""Settings from environment variables: every key, those inside lists too, and no unknown name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource

PREFIX = "UPCAST_"

# The DevTeam Runner's own names, and the keys of `http` that they set.
RUNNER_PORTS: Mapping[str, str] = MappingProxyType({"DEVTEAM_RUNNER_PORT": "port", "LEGACY_RUNNER_PORT": "legacy_port"})

# Kubernetes puts these into every container beside a Service named `upcast` or `upcast-…`.
_SERVICE_LINK = re.compile(r"UPCAST_(\w+_)?(SERVICE_(HOST|PORT)|PORT)(_\w+)?")


class EnvironmentSource(EnvSettingsSource):
    """``UPCAST_KAFKA__GROUP_ID`` is ``kafka.group_id``, ``UPCAST_ROUTES__0__CHAIN`` the first route's."""

    def __init__(self, settings_cls: type[BaseSettings], file: Mapping[str, Any]) -> None:
        super().__init__(settings_cls)
        self._file = file

    def __call__(self) -> dict[str, Any]:
        given = super().__call__()
        for variable, key in RUNNER_PORTS.items():
            if os.environ.get(variable):
                given.setdefault("http", {}).setdefault(key, os.environ[variable])
        return _lay_over_mapping(self._file, given)


def our_variables() -> Iterator[str]:
    """The names in the environment that are meant for us."""
    for name in os.environ:
        upper = name.upper()
        if upper.startswith(PREFIX) and ("__" in upper or not _SERVICE_LINK.fullmatch(upper)):
            yield name


def variable_of(location: tuple[str | int, ...]) -> str | None:
    """The variable that set this key, or a part that holds it; None where it came from the file."""
    names = {name.upper(): name for name in our_variables()}
    for end in range(len(location), 0, -1):
        name = PREFIX + "__".join(str(part) for part in location[:end]).upper()
        if name in names:
            return names[name]
    return next((name for name, key in RUNNER_PORTS.items() if location == ("http", key) and name in os.environ), None)


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
