"""``make archive-check``: 50,000 events in each format that Spark reads, and an archive that grows."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.archives.check_archive_command import upcast
from tests.archives.check_spark import DYING, archive, skip_without_spark, spark_job
from upcast_demo.local_kafka.jars import fetch_jars, pinned_jars
from upcasters.arrow import ArrowUpcaster
from upcasters.arrow.results import FIELDS
from worker.archive.avro import AvroFile

pytestmark = pytest.mark.timeout(2400)  # one job behind the other

TIME_LIMIT = 2300
JARS = Path(__file__).with_name("jars.txt")
ROWS, PARTITIONS = 10_000, 5
PLACE = [("partition", "ascending"), ("offset", "ascending")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all jobs have run."""
    skip_without_spark()
    jars = fetch_jars(jars=pinned_jars(JARS))
    folder = tmp_path_factory.mktemp("sources")
    archive(folder / "in", "", ROWS, PARTITIONS)
    archive(folder / "grow", "", 1000, 3)
    connect(folder / "connect")
    for name in ("driver", "executors"):
        (folder / name).mkdir()
        (folder / name / "dying.py").write_text(DYING, encoding="utf-8")
    paths = ",".join(map(str, jars))
    spark_job("tests.archives.sources_on_spark", folder, seconds=TIME_LIMIT, SPARK_JARS=paths)
    return folder


def connect(folder: Path) -> None:
    """As Kafka Connect's sinks for files lay values down: JSON lines with keys beside them, and a column a field."""
    for partition in range(PARTITIONS):
        place = Path("topics", "orders", f"partition={partition}")
        for kind in ("json", "parquet"):
            (folder / kind / place).mkdir(parents=True)
        name = f"orders+{partition}+{0:010}"
        (folder / "json" / place / f"{name}.json").write_bytes(b"\n".join(LINES) + b"\n")
        (folder / "json" / place / f"{name}.keys.json").write_bytes(b'"k"\n' * len(LINES))
        pq.write_table(FIELD_BY_FIELD, folder / "parquet" / place / f"{name}.parquet")


LINES = [b'{"id": %d, "total": 1.10}' % number if number % 10 else b'{"no": 1}' for number in range(1000)]
FIELD_BY_FIELD = pa.table({"id": pa.array(range(1000), pa.int64()), "note": ["x", None] * 500})


def expected(folder: Path, given: str) -> pa.Table:
    """The same without Spark, in this process, in the order of the source."""
    tables = [upcaster().upcast_table(pq.read_table(file)) for file in sorted((folder / given).iterdir())]
    return pa.concat_tables(table.unify_dictionaries() for table in tables)


def upcaster() -> ArrowUpcaster:
    scope: dict[str, Any] = {}
    exec(compile(DYING, "dying.py", "exec"), scope)  # noqa: S102  # our own text
    return ArrowUpcaster(scope["chain"].upcaster())


def assert_equal(found: pa.Table, wanted: pa.Table) -> None:
    """Row by row and column by column; Spark's types are others, as a time without its zone, which is UTC."""
    assert found.num_rows == wanted.num_rows
    for name in found.column_names:
        mine, theirs = found.column(name).combine_chunks(), wanted.column(name).combine_chunks()
        if pa.types.is_dictionary(theirs.type):
            theirs = theirs.dictionary_decode()
        if not mine.cast(theirs.type).equals(theirs):
            assert mine.to_pylist() == theirs.to_pylist(), name
            pytest.fail(f"{name} differs in what a list does not show")


@pytest.mark.parametrize("name", ["parquet", "avro", "iceberg", "delta"])
def test_rows_are_those_of_one_process(folder: Path, name: str) -> None:
    found = pq.read_table(folder / "out" / name).sort_by(PLACE)
    assert {field.name for field in FIELDS} < set(found.column_names)
    assert found.num_rows == PARTITIONS * ROWS
    assert_equal(found, expected(folder, "in"))


def test_lines_that_kafka_connect_has_written(folder: Path) -> None:
    found = pq.read_table(folder / "out" / "lines").sort_by([("file", "ascending")])
    assert len(found.column("file").unique()) == PARTITIONS
    wanted = upcaster().upcast_table(pa.table({"value": LINES}))
    assert_counted(found, wanted)


def test_fields_that_kafka_connect_has_written(folder: Path) -> None:
    found = pq.read_table(folder / "out" / "fields")
    rows = FIELD_BY_FIELD.to_pylist()
    values = [b'{"id":%d,"note":%s}' % (row["id"], b'"x"' if row["note"] else b"null") for row in rows]
    assert_counted(found, upcaster().upcast_table(pa.table({"value": values})))


def assert_counted(found: pa.Table, one: pa.Table) -> None:
    """Each row of one partition is there once for each of them."""
    columns = ["value", *(field.name for field in FIELDS)]

    def counted(table: pa.Table) -> Counter[tuple[Any, ...]]:
        rows = zip(*(table.column(name).to_pylist() for name in columns), strict=True)
        return Counter((value.encode() if isinstance(value, str) else value, *rest) for value, *rest in rows)

    assert counted(found) == {row: PARTITIONS * count for row, count in counted(one).items()}


def test_the_command_brings_up_lines_that_kafka_connect_has_written(folder: Path) -> None:
    to = "lines-by-command"
    plan = ["plan", "connect/json", "--include", "*[0-9].json", "--chain", "dying:chain", "--to", to]
    told = upcast(folder, *plan, "--out", f"{to}.json", "--json")
    assert told.returncode == 1, told.stderr
    assert json.loads(told.stdout)["counts"]["read"] == PARTITIONS * len(LINES)


def test_an_archive_that_grows_is_written_once_though_a_batch_is_done_again(folder: Path) -> None:
    found = pq.read_table(folder / "out" / "stream").sort_by(PLACE)
    assert sorted(set(found.column("micro_batch").to_pylist())) == [0, 1, 2]
    assert_equal(found.drop_columns(["chain", "micro_batch"]), expected(folder, "grow"))


@pytest.mark.parametrize("place", ["old/avro", "old/delta", "lake/shop/orders"])
def test_the_command_brings_up_what_spark_has_written(folder: Path, place: str) -> None:
    to = f"{Path(place).name}-by-command"
    plan = ["plan", place, "--chain", "dying:chain", "--to", to, "--out", f"{to}.json"]
    told = upcast(folder, *plan, "--json")
    assert told.returncode == 1, told.stderr
    fault = told.stdout.partition('"fingerprint": "')[2].partition('"')[0]
    receipt = f"{to}.receipt.json"
    for arguments in ([*plan, "--allow", fault], ["run", f"{to}.json"], ["verify", receipt]):
        done = upcast(folder, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    written = [
        read_file(file) for kind in ("events", "dead-letters") for file in sorted((folder / to / kind).rglob("*.*"))
    ]
    assert_equal(pa.concat_tables(written).sort_by(PLACE).drop_columns(["source_row"]), expected(folder, "in"))


def read_file(file: Path) -> pa.Table:
    if file.suffix == ".parquet":
        return pq.read_table(file, partitioning=None)
    with file.open("rb") as stream:
        return pa.Table.from_batches([batch for batch, _ in AvroFile(stream).batches()])
