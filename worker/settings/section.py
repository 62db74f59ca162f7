"""The base of every settings section: strict about keys, and secrets may come from files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """A group of settings. A field ``x_file`` beside a secret ``x`` names the file that holds it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _read_given(cls, given: Any) -> Any:
        given = parse_text(given)
        return _with_secrets(cls, given) if isinstance(given, Mapping) else given


def parse_text(given: Any) -> Any:
    """An environment variable holds text: JSON or YAML where a list or a mapping is wanted."""
    if not isinstance(given, str):
        return given
    try:
        return yaml.safe_load(given)
    except yaml.YAMLError as error:
        raise ValueError("is neither JSON nor YAML") from error


def _with_secrets(section: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    complete = dict(given)
    for name in section.model_fields:
        path = given.get(f"{name}_file")
        if path is None:
            continue
        if given.get(name) is not None:
            raise ValueError(f"{name} and {name}_file are both given: keep one of them")
        complete[name] = _read_secret(name, path)
    return complete


def read_secret(path: Path) -> str:
    """The file's text without the newline that editors and ``echo`` leave at its end. Raises ``OSError`` and
    ``UnicodeDecodeError``."""
    return Path(path).read_text(encoding="utf-8").rstrip("\r\n")


def _read_secret(name: str, path: Any) -> str:
    try:
        return read_secret(path)
    except (OSError, TypeError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file"
        raise ValueError(f"{name}_file: cannot read {path}: {reason}") from error
