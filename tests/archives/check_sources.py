"""``make archive-check``: 50,000 events in each format that Spark reads, and an archive that grows."""

from __future__ import annotations

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
    for name in ("driver", "executors"):
        (folder / name).mkdir()
        (folder / name / "dying.py").write_text(DYING, encoding="utf-8")
    paths = ",".join(map(str, jars))
    spark_job("tests.archives.sources_on_spark", folder, seconds=TIME_LIMIT, SPARK_JARS=paths)
    return folder


def expected(folder: Path, given: str) -> pa.Table:
    """The same without Spark, in this process, in the order of the source."""
    scope: dict[str, Any] = {}
    exec(compile(DYING, "dying.py", "exec"), scope)  # noqa: S102  # our own text
    upcaster = ArrowUpcaster(scope["chain"].upcaster())
    tables = [upcaster.upcast_table(pq.read_table(file)) for file in sorted((folder / given).iterdir())]
    return pa.concat_tables(table.unify_dictionaries() for table in tables)


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


@pytest.mark.parametrize("name", ["parquet", "avro", "iceberg"])
def test_rows_are_those_of_one_process(folder: Path, name: str) -> None:
    found = pq.read_table(folder / "out" / name).sort_by(PLACE)
    assert {field.name for field in FIELDS} < set(found.column_names)
    assert found.num_rows == PARTITIONS * ROWS
    assert_equal(found, expected(folder, "in"))


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
