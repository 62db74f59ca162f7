"""Settings from a file and the environment, or every reason why they are wrong.

A configuration in the current format is used as it is. Only where it has errors is it searched for names and values of
older formats, which are upgraded with a warning.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import SettingsError

from worker.errors import WorkerError
from worker.settings.environment import PREFIX, Environment, EnvironmentSource
from worker.settings.file import ConfigFile, read_config_file
from worker.settings.model import Settings
from worker.settings.notices import ignored, notices, sampled
from worker.settings.problems import describe, unknown_variables
from worker.settings.upgrade import CURRENT, OLDEST, Renamed, renamed_in, upgrade, upgraded, version_of

DEFAULT_CONFIG = Path("upcast.yaml")

# Names of today and of older formats.
WITHOUT_DEFAULT = frozenset({"KAFKA", "ROUTES", "BROKERS", "PIPELINES", "INPUT_TOPIC"})

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Loaded:
    """Settings and their sources. ``warnings`` has a line for each deprecated name or value, ``ignored`` one for each
    variable that only looks like the worker's."""

    settings: Settings
    file: ConfigFile
    environment: Environment
    renamed: tuple[Renamed, ...] = ()
    warnings: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def to_stderr(line: str) -> None:
    """As a command says its errors, too."""
    sys.stderr.write(f"upcast: warning: {line}\n")


def load_settings(path: Path = DEFAULT_CONFIG, warn: Warn = to_stderr) -> Settings:
    """Raise ``WorkerError`` with one line a problem, unless all of it is right. ``warn`` gets each deprecation and
    each variable that is ignored, once."""
    loaded = load(path)
    for line in (*loaded.warnings, *loaded.ignored):
        warn(line)
    return loaded.settings


def load(path: Path = DEFAULT_CONFIG) -> Loaded:
    """Settings with their origin. Raises ``WorkerError`` as ``load_settings``."""
    environment = Environment(os.environ)
    file = ConfigFile(path) if _all_by_environment(path, environment) else read_config_file(path)
    version = _stated(file)
    if version == CURRENT or version is None:
        problems, settings = _validated(file, environment)
        if settings is not None and not problems:
            return _loaded(settings, file, environment, ())
    file, environment, renamed = _upgraded(file, environment, version)
    problems, settings = _validated(file, environment)
    if problems or settings is None:
        raise WorkerError("\n".join(problems), code="UPC1104")
    return _loaded(settings, file, environment, renamed)


def _all_by_environment(path: Path, environment: Environment) -> bool:
    """A container may do without a file, as long as nobody has named one and what has no default is there."""
    given = {name.upper().removeprefix(PREFIX).split("__")[0] for name in environment.ours}
    return path == DEFAULT_CONFIG and not path.exists() and not given.isdisjoint(WITHOUT_DEFAULT)


def _stated(file: ConfigFile) -> int | None:
    try:
        return None if file.version is None else version_of(file.version)
    except WorkerError as error:
        raise WorkerError(f"{file.place(('version',))}: {error}", code=error.code) from None


def _validated(file: ConfigFile, environment: Environment) -> tuple[list[str], Settings | None]:
    problems = unknown_variables(Settings, environment)
    try:
        return problems, Settings(**EnvironmentSource(Settings, file.content, environment)())
    except ValidationError as error:
        problems += describe(error, Settings, file, environment)
    except SettingsError as error:
        problems.append(f"environment: {error}: write it as JSON")
    return problems, None


def _upgraded(
    file: ConfigFile, environment: Environment, version: int | None
) -> tuple[ConfigFile, Environment, list[Renamed]]:
    """File and environment in the names of today. What had an older one keeps its line and its variable."""
    since = version or OLDEST
    try:
        content = upgrade(file.content, since)
    except WorkerError as error:
        raise WorkerError(f"{file.path}: {error}", code=error.code) from None
    found = renamed_in(file.content, since)
    lines = {each.new: file.lines[each.old] for each in found if each.old in file.lines}
    older, newer = upgraded(environment)
    return replace(file, content=content, lines={**file.lines, **lines}), newer, [*found, *older]


def _loaded(settings: Settings, file: ConfigFile, environment: Environment, renamed: Sequence[Renamed]) -> Loaded:
    return Loaded(
        settings,
        file,
        environment,
        tuple(renamed),
        (*notices(file, environment, renamed), *sampled(settings, file, environment)),
        tuple(map(ignored, environment.service_links)),
    )
