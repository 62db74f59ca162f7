"""A stream of hostile records through the real worker: each of them ends somewhere, and the worker goes on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from tests.faults.cluster import configure_topic
from tests.faults.hostile import CANARY, GOOD, HOUR_MS, Hostile, everything, too_large_to_bury
from tests.http import request
from tests.kafka import Record, Topics, produce, read_all
from tests.redriving import Orders
from tests.worker_process import WorkerProcess, running_worker, write_config
from worker.replay.apply.receipt import Receipt
from worker.replay.plan.file import OutcomeCounts

FOREVER = {"retention.ms": "-1"}
LENIENT = {**FOREVER, "message.timestamp.after.max.ms": str(1000 * HOUR_MS)}
PARTITIONS = 3
STAGE = "__connect.errors.stage"
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

    async def results(self) -> Results:
        return Results(
            _by_origin(await read_all(self.bootstrap, self.destination), "upcaster.source.offset"),
            _by_origin(await read_all(self.bootstrap, self.dead_letter), "__connect.errors.offset"),
        )


@dataclass
class Results:
    """What is in the destination and in the dead-letter topic, by partition and offset of the source."""

    arrived: dict[tuple[int, int], list[Record]]
    buried: dict[tuple[int, int], list[Record]]

    @property
    def trimmed(self) -> list[tuple[bytes | None, bytes | None]]:
        """Dead letters that had no room to tell their reason; some not even for their offset, which is -1 here."""
        return [
            (each.key, each.value)
            for found in self.buried.values()
            for each in found
            if STAGE not in dict(each.headers)
        ]

    def fate(self, partition: int, offset: int) -> str:
        arrived, buried = self.arrived.get((partition, offset), []), self.buried.get((partition, offset), [])
        if len(arrived) + len(buried) != 1:
            return f"{len(arrived)} times upcast, {len(buried)} times dead"
        if buried:
            return dict(buried[0].headers).get(STAGE, b"trimmed").decode()
        headers = dict(arrived[0].headers)
        return "passed" if headers["upcaster.schema.from"] == headers["upcaster.schema.to"] else "upcast"


def _by_origin(records: Sequence[Record], header: str) -> dict[tuple[int, int], list[Record]]:
    """The last header of a name counts; -1 where there is none."""
    found: dict[tuple[int, int], list[Record]] = {}
    for record in records:
        found.setdefault((record.partition, int(dict(record.headers).get(header, b"-1"))), []).append(record)
    return found


FATES = ("consumed", "upcast", "passed", "dead_lettered")


@pytest.fixture
async def setting(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> Setting:
    await topics.create("hostile", partitions=PARTITIONS, configs=LENIENT)
    await topics.create("current", partitions=PARTITIONS, configs=FOREVER)
    await topics.create("dead", partitions=PARTITIONS, configs=FOREVER)
    return Setting(kafka_bootstrap, topics, tmp_path)


def raw_producer(bootstrap: str) -> AIOKafkaProducer:
    """Not idempotent: that would want the builder in C."""
    return AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=2_000_000)


async def produce_raw(bootstrap: str, topic: str, records: Sequence[Record], codec: int = 0) -> None:
    async with raw_producer(bootstrap) as producer:
        await send_raw(producer, topic, records, codec)


async def send_raw(producer: AIOKafkaProducer, topic: str, records: Sequence[Record], codec: int = 0) -> int:
    """One batch, by the builder in pure Python, which asks for little. Returns its offset."""
    batch = producer.create_batch()
    builder = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, 0, 10**9)  # type: ignore[no-untyped-call,unused-ignore]  # aiokafka has no types, but for some versions of Python
    batch._builder = builder
    for record in records:
        batch.append(timestamp=record.timestamp, key=record.key, value=record.value, headers=list(record.headers))
    written = await (await producer.send_batch(batch, topic, partition=records[0].partition))
    offset: int = written.offset
    return offset


async def write(setting: Setting, stream: Sequence[Hostile]) -> dict[tuple[int, int], Hostile]:
    """In turn to all partitions, each in a batch of its own. By partition and offset."""
    written: dict[tuple[int, int], Hostile] = {}
    async with raw_producer(setting.bootstrap) as producer:
        for number, each in enumerate(stream):
            offset, partition = divmod(number, PARTITIONS)
            stamp = 1_700_000_000_000 + number if each.record.timestamp is None else each.record.timestamp
            record = Record(each.record.key, each.record.value, each.record.headers, stamp, partition)
            assert await send_raw(producer, setting.source, [record]) == offset, "an earlier record is there twice"
            written[partition, offset] = each
    return written


@pytest.mark.long
async def test_every_hostile_record_ends_somewhere_and_the_worker_goes_on(setting: Setting) -> None:
    stream = everything()
    stream += [Hostile("the last one", Record(b"k", GOOD_VALUE), "upcast")] * PARTITIONS
    written = await write(setting, stream)
    async with running_worker(setting.config) as worker:
        await worker.caught_up(len(written))
        sums = {fate: await worker.metric(f"upcaster_records_{fate}_total") for fate in FATES}
        shown = [(await request(worker.address, path)).text for path in ("/metrics", "/v2/status", "/readyz")]
        assert await worker.stop() == 0
    assert worker.errors == []
    assert CANARY not in "".join([*shown, json.dumps(worker.log)])
    results = await setting.results()
    wrong = [f"{each.name}: {results.fate(*at)}" for at, each in written.items() if not _is_right(each, at, results)]
    assert wrong == []
    letters = [letter for found in results.buried.values() for letter in found]
    assert not any(CANARY.encode() in _text_of(letter) for letter in letters)
    assert len(results.trimmed) == sum(each.fate == "trimmed" for each in stream)
    assert sums["consumed"] == len(written) == sums["upcast"] + sums["passed"] + sums["dead_lettered"]


def _text_of(letter: Record) -> bytes:
    return dict(letter.headers).get("__connect.errors.exception.message", b"")


def _is_right(each: Hostile, at: tuple[int, int], results: Results) -> bool:
    arrived, buried = results.arrived.get(at, []), results.buried.get(at, [])
    if each.fate == "trimmed" and not buried:
        return not arrived and (each.record.key, each.record.value) in results.trimmed
    as_it_was = all((letter.key, letter.value) == (each.record.key, each.record.value) for letter in buried)
    still_there = all(each.contains in (record.value or b"") for record in arrived)
    once = len(arrived) + len(buried) == 1
    return once and as_it_was and still_there and each.fate in {"", results.fate(*at)}


@pytest.mark.long
async def test_a_record_that_nothing_takes_blocks_its_lane_alone(setting: Setting, topics: Topics) -> None:
    """It is never dropped: the lane says what it waits for, the others go on, and a larger limit ends it."""
    blocking = replace(too_large_to_bury(), timestamp=1)
    await produce_raw(setting.bootstrap, setting.source, [blocking])
    good = [Record(b"k", GOOD_VALUE, (), 1, number) for number in range(PARTITIONS)]
    await produce(setting.bootstrap, setting.source, good)
    async with running_worker(setting.config) as worker:
        await worker.caught_up(PARTITIONS - 1)
        reasons = (await worker.until("/readyz", 503))["reasons"]
        assert len(reasons) == 1
        assert f"{setting.source}:0: blocked" in reasons[0]
        assert "raise its max.message.bytes" in reasons[0]
        assert "then resume the route or restart the worker" in reasons[0], "the limit is read then"
        await worker.says("upcaster_paused_partitions", 1)
        assert await worker.stop() == 0
    await configure_topic(setting.bootstrap, setting.dead_letter, {**FOREVER, "max.message.bytes": "1100000"})
    async with running_worker(setting.config) as worker:
        await worker.caught_up(2)
        assert await worker.stop() == 0
    results = await setting.results()
    assert [results.fate(0, offset) for offset in (0, 1)] == ["decode", "upcast"]


@pytest.mark.long
async def test_the_stream_is_replayed_and_redriven_as_planned_and_both_are_proved(
    setting: Setting, topics: Topics, tmp_path: Path
) -> None:
    await write(setting, everything())
    names = (setting.source, setting.destination, setting.dead_letter, topics.name("replays"))
    stage = Orders(setting.bootstrap, *names, tmp_path, PARTITIONS)
    stage.configure(breaker={"rate": 1.0})
    plan = await stage.make_plan()
    receipt = await stage.replay()
    assert total(receipt) == plan.counts
    assert (await stage.verify()).findings.lines() == []
    again = await stage.plan_redrive("*")
    assert again.counts.dead_lettered == plan.counts.dead_lettered, "the chain is the same"
    assert total(await stage.apply_redrive()) == again.counts
    assert (await stage.verify_redrive()).findings.lines() == []


def total(receipt: Receipt) -> OutcomeCounts:
    counts = [each.counts for each in receipt.partitions]
    numbers = {
        name: sum(getattr(each, name) for each in counts) for name in OutcomeCounts.model_fields if name != "skipped"
    }
    return OutcomeCounts(**numbers, skipped=dict(sum((Counter(each.skipped) for each in counts), Counter())))


MEGABYTE = 2**20
BOMBS, BOMB_RECORDS = 24, 16


def bomb(partition: int) -> list[Record]:
    """16 MiB of events that zstd packs into a few KiB."""
    value = GOOD + b',"filler":"' + b"x" * (MEGABYTE - 1_000) + b'"}'
    return [Record(b"k", value, (), 1, partition) for _ in range(BOMB_RECORDS)]


@pytest.mark.long
async def test_batches_that_expand_a_thousandfold_are_unpacked_one_by_one(setting: Setting) -> None:
    """The bound that holds: a few times the largest unpacked batch a lane, however many of them wait."""
    for _ in range(BOMBS):
        await produce_raw(setting.bootstrap, setting.source, bomb(0), ZSTD)
    async with running_worker(setting.config) as worker:
        await worker.caught_up(BOMBS * BOMB_RECORDS)
        peak = peak_memory(worker)
        assert await worker.stop() == 0
    assert peak < (120 + 4 * BOMB_RECORDS) * MEGABYTE


@pytest.mark.long
async def test_a_batch_that_expands_beyond_the_bound_stops_its_lane_alone(setting: Setting) -> None:
    """What comes before it is committed. It is never skipped; where it is meant to be so large, a larger bound ends
    the waiting."""
    good = [Record(b"k", GOOD_VALUE, (), 1, number) for number in range(PARTITIONS)]
    await produce(setting.bootstrap, setting.source, good)
    await produce_raw(setting.bootstrap, setting.source, bomb(0), ZSTD)
    await produce(setting.bootstrap, setting.source, good)
    bound = {"UPCAST_KAFKA__UNPACKED_BATCH_BYTES": str(MEGABYTE)}
    async with running_worker(setting.config, bound) as worker:
        await worker.caught_up(2 * PARTITIONS - 1)
        (reason,) = (await worker.until("/readyz", 503))["reasons"]
        assert (
            f"{setting.source}:0: blocked (the batch at offset 1 takes more than {MEGABYTE} bytes uncompressed"
            in reason
        )
        assert peak_memory(worker) < 120 * MEGABYTE
        assert await worker.stop() == 0
    async with running_worker(setting.config) as worker:
        await worker.caught_up(BOMB_RECORDS + 1)
        assert await worker.stop() == 0
    results = await setting.results()
    assert [results.fate(0, offset) for offset in range(BOMB_RECORDS + 2)] == ["upcast"] * (BOMB_RECORDS + 2)


def peak_memory(worker: WorkerProcess) -> int:
    """Bytes that were resident at most, until now."""
    status = Path(f"/proc/{worker.process.pid}/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
