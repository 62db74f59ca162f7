"""The `upcast` command: one thin module for each command, and no traceback for a user's mistake."""

from __future__ import annotations

import io
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from upcast_authoring.cli.commands import installed_app
from upcast_authoring.cli.options import debugging
from upcast_authoring.errors import MAY_PASS, CommandError, with_code

__all__ = ["main", "run_app"]


def main() -> None:
    """The console script, with the commands of all that is installed."""
    run_app(lambda: installed_app()(prog_name="upcast"))


def run_app(run: Callable[[], object]) -> None:
    """Run the command line. Exit codes: 0 ok, 1 found something or may pass later, 2 wrong use."""
    # A user's chains are imported from the current folder; last, so that they hide no package that is installed.
    sys.path.append(str(Path.cwd()))
    if isinstance(sys.stdout, io.TextIOWrapper):
        # As Python does it for stderr: a terminal that does not speak Unicode gets escapes, not a stop halfway.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        run()
    except CommandError as error:
        _explain(error.lines, error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001  # the last door: a bug ends as one line, too
        # The message may carry a value of an event; its class does not.
        line = f"unexpected {type(error).__name__}; this is a bug: repeat with `upcast --debug …`"
        _explain([(line, "UPC1012")], error)
        sys.exit(MAY_PASS)


def _explain(lines: Iterable[tuple[str, str]], error: Exception) -> None:
    for line, code in lines:
        typer.echo(f"upcast: {with_code(line, code)}", err=True)
    if debugging():
        traceback.print_exception(error)
