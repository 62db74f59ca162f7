"""The last line of a command: what to do next, with the command to copy."""

from __future__ import annotations

import shlex
from pathlib import Path

from worker.cli.options import DEFAULT_CONFIG


def command(*words: str, config: Path = DEFAULT_CONFIG, route: str | None = None) -> str:
    """A command of upcast that works where this one was called, ready to be copied."""
    given = [*words]
    if route is not None:
        given += ["--route", route]
    if config != DEFAULT_CONFIG:
        given += ["--config", str(config)]
    return f"`upcast {shlex.join(given)}`"


def after_plan(file: str, *, objections: bool, empty: bool, config: Path) -> str:
    if empty:
        return "next: nothing; there are no records in the range that can be read"
    if objections:
        return "next: mend the chain, or allow what is above by name with --allow NAME; then plan again"
    return f"next: look through {file}, then {command('replay', file, config=config)}"


def after_verify(result: str, receipt: str, *, redrive: bool, destination: str, config: Path) -> str:
    if result == "PASS":
        if redrive:
            return f"next: {command('dlq', 'list', config=config)} shows what is left"
        return f"next: {command('run', '--after', receipt, config=config)}"
    if result == "UNDECIDED":
        again = command("verify", receipt, config=config)
        return f"next: see to what the lines above name, then {again} again; start no reader until it passes"
    return (
        f"next: keep readers away from {destination}; give the route a new destination topic, and plan, replay and "
        "verify into that"
    )


def after_listing(fingerprint: str, *, left: int, hidden: bool, config: Path, route: str | None) -> str:
    """``fingerprint`` is of the largest group that no redrive has taken; empty where there is none. ``hidden``: a part
    of the topic could not be read."""
    if (not left or not fingerprint) and hidden:
        again = command("dlq", "list", config=config, route=route)
        return f"next: see to what the lines above name, then {again} again; letters may be waiting there"
    if not left or not fingerprint:
        return "next: nothing; no dead letter waits for a redrive"
    look = command("dlq", "show", fingerprint, config=config, route=route)
    plan = command("dlq", "redrive", "--fingerprint", fingerprint, "--plan", config=config, route=route)
    return f"next: {look} shows one; once the chain is mended, {plan} says what a redrive would do"


def after_letter(fingerprint: str, error: str, *, config: Path, route: str | None) -> str:
    """``error`` is the class of the fault, where the record would be a dead letter again."""
    plan = command("dlq", "redrive", "--fingerprint", fingerprint, "--plan", config=config, route=route)
    if error:
        return f"next: {command('explain', error)} says what to mend; then {plan}"
    return f"next: {plan} says what a redrive would do"


def after_redrive_plan(
    file: str, fingerprints: tuple[str, ...], *, objections: bool, empty: bool, config: Path, route: str | None
) -> str:
    if empty:
        return "next: nothing; no letter that can be read is left to be taken"
    if objections:
        return "next: mend the chain, or allow what is above by name with --allow NAME; then plan again"
    which = ("--all",) if fingerprints == ("*",) else tuple(f"--fingerprint={each}" for each in fingerprints)
    return f"next: {command('dlq', 'redrive', *which, '--file', file, config=config, route=route)}"
