"""How commands talk: JSON for machines, plain lines and tables for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text
from rich.tree import Tree


def print_json(content: Any) -> None:
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None) -> None:
    # Folded, not cut: what stands in a table is there to be read.
    headers = [Column(name, overflow="fold") for name in columns]
    table = Table(*headers, title=title, title_justify="left")
    for row in rows:
        table.add_row(*map(Text, row))  # as it is: brackets are no markup
    Console().print(table)


def print_markdown(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None) -> None:
    if title:
        typer.echo(f"### {title}\n")
    for cells in (columns, ("---",) * len(columns), *rows):
        typer.echo("| " + " | ".join(_markdown_cell(cell) for cell in cells) + " |")
    typer.echo("")


def _markdown_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("\n", "<br>")


def print_tree(top: str, branches: list[str]) -> None:
    tree = Tree(Text(top, "bold"))
    for branch in branches:
        tree.add(Text(branch))
    Console().print(tree)
