"""Ten slips that an author makes: each ends in one line, with file, line or step, and what to do."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from worker.cli import app

STEP = """from typing import Any
from pydantic import BaseModel
from upcasters import Baseline, Step, anything, present, {names}

class Old(BaseModel):
    name: str
    items: list[dict[str, Any]]
    customer: dict[str, str]

class Line(BaseModel):
    price: float

class Typed(BaseModel):
    name: str
    items: list[Line]

baseline = Baseline("order", "1", model={model}, shape=anything())
step = Step("order", "1", "2", [{operation}], shape=present("title"))
"""
CHAIN = "from upcasters import chain_from_package\n\nchain = chain_from_package(__name__)\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "slips"]:
        del sys.modules[name]


def told(folder: Path, text: str) -> list[str]:
    (folder / "slips").mkdir()
    (folder / "slips" / "__init__.py").write_text(CHAIN)
    (folder / "slips" / "order_2.py").write_text(text)
    result = CliRunner().invoke(app, ["check", "--chain", "slips:chain"])
    assert result.exit_code == 1, result.output
    return [line.strip() for line in result.stdout.splitlines()[1:] if not line.startswith("not checked")]


def step(operation: str, *, names: str = "rename", model: str = "Old") -> str:
    return STEP.format(operation=operation, names=names, model=model)


CODE = re.compile(r" \(UPC2\d{3}\)$")
IMPORTED = "chain slips:chain cannot be imported: "
SLIPS: dict[str, tuple[str, str]] = {
    "a name that is none": (
        step("renam('name', 'title')"),
        f"slips/order_2.py:18: {IMPORTED}NameError: name 'renam' is not defined. Did you mean rename?",
    ),
    "a name that was not imported": (
        step("drop('name')"),
        (
            f"slips/order_2.py:18: {IMPORTED}NameError: name 'drop' is not defined. "
            "Write 'from upcasters import drop' on top."
        ),
    ),
    "an import of a name that is none": (
        step("rename('name', 'title')", names="renname"),
        (
            f"slips/order_2.py:3: {IMPORTED}ImportError: cannot import name 'renname' from 'upcasters'. "
            "Did you mean rename?"
        ),
    ),
    "an import of what is not installed": (
        "import surely_not_installed\n" + step("rename('name', 'title')"),
        (
            f"slips/order_2.py:1: {IMPORTED}No module named 'surely_not_installed'. "
            "Install what it imports beside the chain, or mend the name."
        ),
    ),
    "a bracket that is not closed": (
        step("rename('name', 'title'"),
        (
            f"slips/order_2.py:18: {IMPORTED}closing parenthesis ']' does not match opening parenthesis '('. "
            "Mend the line."
        ),
    ),
    "an option that is none": (
        step("rename('name', 'title', mising='skip')"),
        (
            f"slips/order_2.py:18: {IMPORTED}TypeError: rename() got an unexpected keyword argument 'mising'. "
            "Mend the line."
        ),
    ),
    "a choice that is none": (
        step("rename('name', 'title', missing='ignore')"),
        "slips/order_2.py:18: missing='ignore' is not a choice. Use one of error, skip.",
    ),
    "a field that is misspelt": (
        step("rename('nmae', 'title')"),
        (
            "slips/order_2.py, step order_2: nmae does not exist at this point, as far as the model tells. "
            "Did you mean name? If not, mend the path, or declare the field in the source's model."
        ),
    ),
    "a list that is taken for an object": (
        step("rename('items.price', 'cost'), rename('name', 'title')", model="Typed"),
        (
            "slips/order_2.py, step order_2: items may be array, where the operation needs object. "
            "What is in each of its items is named items.*, as in items.*.name."
        ),
    ),
    "a step of another name": (
        step("rename('name', 'title')").replace("step = Step", "stpe = Step"),
        (
            "slips/order_2.py: stpe holds a Step that the chain does not take. "
            "Write step = Step(…), or steps = [Step(…), …]; what is meant for nobody is called _stpe."
        ),
    ),
}


@pytest.mark.parametrize(("text", "line"), SLIPS.values(), ids=SLIPS.keys())
def test_a_slip_ends_in_one_line(folder: Path, text: str, line: str) -> None:
    [said] = told(folder, text)
    assert CODE.sub("", said) == line
    assert CODE.search(said)
