"""One hash over anything a chain is made of, the same in every process, on every machine and every Python.

It follows what decides the output: operations and their constants, models, and functions by their source text and by
what they use, through all modules of the chain's own package. What other packages do is not content.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import inspect
import json
import linecache
import os
import re
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Any

import msgspec
from pydantic import BaseModel, PydanticUserError

KIND = "3"
"""How a chain's fingerprint is made. Another number with every change of what counts: fingerprints of two kinds differ
for the same chain, and whoever compares them has to know."""

_NOT_CONTENT = frozenset({"file", "description", "notes", "complexity"})
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_ENGINE = "upcasters"


def chain_fingerprint(content: object) -> str:
    """The fingerprint of a chain: its kind, and 16 hex digits."""
    return f"{KIND}-{fingerprint(content)}"


def kind_of(chain: str) -> str:
    """The kind of a chain's fingerprint; 1 for those that do not say it."""
    kind, dash, _ = chain.partition("-")
    return kind if dash else "1"


def fingerprint(content: object) -> str:
    """16 hex digits. Where a file lies does not count.

    Functions count by their source and by what they use: their defaults, what they are closed over, and the functions
    and values that they name in modules of their own package. Models count by their JSON Schema, their source, and what
    that uses.
    """
    digest = hashlib.sha256()
    for part in _Reader().parts(content):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\x1f")
    return digest.hexdigest()[:16]


class _Reader:
    """Content as text, part by part. What comes a second time counts by its name."""

    def __init__(self) -> None:
        self._known: dict[int, Any] = {}

    def parts(self, value: Any) -> Iterator[str]:
        if isinstance(value, type):
            yield from self._class(value)
        elif is_dataclass(value):
            yield from self._fields(value)
        elif isinstance(value, (Mapping, tuple, list, set, frozenset)):
            yield from self._container(value)
        elif isinstance(value, functools.partial):
            yield from self._listed("partial", (value.func, value.args, value.keywords))
        elif callable(value):
            yield from self._callable(value)
        else:
            yield from self._data(value)

    def _container(self, value: Any) -> Iterator[str]:
        if isinstance(value, Mapping):
            yield from self._listed("{", (part for pair in value.items() for part in pair))
        elif isinstance(value, (tuple, list)):
            yield from self._listed("[", value)
        else:
            yield from sorted("\x1e".join(self.parts(child)) for child in value)

    def _listed(self, bracket: str, children: Iterable[Any]) -> Iterator[str]:
        yield bracket
        for child in children:
            yield from self.parts(child)
        yield "end"

    def _fields(self, value: Any) -> Iterator[str]:
        """Those that were given: an operation that learns another option leaves chains alone that do not use it."""
        yield type(value).__name__
        for item in fields(value):
            given = getattr(value, item.name)
            if item.name not in _NOT_CONTENT and not (type(given) is type(item.default) and given == item.default):
                yield item.name
                yield from self.parts(given)

    def _data(self, value: Any) -> Iterator[str]:
        """A value by its text or, where that is only its address, by its class and what it holds."""
        text = repr(bytes(value)) if isinstance(value, msgspec.Raw) else repr(value)
        if not _ADDRESS.search(text):
            yield text
        elif self._is_new(value):
            yield from self._class(type(value))
            yield from self._listed("{", (part for pair in vars_of(value).items() for part in pair))

    def _class(self, value: type) -> Iterator[str]:
        yield _name(value)
        if _is_foreign(value) or not self._is_new(value):
            return
        if issubclass(value, BaseModel):
            yield _schema(value)
        yield _source(value)
        for base in value.__bases__:
            yield from self.parts(base)
        for member in vars(value).values():
            if isinstance(getattr(member, "__func__", member), types.FunctionType):
                yield from self._used(getattr(member, "__func__", member))

    def _callable(self, value: Any) -> Iterator[str]:
        yield _name(value)
        if not self._is_new(value):
            return
        wrapped = getattr(value, "__wrapped__", None)
        if wrapped is not None:
            yield from self.parts(wrapped)
        if _is_foreign(value):
            yield from self._made_of(value)
            return
        yield _source(value)
        yield from self._used(value)

    def _made_of(self, value: Any) -> Iterator[str]:
        """What a callable of Python's own was made of: ``itemgetter("a")`` is not ``itemgetter("b")``."""
        if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, types.MethodDescriptorType, type)):
            return
        with contextlib.suppress(Exception):  # not everything can tell
            made = value.__reduce__()
            if isinstance(made, tuple):
                yield from self.parts(made[1])

    def _used(self, value: Any) -> Iterator[str]:
        """What a function is given beside its arguments; what an object that can be called holds."""
        owner = getattr(value, "__self__", None)
        if owner is not None and not isinstance(owner, (type, types.ModuleType)):
            yield from self.parts(owner)
        code = getattr(value, "__code__", None)
        if not isinstance(code, types.CodeType):
            yield from self._listed("{", (part for pair in vars_of(value).items() for part in pair))
            yield from self._class(type(value))
            return
        yield from self._listed("defaults", (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).items()))
        for cell in value.__closure__ or ():
            with contextlib.suppress(ValueError):  # a name that is not bound yet
                yield from self.parts(cell.cell_contents)
        for used in _named(code, value.__globals__):
            if _is_content(used, str(value.__module__)):
                yield from self.parts(used)

    def _is_new(self, value: Any) -> bool:
        is_new = id(value) not in self._known
        self._known[id(value)] = value  # kept, so that no other gets its id
        return is_new


