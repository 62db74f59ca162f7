"""A stream of hostile records through the real worker: each of them ends somewhere, and the worker goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from tests.faults.hostile import GOOD, HOUR_MS, Hostile, everything
from tests.kafka import Record, Topics, read_all
from tests.worker_process import running_worker, write_config

FOREVER = {"retention.ms": "-1"}
LENIENT = {**FOREVER, "message.timestamp.after.max.ms": str(1000 * HOUR_MS)}
PARTITIONS = 3
ZSTD = 4
GOOD_VALUE = GOOD + b"}"


class Setting:
    """Three topics and a configuration with lineage headers, so that each output names its source."""

    def __init__(self, bootstrap: str, topics: Topics, directory: Path) -> None:
        self.bootstrap = bootstrap
        self.source, self.destination = topics.name("hostile"), topics.name("current")
        self.dead_letter = topics.name("dead")
        self.config = directory / "upcast.yaml"
        route = {
            "source": self.source,
            "destination": self.destination,
            "dead_letter": self.dead_letter,
            "lineage_headers": True,
            "breaker": {"rate": 1.0},
        }
        write_config(self.config, bootstrap, topics.name("group"), route)

    async def results(self) -> tuple[dict[tuple[int, int], list[Record]], dict[tuple[int, int], list[Record]]]:
        """What is in the destination and in the dead-letter topic, by partition and offset of the source."""
        arrived = await read_all(self.bootstrap, self.destination)
        buried = await read_all(self.bootstrap, self.dead_letter)
        return _by_origin(arrived, "upcaster.source.offset"), _by_origin(buried, "__connect.errors.offset")


def _by_origin(records: Sequence[Record], header: str) -> dict[tuple[int, int], list[Record]]:
    """The last header of a name counts; -1 is the offset of a dead letter that had no room to tell it."""
    found: dict[tuple[int, int], list[Record]] = {}
    for record in records:
        found.setdefault((record.partition, int(dict(record.headers).get(header, b"-1"))), []).append(record)
    return found


@pytest.fixture
async def setting(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> Setting:
    await topics.create("hostile", partitions=PARTITIONS, configs=LENIENT)
    await topics.create("current", partitions=PARTITIONS, configs=FOREVER)
    await topics.create("dead", partitions=PARTITIONS, configs=FOREVER)
    return Setting(kafka_bootstrap, topics, tmp_path)


async def produce_raw(bootstrap: str, topic: str, records: Sequence[Record], codec: int = 0) -> None:
    """One batch, by the builder in pure Python, which asks for little."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=2_000_000) as producer:
        batch = producer.create_batch()
        builder = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, 0, 10**9)  # type: ignore[no-untyped-call,unused-ignore]
        batch._builder = builder
        for record in records:
            batch.append(timestamp=record.timestamp, key=record.key, value=record.value, headers=list(record.headers))
        await (await producer.send_batch(batch, topic, partition=records[0].partition))


async def write(setting: Setting, stream: Sequence[Hostile]) -> dict[tuple[int, int], Hostile]:
    """In turn to all partitions, each in a batch of its own. By partition and offset."""
    written: dict[tuple[int, int], Hostile] = {}
    for number, each in enumerate(stream):
        offset, partition = divmod(number, PARTITIONS)
        stamp = 1_700_000_000_000 + number if each.record.timestamp is None else each.record.timestamp
        record = Record(each.record.key, each.record.value, each.record.headers, stamp, partition)
        await produce_raw(setting.bootstrap, setting.source, [record])
        written[partition, offset] = each
    return written


@pytest.mark.slow
async def test_every_hostile_record_ends_somewhere_and_the_worker_goes_on(setting: Setting) -> None:
    stream = everything()
    stream += [Hostile("the last one", Record(b"k", GOOD_VALUE), "upcast")] * PARTITIONS
    written = await write(setting, stream)
    async with running_worker(setting.config) as worker:
        await worker.caught_up(len(written), seconds=60)
        sums = {fate: await worker.metric(f"upcaster_records_{fate}_total") for fate in FATES}
        assert await worker.stop() == 0
    assert worker.errors == []
    arrived, buried = await setting.results()
    trimmed = [record for (_, offset), records in buried.items() if offset < 0 for record in records]
    wrong = [
        f"{each.name}: {_fate(arrived.get(at, []), buried.get(at, []))}, expected {each.fate or 'any'}"
        for at, each in written.items()
        if not _is_right(each, arrived.get(at, []), buried.get(at, []))
    ]
    assert wrong == []
    assert [len(each.value or b"") for each in trimmed] == [
        len(_named(stream, "as large as it gets, dead").value or b"")
    ]
    assert sums["consumed"] == len(written) == sums["upcast"] + sums["passed"] + sums["dead_lettered"]


FATES = ("consumed", "upcast", "passed", "dead_lettered")


def _named(stream: Sequence[Hostile], name: str) -> Record:
    return next(each.record for each in stream if each.name == name)


def _is_right(each: Hostile, arrived: Sequence[Record], buried: Sequence[Record]) -> bool:
    if each.name == "as large as it gets, dead":
        return not arrived and not buried  # it had no room to tell where it came from
    fate = _fate(arrived, buried)
    right = len(arrived) + len(buried) == 1 and each.fate in {"", fate}
    return (
        right
        and all(each.contains in (record.value or b"") for record in arrived)
        and all(record.value == each.record.value and record.key == each.record.key for record in buried)
    )


def _fate(arrived: Sequence[Record], buried: Sequence[Record]) -> str:
    if arrived and not buried:
        headers = dict(arrived[0].headers)
        same = headers["upcaster.schema.from"] == headers["upcaster.schema.to"]
        return "passed" if same else "upcast"
    if buried and not arrived:
        return dict(buried[0].headers)["__connect.errors.stage"].decode()
    return f"{len(arrived)} times upcast, {len(buried)} times dead"
