"""What each code `UPC…` means, why it comes, and what to do: of refusals, mistakes of a chain, and dead letters.

The texts stand in the .toml files beside this one. A code never gets another meaning.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from upcast_authoring.errors import CommandError

if TYPE_CHECKING:
    from upcasters import ChainError

KINDS = {"refusals": "Refusals", "chains": "Chains and steps", "events": "Dead letters"}
"""The files, with a heading for each."""
FORM = re.compile(r"UPC[1-6]\d{3}")


@dataclass(frozen=True)
class Code:
    """``name`` is what else it is asked for by: a log line, a metric, a class of fault; empty for refusals."""

    number: str
    kind: str
    name: str
    meaning: str
    cause: str
    remedy: str


def read_codes(package: str, kinds: Iterable[str]) -> Iterator[Code]:
    """The codes of the .toml files of a package."""
    for kind in kinds:
        content = tomllib.loads((files(package) / f"{kind}.toml").read_text(encoding="utf-8"))
        for number, text in content.items():
            yield Code(number, kind, text.get("name", ""), text["meaning"], text["cause"], text["remedy"])


def by_number(codes: Iterable[Code]) -> Mapping[str, Code]:
    return {code.number: code for code in sorted(codes, key=lambda code: code.number)}


@cache
def codes() -> Mapping[str, Code]:
    """The codes of the author's commands by number."""
    return by_number(read_codes(__name__, KINDS))


def find(asked: str, among: Mapping[str, Code]) -> Code | None:
    """The code with this number or name, in any case, with or without its brackets."""
    wanted = asked.strip(" ()[].").casefold()
    return next((code for code in among.values() if wanted in (code.number.casefold(), code.name.casefold())), None)


@cache
def _numbers_of_chains() -> Mapping[str, str]:
    return {code.name: code.number for code in codes().values() if code.kind == "chains"}


def chain_lines(error: ChainError) -> list[tuple[str, str]]:
    """A line for each problem of a chain, with its code."""
    return [(str(problem), _numbers_of_chains().get(problem.code, "")) for problem in error.problems]


def chain_error(error: ChainError) -> CommandError:
    """The refusal of a command that needs the chain."""
    return CommandError.of_lines(chain_lines(error))
