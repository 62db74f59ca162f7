"""`upcast new` on a chain whose versions have schemas in place of models."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from upcast_authoring.scaffold import scaffold
from upcasters import load_chain
from upcasters.testing import LawBroken, golden_folder, laws
from worker.cli import app

CHAIN = "from upcasters import chain_from_package\n\nchain = chain_from_package(__name__)\n"
FIRST = """
from upcasters import Baseline

baseline = Baseline("order", "1", schema="order-1.avsc")
"""
SCHEMA = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["open", "paid"]}},
        {"name": "inside", "type": ["Order", "null"]},
    ],
}


PROTO = """syntax = "proto3";
package shop;
import "common/money.proto";
import "google/protobuf/timestamp.proto";
enum Kind { NONE = 0; WEB = 1; }
message Line { int32 number = 1; }
message Order {
  string id = 1; optional string note = 2; common.Money price = 3; google.protobuf.Timestamp at = 4;
  repeated Line lines = 5; Kind kind = 6; map<int32, sint64> counts = 7; bytes hash = 8;
  oneof who { string person = 9; fixed64 robot = 10; } Line last = 11; repeated Kind kinds = 12;
}
"""
MONEY = 'syntax = "proto3"; package common; message Money { string currency = 1; int64 units = 2; }'


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "schematic_orders"
    folder.mkdir()
    (folder / "__init__.py").write_text(CHAIN)
    (folder / "order_1.py").write_text(FIRST)
    (folder / "order-1.avsc").write_text(json.dumps(SCHEMA))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "schematic_orders"]:
        del sys.modules[name]


def test_the_next_schema_is_written_beside_the_step_and_show_tells_what_changed(package: Path) -> None:
    told = scaffold("Add a total", "order", "schematic_orders:chain", None, None)
    assert "next: fill in the operations and the schema, and bring the golden pair up to date" in told
    assert json.loads((package / "order-2.avsc").read_text()) == SCHEMA
    assert 'schema="order-2.avsc"' in (package / "order_2.py").read_text()
    pair = package / "golden/order/1-to-2/add_a_total.before.json"
    assert json.loads(pair.read_text()) == {"id": "text", "state": "open", "inside": None}

    step = (package / "order_2.py").read_text()
    (package / "order_2.py").write_text(
        step.replace("operations=[", 'operations=[default("total", 0),').replace("import Step", "import Step, default")
    )
    changed = {**SCHEMA, "fields": [*SCHEMA["fields"], {"name": "total", "type": "long", "default": 0}]}
    (package / "order-2.avsc").write_text(json.dumps(changed))
    after = pair.with_name("add_a_total.after.json")
    after.write_text('{"id":"text","state":"open","inside":null,"total":0}')
    for name in [name for name in sys.modules if name.split(".")[0] == "schematic_orders"]:
        del sys.modules[name]
    chain = load_chain("schematic_orders:chain")
    assert [
        law.id for law in laws(chain, golden=golden_folder("schematic_orders:chain", chain)) if law.check() < 1
    ] == []
    shown = CliRunner().invoke(app, ["show", "--chain", "schematic_orders:chain", "--type", "order"])
    assert "the schema of order 2" in shown.output, shown.output
    assert "long" in shown.output.partition("the schema of order 2")[2]


def changed_step(package: Path, operations: str, names: str) -> None:
    step = (package / "order_2.py").read_text()
    made = step.replace("operations=[", f"operations=[{operations},").replace("import Step", f"import Step, {names}")
    (package / "order_2.py").write_text(made)
    for name in [name for name in sys.modules if name.split(".")[0] == "schematic_orders"]:
        del sys.modules[name]


@pytest.fixture
def messages(package: Path) -> Path:
    """The same with messages of Protobuf, one of which is imported."""
    (package / "order-1.avsc").unlink()
    (package / "order_1.py").write_text(FIRST.replace("order-1.avsc", "order-1.proto#shop.Order"))
    (package / "order-1.proto").write_text(PROTO)
    (package / "common").mkdir()
    (package / "common" / "money.proto").write_text(MONEY)
    return package


def test_the_next_messages_are_written_beside_the_step(messages: Path) -> None:
    """A golden pair of the message, laws on messages that are made up from both schemas, and what changed."""
    scaffold("Add a channel", "order", "schematic_orders:chain", None, None)
    assert (messages / "order-2.proto").read_text() == PROTO
    assert 'schema="order-2.proto#shop.Order"' in (messages / "order_2.py").read_text()
    pair = messages / "golden/order/1-to-2/add_a_channel.before.json"
    before = '{"id":"text","lines":[],"kind":"NONE","counts":{},"hash":null,"kinds":[]}'
    assert pair.read_text().strip() == before

    changed_step(messages, 'default("channel", "web"), rename("note", "remark", missing="skip")', "default, rename")
    later = PROTO.replace("string id = 1;", "string id = 1; string channel = 13;").replace("note = 2", "remark = 2")
    (messages / "order-2.proto").write_text(later)
    pair.with_name("add_a_channel.after.json").write_text(before.replace("}", "}", 1)[:-1] + ',"channel":"web"}')
    chain = load_chain("schematic_orders:chain")
    tried = {law.id: law.check() for law in laws(chain, golden=golden_folder("schematic_orders:chain", chain))}
    assert tried["valid-output[order 1 to 2]"] > 20
    assert tried["round-trip[order 1 to 2]"] > 20
    shown = CliRunner().invoke(app, ["show", "--chain", "schematic_orders:chain", "--type", "order"])
    assert "remark" in shown.output.partition("the schema of order 2")[2]


def test_a_law_finds_what_a_message_has_no_place_for(messages: Path) -> None:
    scaffold("Add a channel", "order", "schematic_orders:chain", None, None)
    changed_step(messages, 'default("channel", "web")', "default")
    (messages / "order-2.proto").write_text(PROTO.replace("string id = 1;", "string id = 1; Kind channel = 13;"))
    chain = load_chain("schematic_orders:chain")
    (law,) = (law for law in laws(chain) if law.id == "valid-output[order 1 to 2]")
    with pytest.raises(LawBroken, match="made a record that its schema has no place for"):
        law.check()
