"""The wall before aiokafka: what is touched behind it exists, and nobody touches it from outside."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from worker.kafka.aiokafka_internals.broker_patches import CONNECTING
from worker.kafka.aiokafka_internals.patches import PATCHES
from worker.kafka.aiokafka_internals.private_names import PRIVATE_NAMES
from worker.kafka.aiokafka_internals.versions import TESTED

ROOT = Path(__file__).parents[3]
WALL = ROOT / "worker" / "kafka" / "aiokafka_internals"
EVERY_NAME = [(owner, name) for owner, names in PRIVATE_NAMES.items() for name in names]
OF_TUPLES = {"_replace", "_asdict"}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@cache
def names_of(owner: str) -> frozenset[str]:
    """What a module or a class of aiokafka has, and what its methods put into an instance."""
    module, _, name = owner.partition(":")
    found = import_module(module)
    if not name:
        return frozenset(vars(found))
    classes = [each for each in inspect.getmro(getattr(found, name)) if each.__module__.startswith("aiokafka")]
    return frozenset().union(*map(vars, classes), *map(names_in_source, classes))


def names_in_source(of: type) -> set[str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(of)))
    stores = (each for each in ast.walk(tree) if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store))
    return {each.attr for each in stores if ast.unparse(each.value) == "self"}


@pytest.mark.parametrize(("owner", "name"), EVERY_NAME, ids=[f"{owner}.{name}" for owner, name in EVERY_NAME])
def test_each_name_that_is_touched_exists(owner: str, name: str) -> None:
    assert name in names_of(owner), f"{owner} has no {name} any more: look at what {WALL.name} does with it"


def test_a_name_that_does_not_exist_would_be_noticed() -> None:
    assert not any("_no_such_name" in names_of(owner) for owner in PRIVATE_NAMES)


@pytest.mark.parametrize("file", sorted(WALL.glob("*.py")), ids=lambda file: file.name)
def test_each_private_name_behind_the_wall_is_in_the_table(file: Path) -> None:
    listed = {name for names in PRIVATE_NAMES.values() for name in names}
    assert {name for name in touched(file) if name not in listed | OF_TUPLES} == set()


def test_what_is_patched_is_in_the_table() -> None:
    listed = {(owner.rpartition(":")[2], name) for owner, name in EVERY_NAME}
    patched = {(patch.owner.__name__, patch.name) for patch in PATCHES if inspect.isclass(patch.owner)}
    assert {each for each in patched - listed if not each[0].startswith("ProduceRequest_v")} == set()
    assert {f"_{name}" for name in CONNECTING} <= set(PRIVATE_NAMES["aiokafka.client:AIOKafkaClient"])


def touched(file: Path) -> set[str]:
    """Private names that are read, set or patched; of ``self`` only where aiokafka's class is the base."""
    tree = ast.parse(file.read_text())
    own = {id(each) for each in own_attributes(tree)}
    found = {each.attr for each in ast.walk(tree) if isinstance(each, ast.Attribute) and id(each) not in own}
    found |= {name for call in calls_by_name(tree) for name in call}
    return {name for name in found if is_private(name)} - defined(tree)


def own_attributes(tree: ast.AST) -> Iterator[ast.Attribute]:
    for each in ast.walk(tree):
        if isinstance(each, ast.ClassDef) and not any(base in THEIR_BASES for base in map(ast.unparse, each.bases)):
            for inner in ast.walk(each):
                if isinstance(inner, ast.Attribute) and ast.unparse(inner.value) in {"self", "cls"}:
                    yield inner


THEIR_BASES = {"AIOKafkaConsumer", "BatchBuilder", "memory_records.MemoryRecords"}


def calls_by_name(tree: ast.AST) -> Iterator[list[str]]:
    for each in ast.walk(tree):
        if isinstance(each, ast.Call) and ast.unparse(each.func) in {"getattr", "setattr", "hasattr", "Patch"}:
            yield [part.value for part in each.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def defined(tree: ast.AST) -> set[str]:
    """Our own functions and classes; a method of a class whose base is aiokafka's may be one of its own."""
    inherited = {
        inner.name
        for each in ast.walk(tree)
        if isinstance(each, ast.ClassDef) and any(base in THEIR_BASES for base in map(ast.unparse, each.bases))
        for inner in each.body
        if isinstance(inner, ast.FunctionDef) and inner.name in {name for _, name in EVERY_NAME}
    }
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return {each.name for each in ast.walk(tree) if isinstance(each, kinds)} - inherited


def sources() -> list[Path]:
    rooms = ("worker", "upcasters", "upcast_authoring", "upcast_demo")
    found = [file for room in rooms for file in (ROOT / room).rglob("*.py")]
    return sorted(file for file in found if WALL not in file.parents)


def test_nobody_else_touches_a_private_name() -> None:
    """Ruff's SLF001 refuses it everywhere; here nobody may ask for an exception, and none may go by a string or a
    subclass. (The engine may not import aiokafka, so its exceptions are about others.)"""
    names = {name for _, name in EVERY_NAME if is_private(name)}
    for file in sources():
        text = file.read_text()
        tree = ast.parse(text)
        assert ROOT / "upcasters" in file.parents or not re.search(r"noqa:[^\n]*SLF001", text), file
        assert names.isdisjoint(name for call in calls_by_name(tree) for name in call), file
        assert not list(imports_of_private_names(tree)), file
        assert not list(subclasses(tree)), file


def imports_of_private_names(tree: ast.AST) -> Iterator[str]:
    for each in ast.walk(tree):
        if isinstance(each, ast.ImportFrom) and (each.module or "").startswith("aiokafka"):
            yield from (alias.name for alias in each.names if is_private(alias.name))


MADE_TO_BE_BASES = {"aiokafka", "aiokafka.abc", "aiokafka.errors"}


def subclasses(tree: ast.AST) -> Iterator[str]:
    """Classes whose base is one of aiokafka's that is not made for it."""
    inner = {
        alias.asname or alias.name
        for each in ast.walk(tree)
        if isinstance(each, ast.ImportFrom) and (each.module or "").startswith("aiokafka")
        for alias in each.names
        if each.module not in MADE_TO_BE_BASES or alias.name.startswith("AIOKafka")
    }
    for each in ast.walk(tree):
        if isinstance(each, ast.ClassDef):
            yield from (base for base in map(ast.unparse, each.bases) if base.partition(".")[0] in inner)


def settings() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_ruff_lets_the_wall_alone_look_inside() -> None:
    ignored = settings()["tool"]["ruff"]["lint"]["per-file-ignores"]
    letting = {pattern for pattern, rules in ignored.items() if "SLF001" in rules}
    assert letting == {"worker/kafka/aiokafka_internals/**", "benchmarks/peers/**", "tests/**"}


def test_what_is_installed_with_the_worker_is_what_was_tested() -> None:
    """A later one that pip would take would be refused by every command that opens Kafka."""
    given = [each for each in settings()["project"]["dependencies"] if each.startswith("aiokafka")]
    oldest, newest = TESTED[0], TESTED[-1]
    bounds = f"aiokafka=={newest}" if oldest == newest else f"aiokafka>={oldest},<={newest}"
    assert given == [bounds]
    for file in (ROOT / "requirements").glob("*.txt"):
        pinned = re.search(r"^aiokafka==([\d.]+)", file.read_text(), re.MULTILINE)
        assert pinned is None or pinned[1] in TESTED, file
