"""The `upcast` command: one thin module for each command, and no traceback for a user's mistake."""

from __future__ import annotations

import io
import sys
import traceback
from pathlib import Path

import typer

from worker.cli.commands import app
from worker.cli.options import debugging
from worker.errors import MAY_PASS, WorkerError

__all__ = ["app", "main"]


def main() -> None:
    """The console script. Exit codes: 0 ok, 1 found something or may pass later, 2 wrong use."""
    # A user's chains are imported from the current folder; last, so that they hide no package of the worker's.
    sys.path.append(str(Path.cwd()))
    if isinstance(sys.stdout, io.TextIOWrapper):
        # As Python does it for stderr: a terminal that does not speak Unicode gets escapes, not a stop halfway.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="upcast")
    except WorkerError as error:
        _explain(str(error), error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001  # the last door: a bug ends as one line, too
        # The message may carry a value of an event; its class does not.
        _explain(f"unexpected {type(error).__name__}; this is a bug: repeat with `upcast --debug …`", error)
        sys.exit(MAY_PASS)


def _explain(message: str, error: Exception) -> None:
    for line in message.splitlines():
        typer.echo(f"upcast: {line}", err=True)
    if debugging():
        traceback.print_exception(error)
