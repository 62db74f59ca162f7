"""The worker's commands, which it adds to those of a chain's author. A module of a command imports little, so that
`--help` answers at once."""

from __future__ import annotations

import typer

from upcast_authoring.cli.commands import make_app
from worker.cli import (
    archive,
    broker,
    census,
    check,
    checklist,
    config,
    db,
    demo,
    dlq,
    explain,
    infer,
    lanes,
    plan,
    replay,
    run,
    topics,
    trying,
    verify,
)

HELP = "Brings old events of Kafka topics to their current schema version, through one chain of upcasters."


def add_commands(app: typer.Typer) -> None:
    """Add them. `check`, `try`, `infer` and `explain` also know routes and topics, so they replace the author's."""
    app.info.help = HELP
    app.command("run")(run.run)
    app.command("check")(check.check)
    app.command("demo")(demo.demo)
    app.command("broker")(broker.broker)
    app.command(
        "kafka", context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    )(broker.kafka)
    app.command("explain")(explain.explain)
    app.command("infer")(infer.infer)
    app.command("try")(trying.try_events)
    app.command("census")(census.census)
    app.command("plan")(plan.plan)
    app.command("replay")(replay.replay)
    app.command("verify")(verify.verify)
    app.command("checklist")(checklist.checklist)
    app.add_typer(archive.archive, name="archive")
    app.add_typer(dlq.dlq, name="dlq")
    app.add_typer(lanes.lanes, name="lanes")
    app.add_typer(topics.topics, name="topics")
    app.add_typer(db.db, name="db")
    app.add_typer(config.app)


app = make_app()
add_commands(app)
