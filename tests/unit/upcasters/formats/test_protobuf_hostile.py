"""Whatever the bytes are: a document, or an error that names a place. Never a crash, never much memory."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import pytest

from tests.unit.upcasters.formats.generated_protobuf import message_class
from upcasters.document import plain
from upcasters.errors import DecodeError, EventError, TooDeep
from upcasters.formats import Schema, implied
from upcasters.formats.protobuf import ProtobufFormat
from upcasters.formats.protobuf import reading as protobuf_reading
from upcasters.formats.protobuf.wire import written
from upcasters.paths import EACH

PROTOBUF = ProtobufFormat()
EVERY_PATH = [(EACH,) * depth for depth in range(1, 6)]
RICH = Schema(
    "protobuf",
    """
    syntax = "proto3";
    import "google/protobuf/struct.proto";
    import "google/protobuf/timestamp.proto";
    enum E { X = 0; Y = 1; }
    message R {
      int32 a = 1; repeated string b = 2; map<string, R> c = 3; E d = 4; repeated E e = 5; R f = 6;
      repeated double g = 7; google.protobuf.Timestamp h = 8; google.protobuf.Value i = 9; bytes j = 10;
      oneof o { R k = 11; sint64 l = 12; } map<int64, bool> m = 13; fixed64 n = 200;
    }
    """,
)
R = message_class(RICH)


def rich() -> bytes:
    made = R(a=-7, b=["text", ""], d=1, e=[0, 1, 5], g=[1.5, float("nan")], j=b"\x00\xff", l=-3, n=9)
    made.f.f.f.a = 5
    made.c["k"].b.append("inner")
    made.h.seconds = 1_700_000_000
    made.i.struct_value.fields["x"].list_value.values.add().null_value = 0
    made.m[-5] = True
    return bytes(made.SerializeToString(deterministic=True))


def worked_on(schema: Schema, data: bytes) -> None:
    """All that the engine does with a value; only an EventError may come out of it."""
    writer = PROTOBUF.writer(schema)
    for touched in ([], EVERY_PATH):
        try:
            document = PROTOBUF.reader(schema, touched)(data)
            writer(document)
            writer(plain(document))
        except EventError:
            continue


@pytest.mark.parametrize("seed", range(350))
def test_bytes_that_were_changed_are_a_document_or_an_error(seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(rich())
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
                data[place:place] = written(chance.choice([0, 7, 2**31, 2**32, 2**62, 2**64 - 1]))
        data = data or bytearray(b"\x00")
    worked_on(RICH, bytes(data))


ALONE = [
    (b"\x08", "it ends too early"),
    (b"\x12\x05ab", "it ends too early"),
    (b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "it ends too early"),
    (b"\x08" + b"\x80" * 11 + b"\x00", "a number of more than 10 bytes at byte 1"),
    (b"\x00\x00", "a tag that no field may have at byte 0"),
    (b"\x07\x00", "a tag that no field may have at byte 0"),
    (b"\x08\x01\x0e\x00", "a tag that no field may have at byte 2"),
    (b"\xff\xff\xff\xff\xff\xff\x01", "a tag that no field may have at byte 0"),
    (b"\x0c", "the end of a group that did not begin at byte 0"),
    (b"\xa3\x06\x08\x01", "it ends too early"),
    (b"\xa3\x06\x94\x07", "the end of a group that did not begin at byte 2"),
    (b"\xc1\x0c\x00\x00", "it ends too early"),
]


@pytest.mark.parametrize(("data", "said"), ALONE, ids=lambda one: one.hex() if isinstance(one, bytes) else None)
def test_an_error_says_what_is_wrong_and_where(data: bytes, said: str) -> None:
    with pytest.raises(DecodeError, match=said):
        PROTOBUF.reader(RICH)(data)


INSIDE: list[tuple[bytes, str]] = [
    (b"\x1a\x02\x08\x01", "an entry of a map has more than a key and a value"),
    (b"\x1a\x03\x0a\x00\x0a", "it ends too early"),
    (b"\x1a\x03\x0a\x01\xff", "a map has a key that is not UTF-8"),
    (b"\x1a\x07\x0a\x01\xff\x12\x02\x08\x01", "a map has a key that is not UTF-8"),
    (b"\x1a\x03\x0a\x01k" * 2, "the same key twice"),
    (b"\x3a\x05aaaaa", "packed items of another size"),
    (b"\x2a\x02\x01\x80", "it ends too early"),
    (b"\x12\x01\xff", "not UTF-8"),
    (b"\x42\x0a\x08" + b"\xff" * 8 + b"\x7f", "a google.protobuf.Timestamp that Python cannot compute with"),
]


@pytest.mark.parametrize(("data", "said"), INSIDE, ids=lambda one: one.hex() if isinstance(one, bytes) else None)
def test_what_is_wrong_inside_is_met_by_who_opens_it(data: bytes, said: str) -> None:
    document = PROTOBUF.reader(RICH)(data)
    assert PROTOBUF.writer(RICH)(document) == data
    with pytest.raises(EventError, match=said):
        plain(document)


def deep(levels: int, tag: bytes = b"\x32") -> bytes:
    data = b""
    for _ in range(levels):
        data = tag + written(len(data)) + data
    return data


@pytest.mark.parametrize("paths", [[], EVERY_PATH, [("f",) * 500]], ids=["none", "every", "deep"])
def test_a_message_that_is_five_thousand_levels_deep_is_refused_by_who_opens_it(paths: Any) -> None:
    data = deep(5_000)
    document = PROTOBUF.reader(RICH, paths)(data)
    with pytest.raises(TooDeep):
        plain(document)


def test_a_value_of_any_type_that_is_deep_is_refused() -> None:
    data = b""
    for _ in range(3_000):
        inner = b"\x0a" + written(len(data)) + data
        data = b"\x32" + written(len(inner)) + inner
    with pytest.raises(TooDeep):
        plain(PROTOBUF.reader(RICH)(b"\x4a" + written(len(data)) + data))


def test_groups_within_groups_are_refused() -> None:
    with pytest.raises(TooDeep):
        PROTOBUF.reader(RICH)(b"\xa3\x06" * 5_000)
    data = b"\xa3\x06" * 300 + b"\xa4\x06" * 300
    assert PROTOBUF.writer(RICH)(PROTOBUF.reader(RICH)(data)) == data


def test_a_message_as_deep_as_may_be_is_read_opened_and_written() -> None:
    data = deep(390)
    document = PROTOBUF.reader(RICH)(data)
    assert PROTOBUF.writer(RICH)(document) == data
    assert PROTOBUF.writer(RICH)(plain(document)) == data


def test_a_document_that_is_too_deep_is_not_written() -> None:
    node: dict[str, Any] = {}
    for _ in range(402):
        node = {"f": node}
    with pytest.raises(TooDeep):
        PROTOBUF.writer(RICH)(node)


def test_fields_that_alternate_take_little_time_and_memory() -> None:
    """Each run of a field is a chunk; they are put together once."""
    data = (b"\x08\x01\x20\x01\x5a\x00\x60\x01" * 30_000) + b"\x5a\x02\x08\x05"
    tracemalloc.start()
    try:
        document = PROTOBUF.reader(RICH)(data)
        assert tracemalloc.get_traced_memory()[1] < 200 * len(data)
    finally:
        tracemalloc.stop()
    assert plain(document["k"])["a"] == 5
    assert "l" not in document
    assert document["a"].weight == 60_000


@pytest.mark.parametrize("data", [b"\x10\x05", b"\x0d\x00\x00\x00\x00", b"\x22\x01\x01"])
def test_a_field_of_another_wire_type_is_an_unknown_one(data: bytes) -> None:
    """As google's readers have it; the number is that of a field, so that nobody can keep it beside the field."""
    document = PROTOBUF.reader(RICH)(data)
    assert plain(document)["unknown fields"] == data
    with pytest.raises(EventError, match="an unknown field has the number"):
        PROTOBUF.writer(RICH)(document)


