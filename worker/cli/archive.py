"""`upcast archive`: the same chain over files of Parquet, Avro or JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import DEFAULT_CONFIG, Allow, ChainOption, Config, Json, Reason
from worker.cli.progress import Look, ProgressOption, progress
from worker.cli.routes import RouteOption
from worker.errors import WorkerError

if TYPE_CHECKING:
    from worker.archive.files import ArchivePlan, ArchiveReceipt, ArchiveWork
    from worker.archive.runners import Runner
    from worker.archive.tasks import Work
    from worker.archive.verifying import ArchiveVerdict
    from worker.archive.works import Asked
    from worker.ledger import Ledger
    from worker.settings import Settings

ASKING = "waiting for the archive to answer"
archive = typer.Typer(
    name="archive", help="Bring up archives of a topic: files of Parquet, Avro or JSON lines.", no_args_is_help=True
)

Processes = Annotated[
    int, typer.Option("--processes", metavar="N", min=1, max=64, help="Number of processes that share the files.")
]
Master = Annotated[
    str | None,
    typer.Option("--master", metavar="URL", help="Run on the executors of this Spark, by its `spark-submit`."),
]
Spark = Annotated[
    list[str] | None,
    typer.Option("--spark", metavar="OPTION", help="One more option of `spark-submit`; may be repeated."),
]
Include = Annotated[
    list[str] | None,
    typer.Option("--include", metavar="PATTERN", help="Only files whose path fits, as `2019/*`; may be repeated."),
]
Targets = Annotated[
    list[str] | None,
    typer.Option("--target", metavar="TYPE=VERSION", help="With --chain: the version for a type; may be repeated."),
]


@archive.command("plan")
def plan(
    source: Annotated[
        str, typer.Argument(metavar="ARCHIVE", help="A folder of files or a table, or an address such as s3://…")
    ],
    to: Annotated[str, typer.Option("--to", metavar="FOLDER", help="Where the run would write; not there yet.")],
    route: RouteOption = None,
    config: Config = DEFAULT_CONFIG,
    chain: ChainOption = None,
    target: Targets = None,
    include: Include = None,
    value: Annotated[str, typer.Option("--value", metavar="COLUMN", help="The column of the values.")] = "value",
    key: Annotated[str | None, typer.Option("--key", metavar="COLUMN", help="Of the keys; by default key.")] = None,
    headers: Annotated[
        str | None, typer.Option("--headers", metavar="COLUMN", help="Of the headers; by default headers.")
    ] = None,
    timestamp: Annotated[
        str | None, typer.Option("--timestamp", metavar="COLUMN", help="Of the times; by default timestamp.")
    ] = None,
    origin: Annotated[
        str | None,
        typer.Option("--origin", metavar="COLUMNS", help="Of the origin; by default topic,partition,offset."),
    ] = None,
    prefix: Annotated[
        str, typer.Option("--prefix", metavar="TEXT", help="Before the names of the columns that are added.")
    ] = "",
    sample: Annotated[
        int, typer.Option(min=1, max=10_000, help="Events of each type and version to compare field by field.")
    ] = 100,
    allow: Allow = None,
    processes: Processes = 1,
    master: Master = None,
    spark: Spark = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where to write the plan.")] = Path(
        "archive.json"
    ),
    as_json: Json = False,
    shown: ProgressOption = Look.AUTO,
) -> None:
    """Run the chain over an archive without writing, and say what a run would do.

    With --route the settings of that route count, and the ledger knows the run; with --chain no configuration is read.
    Exit codes: 0 it may be run, 1 something would be lost or dead-lettered that was not allowed by name (the file is
    written all the same), 2 a file, the chain or the configuration is wrong.

    **Example:** `upcast archive plan archive/orders --to archive/orders-2 --route orders.legacy`
    """
    from upcasters.arrow import Columns
    from worker.archive.files import write_plan
    from worker.archive.planning import PlanWishes, make_plan
    from worker.archive.works import new_work, parse_origin

    runner = _runner(processes, master, spark)
    columns = Columns(value, key, headers, timestamp, parse_origin(origin) if origin else None)
    work, told = new_work(_asked(config, route, chain, target), source, to, columns, prefix, tuple(include or ()))
    with progress("plan", "bytes", shown, ASKING) as show:
        made = make_plan(work, told, PlanWishes(sample, allow=tuple(dict.fromkeys(allow or ()))), runner, show)
    write_plan(made, out)
    _show_plan(made, out, as_json)
    if made.objections():
        raise typer.Exit(1)


@archive.command("run")
def run(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="The file that `upcast archive plan` wrote.")],
    config: Config = DEFAULT_CONFIG,
    reason: Reason = "",
    receipt: Annotated[
        Path | None,
        typer.Option("--receipt", metavar="FILE", help="Where to write the receipt; by default beside the plan."),
    ] = None,
    processes: Processes = 1,
    master: Master = None,
    spark: Spark = None,
    shown: ProgressOption = Look.AUTO,
) -> None:
    """Apply a plan, and write a receipt. Run again after an interruption, it continues.

    It refuses where the archive, the chain or the configuration has changed since. Each file is whole or not there.
    Exit codes: 0 finished, 1 stopped before its end or may pass when tried again, 2 the plan does not fit any more.

    **Example:** `upcast archive run archive.json --processes 4 --reason "upgrade to 2.0"`
    """
    from worker.archive.files import read_plan
    from worker.archive.running import RunOptions
    from worker.archive.running import run as apply

    made = read_plan(plan_file)
    file = receipt or plan_file.with_suffix(".receipt.json")
    runner = _runner(processes, master, spark)
    work, settings = _known(made.work, config)
    with _ledger(settings) as ledger, progress("run", "bytes", shown, ASKING) as show:
        done = apply(made, work, RunOptions(file, reason, ledger), runner, show)
    _show_receipt(done, file)


@archive.command("verify")
def verify(
    receipt: Annotated[Path, typer.Argument(metavar="RECEIPT", help="The file that `upcast archive run` wrote.")],
    config: Config = DEFAULT_CONFIG,
    every: Annotated[
        int, typer.Option("--every", min=1, metavar="N", help="Upcast one of N rows again; 1 is each.")
    ] = 100,
    processes: Processes = 1,
    master: Master = None,
    spark: Spark = None,
    as_json: Json = False,
    shown: ProgressOption = Look.AUTO,
) -> None:
    """Verify a run by reading the archive and what was written side by side. Writes nothing to either.

    Every row of every file must be there once and in order, as it was or as the chain makes it; every event must fit
    the model of its version; counts must be the receipt's. Rows that left no event, and one of N others, are upcast
    again. Exit codes: 0 PASS, 1 FAIL (with rows) or UNDECIDED, 2 the receipt does not belong to this chain or
    configuration.

    **Example:** `upcast archive verify archive.receipt.json`
    """
    from worker.archive.files import read_receipt
    from worker.archive.verifying import record_proof
    from worker.archive.verifying import verify as prove

    told = read_receipt(receipt)
    runner = _runner(processes, master, spark)
    work, settings = _known(told.work, config)
    with progress("verify", "bytes", shown, ASKING) as show:
        verdict = prove(told, work, runner, show, every)
    try:
        with _ledger(settings) as ledger:
            if ledger is not None:
                record_proof(ledger, told, verdict)
    except WorkerError as error:
        typer.echo(f"the verdict is not recorded in the ledger: {error}", err=True)
    _show_verdict(told, verdict, as_json)
    if verdict.findings:
        raise typer.Exit(1)


def _asked(config: Path, route: str | None, chain: str | None, target: list[str] | None) -> Asked:
    from worker.archive.works import Asked

    if chain is not None and route is not None:
        raise WorkerError("--chain and --route: give one of them: a route has a chain", code="UPC1955")
    if chain is not None:
        return Asked(chain=chain, target=_targets(target))
    if target:
        raise WorkerError("--target: is for --chain: a route has its own target", code="UPC1955")
    from worker.cli.routes import load_route

    return Asked(load_route(config, route)[1])


def _targets(given: list[str] | None) -> dict[str, str]:
    found = dict(text.split("=", 1) for text in given or () if "=" in text)
    for text in given or ():
        if not all(text.partition("=")[::2]):
            raise WorkerError(f"--target {text}: write TYPE=VERSION, such as order=2.0", code="UPC1955")
    return found


def _known(made: ArchiveWork, config: Path) -> tuple[Work, Settings | None]:
    from worker.archive.works import known_work

    if not made.route:
        return known_work(made, None), None
    from worker.cli.routes import load_route

    settings, route = load_route(config, made.route)
    return known_work(made, route), settings


def _runner(processes: int, master: str | None, spark: list[str] | None) -> Runner:
    _require_pyarrow()
    from worker.archive.runners import Processes as Shared
    from worker.archive.runners import Spark as OnSpark
    from worker.archive.runners import here

    if master is not None and processes > 1:
        raise WorkerError(
            "--master and --processes: give one of them: Spark has its own number of executors", code="UPC1955"
        )
    if spark and master is None:
        raise WorkerError("--spark: is for --master", code="UPC1955")
    if master is not None:
        return OnSpark(master, tuple(spark or ()))
    return here if processes == 1 else Shared(processes)


def _require_pyarrow() -> None:
    import importlib.util

    if importlib.util.find_spec("pyarrow") is None:
        from worker.extras import pip_install

        raise WorkerError(f"archives need the package pyarrow: {pip_install('arrow')}", code="UPC1955")


@contextmanager
def _ledger(settings: Settings | None) -> Iterator[Ledger | None]:
    """The ledger of the configuration, where there is one."""
    if settings is None:
        yield None
        return
    from worker.ledger import open_ledger

    ledger = open_ledger(settings.ledger.url.get_secret_value())
    try:
        yield ledger
    finally:
        ledger.close()


def _show_plan(made: ArchivePlan, file: Path, as_json: bool) -> None:
    from upcast_authoring.cli.output import print_json, print_table
    from worker.archive.report import CENSUS_COLUMNS, FAULT_COLUMNS, census_cells, fault_cells, summary

    if as_json:
        print_json({**made.sealed(), "objections": made.objections()})
        return
    for line in summary(made):
        typer.echo(line)
    print_table(CENSUS_COLUMNS, census_cells(made))
    if made.dead_letters:
        print_table(FAULT_COLUMNS, fault_cells(made), "would be dead letters")
    for line in made.objections():
        typer.secho(f"not allowed: {line}", fg="red")
    typer.echo(f"{file}: plan {made.run_id}")


def _show_receipt(done: ArchiveReceipt, file: Path) -> None:
    from worker.archive.report import files_text, outcome_text
    from worker.archive.running import counts_of

    counts = counts_of(done)
    typer.echo(
        f"run {done.run_id} finished: {files_text(done.files)}, {outcome_text(counts)}; {counts.produced:,} events "
        f"written to {done.work.destination}"
    )
    typer.echo(f"receipt: {file}; next: `upcast archive verify {file}`")


def _show_verdict(told: ArchiveReceipt, verdict: ArchiveVerdict, as_json: bool) -> None:
    from upcast_authoring.cli.output import print_json
    from worker.archive.report import verdict_content, verdict_line

    if as_json:
        print_json(verdict_content(told, verdict))
        return
    for line in verdict.findings.lines():
        typer.echo(line)
    typer.echo(verdict_line(told, verdict))
