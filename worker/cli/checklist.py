"""`upcast checklist`: the migration guide's checklists, with evidence."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import DEFAULT_CONFIG, Config, Json, Markdown, debugging
from worker.cli.progress import waiting
from worker.errors import WorkerError

if TYPE_CHECKING:
    from worker.checklist.evidence import ChecklistLine


class ChecklistPart(StrEnum):
    """The guide's two lists."""

    BEFORE = "before"
    AFTER = "after"


def checklist(
    config: Config = DEFAULT_CONFIG,
    worker: Annotated[
        str | None,
        typer.Option(
            "--worker", metavar="HOST:PORT", help="Address of the running worker; by default the configuration's port."
        ),
    ] = None,
    staging: Annotated[
        str | None, typer.Option("--staging", metavar="RECEIPT", help="The receipt of a replay in staging.")
    ] = None,
    alembic: Annotated[
        str | None,
        typer.Option("--alembic", metavar="FILE", help="Alembic's configuration of the database that was migrated."),
    ] = None,
    backup: Annotated[
        str | None,
        typer.Option("--backup", metavar="FILE", help="The file that `upcast db backup` wrote before the migration."),
    ] = None,
    attest: Annotated[
        list[str] | None,
        typer.Option(
            "--attest",
            metavar="NAME=TEXT",
            help="Your statement about a line that cannot be checked, such as backup='CHG-17'.",
        ),
    ] = None,
    only: Annotated[
        ChecklistPart | None, typer.Option("--only", help="One of the two lists: before a migration, or after it.")
    ] = None,
    markdown: Markdown = False,
    as_json: Json = False,
) -> None:
    """Go through the migration guide's two checklists: before a migration (10.1) and after it (7.2).

    Each line is pass, fail, attested (somebody's word, by --attest) or not checked, with what says so. Reads only.
    Acceptable performance is set in the section `checklist` of the configuration. Exit codes: 0 nothing failed,
    1 a line failed, 2 wrong use.

    **Example:** `upcast checklist --markdown --attest backup="CHG-17, snapshot 42"`
    """
    from upcast_authoring.cli.output import print_json
    from worker.checklist.asking import ask
    from worker.checklist.report import content
    from worker.log import set_up_logging
    from worker.loop import run_in_loop
    from worker.settings import load_settings

    attested = parse_attested(attest or [])
    settings = load_settings(config)
    set_up_logging(sys.stderr, debug=debugging())
    address = parse_address(worker)
    with waiting("checklist: waiting for the worker, the brokers and the database to answer"):
        lines = run_in_loop(ask(settings, address, staging, attested, _group(only), alembic=alembic, backup=backup))
    if as_json:
        print_json(content(lines))
    else:
        _show(lines, markdown=markdown)
    if any(line.status == "fail" for line in lines):
        raise typer.Exit(1)


def _group(only: ChecklistPart | None) -> str | None:
    from worker.checklist.evidence import AFTER, BEFORE

    return {ChecklistPart.BEFORE: BEFORE, ChecklistPart.AFTER: AFTER}[only] if only else None


def parse_address(text: str | None) -> str | None:
    """Raises WorkerError."""
    if text is not None and not text.rpartition(":")[2].isdecimal():
        raise WorkerError(f"--worker {text}: write HOST:PORT", code="UPC1001")
    return text


def parse_attested(given: list[str]) -> dict[str, str]:
    """Raises WorkerError."""
    from worker.checklist.evidence import NAMES

    found = {}
    for text in given:
        name, _, word = text.partition("=")
        if name not in NAMES or not word.strip():
            raise WorkerError(
                f"--attest {text}: write NAME=TEXT, with one of these names: {', '.join(NAMES)}", code="UPC1001"
            )
        found[name] = word.strip()
    return found


def _show(lines: list[ChecklistLine], *, markdown: bool) -> None:
    from upcast_authoring.cli.output import print_table
    from worker.checklist.evidence import AFTER, BEFORE
    from worker.checklist.report import COLUMNS, rows
    from worker.checklist.report import markdown as as_markdown

    for group in (BEFORE, AFTER):
        if all(line.item.group != group for line in lines):
            continue
        if markdown:
            typer.echo(f"### {group}\n")
            for text in as_markdown(lines, group):
                typer.echo(text)
            typer.echo("")
        else:
            print_table(COLUMNS, rows(lines, group), group)
