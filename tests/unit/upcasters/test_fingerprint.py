"""One hash for one content: the same everywhere, another as soon as anything that counts is another."""

from __future__ import annotations

import functools
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import field, make_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field, create_model, field_validator

from upcasters import (
    Always,
    Baseline,
    Chain,
    Detection,
    FromHeader,
    Step,
    anything,
    convert,
    default,
    drop,
    map_values,
    present,
    rename,
)
from upcasters.fingerprint import KIND, fingerprint, kind_of

FACTOR = 2
PATTERN = re.compile("a+")


class One(BaseModel):
    a: int


class Same(BaseModel):
    a: int


class Checked(BaseModel):
    a: int

    @field_validator("a")
    @classmethod
    def check_a(cls, value: int) -> int:
        return value


class Unknown(BaseModel):
    a: Callable[[int], int]


STEP = Step("t", 1, 2, [rename("a", "b")], model=One)
BASELINE = Baseline("t", 1, shape=present("a"))


def chain(step: Step = STEP, baseline: Baseline = BASELINE, **options: Any) -> Chain:
    return Chain([step], [baseline], **options)


@pytest.mark.long
def test_the_same_in_every_process() -> None:
    code = (
        "from upcasters.devteam_runner import chain as one; from tests.example_chains.weather import chain as two; "
        "from tests.unit.upcasters.test_fingerprint import EVERYTHING as three; from upcasters.fingerprint import "
        "fingerprint; print(one.fingerprint, two.fingerprint, fingerprint(three))"
    )
    found = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True)
        found.add(run.stdout)
    assert len(found) == 1
    assert re.fullmatch(r"(3-[0-9a-f]{16} ){2}[0-9a-f]{16}\n", found.pop())


def test_what_does_not_count() -> None:
    notes = replace(STEP, file="elsewhere.py", description="told anew", notes="for the matrix", complexity="low")
    assert chain(notes).fingerprint == chain().fingerprint


@pytest.mark.parametrize(
    "other",
    [
        chain(replace(STEP, operations=[rename("a", "c")])),
        chain(replace(STEP, operations=[rename("a", "b", missing="skip")])),
        chain(replace(STEP, operations=[rename("a", "b"), default("c", 1)])),
        chain(replace(STEP, operations=[rename("a", "b"), default("c", "1")])),
        chain(replace(STEP, target=3)),
        chain(replace(STEP, model=Same)),
        chain(replace(STEP, model=None)),
        chain(replace(STEP, preview=True)),
        chain(replace(STEP, shape=present("b"))),
        chain(replace(STEP, looks_like=["1"])),
        chain(replace(STEP, id="other")),
        chain(replace(STEP, lossy="nothing is lost")),
        chain(baseline=replace(BASELINE, shape=anything())),
        chain(current={"t": 1}),
        chain(detection=Detection(version=(FromHeader("v"),))),
        chain(detection=Detection(version=(FromHeader("v"), Always("1")))),
    ],
    ids=range(16),
)
def test_what_counts(other: Chain) -> None:
    assert other.fingerprint != chain().fingerprint


def test_an_option_that_nobody_gives_does_not_count() -> None:
    """An operation may learn one, and the chains that do not use it stay what they were."""
    before = make_dataclass("Operation", [("path", str)])
    after = make_dataclass("Operation", [("path", str), ("exists", str, field(default="error"))])
    assert fingerprint(before("a")) == fingerprint(after("a")) == fingerprint(after("a", "error"))
    assert fingerprint(after("a", "replace")) != fingerprint(after("a"))
    numbers = make_dataclass("Number", [("given", int, field(default=1))])
    assert fingerprint(numbers(True)) != fingerprint(numbers(1)), "true is not 1"


def compiled(text: str, **scope: Any) -> Any:
    """A function whose source nobody has."""
    names = {"__name__": __name__, **scope}
    exec(text, names)  # noqa: S102  # our own text
    return names["f"]


def helped(value: int) -> int:
    return helper(value) * FACTOR


def helper(value: int) -> int:
    return value if PATTERN.match(str(value)) else unhelped(value)


def unhelped(value: int) -> int:
    return helper(value) + 1


def closed(extra: Any) -> Any:
    def inner(value: int) -> Any:
        return extra or value

    return inner


