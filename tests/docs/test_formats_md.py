"""docs/formats.md: its example runs, and its table of types is that of the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from tests.docs.snippets import ROOT, run_all, snippets
from tests.unit.upcasters.formats.generated_protobuf import SCALARS
from upcasters.depth import MOST_LEVELS
from upcasters.formats import Schema
from upcasters.formats.avro.reading import MOST_EMPTY_ITEMS
from upcasters.formats.avro.scalars import value_type
from upcasters.formats.avro.types import AvroType, Kind, Logical
from upcasters.formats.implied import MOST_IMPLIED
from upcasters.formats.protobuf import ProtobufFormat
from upcasters.formats.protobuf.types import UNKNOWN
from upcasters.formats.protobuf.wire import MOST_BYTES_OF_A_NUMBER

TEXT = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
AVRO, _, PROTOBUF = TEXT.partition("## Protobuf")


def table(text: str) -> dict[str, str]:
    """Types of a schema and the type that conditions know them by."""
    shown: dict[str, str] = {}
    for names, told in re.findall(r"^\| (`.*`) \| `(\w+)` \| ", text, re.MULTILINE):
        shown.update(dict.fromkeys(re.findall(r"`([\w-]+)`", names), told))
    return shown


def test_the_example_runs(tmp_path: Path) -> None:
    run_all(snippets(TEXT), tmp_path)


def test_the_table_of_types_is_that_of_the_code() -> None:
    kinds = {kind: value_type(AvroType(kind)) for kind in get_args(Kind) if kind != "union"}
    logical = {name: value_type(AvroType("long", name)) for name in get_args(Logical) if name}
    assert table(AVRO) == kinds | logical


def test_the_table_of_protobufs_types_is_that_of_the_code() -> None:
    fields = {kind: f"{kind} f{number} = {number};" for number, kind in enumerate(SCALARS, 1)}
    fields |= {"message": "M f20 = 20;", "repeated": "repeated bool f21 = 21;", "map": "map<string, bool> f22 = 22;"}
    known = ("Timestamp", "Duration", "Struct", "ListValue")
    fields |= {name: f"google.protobuf.{name} f{number} = {number};" for number, name in enumerate(known, 30)}
    imports = "".join(f'import "google/protobuf/{name}.proto";' for name in ("timestamp", "duration", "struct"))
    schema = Schema("protobuf", f'syntax = "proto3"; {imports} message M {{ {" ".join(fields.values())} }}')
    types = {
        kind: ProtobufFormat().types_at(schema, (text.split(" = ")[0].split()[-1],)) for kind, text in fields.items()
    }
    assert {kind: frozenset({told}) for kind, told in table(PROTOBUF).items()} == types


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"{MOST_LEVELS} levels, {MOST_EMPTY_ITEMS} items that\ntake no byte" in TEXT
    bounds = f"Bounds: {MOST_LEVELS} levels, also of groups, {MOST_BYTES_OF_A_NUMBER} bytes of a number, and "
    assert f"{bounds}{MOST_IMPLIED:,}\nfields of an event" in PROTOBUF
    assert f"key `{UNKNOWN}`" in PROTOBUF
