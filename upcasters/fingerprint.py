"""One hash over anything a chain is made of, the same in every process and on every machine."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import json
import re
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import msgspec
from pydantic import BaseModel, PydanticUserError

_NOT_CONTENT = frozenset({"file", "description", "notes", "complexity"})
_DATA = (str, bytes, int, float, type(None), tuple, list, dict, set, frozenset, re.Pattern)


def fingerprint(content: object) -> str:
    """16 hex digits. Where a file lies does not count.

    Functions count by their source and by what they use: their defaults, what they are closed over, and the
    functions and plain values of their own module. Models count by their JSON Schema and their source.
    """
    digest = hashlib.sha256()
    for part in _Reader().parts(content):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\x1f")
    return digest.hexdigest()[:16]


class _Reader:
    """Content as text, part by part. Functions that come a second time count by their name."""

    def __init__(self) -> None:
        self._known: dict[int, Any] = {}

    def parts(self, value: Any) -> Iterator[str]:
        if isinstance(value, type):
            yield from self._class(value)
        elif is_dataclass(value):
            yield from self._fields(value)
        elif isinstance(value, Mapping):
            yield from self._listed("{", (part for pair in value.items() for part in pair))
        elif isinstance(value, (tuple, list)):
            yield from self._listed("[", value)
        elif isinstance(value, (set, frozenset)):
            yield from sorted("\x1e".join(self.parts(child)) for child in value)
        elif isinstance(value, functools.partial):
            yield from self._listed("partial", (value.func, value.args, value.keywords))
        elif callable(value):
            yield from self._function(value)
        else:
            yield repr(bytes(value)) if isinstance(value, msgspec.Raw) else repr(value)

    def _listed(self, bracket: str, children: Iterable[Any]) -> Iterator[str]:
        yield bracket
        for child in children:
            yield from self.parts(child)
        yield "end"

    def _fields(self, value: Any) -> Iterator[str]:
        yield type(value).__name__
        for item in fields(value):
            if item.name not in _NOT_CONTENT:
                yield item.name
                yield from self.parts(getattr(value, item.name))

    def _class(self, value: type) -> Iterator[str]:
        yield _name(value)
        if _is_foreign(value) or not self._is_new(value):
            return
        if issubclass(value, BaseModel):
            yield _schema(value)
        yield _source(value)
        for base in value.__bases__:
            yield from self.parts(base)

    def _function(self, value: Any) -> Iterator[str]:
        yield _name(value)
        if _is_foreign(value) or not self._is_new(value):
            return
        yield _source(value)
        for used in _used(value):
            if isinstance(used, _DATA) or getattr(used, "__module__", None) == value.__module__:
                yield from self.parts(used)

    def _is_new(self, value: Any) -> bool:
        is_new = id(value) not in self._known
        self._known[id(value)] = value  # kept, so that no other gets its id
        return is_new


def _schema(model: type[BaseModel]) -> str:
    try:
        return json.dumps(model.model_json_schema(), sort_keys=True)
    except PydanticUserError:  # a field has no JSON Schema
        return ""


def _name(value: Any) -> str:
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}"


def _is_foreign(value: Any) -> bool:
    """True for Python's own and pydantic's: what they do is not content, and differs from version to version."""
    module = str(getattr(value, "__module__", None) or "builtins").partition(".")[0]
    return module in sys.stdlib_module_names or module == "pydantic"


def _used(value: Any) -> Iterator[Any]:
    """What a function is given beside its arguments; what an object that can be called holds."""
    code = getattr(value, "__code__", None)
    if not isinstance(code, types.CodeType):
        yield from getattr(value, "__dict__", {}).items()
        return
    yield from value.__defaults__ or ()
    yield from (value.__kwdefaults__ or {}).items()
    for cell in value.__closure__ or ():
        with contextlib.suppress(ValueError):  # a name that is not bound yet
            yield cell.cell_contents
    for name in code.co_names:
        if name in value.__globals__:
            yield value.__globals__[name]


def _source(value: Any) -> str:
    try:
        return inspect.getsource(value if isinstance(value, type) or hasattr(value, "__code__") else type(value))
    except (OSError, TypeError):
        code = getattr(value, "__code__", None)
        return _code(code) if isinstance(code, types.CodeType) else ""


def _code(code: types.CodeType) -> str:
    return repr((code.co_code, code.co_names, [_constant(one) for one in code.co_consts]))


def _constant(value: Any) -> str:
    if isinstance(value, types.CodeType):
        return _code(value)
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)
