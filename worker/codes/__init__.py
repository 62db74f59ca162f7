"""What each code `UPC…` means: beside those of the author's commands (`upcast_authoring.codes`) the worker's own, of
refusals, log lines, metrics and problems of the HTTP interface, in the .toml files beside this one."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

import upcast_authoring.codes as of_authors
from upcast_authoring.codes import FORM, Code, by_number, chain_lines, read_codes
from worker.errors import WorkerError

if TYPE_CHECKING:
    from upcasters import ChainError

__all__ = ["FORM", "KINDS", "OF_OTHERS", "Code", "add_code", "chain_error", "chain_lines", "codes", "find"]

OWN = {"refusals": "Refusals", "log": "Lines of the log", "metrics": "Metrics", "http": "HTTP"}
KINDS = of_authors.KINDS | OWN
"""The files, with a heading for each."""
OURS = ("worker", "upcasters", "upcast_authoring", "upcast_demo", "alembic")
OF_OTHERS = "a line of a library"


@cache
def codes() -> Mapping[str, Code]:
    """All codes by number."""
    return by_number(chain(of_authors.codes().values(), read_codes(__name__, OWN)))


def find(asked: str) -> Code | None:
    """The code with this number or name, in any case, with or without its brackets."""
    return of_authors.find(asked, codes())


@cache
def _numbers_of_log() -> Mapping[str, str]:
    return {code.name: code.number for code in read_codes(__name__, ["log"])}


def add_code(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog: puts the code of a log line beside it."""
    numbers = _numbers_of_log()
    number = numbers.get(str(line.get("event")))
    if number is None and not str(line.get("logger", "worker")).startswith(OURS):
        number = numbers[OF_OTHERS]
    if number:
        line.setdefault("code", number)
    return line


def chain_error(error: ChainError) -> WorkerError:
    """The refusal of what needs the chain."""
    return WorkerError.of_lines(chain_lines(error))
