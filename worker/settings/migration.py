"""Rewrites an older configuration file, YAML or `.env`, in the current format; comments and order stay.

The chain of formats decides what the settings become. The new text is read again and must have the same content.
"""

from __future__ import annotations

import difflib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from worker.errors import WorkerError
from worker.settings.file import read_config_file
from worker.settings.rewriting import rewrite_env, rewrite_yaml
from worker.settings.upgrade import CURRENT, OLDEST, version_of

_SECRET = re.compile(r"((?:token|password|url)[\"']?\s*[:=]\s*)[^\s,}#][^,}#]*", re.IGNORECASE)


@dataclass(frozen=True)
class Migration:
    """A file as it is and as it should be. ``renamed`` is what differs."""

    path: Path
    old: str
    new: str

    @property
    def changes(self) -> bool:
        return self.old != self.new

    def diff(self) -> Iterator[str]:
        """Lines of a unified diff, which may end in some log: secrets are hidden."""
        old, new = (text.splitlines() for text in (self.old, self.new))
        for line in difflib.unified_diff(old, new, str(self.path), f"{self.path}, format {CURRENT}", lineterm=""):
            yield _SECRET.sub(r"\1(hidden)", line)


def migrate(path: Path) -> Migration:
    """The migration of a file, without writing it. Raises WorkerError where it cannot be read or migrated."""
    is_env = path.name.startswith(".env") or path.suffix == ".env"
    old = _text(path)
    try:
        return Migration(path, old, rewrite_env(old) if is_env else _yaml(path, old))
    except WorkerError as error:
        line = str(error)
        raise WorkerError(line if line.startswith(str(path)) else f"{path}: {line}", code=error.code) from None


def _yaml(path: Path, text: str) -> str:
    file = read_config_file(path)
    version = OLDEST if file.version is None else version_of(file.version)
    return text if version == CURRENT else rewrite_yaml(text, file.content, version)


def apply(migration: Migration) -> Path:
    """Write the new file in place, atomically; returns the path of the copy of the old one. Raises WorkerError."""
    path = migration.path.resolve()
    copy = _free_name(path)
    unfinished = path.with_name(path.name + ".part")
    try:
        shutil.copy2(path, copy)
        shutil.copy2(path, unfinished)
        unfinished.write_bytes(migration.new.encode())
        unfinished.replace(path)
    except OSError as error:
        raise WorkerError(
            f"{error.filename}: cannot be written: {error.strerror}: nothing was changed", code="UPC1004"
        ) from None
    return copy


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.bak{number or ''}") for number in range(1000))
    return next(name for name in names if not name.exists())


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise WorkerError(f"{path}: cannot read it: {error.strerror}", code="UPC1005") from None
    except UnicodeDecodeError:
        raise WorkerError(f"{path}: it is not UTF-8 text: save it as UTF-8", code="UPC1005") from None
