"""The configuration file: its content, and the line of every key for error messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from worker.errors import WorkerError

Location = tuple[str | int, ...]


@dataclass(frozen=True)
class ConfigFile:
    """``lines`` maps the location of each key or list item to its line number; ``version`` is the format it states."""

    path: Path
    content: dict[str, Any] = field(default_factory=dict)
    lines: dict[Location, int] = field(default_factory=dict)
    version: Any = None

    def place(self, location: Location) -> str:
        """``upcast.yaml:7`` where the key, or else the nearest part that holds it, has a line."""
        for end in range(len(location), 0, -1):
            if location[:end] in self.lines:
                return f"{self.path}:{self.lines[location[:end]]}"
        return str(self.path)


def read_config_file(path: Path) -> ConfigFile:
    """Read YAML; raises ``WorkerError`` where there is no file or no mapping of keys in it."""
    loader = yaml.SafeLoader(_text(path))
    try:
        node = loader.get_single_node()
        lines = _lines(path, node)
        content = loader.construct_document(node) if node else {}
    except yaml.YAMLError as error:
        raise WorkerError(_not_yaml(path, error), code="UPC1102") from None
    except RecursionError:
        raise WorkerError(
            f"{path}: it is nested too deep, or an alias contains itself: write the content out", code="UPC1102"
        ) from None
    finally:
        loader.dispose()
    if not isinstance(content, dict):
        raise WorkerError(
            f"{path}: holds no settings: write `key: value` lines such as `kafka:` and `routes:`", code="UPC1102"
        )
    named = {str(key): value for key, value in content.items()}
    version = named.pop("version", None)
    return ConfigFile(path, named, lines, version)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        here = "" if path.is_absolute() else f" in {Path.cwd()}"
        raise WorkerError(
            f"{path}: there is no such configuration file{here}: name it with --config FILE", code="UPC1101"
        ) from None
    except IsADirectoryError:
        raise WorkerError(
            f"{path}: it is a folder: name a file (Docker creates a folder where the file to mount is missing)",
            code="UPC1101",
        ) from None
    except OSError as error:
        raise WorkerError(f"{path}: cannot read the configuration: {error.strerror}", code="UPC1005") from None
    except UnicodeDecodeError:
        raise WorkerError(f"{path}: the configuration is not UTF-8 text: save it as UTF-8", code="UPC1102") from None


def _not_yaml(path: Path, error: yaml.YAMLError) -> str:
    """Without the text at fault, which may be a secret."""
    mark = getattr(error, "problem_mark", None)
    place = f"{path}:{mark.line + 1}" if mark else str(path)
    problem = getattr(error, "problem", None) or "it cannot be parsed"
    return f"{place}: not YAML: {problem}; mind the indentation and quote values that hold `: ` or `#`"


def _lines(path: Path, node: yaml.Node | None) -> dict[Location, int]:
    lines: dict[Location, int] = {}

    def walk(node: yaml.Node | None, at: Location) -> None:
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                lines[(*at, index)] = item.start_mark.line + 1
                walk(item, (*at, index))
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                location = (*at, str(key.value))
                if location in lines and key.value != "<<":
                    raise WorkerError(
                        f"{path}:{key.start_mark.line + 1}: {dotted(location)} is given twice "
                        f"(first in line {lines[location]}): remove one",
                        code="UPC1103",
                    )
                lines[location] = key.start_mark.line + 1
                walk(value, location)

    walk(node, ())
    return lines


def dotted(location: Location) -> str:
    return ".".join(str(part) for part in location)
