"""Prints results of commands: JSON, plain lines and tables."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text
from rich.tree import Tree

if TYPE_CHECKING:
    from upcast_authoring.trying import TriedHop

WIDEST = 10_000
MOST_WORDS = 6
"""Cells with more of them are prose, which may be wrapped."""


def print_json(content: Any) -> None:
    unicode = (sys.stdout.encoding or "").lower() in ("utf-8", "utf8")
    typer.echo(json.dumps(content, indent=2, ensure_ascii=not unicode))


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    title: str | None = None,
    *,
    spare: Sequence[str] = (),
    plain: bool = False,
) -> None:
    """Print a table. On a narrow screen it leaves out ``spare`` columns, in this order, and says so; where that is not
    enough, each row becomes lines with name and value. In a pipe it is whole, a line for each row; ``plain`` puts
    tabs between cells and nothing else."""
    listed = [list(row) for row in rows]
    if plain:
        for cells in (columns, *listed):
            typer.echo("\t".join(re.sub(r"\s+", " ", cell) for cell in cells))
        return
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDEST
    hidden: list[str] = []
    for more in (*spare, None):
        shown = [number for number, name in enumerate(columns) if name not in hidden]
        table = _table(
            [columns[number] for number in shown], [[row[number] for number in shown] for row in listed], title
        )
        if _fits(console, table, listed):
            console.print(table)
            if hidden:
                console.print(Text(f"not shown: {', '.join(hidden)}; --plain and --json have them", "dim"))
            return
        if more is not None:
            hidden.append(more)
    _print_lists(console, columns, [[Text(cell) for cell in row] for row in listed], title)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None) -> Table:
    # Folded, not cut: what stands in a table is there to be read.
    headers = [Column(name, overflow="fold") for name in columns]
    table = Table(*headers, title=Text(title) if title else None, title_justify="left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # as it is: brackets are no markup
    return table


def _fits(console: Console, table: Table, rows: Sequence[Sequence[str]]) -> bool:
    """Whether no word has to be broken. Prose wraps; a table without prose is only read with ease in one line a row."""
    needed = console.measure(table, options=console.options.update(max_width=WIDEST))
    prose = any(len(cell.split()) > MOST_WORDS for row in rows for cell in row)
    return (needed.minimum if prose else needed.maximum) <= console.width


def _print_lists(console: Console, columns: Sequence[str], rows: Iterable[Sequence[Text]], title: str | None) -> None:
    if title:
        console.print(Text(title, "italic"))
    for row in rows:
        lines = Table.grid(Column(style="bold", no_wrap=True), Column(overflow="fold"), padding=(0, 2, 0, 0))
        for name, cell in zip(columns, row, strict=True):
            lines.add_row(name, cell)
        console.print(lines)
        console.print()


def print_markdown(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None) -> None:
    if title:
        typer.echo(f"### {title}\n")
    for cells in (columns, ("---",) * len(columns), *rows):
        typer.echo("| " + " | ".join(_markdown_cell(cell) for cell in cells) + " |")
    typer.echo("")


def _markdown_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("\n", "<br>")


def print_diff(lines: Iterable[str]) -> None:
    for line in lines:
        typer.secho(line, fg={"+": "green", "-": "red"}.get(line[:1]))


def print_hops(hops: Iterable[TriedHop]) -> None:
    """What each hop changes in an event."""
    for hop in hops:
        typer.echo(f"{hop.title}{'' if hop.diff else ': no change'}")
        print_diff(hop.diff)


def print_tree(top: str, branches: list[str]) -> None:
    tree = Tree(Text(top, "bold"))
    for branch in branches:
        tree.add(Text(branch))
    Console().print(tree)
