"""`upcast lanes`: lists the group's partitions, and takes a person's decision where one needs it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from worker.cli.options import DEFAULT_CONFIG, Config, Json, Plain, debugging
from worker.cli.progress import ASKING, waiting
from worker.errors import WorkerError

if TYPE_CHECKING:
    from worker.lanes.committed_offset import Decision
    from worker.lanes.decisions import LaneLine, Target
    from worker.settings import Settings

lanes = typer.Typer(
    name="lanes",
    help="List the group's partitions, and decide where a blocked one goes on.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

COLUMNS = ("lane", "state", "since", "committed", "end", "reason")
SPARE = ("since", "end")
"""What a narrow screen leaves out, in this order."""
FINE = ("-", "running", "starting", "paused", "draining", "stopped")
FOUND: Final = "found"
PATIENCE = 5.0
"""Seconds to wait for the local worker, which only adds the states of its lanes."""


@lanes.command("list")
def list_lanes(config: Config = DEFAULT_CONFIG, as_json: Json = False, plain: Plain = False) -> None:
    """List all partitions of the routes: how far they are, and which of them need a person, since when and why.

    It asks the brokers, so no worker has to run; where one answers at `http.port`, it adds the states of its lanes.
    Exit codes: 0 all go on, 1 some do not, or it may pass when tried again, 2 wrong use.

    **Example:** `upcast lanes list`
    """
    import asyncio

    from upcast_authoring.cli.output import print_json, print_table

    settings = _settings(config)
    sources = [route.source for route in settings.routes]
    with waiting(f"lanes list: {ASKING}"):
        found = asyncio.run(_asked(settings, sources))
    found = _with_states(found, _states(settings))
    if as_json:
        print_json([_content(each) for each in found])
    else:
        print_table(COLUMNS, [_cells(each) for each in found], spare=SPARE, plain=plain)
        for line in filter(None, map(_decided, found)):
            typer.echo(line)
    if any(each.state not in FINE for each in found):
        raise typer.Exit(1)


@lanes.command("decide")
def decide(
    where: Annotated[
        list[str],
        typer.Argument(metavar="LANE…", help="`legacy:0` (source:partition), or `legacy`: all its blocked partitions."),
    ],
    go_on_at: Annotated[
        str | None,
        typer.Option(
            "--go-on-at",
            metavar="OFFSET",
            help="An offset, or `found`: where the partition ended when that was checked.",
        ),
    ] = None,
    at_end: Annotated[
        bool, typer.Option("--begin-at-end", help="Skip everything that is there now, and count it.")
    ] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Decide where a lane goes on after brokers have lost acknowledged records.

    The decision is committed beside the group's offset, whether a worker runs or not; a blocked lane goes on within
    seconds, and counts what is skipped (`upcaster_left_out_records_total`). Below the offset that was read records are
    read again, and written twice. Exit codes: 0 decided, 1 may pass when tried again, 2 nothing to decide, or wrong
    use.

    **Example:** `upcast lanes decide devteam.task-context.legacy:0 --go-on-at 300`
    """
    import asyncio

    from upcast_authoring.cli.output import print_json

    place = _place(go_on_at, at_end=at_end)
    settings = _settings(config)
    with waiting(f"lanes decide: {ASKING}"):
        made = asyncio.run(_decide(settings, where, place))
    if as_json:
        print_json([{"lane": lane, **_decision_content(each)} for lane, each in made.items()])
        return
    for lane, each in made.items():
        typer.echo(f"{lane}: goes on at offset {each.to}; {_left_out(each)}")


def _settings(config: Path) -> Settings:
    import sys

    from worker.log import set_up_logging
    from worker.settings import load_settings

    settings = load_settings(config)
    set_up_logging(sys.stderr, debug=debugging())
    return settings


def _place(go_on_at: str | None, *, at_end: bool) -> Target:
    if (go_on_at is None) != at_end:
        raise WorkerError("lanes decide: give --go-on-at OFFSET or --begin-at-end, one of them", code="UPC1002")
    if go_on_at is None:
        return "end"
    if go_on_at == FOUND:
        return FOUND
    if not re.fullmatch(r"[0-9]{1,18}", go_on_at):
        raise WorkerError(f"--go-on-at {go_on_at}: not an offset: give a number, or `{FOUND}`", code="UPC1001")
    return int(go_on_at)


