"""Writing a Python function: its lines, the constants that they name, and what they may count on being open."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Raw

from upcasters.compile.layouts import ANY_LEVELS, Unexpected
from upcasters.depth import SHALLOW, is_too_deep
from upcasters.document import (
    NULLS,
    Object,
    Unread,
    compared,
    decode_object,
    decode_object_unchecked,
    encode,
    open_container,
    open_object,
)
from upcasters.duplicates import may_lack_keys
from upcasters.operations.base import Operation
from upcasters.paths import Path, overlap, show
from upcasters.traversal import MISSING


@dataclass
class Code:
    """Lines of Python, the constants they name, and which variables hold which opened objects."""

    lines: list[str] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    opened: dict[Path, str] = field(default_factory=lambda: {(): "root"})
    slots: dict[str, str] = field(default_factory=dict)
    depth: int = 1
    variables: int = 0
    functions: list[str] = field(default_factory=list)
    decode: str = "decode_object"
    """What generated code calls to open an object."""
    result: str = "root"
    """What the function gives."""
    counts: bool = False
    """Whether it counts the bytes and quotes by which the document's text gets longer."""
    levels: int = 0
    """How much deeper a document may be for what the code does; more than any limit where nobody knows."""

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def variable(self) -> str:
        self.variables += 1
        return f"v{self.variables}"

    def constant(self, value: Any, hint: str) -> str:
        name = f"{hint}_{len(self.constants)}"
        self.constants[name] = value
        return name

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """An indented block; objects opened inside are not known to be open behind it."""
        self.line(head)
        outside = dict(self.opened)
        self.depth += 1
        start = len(self.lines)
        yield
        if len(self.lines) == start:
            self.line("pass")
        self.depth -= 1
        self.opened = {path: name for path, name in outside.items() if self.opened.get(path) == name}

    def object(self, path: Path) -> str:
        """The variable of the object at a path that must be there."""
        if path not in self.opened:
            parent, key = self.object(path[:-1]), path[-1]
            name = self.variable()
            self.slots[name] = f"{parent}[{key!r}]"
            self.line(f"{name} = {self.slots[name]}  # {comment(path)}")
            self.open(name)
            self.opened[path] = name
        return self.opened[path]

    def open(self, name: str) -> None:
        """Code that makes sure that a variable holds an opened object, in its place as well."""
        slot = f"{name} = {self.slots[name]}"
        self.line(f"if type({name}) is Raw: {slot} = {self.decode}({name})")
        self.line(f"elif type({name}) is not dict: {slot} = open_object({name})")

    def open_item(self, name: str) -> None:
        """The same for an item of a container, which most likely is open already."""
        self.line(f"if type({name}) is not dict: {name} = {self.slots[name]} = open_object({name})")

    def looked_at(self, path: Path) -> str:
        """The variable of the object at a path that may be missing or something else: then it is empty."""
        if path not in self.opened:
            parent, key = self.looked_at(path[:-1]), path[-1]
            name = self.variable()
            self.line(f"{name} = {parent}.get({key!r})  # {comment(path)}")
            with self.block(f"if type({name}) is Raw:"):
                self.line(f"try: {name} = {parent}[{key!r}] = decode_object({name})")
                self.line(f"except ValidationError: {name} = EMPTY")
            self.line(f"elif type({name}) is not dict: {name} = look_at({parent}, {key!r})")
            self.opened[path] = name
        return self.opened[path]

    def forget(self, path: Path) -> None:
        """What lies at or below ``path`` is another object now."""
        self.opened = {
            known: name
            for known, name in self.opened.items()
            if len(known) < len(path) or not overlap(known[: len(path)], path) or not known
        }

    def forget_all(self) -> None:
        self.opened = {(): "root"}

    def call(self, operation: Operation, levels: int = ANY_LEVELS) -> None:
        """The operation's own code, for what is not worth generating."""
        self.levels += levels
        name = self.constant(operation.apply, "apply")
        self.line(f"{name}(root, context)  # {comment_text(str(operation))}")
        self.forget_all()

    def inner(self) -> Code:
        """Code for another function in the same text, about an object of its own."""
        return Code(constants=self.constants, functions=self.functions)

    def define(self, name: str, inner: Code, remark: str) -> str:
        """Put the inner function into the text; its name."""
        name = f"{name}_{len(self.functions)}"
        self.levels += inner.levels
        self.functions.append(inner.function(f"def {name}(root, context):  # {remark}"))
        return name

    def function(self, head: str, result: str = "") -> str:
        return "\n".join([head, *self.lines, f"    return {result or self.result}", ""])

    def text(self, head: str) -> str:
        """The function, behind those that it calls."""
        return "\n".join([*self.functions, self.function(head)])

    def build(self, source: str, name: str, scope: Mapping[str, Any] = MappingProxyType({})) -> Any:
        """The function; ``scope`` goes before what generated code may call anyway."""
        scope = {**SCOPE, **scope, **self.constants}
        exec(compile(source, f"<upcasters: {name}>", "exec"), scope)  # noqa: S102  # our own generated text
        return scope[name]