def loop() -> Any:
    def inner(value: int) -> int:
        return inner(value - 1) if value else 0

    return inner


class Adder:
    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, value: int) -> int:
        return value + self.number

    def method(self, value: int) -> int:
        return value


class Twice(int):
    pass


def unbound() -> Any:
    def inner(value: int) -> int:
        return value + later

    if FACTOR == 3:
        later = 1
    return inner


EVERYTHING: list[Any] = [
    *(helped, closed({"a", "b", "c"}), closed(unhelped), loop(), unbound(), Adder(1), Adder(1).method),
    *(str, str.upper, Twice, int, functools.partial(helped, 1), One, Checked, Unknown),
    compiled("f = lambda x: x in {'a', 'b', 'c'}"),
    compiled("def f(x):\n    return [y for y in x]"),
    map_values("a", {"x": "y"}),
    convert("a", helped),
    frozenset({("a", 1), ("b", 2)}),
]


def test_every_kind_of_content_has_one() -> None:
    found = [fingerprint(content) for content in EVERYTHING]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (compiled("def f(x): return x + 1"), compiled("def f(x): return x + 2")),
        (compiled("def f(x): return x + 1"), compiled("def f(x): return x - 1")),
        (compiled("def f(x): return [x for _ in [1]]"), compiled("def f(x): return [x for _ in [2]]")),
        (compiled("def f(x, y=1): return x"), compiled("def f(x, y=2): return x")),
        (compiled("def f(x, *, y=1): return x"), compiled("def f(x, *, y=2): return x")),
        (compiled("def f(x): return x + K", K=1), compiled("def f(x): return x + K", K=2)),
        (compiled("def g(): return 1\ndef f(x): return g()"), compiled("def g(): return 2\ndef f(x): return g()")),
        (closed(1), closed(2)),
        (closed({"a"}), closed({"b"})),
        (closed(helped), closed(unhelped)),
        (functools.partial(helped, 1), functools.partial(helped, 2)),
        (functools.partial(helped, value=1), functools.partial(helped, value=2)),
        (Adder(1), Adder(2)),
        (create_model("M", a=(int, ...)), create_model("M", a=(int, Field(ge=1)))),
        (("a", ("b",)), (("a", "b"),)),
        ({"a": 1}, {"a": True}),
        (frozenset({"ab"}), frozenset({"a", "b"})),
        (drop("a", restore=1).inverse(), drop("a", restore="1").inverse()),
    ],
    ids=range(18),
)
def test_a_change_of_content_shows(one: Any, other: Any) -> None:
    assert fingerprint(one) != fingerprint(other)


def test_what_is_of_the_process_alone_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(_: Any) -> Any:
        return [os.environ.get("REGION"), sys.argv, *sys.path]

    found = fingerprint(changed)
    monkeypatch.setenv("REGION", "another")
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--another"])
    monkeypatch.syspath_prepend("another")
    assert fingerprint(changed) == found


def test_a_function_of_another_module_counts_by_its_name() -> None:
    assert fingerprint(compiled("def f(x): return re.sub('a', 'b', x)", re=re)) == fingerprint(
        compiled("def f(x): return re.sub('a', 'b', x)", re=re)
    )


CHAIN = """
import priced.helpers
from priced import helpers
from priced.helpers import TABLE, doubled
from upcasters import Baseline, Chain, Step, convert, present

step = Step("t", 1, 2, [convert("a", {function})], lossy="x", shape=present("b"))
chain = Chain([step], [Baseline("t", 1, shape=present("a"))])
"""
HELPERS = """
from decimal import Decimal
from operator import itemgetter

RATE = Decimal("1.5")
TABLE = {"x": [1]}
first = itemgetter("a")

class Kept:
    def __init__(self, number):
        self.number = number

KEPT = Kept(1)

def deeper(value):
    return value + 1

def doubled(value):
    return [deeper(each) for each in (value, value)]
"""
CHANGED = {
    "a helper's helper": ("value + 1", "value + 2"),
    "a number": ('"1.5"', '"2.5"'),
    "a table": ("[1]", "[2]"),
    "what a callable of Python's was made of": ('itemgetter("a")', 'itemgetter("b")'),
    "what an object holds": ("Kept(1)", "Kept(2)"),
}
USES = {
    "a helper's helper": "lambda value: [doubled(each) for each in [value]]",
    "a number": "lambda value: sum(helpers.RATE for _ in [value])",
    "a table": "lambda value: (lambda: TABLE[value])()",
    "what a callable of Python's was made of": "lambda value: priced.helpers.first(value)",
    "what an object holds": "lambda value: helpers.KEPT.number",
}


