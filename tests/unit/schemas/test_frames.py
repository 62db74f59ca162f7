"""Frames: what libraries write is read, what is none is refused, and what is written can be read again."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcasters.event import Event, Header
from worker.schemas.frames import FRAMES, Frame, NotFramedError, SchemaId, guid_of, without_ids

GUID = "7a1f9d3e-1c5b-4b6f-9a57-0d2c4f7b8e90"
VALUE = b'{"a": 1}'


def read(frame: Frame, value: bytes, *headers: Header) -> tuple[SchemaId, bytes]:
    mark = frame.mark(Event(value, None, list(headers)))
    return frame.schema_id(mark), frame.body(mark, value)


@pytest.mark.parametrize(
    ("frame", "prefix", "number"),
    [
        ("confluent", "000000000c", 12),
        ("confluent-header", "00ffffffff", 4_294_967_295),
        ("apicurio", "000000000c", 12),
        ("apicurio-8", "00000000010000000c", 4_294_967_308),
    ],
)
def test_a_prefix_names_the_schema(frame: str, prefix: str, number: int) -> None:
    assert read(FRAMES[frame], bytes.fromhex(prefix) + VALUE) == (SchemaId(number), VALUE)


@pytest.mark.parametrize(
    ("frame", "header", "schema"),
    [
        ("confluent", ("__value_schema_id", bytes.fromhex("000000000c")), SchemaId(12)),
        ("confluent", ("__value_schema_id", b"\1" + uuid.UUID(GUID).bytes), SchemaId(guid=GUID)),
        ("confluent-header", ("__value_schema_id", bytes.fromhex("000000000c")), SchemaId(12)),
        ("apicurio", ("apicurio.value.globalId", bytes.fromhex("000000000000000c")), SchemaId(12)),
        ("apicurio-8", ("apicurio.value.contentId", bytes.fromhex("000000000000000c")), SchemaId(12)),
    ],
)
def test_a_header_wins_over_what_stands_before_the_value(frame: str, header: Header, schema: SchemaId) -> None:
    framed = b"\0\0\0\0\7" + VALUE
    assert read(FRAMES[frame], framed, ("trace", b"x"), header) == (schema, framed), "all of it is the value then"


def test_the_last_of_several_headers_counts_and_one_without_value_is_none() -> None:
    headers: list[Header] = [("__value_schema_id", b"\0\0\0\0\1"), ("__value_schema_id", b"\0\0\0\0\2")]
    assert read(FRAMES["confluent"], VALUE, *headers)[0] == SchemaId(2)
    assert read(FRAMES["confluent"], VALUE, *headers, ("__value_schema_id", None))[0] == SchemaId(2)


def test_the_header_of_another_frame_is_no_frame() -> None:
    framed = b"\0\0\0\0\7" + VALUE
    assert read(FRAMES["apicurio"], framed, ("__value_schema_id", b"\0\0\0\0\1")) == (SchemaId(7), VALUE)
    assert read(FRAMES["confluent"], framed, ("apicurio.value.globalId", bytes(8))) == (SchemaId(7), VALUE)


@pytest.mark.parametrize(
    ("value", "header", "told"),
    [
        (VALUE, None, "does not begin with the zero byte"),
        (b"", None, "has 0 bytes"),
        (b"\0\0\0\0", None, "has 4 bytes"),
        (b"\1" + b"\0" * 20, None, "does not begin with the zero byte"),
        (VALUE, b"", "neither an id nor a GUID"),
        (VALUE, b"\0\0", "neither an id nor a GUID"),
        (VALUE, b"\1" * 16, "neither an id nor a GUID"),
        (VALUE, b"\2" * 17, "neither an id nor a GUID"),
    ],
)
def test_what_is_not_framed_is_refused_and_no_byte_of_it_told(value: bytes, header: bytes | None, told: str) -> None:
    headers: list[Header] = [] if header is None else [("__value_schema_id", header)]
    with pytest.raises(NotFramedError, match=told):
        read(FRAMES["confluent"], value, *headers)


def test_an_id_of_apicurio_in_a_header_has_8_bytes() -> None:
    with pytest.raises(NotFramedError, match="not 8 bytes"):
        read(FRAMES["apicurio"], VALUE, ("apicurio.value.globalId", b"\0\0\0\1"))


@given(st.sampled_from(sorted(FRAMES)), st.integers(0, 2**32 - 1), st.booleans(), st.binary())
def test_what_is_written_is_read_again(name: str, number: int, has_guid: bool, value: bytes) -> None:
    frame, schema = FRAMES[name], SchemaId(number, GUID if has_guid else "")
    found, body = read(frame, frame.prefix(schema) + value, *frame.header(schema))
    assert body == value
    told = schema.guid and name == "confluent-header"
    assert found == (SchemaId(guid=GUID) if told else SchemaId(number))


def test_an_id_that_a_frame_has_no_room_for_is_an_error() -> None:
    with pytest.raises(OverflowError):
        FRAMES["confluent"].prefix(SchemaId(2**32))
    assert len(FRAMES["apicurio-8"].prefix(SchemaId(2**32))) == 9


def test_headers_that_name_the_schema_of_a_value_are_not_copied() -> None:
    kept: list[Header] = [("trace", b"x"), ("__key_schema_id", b"k")]
    named: list[Header] = [("__value_schema_id", b"v"), ("apicurio.value.globalId", b"v")]
    assert without_ids([*named, *kept, *named]) == kept


def test_a_guid_is_compared_in_one_spelling() -> None:
    assert guid_of(GUID.upper()) == GUID
    assert guid_of("../" + GUID) == ""
