"""Whatever the bytes are: a document, or an error that names a place. Never a crash, never much memory."""

from __future__ import annotations

import json
import random
import tracemalloc
from typing import Any

import pytest
from msgspec import Raw

from tests.unit.upcasters.formats.generated_avro import avro_bytes
from upcasters.document import plain
from upcasters.errors import DecodeError, EventError, TooDeep
from upcasters.formats import Schema, SchemaError, implied
from upcasters.formats.avro import AvroFormat, fast_writing, reading
from upcasters.formats.avro.parsing import avro_type
from upcasters.formats.avro.types import AvroType
from upcasters.formats.avro.varints import written
from upcasters.formats.avro.writing import Writing
from upcasters.formats.touching import EVERYTHING, NOTHING
from upcasters.paths import EACH

AVRO = AvroFormat()
EVERY_PATH = [(EACH,) * depth for depth in range(1, 6)]


def record(*fields: Any) -> Schema:
    """A record with fields of these types, ``a`` to ``z``."""
    named = [{"name": chr(97 + number), "type": kind} for number, kind in enumerate(fields)]
    return Schema("avro", json.dumps({"type": "record", "name": "R", "fields": named}))


RICH = record(
    "int",
    {"type": "array", "items": {"type": "map", "values": ["null", "string", "double"]}},
    ["null", {"type": "enum", "name": "E", "symbols": ["X", "Y"]}],
    {"type": "array", "items": "null"},
    ["null", "R"],
    {"type": "fixed", "name": "F", "size": 3},
    {"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 1},
    {"type": "long", "logicalType": "timestamp-millis"},
    "boolean",
)
VALUE = {
    "a": -70_000,
    "b": [{"k": "text", "é": None}, {}, {"d": 1.5}],
    "c": "Y",
    "d": [None, None],
    "e": None,
    "f": b"abc",
    "g": b"\x00\x07",
    "h": 1_700_000_000_000,
    "i": True,
}


def worked_on(schema: Schema, data: bytes) -> None:
    """All that the engine does with a value; only an EventError may come out of it."""
    writer = AVRO.writer(schema)
    for touched in ([], EVERY_PATH):
        try:
            document = AVRO.reader(schema, touched)(data)
            assert writer(document)
            writer(plain(document))
        except EventError:
            continue


@pytest.mark.parametrize("seed", range(300))
def test_bytes_that_were_changed_are_a_document_or_an_error(seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(avro_bytes(RICH, {**VALUE, "e": VALUE} if seed % 2 else VALUE))
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                data[place] = chance.randrange(256)
            case 1:
                del data[place : place + chance.randint(1, 9)]
            case 2:
                data[place:place] = chance.randbytes(chance.randint(1, 9))
            case _:
                data[place:place] = written(chance.choice([-1, 2**31, -(2**31), 2**62, -(2**63), 2**63 - 1]))
        data = data or bytearray(b"\x00")
    worked_on(RICH, bytes(data))


HUGE = [written(count) for count in (33, 50_000_000, 2**62, 2**63 - 1)]
NOTHING_INSIDE = ["null", {"type": "fixed", "name": "F", "size": 0}, {"type": "record", "name": "E", "fields": []}]
BLOCK = written(-3) + written(2**40)


@pytest.mark.parametrize("items", NOTHING_INSIDE, ids=lambda one: one if isinstance(one, str) else one["type"])
@pytest.mark.parametrize("count", HUGE, ids=len)
def test_few_bytes_do_not_become_many_items(items: Any, count: bytes) -> None:
    schema = record({"type": "array", "items": items})
    for touched in ([], EVERY_PATH):
        with pytest.raises(DecodeError, match="more than 32 items that take no byte at byte"):
            AVRO.reader(schema, touched)(count + b"\x00")


ITEMS = ["int", "double", "string", {"type": "fixed", "name": "F", "size": 5}, ["null", "int"], "boolean"]


@pytest.mark.parametrize("items", ITEMS, ids=str)
@pytest.mark.parametrize("data", [*HUGE, BLOCK, written(-(2**63)) + written(0)], ids=len)
def test_more_items_than_there_are_bytes_are_refused_at_once(items: Any, data: bytes) -> None:
    for kind in ({"type": "array", "items": items}, {"type": "map", "values": items}):
        for touched in ([], EVERY_PATH):
            with pytest.raises(DecodeError):
                AVRO.reader(record(kind), touched)(data)


LONE = [
    ("boolean", b"\x02", "a boolean that is neither 0 nor 1 at byte 0"),
    ("int", written(2**31), "an int of more than 32 bits"),
    ("int", b"\x80" * 20 + b"\x00", "a number of more than 10 bytes"),
    ("long", b"\xff" * 9 + b"\x02", "a number of more than 64 bits"),
    ("string", written(-1), "a negative length"),
    ("bytes", written(2**62) + b"x", "it ends too early|bytes are left over"),
    (["null", "int"], b"\x04\x00", "a branch of a union that is not there"),
    (["null", "int"], b"\x80\x00\x00", "a branch of a union that is not there"),
    ({"type": "enum", "name": "E", "symbols": ["X"]}, b"\x02", "an enum's number that has no symbol"),
    ({"type": "enum", "name": "E", "symbols": ["X"]}, b"\x01", "an enum's number that has no symbol"),
    ({"type": "array", "items": "int"}, written(-1) + written(5) + b"\x00\x00", "a block of another size"),
    ("int", b"\x00\x00", "bytes are left over at byte 1"),
    ("int", b"", "it ends too early"),
]


@pytest.mark.parametrize(("kind", "data", "said"), LONE)
def test_an_error_says_what_is_wrong_and_where(kind: Any, data: bytes, said: str) -> None:
    with pytest.raises(DecodeError, match=said):
        AVRO.reader(record(kind))(data)


def test_a_union_of_many_branches_takes_their_numbers_in_the_shortest_form_only() -> None:
    kinds: list[Any] = [{"type": "enum", "name": f"E{number}", "symbols": ["X"]} for number in range(70)]
    reader, writer = AVRO.reader(record(kinds)), AVRO.writer(record(kinds))
    for number in (0, 63, 64, 69):
        assert writer(reader(written(number) + b"\x00")) == written(number) + b"\x00"
    for data in (written(70), written(-1), b"\x82\x00"):
        with pytest.raises(DecodeError, match="a union's branch that is not there"):
            reader(data + b"\x00")


def test_a_record_that_is_five_thousand_levels_deep_is_refused() -> None:
    schema = record(["null", "R"])
    for touched in ([], EVERY_PATH, [("a",) * 500]):
        with pytest.raises(TooDeep):
            AVRO.reader(schema, touched)(b"\x02" * 5_000 + b"\x00")


def test_a_record_as_deep_as_may_be_is_read_opened_and_written() -> None:
    schema = record(["null", "R"])
    data = b"\x02" * 390 + b"\x00"
    document = AVRO.reader(schema)(data)
    assert AVRO.writer(schema)(document) == data
    assert AVRO.writer(schema)(plain(document)) == data


def test_a_megabyte_that_is_wrong_at_its_end_takes_little_memory() -> None:
    schema = record({"type": "array", "items": {"type": "array", "items": "null"}})
    data = written(200_000) + (written(32) + b"\x00") * 200_000 + b"\x00\x00"
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            AVRO.reader(schema)(data)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(data)
    finally:
        tracemalloc.stop()


def test_a_schema_that_names_records_again_and_again_makes_little_code() -> None:
    """What has 155 fields where it is written would be 75,000 fields of code."""
    inner: Any = "int"
    for level, count in enumerate((100, 30, 25)):
        kinds = [inner, *([f"R{level}" if level else "int"] * (count - 1))]
        fields = [{"name": f"f{number}", "type": kind} for number, kind in enumerate(kinds)]
        inner = {"type": "record", "name": f"R{level + 1}", "fields": fields}
    schema = Schema("avro", json.dumps(inner))
    avro = avro_type(schema)
    writing = fast_writing._Code(Writing(avro))
    write = writing.writer(avro)
    assert sum(text.count("\n") for text in writing._functions) + len(writing._lines) < 5 * reading.MOST_LINES
    data = written(1) * 75_000
    for touched in (NOTHING, EVERYTHING):
        code = reading._Code()
        read = code.reader(avro, touched)
        assert sum(text.count("\n") for text in code.functions) + len(code.lines) < 5 * reading.MOST_LINES
        assert write(read(data)) == data


def test_a_long_constant_is_not_kept() -> None:
    kept = fast_writing._Code(Writing(avro_type(record("string"))))._constants(AvroType("string"))
    table = next(cell.cell_contents for cell in kept.__closure__ or () if type(cell.cell_contents) is dict)
    for text in ("short", "long" * 100):
        node = Raw(json.dumps(text).encode())
        assert kept(node) == kept(node) == written(len(text)) + text.encode()
    assert list(table) == [b'"short"']


TEXTS = [
    "5",
    "[]",
    '{"type": "record"}',
    '{"type": "record", "name": "R", "fields": [{"name": "a", "type": "nobody"}]}',
    '{"type": "record", "name": "R", "fields": [{"name": "a", "type": ["int", "int"]}]}',
    '{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}, {"name": "a", "type": "int"}]}',
    '{"type": "fixed", "name": "F", "size": -1}',
    '{"type": "fixed", "name": "F", "size": 99999999999}',
    '{"type": "array"}',
    '{"type": "array", "items":' * 900 + '"int"' + "}" * 900,
    '{"type": "array", "items":' * 70 + '"int"' + "}" * 70,
    "[" * 5_000,
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:40])
def test_a_schema_that_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises(SchemaError) as caught:
        AVRO.reader(Schema("avro", text))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("default", ['"x"', "null", "1.5", "3000000000", "[]"])
def test_a_default_that_is_no_value_of_its_field_is_refused(default: str) -> None:
    text = f'{{"type": "record", "name": "R", "fields": [{{"name": "a", "type": "int", "default": {default}}}]}}'
    with pytest.raises(SchemaError, match=r"the default of R\.a is no value of its type"):
        AVRO.writer(Schema("avro", text))


@pytest.mark.parametrize("touched", [[("a", EACH, "x")], EVERY_PATH], ids=["touched", "every path"])
def test_records_of_nulls_do_not_become_gigabytes(touched: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each item takes a byte, and has five hundred fields that take none."""
    monkeypatch.setattr(implied, "MOST_IMPLIED", 20_000)
    fields = [{"name": "x", "type": "int"}, *({"name": f"n{number}", "type": "null"} for number in range(500))]
    schema = record({"type": "array", "items": {"type": "record", "name": "I", "fields": fields}})
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match="more than 20000 values that stand in no byte of it"):
            AVRO.reader(schema, touched)(written(50_000) + bytes(50_001))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    for _ in range(2):
        assert len(plain(AVRO.reader(schema, touched)(written(35) + bytes(36)))["a"]) == 35
