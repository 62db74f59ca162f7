"""`upcast check --against`: finds old events that the chain now upcasts to another result than a release of it."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from upcast_authoring.checks import Checked, size_of
from upcast_authoring.codes import chain_error
from upcast_authoring.errors import CommandError
from upcast_authoring.extras import pip_install
from upcast_authoring.lock import SUFFIX, changed, parts_of, read_lock
from upcasters import ChainError, load_chain
from upcasters.fingerprint import KIND

SECONDS = 600


class _Seen(msgspec.Struct):
    """What is read here of what a process tells of an event."""

    event_type: str
    version: str
    target: str
    event: str
    result: list[object]
    summary: str


def check_against(name: str, released: str) -> Checked:
    """Problems are events whose result would be another one now. An event that was a dead letter may have a result now.

    ``released`` is a reference of git, a wheel, or a lock file, which only tells what was changed. Raises CommandError
    where there is no such release.
    """
    try:
        chain = load_chain(name)
    except ChainError as error:
        raise chain_error(error) from error
    subject = f"{name} against {released}"
    if released.endswith(SUFFIX):
        lock = read_lock(_existing(released))
        assert lock is not None  # noqa: S101  (it exists)
        if lock.kind != KIND:
            raise CommandError(
                f"{released}: was made with fingerprints of kind {lock.kind}, this version makes kind {KIND}: compare "
                "with the reference or the wheel of that release",
                code="UPC2106",
            )
        parts = [f"{what}: {how}" for what, how in changed(lock.parts, parts_of(name, chain)).items()]
        return Checked(subject, name, chain.fingerprint, tuple(parts), size=size_of(chain))
    if importlib.util.find_spec("hypothesis") is None:
        raise CommandError(
            f"--against makes events up, which needs hypothesis: {pip_install('testing')}", code="UPC1006"
        )
    with _unpacked(name, released) as root:
        before = _run("make", name, root, b"")
    now = _run("ask", name, _root_of(name), before)
    pairs = list(zip(*(msgspec.json.decode(each, type=list[_Seen]) for each in (before, now)), strict=True))
    otherwise = [(old, new) for old, new in pairs if old.result and old.result != new.result]
    mended = sum(not old.result and bool(new.result) for old, new in pairs)
    told = (f"{mended} of {len(pairs)} events that were dead letters are upcast now",) if mended else ()
    lines = tuple(_told(otherwise, pairs))
    return Checked(subject, name, chain.fingerprint, lines, told, size={"events": len(pairs)})


def _told(otherwise: Sequence[tuple[_Seen, _Seen]], pairs: Sequence[tuple[_Seen, _Seen]]) -> Iterator[str]:
    """One line for each version, with its first event."""
    firsts: dict[tuple[str, str], tuple[_Seen, _Seen]] = {}
    for old, new in otherwise:
        firsts.setdefault((old.event_type, old.version), (old, new))
    for way, (old, new) in firsts.items():
        many = sum((each.event_type, each.version) == way for each, _ in otherwise)
        of = sum((each.event_type, each.version) == way for each, _ in pairs)
        yield (
            f"{old.event_type} {old.version} -> {old.target}: {many} of {of} events have another result, such as "
            f"{old.event}: it was {old.summary}, it would be {new.summary}"
        )


def _run(doing: str, name: str, root: Path, given: bytes) -> bytes:
    """In the folder that the chain's modules are below, which comes before everything else that is installed."""
    path = os.pathsep.join([str(root), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", "upcast_authoring.outcomes", doing, name],
        input=given,
        cwd=root,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        check=False,
        timeout=SECONDS,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it printed nothing"]
        where = "as it was released" if doing == "make" else "as it is now"
        raise CommandError(f"{name} {where} cannot be run: {said[-1]}", code="UPC2110")
    return done.stdout


def _root_of(name: str) -> Path:
    """The folder from which the chain's module is imported."""
    module, colon, _ = name.partition(":")
    file = importlib.import_module(module).__file__ if colon else None
    if not file:
        raise CommandError(
            f"{name}: name the chain as module:attribute: what is compared stands in its module's folder",
            code="UPC2109",
        )
    above = Path(file).resolve().parents[len(module.split(".")) - 1]
    return above.parent if Path(file).stem == "__init__" else above


@contextmanager
def _unpacked(name: str, released: str) -> Iterator[Path]:
    """The folder of the release, below which the chain's modules are."""
    root = _root_of(name)
    with tempfile.TemporaryDirectory(prefix="upcast-released-") as folder:
        if released.endswith(".whl"):
            with zipfile.ZipFile(_existing(released)) as wheel:
                wheel.extractall(folder)  # noqa: S202  (zipfile lets no name lead out of the folder)
        else:
            with tarfile.open(fileobj=io.BytesIO(_archive(root, released))) as archive:
                archive.extractall(folder, filter="data")
        yield Path(folder)


def _archive(root: Path, reference: str) -> bytes:
    """What stands below ``root`` in a commit, as tar."""
    try:
        below = _git(root, "rev-parse", "--show-prefix").decode().strip()
        _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
        return _git(root, "archive", "--format=tar", f"{reference}:{below}")
    except subprocess.CalledProcessError as error:
        why = error.stderr.decode(errors="replace").strip() or "no such commit"
        raise CommandError(
            f"{reference}: not a commit, branch or tag that git knows in {root} ({why}), and no .whl or {SUFFIX}",
            code="UPC2110",
        ) from error


def _git(root: Path, *arguments: str) -> bytes:
    git = shutil.which("git")
    if git is None:
        raise CommandError("--against a reference needs git: install it, or give a wheel", code="UPC2110")
    return subprocess.run([git, *arguments], cwd=root, capture_output=True, check=True).stdout


def _existing(name: str) -> Path:
    file = Path(name)
    if not file.is_file():
        raise CommandError(f"{name}: there is no such file", code="UPC2110")
    return file
