"""`upcast config`: shows where each setting comes from, and migrates older files to the current format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import DEFAULT_CONFIG, Config, Json

if TYPE_CHECKING:
    from worker.settings.load import Loaded
    from worker.settings.sources import Setting

app = typer.Typer(name="config", no_args_is_help=True, help="Show the configuration, and migrate older files.")

COLUMNS = ("setting", "value", "source")


@app.command("check")
def check(
    config: Config = DEFAULT_CONFIG,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where something is deprecated.")] = False,
    as_json: Json = False,
) -> None:
    """Print every setting with its value, where that comes from, and what is deprecated about it.

    Secrets are hidden. Exit codes: 0 all is right, 1 something is deprecated (with --strict), 2 something is wrong.

    **Example:** `upcast config check --config upcast.yaml`
    """
    from worker.settings.load import load
    from worker.settings.sources import settings_with_sources

    loaded = load(config)
    settings = settings_with_sources(loaded)
    _show(settings, loaded, as_json=as_json)
    if strict and loaded.warnings:
        raise typer.Exit(1)


def _show(settings: list[Setting], loaded: Loaded, *, as_json: bool) -> None:
    from dataclasses import asdict

    from upcast_authoring.cli.output import print_json, print_table
    from worker.settings.load import to_stderr
    from worker.settings.sources import value_text

    if as_json:
        told_apart = {"deprecations": list(loaded.warnings), "ignored": list(loaded.ignored)}
        print_json({"settings": [asdict(each) for each in settings], **told_apart})
        return
    print_table(COLUMNS, [(each.name, value_text(each), each.source) for each in settings])
    for line in (*loaded.warnings, *loaded.ignored):
        to_stderr(line)


@app.command("schema")
def schema(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it into this file.")
    ] = None,
) -> None:
    """Print the JSON Schema of upcast.yaml, by which an editor completes and checks it.

    Exit codes: 0 done, 2 the file cannot be written.

    **Example:** `upcast config schema --output upcast.schema.json`
    """
    import json

    from worker.errors import WorkerError
    from worker.settings.editor_schema import editor_schema

    text = json.dumps(editor_schema(), indent=2, ensure_ascii=False)
    if output is None:
        typer.echo(text)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise WorkerError(
            f"{output}: cannot be written ({error.strerror}): name another file", code="UPC1004"
        ) from error
    typer.echo(f"wrote {output}; `# yaml-language-server: $schema={output}` on top of upcast.yaml names it")


@app.command("migrate")
def migrate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A YAML file, or a `.env` file.")],
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Write the file; a copy of the old one is kept beside it.")
    ] = False,
) -> None:
    """Show an older configuration file in the current format, as a diff; with --in-place, write it.

    Comments, order and spacing stay. Exit codes: 0 done, or nothing to do, 2 a person has to edit the file.

    **Example:** `upcast config migrate upcast.yaml --in-place`
    """
    from upcast_authoring.cli.output import print_diff
    from worker.settings.migration import apply
    from worker.settings.migration import migrate as migration_of

    migration = migration_of(file)
    if not migration.changes:
        typer.echo(f"{file}: it has the current format already")
        return
    print_diff(migration.diff())
    if in_place:
        typer.echo(f"wrote {file}; the old one is {apply(migration).name}")
    else:
        typer.echo("nothing was written: use --in-place to write it")
