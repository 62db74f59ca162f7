"""An operation as it stands in a step: the call, and whether the events leave any doubt about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import upcasters
from upcasters import EACH, Operation

Path = tuple[Any, ...]
"""Keys from the top of a document, or of the object that an `at` is about; ``EACH`` for every item."""


@dataclass(frozen=True)
class Code:
    """A Python expression and its value."""

    text: str
    value: Any


@dataclass(frozen=True)
class Call:
    """``name`` is a function of ``upcasters``. ``sure``: no other operation explains the events that were seen."""

    name: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    sure: bool = True
    why: str = ""

    @property
    def code(self) -> str:
        parts = [code_of(each) for each in self.arguments]
        parts += [f"{name}={code_of(value)}" for name, value in self.options.items()]
        return f"{self.name}({', '.join(parts)})"

    def operation(self) -> Operation:
        """Raises ChainError and ValueError where the operation does not take such arguments."""
        arguments = [value_of(each) for each in self.arguments]
        options = {name: value_of(value) for name, value in self.options.items()}
        made: Operation = getattr(upcasters, self.name)(*arguments, **options)
        return made

    @property
    def is_sure(self) -> bool:
        """Of what it holds, too."""
        return self.sure and all(each.is_sure for each in self.arguments if isinstance(each, Call))

    def names(self) -> set[str]:
        """What a module that has this call imports from ``upcasters``."""
        inner = (each for each in self.arguments if isinstance(each, Call))
        used = {self.name} | {name for each in inner for name in each.names()}
        return used | ({"EACH"} if "EACH" in self.code else set())


def code_of(value: Any) -> str:
    if isinstance(value, Code):
        return value.text
    if isinstance(value, Call):
        return value.code
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{code_of(key)}: {code_of(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(code_of, value))}]"
    if isinstance(value, str):
        return _quoted(value)
    return repr(float(value)) if isinstance(value, Decimal) else repr(value)


def value_of(value: Any) -> Any:
    if isinstance(value, Code):
        return value.value
    if isinstance(value, Call):
        return value.operation()
    if isinstance(value, Mapping):
        return {key: value_of(each) for key, each in value.items()}
    if isinstance(value, list):
        return [value_of(each) for each in value]
    return float(value) if isinstance(value, Decimal) else value


def path_code(path: Path) -> Code:
    """Dotted where that says the same."""
    if all(key is EACH or _is_plain(key) for key in path):
        text = ".".join("*" if key is EACH else key for key in path)
        return Code(_quoted(text), text)
    inside = ", ".join("EACH" if key is EACH else _quoted(key) for key in path)
    return Code(f"({inside}{',' if len(path) == 1 else ''})", path)


def shown(path: Path) -> str:
    """A path for people, in one line whatever the keys are, so that it may stand in a comment."""
    code = path_code(path)
    return code.value if isinstance(code.value, str) and code.value.isprintable() else code.text


def path_codes(paths: Sequence[Path]) -> list[Code]:
    return [path_code(path) for path in paths]


def _is_plain(key: str) -> bool:
    return bool(key) and key != "*" and "." not in key


def _quoted(text: str) -> str:
    """As a formatter would have it: double quotes."""
    found = repr(text)
    return found if '"' in text or not found.startswith("'") else f'"{found[1:-1]}"'.replace("\\'", "'")
