"""How the checks of a chain name a version and a step."""

from __future__ import annotations

from collections.abc import Callable

from upcasters.errors import Problem
from upcasters.step import Step, VersionKey

# What a report is made of: a stable code, a message, a remedy.
Report = Callable[[str, str, str], None]


def problem(code: str, message: str, remedy: str, step: Step | None = None) -> Problem:
    """A Problem at a step."""
    return Problem(code, message, remedy, step.file if step else "", step.id if step else "")


def named(node: VersionKey) -> str:
    return f"{node[0]} {node[1] or '(no version)'}"