MANY_FIELDS = "".join(f"int32 f{number} = {number};" for number in range(1, 101))
WIDE = Schema("protobuf", f'syntax = "proto3"; message W {{ repeated I items = 1; }} message I {{ {MANY_FIELDS} }}')


@pytest.mark.parametrize("touched", [[], [("items", EACH, "f1")]], ids=["read whole", "touched"])
def test_empty_messages_do_not_become_gigabytes(touched: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes two bytes, and has a hundred fields that are always there. Events are counted each for itself."""
    monkeypatch.setattr(implied, "MOST_IMPLIED", 20_000)
    read = PROTOBUF.reader(WIDE, touched)
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match="more than 20000 values that stand in no byte of it"):
            plain(read(b"\x0a\x00" * 10_000))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    for _ in range(2):
        assert len(plain(read(b"\x0a\x00" * 190))["items"]) == 190


def test_a_large_value_may_not_be_very_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each level has the bytes of all that is inside of it."""
    monkeypatch.setattr(protobuf_reading, "MOST_BYTES_OF_LEVELS", 1_000_000)
    data = b"\x52" + written(10_000) + b"x" * 10_000
    for levels in range(150):
        if levels == 90:
            assert "f" in plain(PROTOBUF.reader(RICH)(data))
        data = b"\x32" + written(len(data)) + data
    with pytest.raises(DecodeError, match=r"too large for one that is 9\d levels deep"):
        plain(PROTOBUF.reader(RICH)(data))
