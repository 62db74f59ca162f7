"""Schemas as others have them, in and out: change events of Debezium, CloudEvents in Protobuf, google's own messages.

What a chain makes of them is what fastavro and google's protobuf make of them, less what the chain changes.
"""

from __future__ import annotations

import datetime as dt
import importlib
import io
import json
import pkgutil
import random
import struct
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import fastavro
import google.api
import google.rpc
import google.type
import opentelemetry.proto
import pytest
from google.protobuf import any_pb2, message_factory, timestamp_pb2

from tests.unit.upcasters.formats.generated_protobuf import message_class
from upcasters import (
    Baseline,
    Chain,
    Detection,
    Event,
    FromHeader,
    Policy,
    Step,
    Upcast,
    convert,
    default,
    has_type,
    move,
    rename,
    when,
)
from upcasters.document import plain
from upcasters.formats import Encoding, Schema
from upcasters.formats.protobuf import ProtobufFormat, schema_of
from upcasters.paths import EACH
from upcasters.schema_upcaster import SchemaUpcaster


def upcast(old: Schema, new: Schema, value: bytes, *operations: Any) -> bytes:
    chain = Chain([Step("event", "1", "2", list(operations), lossy="nobody goes back here")], [Baseline("event", "1")])
    upcaster = SchemaUpcaster(
        chain, Policy(Detection((), (FromHeader("v"),))), {("event", "2"): Encoding(new, b"\x02")}
    )
    outcome = upcaster.upcast(Event(b"\x01" + value, b"key"), encoding=Encoding(old, b"\x01", version=("event", "1")))
    assert isinstance(outcome, Upcast), outcome
    (made,) = outcome.output(Event(b"", b"key"))
    assert made.value is not None
    assert made.value.startswith(b"\x02")
    return made.value[1:]


# Avro: an envelope of Debezium for PostgreSQL.

DECIMAL = {
    "type": "bytes",
    "scale": 2,
    "precision": 10,
    "connect.version": 1,
    "connect.parameters": {"scale": "2", "connect.decimal.precision": "10"},
    "connect.name": "org.apache.kafka.connect.data.Decimal",
    "logicalType": "decimal",
}


def optional(kind: Any) -> dict[str, Any]:
    return {"type": ["null", kind], "default": None}


def connect(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "connect.version": 1, "connect.name": name, **more}


def envelope(**columns: Any) -> dict[str, Any]:
    row = {"type": "record", "name": "Value", "fields": [{"name": name, **columns[name]} for name in columns]}
    source = {
        "version": {"type": "string"},
        "ts_ms": {"type": "long"},
        "snapshot": {
            "type": [connect("string", "io.debezium.data.Enum", **{"connect.default": "false"}), "null"],
            "default": "false",
        },
        "sequence": optional("string"),
        "lsn": optional("long"),
    }
    block = {"id": {"type": "string"}, "total_order": {"type": "long"}}
    return {
        "type": "record",
        "name": "Envelope",
        "namespace": "pg.public.orders",
        "connect.version": 2,
        "fields": [
            {"name": "before", **optional(row)},
            {"name": "after", **optional("Value")},
            {"name": "source", "type": record("io.debezium.connector.postgresql.Source", source)},
            {"name": "transaction", **optional(record("event.block", block))},
            {"name": "op", "type": "string"},
            {"name": "ts_ms", **optional("long")},
        ],
    }


def record(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": each, **fields[each]} for each in fields]}


COLUMNS: dict[str, Any] = {
    "id": {"type": {"type": "int", "connect.default": 0}, "default": 0},
    "price": optional(DECIMAL),
    "created": {"type": connect("long", "io.debezium.time.MicroTimestamp")},
    "day": optional(connect("int", "org.apache.kafka.connect.data.Date", logicalType="date")),
    "at": {"type": connect("long", "org.apache.kafka.connect.data.Timestamp", logicalType="timestamp-millis")},
    "uuid": {"type": connect("string", "io.debezium.data.Uuid")},
    "geo": optional(record("io.debezium.data.geometry.Point", {"x": {"type": "double"}, "wkb": optional("bytes")})),
    "tags": optional({"type": "array", "items": ["null", "string"]}),
    "kv": {
        "type": {
            "type": "map",
            "values": ["null", "string", "long", {"type": "array", "items": ["null", "double"]}],
        }
    },
    "hash": {"type": {"type": "fixed", "name": "MD5", "size": 4}},
}
ROW: dict[str, Any] = {
    "id": 7,
    "price": Decimal("-99999999.99"),
    "created": 1_700_000_000_000_001,
    "day": dt.date(2024, 2, 29),
    "at": dt.datetime(2024, 2, 29, 23, 59, 59, 999_000, tzinfo=dt.UTC),
    "uuid": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "geo": {"x": -0.0, "wkb": b"\x00\xff"},
    "tags": ["a", None, "ü" * 100],
    "kv": {"n": None, "s": "text", "l": -(2**63), "d": [1.5, None]},
    "hash": b"\x00\x01\x02\xff",
}
SOURCE = {"version": "3.0", "ts_ms": 2**63 - 1, "snapshot": "false", "sequence": '["1","2"]', "lsn": None}
CHANGES: list[dict[str, Any]] = [
    {"before": None, "after": ROW, "source": SOURCE, "transaction": None, "op": "c", "ts_ms": 1},
    {
        "before": {**ROW, "price": None, "day": None, "geo": None, "tags": None, "kv": {}},
        "after": {**ROW, "price": Decimal("0.00"), "tags": []},
        "source": {**SOURCE, "snapshot": None, "lsn": -1},
        "transaction": {"id": "571", "total_order": 1},
        "op": "u",
        "ts_ms": None,
    },
    {"before": ROW, "after": None, "source": SOURCE, "transaction": None, "op": "d", "ts_ms": 1},
]


def avro(schema: dict[str, Any], value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(json.dumps(schema))), value)
    return out.getvalue()


