"""`upcast replay`: applies a plan."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import DEFAULT_CONFIG, Config, Processes, Reason
from worker.cli.progress import Look, ProgressOption
from worker.errors import MAY_PASS, WorkerError

if TYPE_CHECKING:
    from worker.replay.apply.receipt import Receipt

UNITS = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}


def replay(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="The file that `upcast plan` wrote.")],
    config: Config = DEFAULT_CONFIG,
    rate: Annotated[
        str | None,
        typer.Option("--rate", metavar="RATE", help="Limit in records a second, or in bytes: 500, 800kB/s, 5MB/s."),
    ] = None,
    reason: Reason = "",
    receipt: Annotated[
        Path | None,
        typer.Option("--receipt", metavar="FILE", help="Where to write the receipt; by default beside the plan."),
    ] = None,
    processes: Processes = 1,
    again: Annotated[
        bool,
        typer.Option("--again", help="Also write output of offsets that the live worker or another replay has read."),
    ] = False,
    shown: ProgressOption = Look.AUTO,
) -> None:
    """Apply a plan, exactly once, and write a receipt. Run again after an interruption, it continues.

    It refuses where the chain, the configuration, the cluster or the topic has changed since. Probes, metrics and
    the API (pause, resume, rate) are served as by `upcast run`. Exit codes: 0 finished, 1 finished with dead letters
    that the plan does not allow, or stopped before its end, or may pass when tried again, 2 the plan does not fit any
    more.

    **Example:** `upcast replay plan.json --rate 2000 --reason "upgrade to 2.0"`
    """
    from worker.cli.replay_progress import replay_progress
    from worker.cli.routes import load_route
    from worker.loop import run_in_loop
    from worker.processes.child import this_child
    from worker.replay.apply.processes import apply_together
    from worker.replay.apply.running import ReplayOptions, apply, apply_share
    from worker.replay.plan.file import read_plan

    made = read_plan(plan)
    records, size = parse_rate(rate)
    file = receipt or plan.with_suffix(".receipt.json")
    settings, given = load_route(config, made.route.source)
    wishes = ReplayOptions(file, reason, records, size, again)
    if child := this_child():
        run_in_loop(apply_share(settings, given, made, wishes, child))
        return
    with replay_progress(shown) as show:
        if processes == 1:
            done = run_in_loop(apply(settings, given, made, wishes, show))
        else:
            same = ("replay", str(plan), "--config", str(config), *(("--rate", rate) if rate else ()))
            done = run_in_loop(apply_together(settings, given, made, wishes, show, same, processes))
    _print_receipt(done, file)
    if surprise := done.not_allowed(made.dead_letters_allowed):
        raise WorkerError(surprise, MAY_PASS, code="UPC1621")


def parse_rate(text: str | None) -> tuple[float | None, float | None]:
    """Records a second and bytes a second; one of them at most. Raises WorkerError."""
    if text is None:
        return None, None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(?:\s*([kMG]?)[bB](?:/s)?|(?:/s)?)", text)
    if found is None or not float(found[1]):
        raise WorkerError(
            f"--rate {text}: write records a second, such as 500, or bytes, such as 800kB/s or 5MB/s", code="UPC1001"
        )
    number = float(found[1])
    return (number, None) if found[2] is None else (None, number * UNITS[found[2]])


def _print_receipt(done: Receipt, file: Path) -> None:
    counts = [each.counts for each in done.partitions]
    total = {name: sum(getattr(each, name) for each in counts) for name in ("read", "upcast", "passed", "produced")}
    skipped = sum(sum(each.skipped.values()) for each in counts)
    dead = sum(each.dead_lettered for each in counts)
    typer.echo(
        f"replay {done.replay_id} finished: {total['read']:,} read, {total['upcast']:,} upcast, "
        f"{total['passed']:,} passed, {skipped:,} skipped, {dead:,} dead-lettered; {total['produced']:,} written to "
        f"{done.route.destination}"
    )
    tombstones = sum(each.tombstones for each in counts)
    if tombstones:
        typer.echo(f"{tombstones:,} of the records written are tombstones that the chain has made")
    typer.echo(f"receipt: {file}; next: `upcast verify {file}`, then `upcast run --after {file}`")
