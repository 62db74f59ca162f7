"""The deprecation policy for a user's chain: `deprecations.json`, beside the chain's module.

The file says in which version the chain is released next, what earlier versions had, and what is deprecated. The policy
is the one that the worker itself is held to.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from upcast_authoring.deprecation.policy import Deprecation, DeprecationPolicy
from upcasters import Chain

FILE = "deprecations.json"
VERSION = r"^\d{1,9}\.\d{1,9}(\.\d{1,9})?$"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class _Entry(_Part):
    name: str
    replacement: str
    notice: str = Field(pattern=VERSION)
    removal: str = Field(pattern=VERSION)
    noticed: date = date.min
    sunset: date = date.max


class _File(_Part):
    """Names are those of a type and a version: `order 1`."""

    version: str = Field(pattern=VERSION)
    released: dict[str, list[str]] = {}
    deprecated: list[_Entry] = []


def breaches(name: str, chain: Chain) -> tuple[str, ...]:
    """A line for each breach, or for what is wrong with the file; none where there is no file."""
    file = _file_of(name)
    if file is None or not file.is_file():
        return ()
    try:
        content = _File.model_validate_json(file.read_bytes())
        return tuple(f"{file.name}: {line}" for line in _policy(content, chain).breaches())
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        return (f"{file.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}",)
    except (ValueError, OSError):
        return (f"{file.name}: a key of released is no version, or the file cannot be read",)


def _policy(content: _File, chain: Chain) -> DeprecationPolicy:
    entries = [Deprecation(kind="schema", **each.model_dump()) for each in content.deprecated]
    offered = {"schema": frozenset(f"{event_type} {version}".rstrip() for event_type, version in chain.versions)}
    released = {version: {"schema": frozenset(names)} for version, names in content.released.items()}
    return DeprecationPolicy(entries, offered, released, content.version)


def _file_of(name: str) -> Path | None:
    """Beside the chain's module, which has been imported by now; none for an entry point or a chain without a file."""
    module = sys.modules.get(name.partition(":")[0])
    file = getattr(module, "__file__", None)
    return Path(file).with_name(FILE) if file else None
