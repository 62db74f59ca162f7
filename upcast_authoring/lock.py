"""The lock file beside a chain, which records its released parts: `upcast lock` writes it, `upcast check` compares the
chain with it.

A released step has upcast events that are kept for years. If it were changed unnoticed, the same old events would be
upcast to other results from then on, and nobody could tell by which rule an event in the topic was made.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import msgspec

from upcast_authoring.errors import CommandError
from upcasters import Chain
from upcasters.fingerprint import KIND, fingerprint
from upcasters.testing import golden_folder

FORMAT = 1
SUFFIX = ".lock.json"
ALL = "everything"
"""Accepts each change at once."""
REMEDY = (
    "undo the change and add a step for it, or accept it with "
    "`upcast lock --chain {name} --accept {what!r} --reason WHY`"
)


class Acceptance(msgspec.Struct, frozen=True):
    """A released part that was changed or taken away on purpose."""

    what: str
    reason: str
    on: str


class Lock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``parts`` are fingerprints by name, such as ``step order 1 -> 2``; ``kind`` says how they were made."""

    format: int
    chain: str
    kind: str
    parts: dict[str, str]
    accepted: tuple[Acceptance, ...] = ()


def lock_file(name: str, chain: Chain) -> Path | None:
    """Where the lock of the chain called ``name`` (``module:attribute``) stands; None for an entry point's name."""
    module, colon, attribute = name.partition(":")
    if not colon:
        return None
    file = importlib.import_module(chain.name or module).__file__
    return Path(file).parent / f"{attribute}{SUFFIX}" if file else None


def read_lock(file: Path | None) -> Lock | None:
    """None where the chain is not locked. Raises CommandError for a file that is none of ours."""
    if file is None or not file.exists():
        return None
    try:
        lock = msgspec.json.decode(file.read_bytes(), type=Lock)
    except (OSError, msgspec.DecodeError) as error:
        raise CommandError(
            f"{file}: not a lock file ({error}): restore it from version control", code="UPC2106"
        ) from error
    if lock.format != FORMAT:
        raise CommandError(
            f"{file}: has format {lock.format}, this version reads {FORMAT}: use the version that wrote it",
            code="UPC2106",
        )
    return lock


def parts_of(name: str, chain: Chain) -> dict[str, str]:
    """The fingerprint of each part that decides what becomes of old events, previews left out.

    A model counts apart from the step that names it, and a golden file by its bytes.
    """
    found = {"detection": fingerprint(chain.detection)}
    if chain.readers:
        found["readers"] = fingerprint(chain.readers)
    for base in chain.baselines:
        found[f"baseline {base.event_type} {base.version}"] = fingerprint(replace(base, model=None, id="-"))
    for hop in chain.hops.values():
        for step in () if hop.preview else hop.steps:
            own = f" {step.id}" if len(hop.steps) > 1 else ""
            found[f"step {hop.source[0]} {hop.source[1]} -> {hop.target[1]}{own}"] = fingerprint(
                replace(step, model=None, id="-")
            )
    previews = {end for hop in chain.hops.values() if hop.preview for end in hop.ends}
    for node, version in chain.versions.items():
        if version.model is not None and node not in previews:
            found[f"model {node[0]} {node[1]}"] = fingerprint(version.model)
    return found | dict(_goldens(golden_folder(name, chain)))


def _goldens(folder: Path | None) -> Iterator[tuple[str, str]]:
    if folder is None:
        return
    for file in sorted(folder.rglob("*.json")):
        yield f"golden {file.relative_to(folder).as_posix()}", hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def broken_promises(name: str, chain: Chain) -> tuple[str, ...]:
    """A line for each released part that is not what it was. Raises CommandError for a lock that cannot be read."""
    lock = read_lock(lock_file(name, chain))
    if lock is None:
        return ()
    if lock.kind != KIND:
        told = (
            f"the lock was made with fingerprints of kind {lock.kind}, this version makes kind {KIND}, so it cannot "
            "show whether a released step has changed: look at the history in version control, then "
            f"`upcast lock --chain {name} --accept {ALL} --reason WHY`"
        )
        return (told,)
    return tuple(
        f"{what}: is released, but was {how} since it was locked: {REMEDY.format(name=name, what=what)}"
        for what, how in changed(lock.parts, parts_of(name, chain)).items()
    )


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """The parts that differ: ``changed`` or ``removed``."""
    return {what: "removed" if what not in now else "changed" for what, mark in before.items() if now.get(what) != mark}


def make_lock(name: str, chain: Chain, accepted: list[str], reason: str, today: date) -> tuple[Path, Lock, Lock | None]:
    """The file, what shall stand in it, and what stands there. Raises CommandError where a released part is not what it
    was and was not accepted by name, or was accepted and has not changed."""
    file = lock_file(name, chain)
    if file is None:
        raise CommandError(
            f"{name}: name the chain as module:attribute: its lock file stands beside the module", code="UPC2109"
        )
    before = read_lock(file)
    now = parts_of(name, chain)
    differ = {} if before is None else changed(before.parts, now)
    if before is not None and before.kind != KIND:
        differ = {ALL: "locked with fingerprints of another kind"}
    wanted = list(differ) if ALL in accepted else accepted
    if strange := [each for each in wanted if each not in differ]:
        raise CommandError(
            f"{strange[0]}: is not a released part that was changed or removed: nothing to accept", code="UPC2108"
        )
    if wanted and not reason.strip():
        raise CommandError("--accept needs --reason: it is kept in the lock file", code="UPC1002")
    if left := [f"{what}: {how}" for what, how in differ.items() if what not in wanted]:
        raise CommandError(
            "\n".join(f"{each}: {REMEDY.format(name=name, what=each.partition(': ')[0])}" for each in left),
            code="UPC2107",
        )
    kept = before.accepted if before else ()
    made = tuple(Acceptance(each, reason, today.isoformat()) for each in wanted)
    return file, Lock(FORMAT, name, KIND, dict(sorted(now.items())), (*kept, *made)), before


def write_lock(file: Path, lock: Lock) -> None:
    """Raises CommandError where it cannot be written."""
    text = msgspec.json.format(msgspec.json.encode(lock), indent=2) + b"\n"
    try:
        file.write_bytes(text)
    except OSError as error:
        raise CommandError(
            f"{file}: cannot be written ({error.strerror}): make its folder writable", code="UPC1004"
        ) from error


def locked_versions(name: str, chain: Chain) -> frozenset[tuple[str, str]]:
    """The versions whose baseline or steps are locked."""
    lock = read_lock(lock_file(name, chain))
    if lock is None:
        return frozenset()
    known = set(lock.parts)
    found = {(base.event_type, str(base.version)) for base in chain.baselines}
    found = {node for node in found if f"baseline {node[0]} {node[1]}" in known}
    for hop in chain.hops.values():
        step = f"step {hop.source[0]} {hop.source[1]} -> {hop.target[1]}"
        if any(each == step or each.startswith(f"{step} ") for each in known):
            found.update(hop.ends)
    return frozenset(found)