def of_avro(schema: dict[str, Any], data: bytes) -> Any:
    return fastavro.schemaless_reader(io.BytesIO(data), fastavro.parse_schema(json.loads(json.dumps(schema))), None)


@pytest.mark.parametrize("change", CHANGES, ids=lambda each: each["op"])
def test_a_change_event_of_debezium(change: dict[str, Any]) -> None:
    """A column is renamed, one becomes a text, one is new: in both rows where they are there. The rest stays."""
    old, columns = envelope(**COLUMNS), dict(COLUMNS)
    columns["placed"] = columns.pop("created")
    new = envelope(**{**columns, "price": optional("string"), "currency": {"type": "string", "default": "EUR"}})
    rows = [
        when(
            has_type(row, "object"),
            rename(f"{row}.created", "placed"),
            when(has_type(f"{row}.price", "number"), convert(f"{row}.price", str, Decimal)),
        )
        for row in ("before", "after")
    ]
    value = avro(old, change)
    made = upcast(Schema("avro", json.dumps(old)), Schema("avro", json.dumps(new)), value, *rows)

    def changed(row: dict[str, Any] | None) -> dict[str, Any] | None:
        if row is None:
            return None
        wanted = {**row, "placed": row["created"], "currency": "EUR"}
        del wanted["created"]
        return {**wanted, "price": None if row["price"] is None else str(row["price"])}

    wanted = {**change, "before": changed(change["before"]), "after": changed(change["after"])}
    assert of_avro(new, made) == wanted
    assert avro(new, wanted) == made


# Protobuf: CloudEvents, and messages of google and OpenTelemetry.

CLOUD_EVENT = """
syntax = "proto3";
package io.cloudevents.v1;
import "google/protobuf/any.proto";
import "google/protobuf/timestamp.proto";
message CloudEvent {
  string id = 1;
  string source = 2;
  string spec_version = 3;
  string type = 4;
  map<string, CloudEventAttributeValue> attributes = 5;
  oneof data { bytes binary_data = 6; string text_data = 7; google.protobuf.Any proto_data = 8; }
  message CloudEventAttributeValue {
    oneof attr {
      bool ce_boolean = 1; int32 ce_integer = 2; string ce_string = 3; bytes ce_bytes = 4;
      string ce_uri = 5; string ce_uri_ref = 6; google.protobuf.Timestamp ce_timestamp = 7;
    }
  }
}
"""
CLOUD_EVENT_2 = CLOUD_EVENT.replace("string type = 4;", "string kind = 4; string tenant = 9;")


@pytest.mark.parametrize("data", ["binary_data", "text_data", "proto_data", ""])
def test_a_cloud_event_in_protobuf(data: str) -> None:
    old, new = Schema("protobuf", CLOUD_EVENT), Schema("protobuf", CLOUD_EVENT_2)
    event: Any = message_class(old)(id="1", source="/shop", spec_version="1.0", type="order.placed")
    event.attributes["time"].ce_timestamp.FromDatetime(dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC))
    event.attributes["tenant"].ce_string = "blue"
    event.attributes["n"].ce_integer = -1
    event.attributes["flag"].ce_boolean = False
    event.attributes["none"].SetInParent()
    held = any_pb2.Any()
    held.Pack(timestamp_pb2.Timestamp(seconds=5))
    if data == "proto_data":
        event.proto_data.ParseFromString(held.SerializeToString())
    elif data:
        setattr(event, data, "" if data == "text_data" else b"\x00\xff")
    later = message_class(new)
    made: Any = later.FromString(
        upcast(
            old,
            new,
            event.SerializeToString(),
            rename("type", "kind"),
            move("attributes.tenant.ce_string", "tenant"),
            default("source", "?"),
        )
    )
    wanted: Any = later(id="1", source="/shop", spec_version="1.0", kind="order.placed", tenant="blue")
    for name in event.attributes:
        wanted.attributes[name].ParseFromString(event.attributes[name].SerializeToString())
    wanted.attributes["tenant"].Clear()
    if data == "proto_data":
        wanted.proto_data.ParseFromString(held.SerializeToString())
    elif data:
        setattr(wanted, data, getattr(event, data))
    assert made == wanted
    assert made.WhichOneof("data") == (data or None)


