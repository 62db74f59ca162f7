"""Settings from a file and the environment, or every reason why they are wrong."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import SettingsError

from worker.errors import WorkerError
from worker.settings.environment import PREFIX, our_variables
from worker.settings.file import ConfigFile, read_config_file
from worker.settings.model import Settings
from worker.settings.problems import describe, unknown_variables

DEFAULT_CONFIG = Path("upcast.yaml")


def load_settings(path: Path = DEFAULT_CONFIG) -> Settings:
    """Raise ``WorkerError`` with one line a problem, unless all of it is right."""
    file = ConfigFile(path) if _all_by_environment(path) else read_config_file(path)
    problems = unknown_variables(Settings)
    settings = _validated(file, problems)
    if problems or settings is None:
        raise WorkerError("\n".join(problems))
    return settings


def _all_by_environment(path: Path) -> bool:
    """A container may do without a file, as long as nobody has named one and what has no default is there."""
    given = {name.upper().removeprefix(PREFIX).split("__")[0] for name in our_variables()}
    return path == DEFAULT_CONFIG and not path.exists() and not given.isdisjoint({"KAFKA", "ROUTES"})


def _validated(file: ConfigFile, problems: list[str]) -> Settings | None:
    try:
        return Settings(**file.content)
    except ValidationError as error:
        problems += describe(error, Settings, file)
    except SettingsError as error:
        problems.append(f"environment: {error}: write it as JSON")
    return None