def vars_of(value: Any) -> dict[str, Any]:
    """What an object holds, by name."""
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()) if hasattr(value, name)]
    return {**{name: getattr(value, name) for name in slots}, **getattr(value, "__dict__", {})}


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


def _named(code: types.CodeType, scope: Mapping[str, Any]) -> Iterator[Any]:
    """What a function names outside of itself, also inside its lambdas, comprehensions and inner functions; of a module
    what it names in there."""
    names = list(dict.fromkeys(_names(code)))
    scopes = [scope]
    for known in scopes:
        for name in names:
            if name in known:
                yield known[name]
                inside = vars(known[name]) if isinstance(known[name], types.ModuleType) else None
                if inside is not None and not any(inside is each for each in scopes):
                    scopes.append(inside)


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _is_content(used: Any, module: str) -> bool:
    """True for plain values, and for what is made in the package of the module that uses it."""
    if isinstance(used, types.ModuleType) or _is_of_the_process(used):
        return False
    if not (isinstance(used, (types.FunctionType, types.BuiltinFunctionType, type)) or hasattr(used, "__wrapped__")):
        return True
    home = str(used.__module__)
    return _package(home) == _package(module) or _siblings(home, module)


def _is_of_the_process(used: Any) -> bool:
    """True for what is another on each machine: a function that names one of these is still the same function."""
    return any(
        used is each for each in (os.environ, getattr(os, "environb", os.environ), sys.argv, sys.path, sys.modules)
    )


def _package(module: str) -> str:
    """The package that a module is of; the engine's own subpackages are packages of their own."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == _ENGINE else parts[0]


def _siblings(one: str, other: str) -> bool:
    """True for two modules of no package that lie side by side."""
    files = [getattr(sys.modules.get(name), "__file__", None) for name in (one, other) if "." not in name]
    folders = [PurePath(file).parent for file in files if file]
    return len(folders) == 2 and folders[0] == folders[1] and not _is_installed(folders[0])


def _is_installed(folder: PurePath) -> bool:
    return folder.name in {"site-packages", "dist-packages"}


def _source(value: Any) -> str:
    """The source text; of a function whose text nobody has, its code."""
    function = inspect.unwrap(value) if callable(value) and not isinstance(value, type) else value
    code = getattr(function, "__code__", None)
    if isinstance(code, types.CodeType):
        return _text_of(code, getattr(function, "__module__", None)) or _code(code)
    try:
        return inspect.getsource(value if isinstance(value, type) else type(value))
    except (OSError, TypeError):
        return ""


@functools.lru_cache(maxsize=256)
def _parsed(text: str) -> dict[int, list[ast.AST]]:
    """The functions of a module by the line where each begins, decorators included."""
    found: dict[int, list[ast.AST]] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
            line = min([node.lineno, *(each.lineno for each in decorators)])
            found.setdefault(line, []).append(node)
    return found


def _text_of(code: types.CodeType, module: str | None) -> str:
    """The text of a function, cut out by the parser's own positions: these are the same on every Python. Lambdas that
    begin in one line count together."""
    scope = getattr(sys.modules.get(module or ""), "__dict__", None)
    text = "".join(linecache.getlines(code.co_filename, scope))
    try:
        nodes = _parsed(text).get(code.co_firstlineno, [])
    except (SyntaxError, ValueError):
        nodes = []
    wanted = [node for node in nodes if getattr(node, "name", "<lambda>") == code.co_name]
    return "\n".join(ast.get_source_segment(text, node) or "" for node in wanted)


def _code(code: types.CodeType) -> str:
    return repr((code.co_code, code.co_names, [_constant(one) for one in code.co_consts]))


def _constant(value: Any) -> str:
    if isinstance(value, types.CodeType):
        return _code(value)
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)