def comment(path: Path) -> str:
    """A path as a comment that cannot end early."""
    return comment_text(show(path))


def comment_text(text: str) -> str:
    """A text as a comment that cannot end early."""
    return text.encode("unicode_escape").decode()[:160]


_EMPTY: Object = {}


def _looking(decode: Callable[[Any], Object]) -> Mapping[str, Any]:
    def look_at(parent: Object, key: str) -> Object:
        """An object where there is one, opened in its place; else an empty one that nobody writes to."""
        node = parent.get(key)
        if type(node) is Raw:
            try:
                node = parent[key] = decode(node)
            except msgspec.ValidationError:
                return _EMPTY
        elif isinstance(node, Unread) and node.value_type == "object":
            node = parent[key] = open_object(node)
        return node if type(node) is dict else _EMPTY

    return {"decode_object": decode, "look_at": look_at}


_decode_objects = msgspec.json.Decoder(dict[str, dict[str, Raw]] | list[dict[str, Raw]]).decode


def _open_items(node: Any) -> Any:
    """A container whose items are most likely all objects, opened two levels deep in one go where they are."""
    try:
        made = _decode_objects(node)
    except msgspec.ValidationError:
        return open_container(node)
    # What is not as long as it was may have lost a key on either level: then each is opened by itself.
    return made if len(encode(made)) == len(node) else open_container(node)


def _open_items_unchecked(node: Any) -> Any:
    try:
        return _decode_objects(node)
    except msgspec.ValidationError:
        return node


def _same_text(node: Any, text: str) -> bool:
    return bool((compared(node) if type(node) is Raw or isinstance(node, Unread) else node) == text)


def _pairs(container: Any) -> Any:
    """The indexes and items of an array; generated code asks only where there is no object."""
    if type(container) is list:
        return enumerate(container)
    raise Unexpected


# For code whose caller checks afterwards that no key was lost, in all that was opened at once.
UNCHECKED: Mapping[str, Any] = {
    **_looking(decode_object_unchecked),
    "open_items": _open_items_unchecked,
}

# What generated code may call.
SCOPE: dict[str, Any] = {
    "EMPTY": _EMPTY,
    "MISSING": MISSING,
    "NULLS": NULLS,
    "Raw": Raw,
    "SHALLOW": SHALLOW,
    "Unexpected": Unexpected,
    "ValidationError": msgspec.ValidationError,
    **_looking(decode_object),
    "decode_unchecked": decode_object_unchecked,
    "encode": encode,
    "is_too_deep": is_too_deep,
    "may_lack_keys": may_lack_keys,
    "open_items": _open_items,
    "open_items_unchecked": _open_items_unchecked,
    "open_object": open_object,
    "pairs": _pairs,
    "same_text": _same_text,
}
