"""``make bench WHAT=smoke``: what an event costs inside a lane, as multiples of loops written by hand, in some seconds.

Between a fetched batch and one ready to be sent, so without network and broker: reading the records, the chain, the
count, the new batch. CPU time, the best of some rounds, all measured in turn. The bounds are generous, twice what was
measured: they are there to see a doubling, not to be proud of; ``make bench`` has the real figures.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from benchmarks.drain.events import pool
from benchmarks.peers.task_context import upcast
from benchmarks.timing import measure
from upcasters import Detection, FromHeader, Policy, load_chain
from upcasters.detection import VersionRule
from upcasters.event import SourcePartition, SourceRecord
from upcasters.native.extension import EXTENSION
from worker.dead_letters import Reporter
from worker.kafka.fetched import Slice
from worker.lanes.breaker import Breaker
from worker.lanes.outbox import Outbox
from worker.lanes.processing import Processor, Work
from worker.routes.route import OutputTopic, Route
from worker.schemas.frames import SchemaId
from worker.schemas.framing import Framing
from worker.schemas.known import KnownSchema
from worker.schemas.learning import Schemas
from worker.schemas.registry import Registry
from worker.settings import RouteSettings
from worker.settings.schemas import RegistrySettings

RECORDS = 256
ROUNDS = 10


@dataclass(frozen=True)
class Bound:
    """``case`` may cost at most ``at_most`` times what ``against`` does."""

    case: str
    against: str
    at_most: float


BOUNDS = (
    Bound("lane, 350 B", "by hand, 350 B", 3.4),
    Bound("lane, 350 B, validated", "by hand, 350 B", 4.2),
    Bound("lane, 7 KB", "by hand, 7 KB", 0.75),
    Bound("lane, current by header", "copy by hand", 2.6),
    Bound("lane, with lineage", "lane, 350 B", 2.3),
    # As much as 1.4 times the lane was when the extension left more of this chain to Python; a frame costs what it did.
    Bound("lane, 350 B, framed", "by hand, 350 B", 1.1 if EXTENSION else 2.6),
)


class Builders:
    """As much of a producer as a lane needs to fill a batch."""

    _txn_manager = None
    _message_accumulator = SimpleNamespace(_batch_size=4_000_000)

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(4_000_000, 0, is_transactional=True)


def packed(size: int, mix: str, headers: list[tuple[str, bytes]], frame: bytes = b"") -> bytes:
    """A record batch as the broker sends it."""
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, 0, 10_000_000)
    for place, event in enumerate(pool(size, mix)[:RECORDS]):
        value = frame + (event.value or b"")
        builder.append(place, timestamp=1_700_000_000_000, key=event.key, value=value, headers=headers)
    return bytes(builder.build())


def lane(
    data: bytes, validate: Any = "never", *, lineage: bool = False, version: tuple[VersionRule, ...] = ()
) -> Callable[[], object]:
    """The work of a lane on one batch."""
    chain = load_chain("upcasters.devteam_runner:chain")
    route = Route(
        "source",
        OutputTopic("destination", 4, max_timestamp_ahead_ms=3_600_000),
        OutputTopic("source-dlt", 4),
        chain.upcaster(Policy(validate_target=validate, validate_source="never", detection=Detection(version=version))),
        lineage_headers=lineage,
    )
    processor = Processor(route, SourcePartition("source", 0), Reporter("group", "0", "test"))
    producer = cast("AIOKafkaProducer", Builders())

    def work() -> object:
        done = Work(Outbox(producer, 0), Breaker(route.breaker))
        processor.process(Slice(records(data), RECORDS), done)
        return done

    return work


FRAME = b"\0\0\0\0\1"


class OneSchema(Registry):
    """A registry that knows one schema, and waits for nothing."""

    async def schema(self, schema: SchemaId) -> KnownSchema:
        return KnownSchema("JSON", "{}", 1)

    async def version(self, subject: str, version: int | str = "latest") -> KnownSchema:
        return KnownSchema("JSON", "{}", 2)


def framed_lane(data: bytes) -> Callable[[], object]:
    """The same on values with a frame: ids looked for in each slice, the frame taken off, another one put on."""
    frames = {"reads": {"frame": "confluent"}, "writes": {"frame": "confluent"}}
    settings = RouteSettings.model_validate({"source": "source", "destination": "destination", **frames})
    chain, registry = load_chain(settings.chain), OneSchema(RegistrySettings())
    framing = Framing(settings, chain, registry, Schemas(registry))
    asyncio.run(framing.begin())
    asyncio.run(framing.learn(records(data)))
    unchecked = {"validate_target": "never", "validate_source": "never"}
    route = Route(
        "source",
        OutputTopic("destination", 4, max_timestamp_ahead_ms=3_600_000),
        OutputTopic("source-dlt", 4),
        framing.upcaster(lambda policy: chain.upcaster(replace(policy, **unchecked)), lambda policy: policy),
    )
    processor = Processor(route, SourcePartition("source", 0), Reporter("group", "0", "test"))
    producer = cast("AIOKafkaProducer", Builders())

    def work() -> object:
        done, given = Work(Outbox(producer, 0), Breaker(route.breaker)), records(data)
        with suppress(StopIteration):
            framing.learn(given).send(None)
        processor.process(Slice(given, RECORDS), done)
        return done

    return work


def by_hand(data: bytes, change: Callable[[bytes], bytes]) -> Callable[[], object]:
    """The same in a loop as one would write it."""

    def work() -> object:
        batch = Builders().create_batch()
        for record in records(data):
            value = change(record.value or b"")
            batch.append(timestamp=record.timestamp, key=record.key, value=value, headers=list(record.headers))
        return batch

    return work


def records(data: bytes) -> list[SourceRecord]:
    return list(MemoryRecords(data).next_batch())


def microseconds() -> dict[str, float]:
    """CPU an event, for every case."""
    small, large = packed(350, "mix", []), packed(7_000, "mix", [])
    stamped = packed(350, "current", [("schema-version", b"2.0")])
    times = measure(
        {
            "lane, 350 B": lane(small),
            "lane, 350 B, validated": lane(small, "always"),
            "lane, with lineage": lane(small, lineage=True),
            "lane, 350 B, framed": framed_lane(packed(350, "mix", [], FRAME)),
            "lane, 7 KB, framed": framed_lane(packed(7_000, "mix", [], FRAME)),
            "lane, 7 KB": lane(large),
            "lane, current by header": lane(stamped, version=(FromHeader("schema-version"),)),
            "by hand, 350 B": by_hand(small, upcast),
            "by hand, 7 KB": by_hand(large, upcast),
            "copy by hand": by_hand(stamped, lambda value: value),
        },
        rounds=ROUNDS,
    )
    return {name: time / RECORDS for name, time in times.items()}


def main() -> int:
    times = microseconds()
    failed = 0
    for bound in BOUNDS:
        ratio = times[bound.case] / times[bound.against]
        failed += ratio > bound.at_most
        verdict = "" if ratio <= bound.at_most else "  TOO MUCH"
        print(
            f"{bound.case:26} {times[bound.case]:6.2f} us  {ratio:5.2f} x {bound.against:16}"
            f" (at most {bound.at_most}){verdict}"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
