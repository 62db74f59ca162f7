"""One hash over anything a chain is made of, the same in every process and on every machine."""

from __future__ import annotations

import hashlib
import inspect
import json
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import msgspec
from pydantic import BaseModel

_NOT_CONTENT = frozenset({"file", "description", "notes", "complexity"})


def fingerprint(content: object) -> str:
    """16 hex digits. Functions count by their source, models by their JSON Schema; where a file lies does not."""
    digest = hashlib.sha256()
    for part in _parts(content):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\x1f")
    return digest.hexdigest()[:16]


def _parts(value: Any) -> Iterator[str]:
    if isinstance(value, type) and issubclass(value, BaseModel):
        yield json.dumps(value.model_json_schema(), sort_keys=True)
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _fields(value)
    elif isinstance(value, Mapping):
        yield from _listed("{", (part for pair in value.items() for part in pair))
    elif isinstance(value, (tuple, list)):
        yield from _listed("[", value)
    elif isinstance(value, (set, frozenset)):
        yield from sorted(part for child in value for part in _parts(child))
    elif callable(value):
        yield from _function(value)
    else:
        yield repr(bytes(value)) if isinstance(value, msgspec.Raw) else repr(value)


def _listed(bracket: str, children: Iterable[Any]) -> Iterator[str]:
    yield bracket
    for child in children:
        yield from _parts(child)
    yield "end"


def _fields(value: Any) -> Iterator[str]:
    yield type(value).__name__
    for item in fields(value):
        if item.name not in _NOT_CONTENT:
            yield item.name
            yield from _parts(getattr(value, item.name))


def _function(value: Any) -> Iterator[str]:
    yield f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__name__)}"
    try:
        yield inspect.getsource(value)
    except (OSError, TypeError):
        code = getattr(value, "__code__", None)
        if isinstance(code, types.CodeType):
            yield repr((code.co_code, code.co_names))
    for cell in getattr(value, "__closure__", None) or ():
        yield repr(cell.cell_contents) if not callable(cell.cell_contents) else "function"
