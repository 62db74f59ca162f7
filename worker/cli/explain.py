"""`upcast explain`, also for metrics, log lines and problems of the HTTP interface."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.options import Json


def explain(
    asked: Annotated[
        list[str],
        typer.Argument(metavar="CODE", help="A code UPC…, or the name of a metric, a log line or a fault."),
    ],
    as_json: Json = False,
) -> None:
    """
    Say what a code means, why it comes, and what to do.

    Every refusal ends in such a code, every line of the log has one as `code`, and every problem of the HTTP
    interface. Also the names of metrics, log lines and faults of dead letters are answered.

    **Examples:** `upcast explain UPC1301` · `upcast explain MissingField` · `upcast explain upcaster_consumer_lag`
    """
    from upcast_authoring.cli.explain import explain_among
    from worker.codes import KINDS, codes

    explain_among(codes, KINDS, asked, as_json=as_json)