def of_package(folder: Path, function: str, helpers: str) -> str:
    """The fingerprint of a chain in a package of its own."""
    package = folder / "priced"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "helpers.py").write_text(helpers)
    (package / "chain.py").write_text(CHAIN.format(function=function))
    sys.path.insert(0, str(folder))
    try:
        found: str = importlib.import_module("priced.chain").chain.fingerprint
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == "priced"]:
            del sys.modules[name]
    return found


@pytest.mark.parametrize("kind", CHANGED)
def test_helpers_in_other_modules_of_the_package_count(kind: str, tmp_path: Path) -> None:
    before = of_package(tmp_path / "before", USES[kind], HELPERS)
    assert of_package(tmp_path / "same", USES[kind], HELPERS) == before
    after = HELPERS.replace(*CHANGED[kind])
    assert after != HELPERS
    assert of_package(tmp_path / "after", USES[kind], after) != before


def test_what_the_inner_code_uses_counts() -> None:
    text = "def f(x): return sum(RATE * v for v in [x])"
    assert fingerprint(compiled(text, RATE=2)) != fingerprint(compiled(text, RATE=3))


def test_a_chain_says_how_its_fingerprint_was_made() -> None:
    assert kind_of(chain().fingerprint) == KIND
    assert kind_of("0123456789abcdef") == "1"


class Plain:
    """Its text is only its address."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.again = self


def test_what_holds_itself_counts_once() -> None:
    assert fingerprint(Plain(1)) == fingerprint(Plain(1)) != fingerprint(Plain(2))


def decorated(number: int) -> Any:
    @functools.wraps(helped)
    def inner(value: int) -> int:
        return value + number

    return inner


def test_what_a_decorator_wraps_counts() -> None:
    one, other = (compiled(f"def f(x): return {number}") for number in (1, 2))
    assert fingerprint(functools.lru_cache(one)) != fingerprint(functools.lru_cache(other))
    assert fingerprint(functools.lru_cache(str.upper)) != fingerprint(functools.lru_cache(str.lower))
    assert fingerprint(decorated(1)) != fingerprint(decorated(2))


def beside(folder: Path, helper: str) -> str:
    """The fingerprint of a function in a module of no package, which uses one of the module beside it."""
    folder.mkdir()
    (folder / "helpers_beside.py").write_text(helper)
    (folder / "steps_beside.py").write_text("from helpers_beside import helped\ndef f(x):\n    return helped(x)\n")
    sys.path.insert(0, str(folder))
    try:
        return fingerprint(importlib.import_module("steps_beside").f)
    finally:
        sys.path.remove(str(folder))
        for name in ("steps_beside", "helpers_beside"):
            sys.modules.pop(name, None)


def test_a_helper_in_a_module_beside_it_counts_unless_both_are_installed(tmp_path: Path) -> None:
    one, other = "def helped(x):\n    return x + 1\n", "def helped(x):\n    return x + 2\n"
    assert beside(tmp_path / "one", one) == beside(tmp_path / "same", one) != beside(tmp_path / "other", other)
    installed = [tmp_path / name / "site-packages" for name in ("first", "second")]
    for folder in installed:
        folder.parent.mkdir()
    assert beside(installed[0], one) == beside(installed[1], other)


def test_a_function_whose_file_is_another_by_now_counts_by_its_code(tmp_path: Path) -> None:
    file = tmp_path / "lost.py"
    file.write_text("def ((")
    one, other = (scope_of(f"def f(x): return {number}", file)["f"] for number in (1, 2))
    assert fingerprint(one) != fingerprint(other)


def scope_of(text: str, file: Path) -> dict[str, Any]:
    scope: dict[str, Any] = {"__name__": "lost"}
    exec(compile(text, file, "exec"), scope)  # noqa: S102  # our own text
    return scope