async def _asked(settings: Settings, sources: Sequence[str]) -> Sequence[LaneLine]:
    """The lanes of these sources, once the brokers answer."""
    from worker.kafka.clients import KafkaClients
    from worker.kafka.waiting import wait_for_broker
    from worker.lanes.decisions import list_lanes as ask

    clients = KafkaClients(settings.kafka)
    await wait_for_broker(clients)
    return await ask(clients, settings.kafka.group_id, sources)


async def _decide(settings: Settings, where: Sequence[str], place: Target) -> dict[str, Decision]:
    import time

    from worker.kafka.clients import KafkaClients
    from worker.lanes.decisions import UNDECIDED
    from worker.lanes.decisions import decide as write

    clients, group = KafkaClients(settings.kafka), settings.kafka.group_id
    known = await _asked(settings, sorted({_source(settings, each) for each in where}))
    chosen = {each.name: each for each in known if each.name in where}
    for source in set(where) - chosen.keys():
        waiting = [each for each in known if each.partition.topic == source and each.state == UNDECIDED]
        if not waiting:
            raise WorkerError(
                f"{source}: needs no decision: `upcast lanes list` shows the partitions that do", code="UPC1406"
            )
        chosen |= {each.name: each for each in waiting}
    made = {}
    for name, each in chosen.items():
        made[name] = await write(clients, group, each.partition, place, time.time())
    return made


def _source(settings: Settings, where: str) -> str:
    sources = [route.source for route in settings.routes]
    source, _, number = where.rpartition(":")
    if where in sources:
        return where
    if source not in sources or not number.isdecimal():
        raise WorkerError(
            f"{where}: not a lane: give a source of the routes ({', '.join(sources)}) and a partition", code="UPC1003"
        )
    return source


def _states(settings: Settings) -> dict[tuple[str, int], dict[str, Any]]:
    """The lanes of the local worker; empty where none answers."""
    from worker.http_request import ask_worker

    host = settings.http.host if settings.http.host not in ("0.0.0.0", "::", "") else "127.0.0.1"  # noqa: S104  # compared, not listened on
    try:
        told = ask_worker(host, settings.http.port, "/v2/status", PATIENCE).json
        if told["consumer_group"] != settings.kafka.group_id:
            return {}
        return {(each["topic"], each["partition"]): each for route in told["routes"] for each in route["lanes"]}
    except (ValueError, KeyError, TypeError):
        return {}


def _with_states(found: Sequence[LaneLine], states: dict[tuple[str, int], dict[str, Any]]) -> list[LaneLine]:
    """Add the lanes' states; a finding beside the committed offset takes precedence."""
    return [_with_state(each, states.get((each.partition.topic, each.partition.partition))) for each in found]


def _with_state(line: LaneLine, told: dict[str, Any] | None) -> LaneLine:
    from datetime import datetime

    if told is None or line.state != "-":
        return line
    since = datetime.fromisoformat(told["since"]) if told.get("since") else None
    return replace(line, state=told["state"], reason=told["reason"], since=int(since.timestamp()) if since else None)


def _cells(line: LaneLine) -> tuple[str, ...]:
    committed = "-" if line.committed is None else str(line.committed)
    return (line.name, line.state, _time(line.since) or "-", committed, str(line.end), line.reason)


def _decided(line: LaneLine) -> str:
    if line.decision is None:
        return ""
    before, to, when = line.decision.before, line.decision.to, _time(line.decision.at)
    return f"{line.name}: a decision of {when} led from offset {before} to {to}; {_left_out(line.decision)}"


def _left_out(decision: Decision) -> str:
    if not decision.left_out:
        return "nothing is left out"
    last = decision.first + decision.left_out - 1
    return f"{decision.left_out} offsets are left out, {decision.first} to {last}"


def _content(line: LaneLine) -> dict[str, Any]:
    return {
        "topic": line.partition.topic,
        "partition": line.partition.partition,
        "state": line.state,
        "since": _time(line.since),
        "committed": line.committed,
        "end": line.end,
        "reason": line.reason,
        "decision": line.decision and _decision_content(line.decision),
    }


def _decision_content(decision: Decision) -> dict[str, Any]:
    return {
        "before": decision.before,
        "go_on_at": decision.to,
        "at": _time(decision.at),
        "first_left_out": decision.first,
        "left_out": decision.left_out,
    }


def _time(seconds: int | None) -> str | None:
    from worker.times import utc

    return None if seconds is None else utc(seconds)
