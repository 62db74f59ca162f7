"""The bytes that verification expects of a batch are those that a producer writes."""

from __future__ import annotations

from datetime import UTC, datetime

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from upcasters.event import SourcePartition
from upcasters.outcome import Passage
from worker.kafka.unpacking import HEADER
from worker.replay.apply.receipt import Receipt
from worker.replay.plan.file import PlannedRoute
from worker.verifying.comparison import Encoder
from worker.verifying.oracle import ExpectedLineage, Output

PASSAGES = (Passage("task", "1.0", "2.0"), Passage("task", "", ""))
RECEIPT = Receipt(
    replay_id="0123456789ab",
    plan_digest="",
    cluster_id="",
    group="",
    worker_version="",
    started=datetime(2026, 1, 1, tzinfo=UTC),
    ended=datetime(2026, 1, 1, tzinfo=UTC),
    route=PlannedRoute(
        source="old", destination="new", dead_letter="dlt", chain="", chain_fingerprint="f" * 16, config_fingerprint=""
    ),
    partitions=(),
)
SIZES = st.sampled_from((0, 1, 63, 64, 127, 128, 8_191, 8_192, 20_000))
BYTES = st.none() | st.binary(max_size=40) | SIZES.map(bytes)
HEADERS = st.lists(st.tuples(st.text(max_size=5).filter(lambda name: name.isprintable()), BYTES), max_size=3)
OUTPUTS = st.builds(
    lambda offset, late, key, value, headers, passage: Output((offset, 2**40 + late, key, value, headers), passage),
    st.integers(0, 2**63 - 1),
    st.integers(-(2**40), 2**42),
    BYTES,
    BYTES,
    HEADERS,
    st.sampled_from(PASSAGES),
)


@given(st.lists(OUTPUTS, min_size=1, max_size=5))
def test_it_writes_what_a_producer_writes(outputs: list[Output]) -> None:
    lineage = ExpectedLineage(RECEIPT, SourcePartition("old", 3))
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 10_000_000)
    for place, output in enumerate(outputs):
        offset, timestamp, key, value, headers = output.content
        builder.append(place, timestamp, key, value, [*headers, *lineage.headers(offset, output.passage)])
    expected = bytes(builder.build())[HEADER:]
    assert Encoder(lineage).records(outputs, outputs[0].content[1]) == expected


def test_a_batch_of_many_records() -> None:
    lineage = ExpectedLineage(RECEIPT, SourcePartition("old", 3))
    outputs = [Output((at, at, b"k", b"v", ()), PASSAGES[0]) for at in range(9_000)]
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 10_000_000)
    for at, output in enumerate(outputs):
        builder.append(at, at, b"k", b"v", lineage.headers(at, output.passage))
    assert Encoder(lineage).records(outputs, 0) == bytes(builder.build())[HEADER:]
