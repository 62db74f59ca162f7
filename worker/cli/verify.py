"""`upcast verify`: checks that the destination holds what a receipt says, and that it is right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upcast_authoring.counted import counted
from worker.cli.next_step import after_verify
from worker.cli.options import DEFAULT_CONFIG, Config, Json
from worker.cli.progress import Look, ProgressOption, progress

if TYPE_CHECKING:
    from worker.replay.apply.receipt import Receipt
    from worker.verifying.verification import ReceiptVerdict


def verify(
    receipt: Annotated[
        Path, typer.Argument(metavar="RECEIPT", help="The file that `upcast replay` or `upcast dlq redrive` wrote.")
    ],
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
    shown: ProgressOption = Look.AUTO,
) -> None:
    """Verify a replay or a redrive by reading all of its topics again. Reads only; joins no group.

    Every source offset must have its outcome, once and in order, with the bytes that the chain's reference makes;
    counts and digests must be the receipt's. UNDECIDED names what could not be decided, and where it is. Exit codes: 0
    PASS, 1 FAIL (with coordinates), UNDECIDED or may pass when tried again, 2 the receipt does not belong to this
    cluster, chain or configuration.

    **Example:** `upcast verify plan.receipt.json`
    """
    from upcast_authoring.cli.output import print_json
    from worker.cli.routes import load_route
    from worker.loop import run_in_loop
    from worker.replay.apply.receipt import read_receipt
    from worker.verifying.verification import record_proof
    from worker.verifying.verification import verify as prove

    told = read_receipt(receipt)
    settings, given = load_route(config, told.route.source)
    with progress("verify", asked=shown) as show:
        verdict = run_in_loop(prove(settings, given, told, show))
    if unwritten := record_proof(settings, told, verdict):
        typer.echo(f"the verdict is not recorded in the ledger: {unwritten}", err=True)
    if as_json:
        print_json(_content(told, verdict))
    else:
        _show(told, verdict)
        redrive, destination = told.redrive is not None, told.route.destination
        result = verdict.findings.result
        typer.echo(after_verify(result, str(receipt), redrive=redrive, destination=destination, config=config))
    if verdict.findings:
        raise typer.Exit(1)


def _content(receipt: Receipt, verdict: ReceiptVerdict) -> dict[str, object]:
    return {
        "replay_id": receipt.replay_id,
        "verdict": verdict.findings.result,
        "records": verdict.records,
        "outputs": verdict.outputs,
        "dead_letters": verdict.dead_letters,
        "findings": [
            {
                "kind": kind,
                "count": count,
                "undecided": kind in verdict.findings.open,
                "examples": verdict.findings.examples[kind],
            }
            for kind, count in verdict.findings.counts.items()
        ],
    }


def _show(receipt: Receipt, verdict: ReceiptVerdict) -> None:
    for line in verdict.findings.lines():
        typer.echo(line)
    read = "source record" if receipt.redrive is None else "letter"
    typer.echo(
        f"{verdict.findings.result}: {receipt.activity} {receipt.replay_id}: {counted(verdict.records, read)}, "
        f"{verdict.outputs:,} written, {counted(verdict.dead_letters, 'dead letter')}, in {verdict.seconds:.1f} s"
    )
