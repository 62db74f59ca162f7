"""A chain over Protobuf: which version a message is of, what becomes of it, and what is held against its schema."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.upcasters.formats.generated_protobuf import message_class
from upcasters import Baseline, Chain, Event, Policy, Step, convert, default, present, rename
from upcasters.errors import ChainError
from upcasters.formats import BARE_JSON, Encoding, Schema
from upcasters.loading import chain_from_package
from upcasters.outcome import DeadLettered, Upcast
from upcasters.schema_upcaster import SchemaUpcaster

HEAD = 'syntax = "proto3"; package shop; import "google/protobuf/timestamp.proto"; '
PART = " message Part { string name = 1; repeated int32 sizes = 2; }"
OLD = Schema(
    "protobuf",
    HEAD + "message Order { string id = 1; string price = 2; Part part = 3; google.protobuf.Timestamp at = 4; }" + PART,
)
NEW = Schema(
    "protobuf",
    HEAD
    + "message Order { string id = 1; double total = 5; Part part = 3; string currency = 6;"
    + " google.protobuf.Timestamp at = 4; }"
    + PART,
)
STEP = Step("order", "1", "2", [convert("price", float, str), rename("price", "total"), default("currency", "EUR")])


def chain(**schemas: Schema) -> Chain:
    step = Step("order", "1", "2", STEP.operations, shape=present("total"), schema=schemas.get("new"))
    return Chain([step], [Baseline("order", "1", shape=present("price"), schema=schemas.get("old"))])


def order() -> Any:
    made = message_class(OLD)(id="o-1", price="12.5")
    made.part.name = "wheel"
    made.part.sizes.extend([1, 2])
    made.at.FromDatetime(dt.datetime(2026, 1, 2, tzinfo=dt.UTC))
    return made


def upcaster(made: Chain, target: Encoding) -> SchemaUpcaster:
    return SchemaUpcaster(made, Policy(), targets={("order", "2"): target})


@pytest.mark.parametrize("made", [chain(old=OLD, new=NEW), chain()], ids=["by its schema", "by its shape"])
def test_a_message_is_upcast(made: Chain) -> None:
    value = b"\x00\x00\x00\x00\x01\x00" + order().SerializeToString()
    new = Encoding(NEW, b"\x00\x00\x00\x00\x02\x00")
    outcome = upcaster(made, new).upcast(Event(value), None, Encoding(OLD, b"\x00\x00\x00\x00\x01\x00"))
    assert isinstance(outcome, Upcast), outcome
    (record,) = outcome.output(Event(value))
    assert record.value is not None
    assert record.value.startswith(new.frame)
    found = message_class(NEW).FromString(record.value[6:])
    assert (found.id, found.total, found.currency) == ("o-1", 12.5, "EUR")
    assert found.part.SerializeToString() == order().part.SerializeToString()
    assert found.at.seconds == order().at.seconds


def test_a_field_that_the_target_does_not_have_is_a_dead_letter() -> None:
    target = Schema("protobuf", NEW.text.replace("string currency = 6;", ""))
    outcome = upcaster(chain(), Encoding(target)).upcast(Event(order().SerializeToString()), None, Encoding(OLD))
    assert isinstance(outcome, DeadLettered)
    assert outcome.fault.stage == "validate"
    assert "currency has no place in the target's schema" in outcome.fault.message


def test_json_becomes_protobuf_and_protobuf_becomes_json() -> None:
    value = json.dumps({"id": "o-1", "price": "12.5", "part": {"name": "wheel", "sizes": [3]}}).encode()
    outcome = upcaster(chain(), Encoding(NEW)).upcast(Event(value), None, BARE_JSON)
    assert isinstance(outcome, Upcast), outcome
    (record,) = outcome.output(Event(value))
    found = message_class(NEW).FromString(record.value)
    assert (found.total, list(found.part.sizes)) == (12.5, [3])

    came = order()
    came.ClearField("at")
    outcome = upcaster(chain(), BARE_JSON).upcast(Event(came.SerializeToString()), None, Encoding(OLD))
    assert isinstance(outcome, Upcast), outcome
    (record,) = outcome.output(Event(b""))
    assert json.loads(record.value or b"") == {
        "id": "o-1",
        "total": 12.5,
        "part": {"name": "wheel", "sizes": [1, 2]},
        "currency": "EUR",
    }
    outcome = upcaster(chain(), BARE_JSON).upcast(Event(order().SerializeToString()), None, Encoding(OLD))
    assert isinstance(outcome, DeadLettered)
    assert (outcome.fault.stage, outcome.fault.path) == ("encode", "at")


def test_a_trace_shows_messages_as_json() -> None:
    trace = upcaster(chain(), Encoding(NEW)).trace(Event(order().SerializeToString()), None, Encoding(OLD))
    assert json.loads(trace.hops[0].before)["at"] == "2026-01-02 00:00:00+00:00"
    assert json.loads(trace.hops[0].after)["total"] == 12.5


def test_the_operations_are_held_against_the_schemas() -> None:
    text = NEW.text.replace("string id = 1", "int64 id = 1")
    with pytest.raises(ChainError, match="id"):
        chain(old=OLD, new=Schema("protobuf", text)).check()
    with pytest.raises(ChainError, match="currency"):
        chain(old=OLD, new=Schema("protobuf", NEW.text.replace("string currency = 6;", ""))).check()
    chain(old=OLD, new=NEW).check()


PACKAGE = '''
"""Orders say b."""
from upcasters import Baseline, Step, rename
step = Step("order", "1", "2", [rename("a", "b")], schema="order.proto")
baseline = Baseline("order", "1")
'''


def test_a_file_beside_a_step_finds_what_it_imports_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "shop_proto"
    (folder / "parts").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "order_2.py").write_text(PACKAGE)
    (folder / "order.proto").write_text(
        HEAD + '\nimport "parts/part.proto";\nmessage Order { string b = 1; Part p = 2; }'
    )
    (folder / "parts" / "part.proto").write_text('syntax = "proto3"; package shop;' + PART)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        schema = chain_from_package("shop_proto").schemas["order", "2"]
    finally:
        for name in [name for name in sys.modules if name.startswith("shop_proto")]:
            del sys.modules[name]
    assert [name for name, _ in schema.references] == ["parts/part.proto"]
    assert message_class(schema)(p={"name": "wheel"}).p.name == "wheel"
