"""The commands of the worker: one thin module for each."""

from __future__ import annotations

from upcast_authoring.cli import run_app
from worker.cli.commands import app

__all__ = ["app", "main"]


def main() -> None:
    """`python -m worker`: the author's commands and the worker's, also where nothing is installed."""
    run_app(lambda: app(prog_name="upcast"))
