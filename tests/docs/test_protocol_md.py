"""docs/protocol: the page, the model and the code name the same things. Needs no spin."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.protocol.__main__ import read
from tests.protocol.variants import DOUBLE, LOSS, STUCK, VARIANTS, Variant

FOLDER = Path(__file__).parents[2] / "docs" / "protocol"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
MODEL = (FOLDER / "lane.pml").read_text(encoding="utf-8")
MAPPING = re.findall(r"^\| (`[a-z_`, ]+`) \| (`worker\.[^|]+`) \|$", PAGE, re.MULTILINE)
LANE = MODEL[MODEL.index("proctype Lane()") :]
ROWS = re.findall(r"^\| (.+?) \| (\d) \| (\d) \| [\d,]+ \| \d+ \| (holds|refuted: [a-z ]+) \|", PAGE, re.MULTILINE)


def named(text: str) -> list[str]:
    return re.findall(r"`([\w.]+)`", text)


def test_each_step_of_the_model_is_in_the_page() -> None:
    labels = re.findall(r"^([a-z_]+):", LANE, re.MULTILINE)
    assert set(labels) == {step for steps, _ in MAPPING for step in named(steps)}


@pytest.mark.parametrize("name", [name for _, names in MAPPING for name in named(names)])
def test_each_function_of_the_page_is_in_the_code(name: str) -> None:
    *modules, name = re.split(r"\.(?=[A-Z])|\.(?=\w+$)", name, maxsplit=1)
    found: Any = import_module(".".join(modules))
    for part in name.split("."):
        found = getattr(found, part)
    assert callable(found)


def test_each_switch_of_a_variant_is_in_the_model() -> None:
    switches = set(re.findall(r"^#ifndef (\w+)", MODEL, re.MULTILINE))
    assert {flag.removeprefix("-D").partition("=")[0] for each in VARIANTS for flag in each.flags} <= switches
    varied = {name for each in VARIANTS for name in each.switches}
    assert switches - varied == {"RECORDS", "STARTS", "LOSSES"}


def test_the_table_is_that_of_the_variants() -> None:
    expected = [
        (each.name, str(each.starts), str(each.losses), f"refuted: {each.breaks}" if each.breaks else "holds")
        for each in VARIANTS
    ]
    assert expected == ROWS


TOLD = """pan:1: {fault} (at depth 12)
State-vector 88 byte, depth reached 167, errors: {errors}
   261930 states, stored
"""


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("invalid end state", STUCK),
        ("assertion violated (ids[id].first>=output)", DOUBLE),
        ("assertion violated (((position<=output)||(epoch!=ids[id].epoch)))", LOSS),
    ],
)
def test_what_the_checker_says_is_understood(fault: str, found: str) -> None:
    variant = Variant("one", {}, 2, 1, found)
    result = read(variant, TOLD.format(fault=fault, errors=1), 1.0)
    assert (result.found, result.states, result.depth, result.is_right) == (found, 261930, 167, True)
    assert not read(variant, TOLD.format(fault="", errors=0), 1.0).is_right


def test_a_search_that_did_not_finish_is_no_answer() -> None:
    with pytest.raises(RuntimeError, match="did not finish"):
        read(VARIANTS[0], TOLD.format(fault="", errors=0) + "error: max search depth too small", 1.0)