def messages(*packages: Any) -> Iterator[Any]:
    """All messages that are declared in compiled files, but for entries of maps."""
    for package in packages:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("_pb2") and "service" not in module.name:
                file = importlib.import_module(module.name).DESCRIPTOR
                waiting = list(file.message_types_by_name.values())
                for descriptor in waiting:
                    waiting.extend(descriptor.nested_types)
                    if not descriptor.GetOptions().map_entry:
                        yield descriptor


NUMBERS: dict[int, Callable[[random.Random], Any]] = {
    1: lambda chance: chance.choice([0, 1, -1, 2**31 - 1, -(2**31)]),
    2: lambda chance: chance.choice([0, 1, -1, 2**63 - 1, -(2**63)]),
    3: lambda chance: chance.choice([0, 1, 2**32 - 1]),
    4: lambda chance: chance.choice([0, 1, 2**64 - 1]),
    5: lambda chance: chance.choice([0.0, -0.0, 1.5, float("inf"), chance.random()]),
    6: lambda chance: struct.unpack("f", struct.pack("f", chance.random()))[0],
    7: lambda chance: chance.random() < 0.5,
}
"""By the numbers that google's library has for the types of its values in C++."""
TEXT, ENUM = 9, 8


def scalar(chance: random.Random, field: Any) -> Any:
    if field.cpp_type == ENUM:
        return chance.choice([each.number for each in field.enum_type.values])
    if field.cpp_type == TEXT:
        return chance.choice(["", "a", "ü" * 100]).encode() if field.type == field.TYPE_BYTES else chance.choice("aü")
    return NUMBERS[field.cpp_type](chance)


def fill(chance: random.Random, message: Any, depth: int = 0) -> None:
    name = message.DESCRIPTOR.full_name
    if name in ("google.protobuf.Timestamp", "google.protobuf.Duration"):
        message.seconds, message.nanos = chance.randrange(10**9), chance.randrange(10**6) * 1000
        return
    for field in message.DESCRIPTOR.fields:
        if field.is_required or chance.random() < 0.6:
            if field.message_type is None:
                fill_scalars(chance, message, field)
            elif depth < 3:
                fill_messages(chance, message, field, depth + 1)


def fill_scalars(chance: random.Random, message: Any, field: Any) -> None:
    if field.is_repeated:
        getattr(message, field.name).extend(scalar(chance, field) for _ in range(chance.randrange(4)))
    else:
        setattr(message, field.name, scalar(chance, field))


def fill_messages(chance: random.Random, message: Any, field: Any, depth: int) -> None:
    place = getattr(message, field.name)
    if field.message_type.GetOptions().map_entry:
        key, value = field.message_type.fields
        if value.message_type is None:
            place[scalar(chance, key)] = scalar(chance, value)
        else:
            fill(chance, place[scalar(chance, key)], depth)
        return
    inner = place.add() if field.is_repeated else place
    inner.SetInParent()
    fill(chance, inner, depth)


PROTOBUF = ProtobufFormat()
EVERY_PATH = [(EACH,) * depth for depth in range(1, 6)]


def same_after_the_engine(descriptor: Any, seed: int) -> None:
    chance = random.Random(seed)
    message_type, schema = message_factory.GetMessageClass(descriptor), schema_of(descriptor)
    write = PROTOBUF.writer(schema)
    readers = [PROTOBUF.reader(schema, touched) for touched in ([], EVERY_PATH)]
    for _ in range(5):
        message = message_type()
        fill(chance, message)
        data = message.SerializeToString()
        for read in readers:
            assert message_type.FromString(write(read(data))) == message, descriptor.full_name
            assert message_type.FromString(write(plain(read(data)))) == message, descriptor.full_name


def test_messages_of_googles_apis_and_of_opentelemetry() -> None:
    found = list(messages(google.api, google.rpc, google.type, opentelemetry.proto))
    assert len(found) > 130
    for number, descriptor in enumerate(found):
        same_after_the_engine(descriptor, number)
