"""Files of Avro: brought up as Parquet is, with all that no chain changes as it was."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import fastavro
import pyarrow.parquet as pq
import pytest

from tests.unit.archive.archives import (
    OLD,
    VALUES,
    WRONG,
    Dying,
    planned,
    ran,
    records,
    refuse_plan,
    verified,
    visible,
)
from worker.archive import avro, avro_blocks
from worker.archive.avro_blocks import UNPACK, number, pack
from worker.archive.sources import Source
from worker.errors import WorkerError


def maybe(kind: object) -> list[object]:
    return [kind, "null"]


HEADER = {
    "type": "record",
    "name": "headers",
    "fields": [{"name": "key", "type": "string"}, {"name": "value", "type": maybe("bytes")}],
}
SPARKS: dict[str, Any] = {
    "type": "record",
    "name": "topLevelRecord",
    "fields": [
        {"name": "key", "type": maybe("bytes")},
        {"name": "value", "type": maybe("bytes")},
        {"name": "headers", "type": maybe({"type": "array", "items": maybe(HEADER)})},
        {"name": "topic", "type": maybe("string")},
        {"name": "partition", "type": maybe("int")},
        {"name": "offset", "type": maybe("long")},
        {"name": "timestamp", "type": maybe({"type": "long", "logicalType": "timestamp-micros"})},
        {"name": "day", "type": maybe("string")},
    ],
}
"""As Spark writes the columns of its Kafka source."""


def write(file: Path, schema: Any, rows: list[dict[str, Any]], codec: str = "snappy") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as stream:
        fastavro.writer(stream, fastavro.parse_schema(schema), rows, codec=codec, sync_interval=2000)


def read(file: Path) -> list[Any]:
    with file.open("rb") as stream:
        return list(fastavro.reader(stream))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write(tmp_path / "orders" / "day=1" / "0.avro", SPARKS, records(VALUES * 10).to_pylist())
    return tmp_path / "orders"


def test_rows_are_those_that_parquet_has(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "parquet" / "day=1").mkdir(parents=True)
    pq.write_table(records(VALUES * 10), tmp_path / "parquet" / "day=1" / "0.parquet")
    receipt = ran(planned(archive, tmp_path / "current"), tmp_path / "receipt.json")
    other = ran(planned(tmp_path / "parquet", tmp_path / "other"), tmp_path / "other.json")
    assert receipt.files[0].counts == other.files[0].counts
    for kind in ("events", "dead-letters", "skipped"):
        found = read(tmp_path / "current" / kind / "day=1" / "0.avro")
        assert found == pq.read_table(tmp_path / "other" / kind / "day=1" / "0.parquet", partitioning=None).to_pylist()
        assert found
    assert verified(receipt).findings.lines() == []


def test_a_file_is_written_as_its_source(archive: Path, tmp_path: Path) -> None:
    ran(planned(archive, tmp_path / "current"), tmp_path / "receipt.json")
    with (tmp_path / "current" / "events" / "day=1" / "0.avro").open("rb") as stream:
        found: Any = fastavro.reader(stream)
        assert found.codec == "snappy"
        assert found.writer_schema["fields"][:8] == SPARKS["fields"]


def test_a_run_that_was_ended_writes_the_same(archive: Path, tmp_path: Path) -> None:
    ran(planned(archive, tmp_path / "undisturbed"), tmp_path / "other.json")
    plan = planned(archive, tmp_path / "current")
    with pytest.raises(WorkerError, match="killed"):
        ran(plan, tmp_path / "receipt.json", Dying(0))
    assert visible(tmp_path / "current") == {}
    ran(plan, tmp_path / "receipt.json")
    assert visible(tmp_path / "current") == visible(tmp_path / "undisturbed")


def test_an_archive_that_was_brought_up_is_brought_up_again(archive: Path, tmp_path: Path) -> None:
    ran(planned(archive, tmp_path / "first"), tmp_path / "first.json")
    again = planned(tmp_path / "first" / "events", tmp_path / "second")
    assert again.counts.read == 60
    assert verified(ran(again, tmp_path / "second.json")).findings.lines() == []
    first, second = (read(tmp_path / name / "events" / "day=1" / "0.avro") for name in ("first", "second"))
    assert list(first[0]) == list(second[0])


ALL: dict[str, Any] = {
    "type": "record",
    "name": "Order",
    "namespace": "org.example",
    "fields": [
        {"name": "value", "type": "string"},
        {"name": "headers", "type": {"type": "map", "values": "bytes"}},
        {"name": "timestamp", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 40, "scale": 2}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "exact", "type": {"type": "long", "logicalType": "timestamp-nanos"}},
        {"name": "far", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "kind", "type": {"type": "enum", "name": "org.example.Kind", "symbols": ["A", "B"]}},
        {"name": "other", "type": ["null", "org.example.Kind"], "default": None},
        {"name": "hash", "type": {"type": "fixed", "name": "org.example.Hash", "size": 4}},
        {"name": "old", "type": ["null", "org.example.Hash"], "default": None},
        {"name": "ratio", "type": "float"},
        {"name": "exactly", "type": "double"},
        {"name": "sure", "type": "boolean"},
        {"name": "nothing", "type": "null"},
        {"name": "tags", "type": {"type": "array", "items": {"type": "map", "values": ["null", "long"]}}},
        {
            "name": "where",
            "type": {"type": "record", "name": "org.example.Place", "fields": [{"name": "x", "type": "long"}]},
        },
    ],
}
ROW = {
    "value": OLD.decode(),
    "headers": {"trace": b"\xff"},
    "timestamp": 1_700_000_000_001,
    "price": b"\x01\x02",
    "day": 20_000,
    "exact": 1_700_000_000_000_000_001,
    "far": 2**62,
    "id": "9f0c5b1e-0000-4000-8000-000000000000",
    "kind": "B",
    "other": "A",
    "hash": b"\x00\x01\x02\xff",
    "old": None,
    "ratio": 0.5,
    "exactly": 0.1,
    "sure": True,
    "nothing": None,
    "tags": [{"a": 1, "b": None}, {}],
    "where": {"x": -1},
}


def bare(schema: Any) -> Any:
    """Without what numbers mean, so that they come as they are."""
    if isinstance(schema, list):
        return [bare(each) for each in schema]
    if isinstance(schema, dict):
        return {name: bare(each) for name, each in schema.items() if name != "logicalType"}
    return schema


def test_every_type_that_no_chain_changes_is_as_it_was(tmp_path: Path) -> None:
    write(tmp_path / "orders" / "0.avro", bare(ALL), [ROW] * 3, "deflate")
    content = (tmp_path / "orders" / "0.avro").read_bytes()
    # With the meanings in its header, as another program would have written it.
    write(tmp_path / "meant.avro", ALL, [], "deflate")
    meant = (tmp_path / "meant.avro").read_bytes()
    first, second = content.index(content[-16:]) + 16, meant.index(meant[-16:])
    (tmp_path / "orders" / "0.avro").write_bytes(meant[:second] + content[-16:] + content[first:])
    receipt = ran(planned(tmp_path / "orders", tmp_path / "current"), tmp_path / "receipt.json")
    assert receipt.files[0].counts.upcast == 3
    assert verified(receipt).findings.lines() == []
    made = tmp_path / "current" / "events" / "0.avro"
    with made.open("rb") as stream:
        schema: Any = fastavro.reader(stream).writer_schema
    changed = {"value", "headers"}
    assert [each for each in schema["fields"][:18] if each["name"] not in changed] == [
        each for each in ALL["fields"] if each["name"] not in changed
    ]
    found = made.read_bytes()
    start = found.index(found[-16:])
    write(tmp_path / "read.avro", bare(schema), [], "deflate")
    plain = (tmp_path / "read.avro").read_bytes()
    (tmp_path / "read.avro").write_bytes(plain[: plain.index(plain[-16:])] + found[start:])
    for row in read(tmp_path / "read.avro"):
        assert {name: row[name] for name in ROW if name != "value"} == {
            name: value for name, value in ROW.items() if name != "value"
        }


def test_every_place_where_a_file_may_be_cut_is_one_line_or_the_end_of_a_block(archive: Path) -> None:
    file = archive / "day=1" / "0.avro"
    whole = file.read_bytes()
    marker = whole[-16:]
    ends = {place + 16 for place in range(len(whole)) if whole[place : place + 16] == marker}
    for length in {*range(0, len(whole), 37)} - ends:
        file.write_bytes(whole[:length])
        with pytest.raises(WorkerError, match=r"day=1/0.avro cannot be read to its end: .*: restore it") as refused:
            list(Source(str(archive), "day=1/0.avro").batches())
        assert "\n" not in str(refused.value)


def test_a_file_that_was_overwritten_is_one_line(archive: Path) -> None:
    file = archive / "day=1" / "0.avro"
    whole = file.read_bytes()
    for place in range(0, len(whole) - 64, 61):
        file.write_bytes(whole[:place] + b"\xff" * 64 + whole[place + 64 :])
        try:
            list(Source(str(archive), "day=1/0.avro").batches())
        except WorkerError as refused:
            assert "\n" not in str(refused)  # noqa: PT017  # bytes of a value may be any


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (["null", "string", "bytes"], "field value may be of several types: write the file with one of them"),
        ("long", r"column value is int64: it has to be binary or string"),
        (
            {"type": "record", "name": "Tree", "fields": [{"name": "down", "type": ["null", "Tree"]}]},
            "field value.down has a type that contains itself",
        ),
    ],
)
def test_a_schema_that_cannot_be_is_one_line(tmp_path: Path, kind: object, line: str) -> None:
    schema = {"type": "record", "name": "Order", "fields": [{"name": "value", "type": kind}]}
    write(tmp_path / "orders" / "0.avro", schema, [])
    refuse_plan(tmp_path / "orders", tmp_path / "current", line)


def test_a_file_whose_rows_are_no_records_is_one_line(tmp_path: Path) -> None:
    write(tmp_path / "orders" / "0.avro", "string", [])
    with pytest.raises(WorkerError, match="its schema is no record"):
        planned(tmp_path / "orders", tmp_path / "current")


REST = {"name": "value", "type": "bytes"}


def header(schema: bytes, *, magic: bytes = b"Obj\x01", codec: bytes = b"null") -> bytes:
    """The header of a file of Avro, as somebody else may have written it."""
    made = io.BytesIO()
    meta = {"avro.schema": schema, "avro.codec": codec}
    fastavro.schemaless_writer(made, avro_blocks.HEADER, {"magic": magic, "meta": meta, "sync": b"s" * 16})
    return made.getvalue()


def of_fields(*fields: object) -> bytes:
    return json.dumps({"type": "record", "name": "Order", "fields": fields}).encode()


@pytest.mark.parametrize(
    "content",
    [
        header(b'{"type":"record","name":"Order"}'),
        header(b'{"type":"record","name":"Order","fields":5}'),
        header(b'{"type":"record","fields":[{"name":"value","type":"bytes"}]}'),
        header(of_fields({"type": "bytes"})),
        header(of_fields(REST, {"name": "x", "type": {"type": "array"}})),
        header(of_fields(REST, {"name": "x", "type": {"type": "fixed", "name": "F"}})),
        header(of_fields(REST, {"name": "x", "type": {"type": "enum", "symbols": ["A"]}})),
        header(b"[" * 100_000),
        header(of_fields(REST), codec=b"\xff"),
        header(of_fields(REST), magic=b"Obj\x02"),
    ],
)
def test_a_header_that_cannot_be_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0.avro").write_bytes(content)
    with pytest.raises(WorkerError, match=r"0.avro cannot be read to its end: .*: restore it") as refused:
        list(Source(str(tmp_path), "0.avro").batches())
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("count", [b"\x02", b"\x00", b"\x03", b"\x06"])
def test_a_block_that_miscounts_its_records_is_one_line(tmp_path: Path, count: bytes) -> None:
    """It holds two; one, none, minus two and three are said. A wrong count would leave records out in silence."""
    block = count + b"\x0c" + b"\x04{}" * 2 + b"s" * 16
    (tmp_path / "0.avro").write_bytes(header(of_fields(REST)) + block)
    with pytest.raises(WorkerError, match=r"0.avro cannot be read to its end: .*: restore it") as refused:
        list(Source(str(tmp_path), "0.avro").batches())
    assert "\n" not in str(refused.value)


def test_a_name_is_the_type_of_its_own_namespace(tmp_path: Path) -> None:
    one = {"type": "record", "name": "Part", "fields": [{"name": "x", "type": "long"}]}
    other = {**one, "namespace": "other", "fields": [{"name": "y", "type": "long"}]}
    names = [{"name": "a", "type": one}, {"name": "b", "type": other}, {"name": "c", "type": "Part"}]
    schema = {"type": "record", "name": "Order", "namespace": "shop", "fields": [REST, *names]}
    row = {"value": b"{}", "a": {"x": 1}, "b": {"y": 2}, "c": {"x": 3}}
    made = io.BytesIO()
    fastavro.schemaless_writer(made, schema, row)
    block = b"\x02" + bytes([2 * len(made.getvalue())]) + made.getvalue() + b"s" * 16
    # Java writes a schema with short names, fastavro with full ones.
    (tmp_path / "0.avro").write_bytes(header(json.dumps(schema).encode()) + block)
    (batch,) = Source(str(tmp_path), "0.avro").batches()
    assert batch.to_pylist() == [{**row, "source_row": 0}]


def test_without_fastavro_the_extra_is_named(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastavro", None)
    with pytest.raises(WorkerError, match=r"which need fastavro: pip install"):
        planned(archive, tmp_path / "current")


@pytest.mark.parametrize("codec", sorted(UNPACK))
def test_every_codec_is_read_and_written_without_a_package_of_its_own(tmp_path: Path, codec: str) -> None:
    content = b"".join(number(len(each)) + each for each in (OLD, WRONG))
    write_block(tmp_path / "orders" / "0.avro", codec, 2, pack(codec, content))
    receipt = ran(planned(tmp_path / "orders", tmp_path / "current"), tmp_path / "receipt.json")
    assert (receipt.files[0].counts.upcast, receipt.files[0].counts.dead_lettered) == (1, 1)
    assert verified(receipt).findings.lines() == []
    written = (tmp_path / "current" / "events" / "0.avro").read_bytes()
    assert b"avro.codec" + number(len(codec)) + codec.encode() in written


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "bzip2", "xz"])
def test_what_is_packed_here_is_what_others_read_and_write(archive: Path, tmp_path: Path, codec: str) -> None:
    write(archive / "day=1" / "0.avro", SPARKS, records(VALUES * 10).to_pylist(), codec)
    ran(planned(archive, tmp_path / "current"), tmp_path / "receipt.json")
    assert len(read(tmp_path / "current" / "events" / "day=1" / "0.avro")) == 60


@pytest.mark.parametrize("codec", sorted(UNPACK))
def test_a_block_that_unpacks_to_too_much_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str
) -> None:
    monkeypatch.setattr(avro_blocks, "MOST_UNPACKED", 100_000)
    write_block(tmp_path / "orders" / "0.avro", codec, 1, pack(codec, number(99_997) + b" " * 99_997))
    planned(tmp_path / "orders", tmp_path / "whole")
    write_block(tmp_path / "orders" / "0.avro", codec, 1, pack(codec, number(99_998) + b" " * 99_998))
    refuse_plan(
        tmp_path / "orders",
        tmp_path / "current",
        r"orders: 0.avro: a block of it unpacks to over 100,000 bytes: write the file with smaller blocks, or leave it",
    )


def test_a_batch_is_as_large_as_what_its_blocks_unpack_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avro, "MOST_BYTES", 1000)
    write(tmp_path / "0.avro", SPARKS, records([b" " * 400] * 10).to_pylist(), "deflate")
    assert [batch.num_rows for batch in Source(str(tmp_path), "0.avro").batches()] == [3, 3, 3, 1]


def test_a_block_of_another_checksum_is_one_line(tmp_path: Path) -> None:
    packed = pack("snappy", number(len(OLD)) + OLD)
    write_block(tmp_path / "0.avro", "snappy", 1, packed[:-1] + bytes([packed[-1] ^ 1]))
    with pytest.raises(WorkerError, match=r"0.avro cannot be read to its end: a block has another checksum"):
        list(Source(str(tmp_path), "0.avro").batches())


def test_a_codec_that_nobody_knows_is_one_line(tmp_path: Path) -> None:
    write_block(tmp_path / "orders" / "0.avro", "brotli", 0, b"")
    line = r"0.avro: it is packed with brotli, which is none of null, .*, lz4: write it with one, or leave it out"
    refuse_plan(tmp_path / "orders", tmp_path / "current", line)


def test_a_default_that_fits_no_type_stays_as_it_was(tmp_path: Path) -> None:
    """Older writers let null be the default of bytes."""
    field = {"name": "hash", "type": "bytes", "default": None}
    file = tmp_path / "orders" / "0.avro"
    file.parent.mkdir()
    content = number(len(OLD)) + OLD + number(1) + b"\xff"
    block = number(1) + number(len(content)) + content + b"s" * 16
    file.write_bytes(header(of_fields(REST, field)) + block)
    receipt = ran(planned(tmp_path / "orders", tmp_path / "current"), tmp_path / "receipt.json")
    assert verified(receipt).findings.lines() == []
    with (tmp_path / "current" / "events" / "0.avro").open("rb") as stream:
        written = avro.AvroFile(stream)
        assert written.fields[1] == field
        [(batch, _)] = written.batches()
    assert batch.column("hash").to_pylist() == [b"\xff"]


def write_block(file: Path, codec: str, count: int, packed: bytes) -> None:
    """A file of values with one block."""
    file.parent.mkdir(exist_ok=True)
    begin = header(of_fields(REST), codec=codec.encode())
    file.write_bytes(begin + number(count) + number(len(packed)) + packed + b"s" * 16)
