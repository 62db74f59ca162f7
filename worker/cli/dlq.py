"""`upcast dlq`: lists, shows and redrives dead letters."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upcast_authoring.counted import counted
from worker.cli.next_step import after_letter, after_listing, after_redrive_plan
from worker.cli.options import DEFAULT_CONFIG, Allow, Config, Json, Plain, Reason
from worker.cli.progress import ASKING, Look, ProgressOption, progress, waiting
from worker.cli.routes import RouteOption
from worker.errors import MAY_PASS, WorkerError

if TYPE_CHECKING:
    from worker.dlq.listing import FoundLetter
    from worker.replay.apply.receipt import Receipt
    from worker.replay.apply.running import ReplayOptions
    from worker.replay.plan.file import Plan
    from worker.routes.chains import RouteChain
    from worker.settings import Settings

dlq = typer.Typer(
    name="dlq",
    help="List dead letters, show one, and redrive them: upcast their records with the current chain.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@dlq.command("list")
def list_letters(
    route: RouteOption = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
    plain: Plain = False,
    shown: ProgressOption = Look.AUTO,
) -> None:
    """Group the dead letters of a route by fault. Reads only; joins no group.

    `left` counts those that no redrive has taken yet. Records that this worker did not write are listed, too. Exit
    codes: 0 done, 1 may pass when tried again, 2 wrong use.

    **Example:** `upcast dlq list --route devteam.task-context.legacy`
    """
    import asyncio

    from upcast_authoring.cli.output import print_json, print_table
    from worker.cli.routes import load_route
    from worker.dlq import report
    from worker.dlq.listing import list_letters as read_all

    settings, given = load_route(config, route)
    with progress("dlq list", asked=shown) as show_progress:
        found = asyncio.run(read_all(settings, given, show_progress))
    if as_json:
        print_json(report.listing_content(found, given))
        return
    for line in report.summary(found, given.route.dead_letter):
        typer.echo(line)
    if found.groups:
        print_table(report.COLUMNS, report.as_cells(found), spare=report.SPARE, plain=plain)
    waiting = {fault.fingerprint: group.left for fault, group in found.ordered() if fault.fingerprint and group.left}
    largest = max(waiting, key=waiting.__getitem__, default="")
    left, hidden = sum(waiting.values()), bool(found.hidden)
    typer.echo(after_listing(largest, left=left, hidden=hidden, config=config, route=route))


@dlq.command("show")
def show(
    which: Annotated[str, typer.Argument(metavar="PLACE|FINGERPRINT", help="`0:42` (partition:offset), or a fault.")],
    route: RouteOption = None,
    config: Config = DEFAULT_CONFIG,
    most: Annotated[int, typer.Option("--count", min=1, max=100, help="How many letters of a fault to show.")] = 1,
    raw: Annotated[bool, typer.Option("--raw", help="Write nothing but the value, byte for byte.")] = False,
    as_json: Json = False,
    shown: ProgressOption = Look.AUTO,
) -> None:
    """Show a dead letter: the record as it came, the reason, and each hop through the current chain.

    Exit codes: 0 shown, 1 may pass when tried again, 2 there is no such letter.

    **Example:** `upcast dlq show 0:42`
    """
    import asyncio

    from worker.cli.routes import load_route
    from worker.dlq import report
    from worker.dlq.listing import fault_of, find_letter, find_letters
    from worker.replay.plan.file import Coordinates

    place = re.fullmatch(r"(\d{1,9}):(\d{1,18})", which)
    if place is None and not re.fullmatch(r"[0-9a-f]{16}", which):
        raise WorkerError(
            f"{which}: is neither partition:offset, such as 0:42, nor a fingerprint of 16 hex digits", code="UPC1001"
        )
    settings, given = load_route(config, route)
    if place is not None:
        coordinates = Coordinates(partition=int(place[1]), offset=int(place[2]))
        with waiting(f"dlq show: {ASKING}"):
            found = [asyncio.run(find_letter(settings, given, coordinates))]
    else:
        with progress("dlq show", asked=shown) as show_progress:
            found = asyncio.run(find_letters(settings, given, which, most, show_progress))
    _print(found, given, raw=raw, as_json=as_json)
    if found and found[-1].letter and not raw and not as_json:
        fault, tried = fault_of(found[-1].letter), report.tried(found[-1], given)
        error = fault.error_type if tried is None or tried.dead else ""
        typer.echo(after_letter(fault.fingerprint, error, config=config, route=route))


def _print(found: list[FoundLetter], given: RouteChain, *, raw: bool, as_json: bool) -> None:
    from worker.dlq import report

    for each in found:
        if raw:
            sys.stdout.buffer.write(each.record.value or b"")
            sys.stdout.buffer.flush()
        elif as_json:
            typer.echo(report.letter_content(each, given))
        else:
            _show(each, given)


def _show(found: FoundLetter, given: RouteChain) -> None:
    from upcast_authoring.cli.output import print_hops
    from worker.dlq import report

    for name, text in report.facts(found, given):
        typer.echo(f"{name + ':' if name else '':<13}{text}")
    typer.echo(f"{'value:':<13}{report.value_text(found, given)}")
    tried = report.tried(found, given)
    if tried is None:
        return
    if tried.read:
        typer.echo(tried.read)
    print_hops(tried.hops)
    typer.secho(f"{'now:':<13}{tried.summary}", fg="red" if tried.dead else None)


@dlq.command("redrive")
def redrive(
    fingerprints: Annotated[
        list[str] | None,
        typer.Option("--fingerprint", "-f", metavar="FINGERPRINT", help="Letters of this fault; may be repeated."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Letters of every fault.")] = False,
    only_plan: Annotated[bool, typer.Option("--plan", help="Write only the plan.")] = False,
    route: RouteOption = None,
    config: Config = DEFAULT_CONFIG,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="The plan; by default `redrive-FINGERPRINT.json`."),
    ] = None,
    rounds: Annotated[
        int, typer.Option("--max-rounds", min=1, max=1000, help="Leave letters that were already redriven this often.")
    ] = 5,
    allow: Allow = None,
    rate: Annotated[
        str | None,
        typer.Option("--rate", metavar="RATE", help="Limit in letters a second, or in bytes: 500, 800kB/s, 5MB/s."),
    ] = None,
    reason: Reason = "",
    as_json: Json = False,
    plain: Plain = False,
    shown: ProgressOption = Look.AUTO,
) -> None:
    """Redrive dead letters: upcast their records with the current chain and write them to the destination, exactly
    once.

    It plans first, as `upcast plan` does, and writes nothing where something would be lost or become a dead letter
    again and was not allowed by name. An unfinished plan in the file is applied as it is; run again after an
    interruption, the command continues. No letter is ever redriven twice by one plan. A record that fails again becomes
    a new letter with a higher redrive count. Exit codes: 0 done, or planned and fit to be done, 1 something was not
    allowed, or may pass when tried again, 2 wrong use.

    **Example:** `upcast dlq redrive --fingerprint 0123456789abcdef --plan`
    """
    from worker.cli.plan import print_plan
    from worker.cli.replay import parse_rate
    from worker.cli.routes import load_route
    from worker.dlq.selection import takes
    from worker.replay.apply.running import ReplayOptions

    chosen = _chosen(fingerprints, every)
    records, size = parse_rate(rate)
    settings, given = load_route(config, route)
    path = file or Path(f"redrive-{'all' if every else chosen[0]}.json")
    plan = _plan(settings, given, path, chosen, rounds, tuple(dict.fromkeys(allow or ())), shown, anew=only_plan)
    if plan.objections() or only_plan or not takes(plan):
        print_plan(plan, path, as_json, plain=plain)
        if not as_json:
            wrong, empty = bool(plan.objections()), not takes(plan)
            told = after_redrive_plan(str(path), chosen, objections=wrong, empty=empty, config=config, route=route)
            typer.echo(told)
        if plan.objections():
            raise typer.Exit(1)
        return
    for warning in plan.warnings:
        typer.echo(f"warning: {warning}", err=True)
    receipt = path.with_name(f"redrive-{plan.replay_id}.receipt.json")
    done = _apply(settings, given, plan, ReplayOptions(receipt, reason, records, size), shown)
    _print_receipt(done, receipt, as_json)
    if surprise := done.not_allowed(plan.dead_letters_allowed):
        raise WorkerError(surprise, MAY_PASS, code="UPC1621")


def _chosen(fingerprints: list[str] | None, every: bool) -> tuple[str, ...]:
    if bool(fingerprints) == every:
        raise WorkerError(
            "dlq redrive: name faults with --fingerprint (`upcast dlq list` has them), or --all", code="UPC1002"
        )
    for each in fingerprints or ():
        if not re.fullmatch(r"[0-9a-f]{16}", each):
            raise WorkerError(
                f"--fingerprint {each}: not a fingerprint: give 16 hex digits, as `upcast dlq list` prints them",
                code="UPC1001",
            )
    return tuple(dict.fromkeys(fingerprints or ("*",)))


def _plan(
    settings: Settings,
    given: RouteChain,
    path: Path,
    chosen: tuple[str, ...],
    rounds: int,
    allow: tuple[str, ...],
    shown: Look,
    *,
    anew: bool,
) -> Plan:
    """The unfinished plan in the file, or a new one."""
    import asyncio

    from worker.dlq.redrive_plan import RedriveOptions, plan_redrive, unfinished
    from worker.ledger import open_ledger
    from worker.replay.plan.dry_run import PlanOptions as PlanWishes
    from worker.replay.plan.file import write_plan

    ledger = open_ledger(settings.ledger.url.get_secret_value())
    try:
        there = unfinished(path, chosen, given.route.source, ledger, anew=anew)
        if there is not None:
            typer.echo(
                f"{path}: holds the unfinished plan of redrive {there.replay_id}, which is applied as it is", err=True
            )
            return there
        with progress("dlq redrive: plan", asked=shown) as show_progress:
            wishes = PlanWishes(allow=allow)
            made = asyncio.run(
                plan_redrive(settings, given, RedriveOptions(chosen, rounds), wishes, ledger, show_progress)
            )
    finally:
        ledger.close()
    write_plan(made, path)
    return made


def _apply(settings: Settings, given: RouteChain, plan: Plan, wishes: ReplayOptions, shown: Look) -> Receipt:
    from worker.cli.replay_progress import replay_progress
    from worker.dlq.redrive import Redriving
    from worker.loop import run_in_loop
    from worker.replay.apply.running import apply

    with replay_progress(shown) as show_progress:
        return run_in_loop(apply(settings, given, plan, wishes, show_progress, kind=Redriving))


def _print_receipt(done: Receipt, file: Path, as_json: bool) -> None:
    from upcast_authoring.cli.output import print_json

    if as_json:
        print_json({**done.sealed(), "file": str(file)})
        return
    counts = [each.counts for each in done.partitions]
    left = sum(sum(each.skipped.values()) for each in counts)
    taken = sum(each.read for each in counts) - left
    again = sum(each.dead_lettered for each in counts)
    written = sum(each.produced for each in counts)
    typer.echo(
        f"redrive {done.replay_id} finished: {counted(taken, 'letter')} taken, {left:,} left where they are, "
        f"{counted(again, 'dead letter')} again; {written:,} written to {done.route.destination}"
    )
    typer.echo(f"receipt: {file}; next: `upcast verify {file}`")
