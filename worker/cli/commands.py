"""Puts the commands together. A module of a command imports little, so that `--help` answers at once."""

from __future__ import annotations

from importlib import metadata
from typing import Annotated

import typer

from worker.cli import (
    broker,
    census,
    check,
    checklist,
    config,
    db,
    demo,
    dlq,
    history,
    infer,
    lanes,
    matrix,
    new,
    options,
    plan,
    replay,
    run,
    show,
    topics,
    trying,
    verify,
)

app = typer.Typer(
    name="upcast",
    help="Brings old events of Kafka topics to their current schema version, through one chain of upcasters.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("run")(run.run)
app.command("check")(check.check)
app.command("demo")(demo.demo)
app.command("new")(new.new)
app.command("infer")(infer.infer)
app.command("show")(show.show)
app.command("history")(history.history)
app.command("heads")(history.heads)
app.command("lock")(history.lock)
app.command("broker")(broker.broker)
app.command(
    "kafka", context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)(broker.kafka)
app.command("try")(trying.try_events)
app.command("matrix")(matrix.matrix)
app.command("census")(census.census)
app.command("plan")(plan.plan)
app.command("replay")(replay.replay)
app.command("verify")(verify.verify)
app.command("checklist")(checklist.checklist)
app.add_typer(dlq.dlq, name="dlq")
app.add_typer(lanes.lanes, name="lanes")
app.add_typer(topics.topics, name="topics")
app.add_typer(db.db, name="db")
app.add_typer(config.app)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"upcast {metadata.version('upcast-worker')}")
        raise typer.Exit


@app.callback()
def _globals(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and verbose logs.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    del version
    options.set_debugging(debug)
