"""Prints results of commands: JSON, plain lines and tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text
from rich.tree import Tree

if TYPE_CHECKING:
    from worker.authoring.trying import TriedHop

WIDEST = 10_000


def print_json(content: Any) -> None:
    unicode = (sys.stdout.encoding or "").lower() in ("utf-8", "utf8")
    typer.echo(json.dumps(content, indent=2, ensure_ascii=not unicode))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None) -> None:
    """Print a table; where the screen is too narrow, each row as lines with name and value."""
    # Folded, not cut: what stands in a table is there to be read.
    headers = [Column(name, overflow="fold") for name in columns]
    table = Table(*headers, title=Text(title) if title else None, title_justify="left")
    cells = [[Text(cell) for cell in row] for row in rows]  # as it is: brackets are no markup
    for row in cells:
        table.add_row(*row)
    console = Console()
    if console.measure(table, options=console.options.update(max_width=WIDEST)).minimum <= console.width:
        console.print(table)
    else:
        _print_lists(console, columns, cells, title)


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
