"""docs/formats.md: its example runs, and its table of types is that of the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from tests.docs.snippets import ROOT, run_all, snippets
from upcasters.depth import MOST_LEVELS
from upcasters.formats.avro.reading import MOST_EMPTY_ITEMS
from upcasters.formats.avro.scalars import value_type
from upcasters.formats.avro.types import AvroType, Kind, Logical

TEXT = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")


def test_the_example_runs(tmp_path: Path) -> None:
    run_all(snippets(TEXT), tmp_path)


def test_the_table_of_types_is_that_of_the_code() -> None:
    shown = {}
    for names, told in re.findall(r"^\| (`.*`) \| `(\w+)` \| ", TEXT, re.MULTILINE):
        shown.update(dict.fromkeys(re.findall(r"`([\w-]+)`", names), told))
    kinds = {kind: value_type(AvroType(kind)) for kind in get_args(Kind) if kind != "union"}
    logical = {name: value_type(AvroType("long", name)) for name in get_args(Logical) if name}
    assert shown == kinds | logical


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"{MOST_LEVELS} levels, {MOST_EMPTY_ITEMS} items that\ntake no byte" in TEXT
