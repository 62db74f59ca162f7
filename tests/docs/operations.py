"""The table of operations in docs/upcasters.md, made from the code. ``python -m tests.docs.operations`` writes it."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

from upcasters.describe import OperationLine, operations

PAGE = Path(__file__).parents[2] / "docs" / "upcasters.md"
BETWEEN = re.compile(r"(<!-- operations: [^\n]*-->\n).*?(<!-- end of operations -->)", re.DOTALL)


def table() -> str:
    """The tables, one for each group."""
    return "\n".join(_group(name, list(lines)) for name, lines in groupby(operations(), lambda line: line.group))


def _group(name: str, lines: list[OperationLine]) -> str:
    rows = [f"| `{line.signature}` | {_cell(line.summary)} | {_choices(line)} |" for line in lines]
    return "\n".join([f"**{name}**", "", "| operation | what it does | choices |", "|---|---|---|", *rows, ""])


def _choices(line: OperationLine) -> str:
    return "<br>".join(f"`{option}`: {', '.join(words)}" for option, words in line.choices.items())


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def written(page: str) -> str:
    """The page with the table of today."""
    return BETWEEN.sub(lambda found: f"{found[1]}{table()}\n{found[2]}", page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
