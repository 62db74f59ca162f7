"""A topic and its archive, both at 1.0, are brought to 2.0 by one chain: a query over both finds each event once.

The archive holds what a sink of Kafka Connect or Spark has laid down of the topic. Kafka has deleted the oldest records
since, and some that it still has are in the archive, too.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.docs.snippets import ROOT
from tests.kafka import Record, Topics, delete_before, produce, read_all
from tests.replaying import STAMP, V1_0, Stage, make_stage
from tests.unit.archive.archives import HEADERS

PARTITIONS = 2
PRODUCED, ARCHIVED, DELETED = 300, 200, 120
"""Of each partition: so many records; the archive has those before this offset, the topic those from this offset on."""

PAGE = (ROOT / "docs" / "archives.md").read_text(encoding="utf-8")
[BOTH] = re.findall(r"```\n(SELECT .*?)```", PAGE, re.DOTALL)


@pytest.mark.long
async def test_each_event_is_found_once_and_at_2_0(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> None:
    stage = await make_stage(kafka_bootstrap, topics, tmp_path, PARTITIONS)
    await produce(kafka_bootstrap, stage.source, [event(number) for number in range(PARTITIONS * PRODUCED)])
    lay_down(await read_all(kafka_bootstrap, stage.source), stage.source, tmp_path / "archive")
    for partition in range(PARTITIONS):
        await delete_before(kafka_bootstrap, stage.source, DELETED, partition)

    await of_the_archive(stage)
    await of_the_topic(stage)

    database = sqlite3.connect(":memory:")
    load(database, "archive", in_archive(tmp_path / "archive-2"))
    load(database, "topic", in_topic(await read_all(kafka_bootstrap, stage.destination)))
    found = database.execute(BOTH).fetchall()
    origins = {(partition, offset) for partition, offset, *_ in found}
    assert len(found) == len(origins) == PARTITIONS * PRODUCED
    assert origins == {(partition, offset) for partition in range(PARTITIONS) for offset in range(PRODUCED)}
    assert {version for *_, version, _ in found} == {"2.0"}
    for partition, offset, key, _, value in found:
        assert key == b"key-%d" % (offset * PARTITIONS + partition)
        metadata = json.loads(value)["metadata"]
        assert metadata["task_id"] == f"{offset * PARTITIONS + partition}"
        assert metadata["branch"] == "main"
    # Both hold these; that the query has them once shows that both made the same bytes of them.
    held = [database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("archive", "topic")]
    assert held == [PARTITIONS * ARCHIVED, PARTITIONS * (PRODUCED - DELETED)]
    assert sum(held) - len(found) == PARTITIONS * (ARCHIVED - DELETED)


def event(number: int) -> Record:
    document = {**V1_0, "metadata": {**V1_0["metadata"], "taskId": str(number)}}
    return Record(b"key-%d" % number, json.dumps(document).encode(), [], STAMP + number, number % PARTITIONS)


def lay_down(records: Iterable[Record], topic: str, folder: Path) -> None:
    """As a sink does it: a file for each partition and some offsets."""
    for partition in range(PARTITIONS):
        rows = [each for each in records if each.partition == partition and each.offset < ARCHIVED]
        for first in range(0, ARCHIVED, 80):
            part = rows[first : first + 80]
            columns = {
                "key": [each.key for each in part],
                "value": [each.value for each in part],
                "headers": pa.array([[] for _ in part], HEADERS),
                "topic": [topic for _ in part],
                "partition": pa.array([partition for _ in part], pa.int32()),
                "offset": pa.array([each.offset for each in part], pa.int64()),
                "timestamp": pa.array([each.timestamp for each in part], pa.timestamp("ms", "UTC")),
            }
            place = folder / f"partition={partition}"
            place.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table(columns), place / f"{first:06}.parquet")


async def of_the_archive(stage: Stage) -> None:
    planned = await stage.upcast(
        "archive", "plan", "archive", "--route", stage.source, "--to", "archive-2", "--out", "archive.json"
    )
    assert planned.code == 0, planned.out + planned.errors
    ran = await stage.upcast("archive", "run", "archive.json")
    assert ran.code == 0, ran.out + ran.errors
    proof = await stage.upcast("archive", "verify", "archive.receipt.json", "--every", "1")
    assert proof.code == 0, proof.out + proof.errors
    assert "PASS" in proof.out


async def of_the_topic(stage: Stage) -> None:
    planned = await stage.upcast("plan", "--out", str(stage.plan))
    assert planned.code == 0, planned.out + planned.errors
    replayed = await stage.upcast("replay", str(stage.plan))
    assert replayed.code == 0, replayed.out + replayed.errors
    proof = await stage.upcast("verify", str(stage.receipt))
    assert proof.code == 0, proof.out + proof.errors
    assert "PASS" in proof.out


Row = tuple[int, int, bytes | None, str, bytes | None]


def in_archive(folder: Path) -> list[Row]:
    names = ("partition", "offset", "key", "version", "value")
    files = sorted((folder / "events").rglob("*.parquet"))
    return [
        tuple(row[name] for name in names)
        for file in files
        for row in pq.ParquetFile(file).read(columns=list(names)).to_pylist()
    ]


def in_topic(records: Iterable[Record]) -> list[Row]:
    """Where a record comes from, and to which version it was brought, is in the headers of what a replay writes."""
    told = [(record, {name: value.decode() for name, value in record.headers}) for record in records]
    return [
        (
            int(headers["upcaster.source.partition"]),
            int(headers["upcaster.source.offset"]),
            record.key,
            headers["upcaster.schema.to"],
            record.value,
        )
        for record, headers in told
    ]


def load(database: sqlite3.Connection, table: str, rows: Iterable[Row]) -> None:
    database.execute(f'CREATE TABLE {table} (partition INT, "offset" INT, key BLOB, version TEXT, value BLOB)')
    database.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)", rows)
