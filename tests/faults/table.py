"""Plain tables, which are Markdown too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def row(name: str, value: object) -> str:
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return f"{name:<24} {text:>14}"


def show(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The first column to the left, numbers to the right."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return [_aligned(line, widths) for line in lines]


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    cells = [f"{line[0]:<{widths[0]}}", *(f"{text:>{width}}" for text, width in zip(line[1:], widths[1:], strict=True))]
    return "  ".join(cells)
