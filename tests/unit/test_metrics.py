"""Metrics: the sums add up, partitions leave, names are the promised ones."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from upcasters.outcome import Fault, Passage
from worker.lanes.tally import Tally
from worker.metrics import MAX_EVENT_TYPES, WorkerMetrics

ONE_TO_TWO = Passage("task", "1.0", "2.0", 1)
TWO_TO_TWO = Passage("task", "2.0", "2.0")


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> WorkerMetrics:
    return WorkerMetrics(registry, "group")


def tally() -> Tally:
    made = Tally()
    made.add_upcast([ONE_TO_TWO, ONE_TO_TWO, TWO_TO_TWO])
    made.add_upcast([ONE_TO_TWO])
    made.passed = 2
    made.skipped["dropped"] += 1
    made.add_dead_letter(Fault("decode", "DecodeError", "x"), trimmed=True)
    made.add_dead_letter(Fault("upcast", "WrongType", "x"), trimmed=False)
    made.produced["new"] += 6
    made.add_slice(1_000, 8)
    made.add_slice(-1, 1)
    return made


def total(registry: CollectorRegistry, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_consumed_is_the_sum_of_all_fates(registry: CollectorRegistry, metrics: WorkerMetrics) -> None:
    metrics.add("old", 3, "new", tally(), now=31.0)
    fates = {
        fate: total(registry, f"upcaster_records_{fate}_total")
        for fate in ("consumed", "upcast", "passed", "skipped", "dead_lettered")
    }
    assert fates == {"consumed": 9, "upcast": 4, "passed": 2, "skipped": 1, "dead_lettered": 2}
    assert total(registry, "upcaster_records_produced_total", topic="old", destination="new") == 6
    assert total(registry, "upcaster_upcasts_total", from_version="1.0") == 3
    assert total(registry, "upcaster_errors_total", error_type="DeadLetterTrimmed") == 1
    assert total(registry, "upcaster_errors_total", stage="decode") == 1
    assert total(registry, "upcaster_last_progress_timestamp_seconds") == 31


def test_latency_weighs_slices_by_their_records(registry: CollectorRegistry, metrics: WorkerMetrics) -> None:
    metrics.add("old", 0, "new", tally(), now=31.0)
    name = "upcaster_record_e2e_latency_seconds"
    assert total(registry, name + "_count") == 8, "a record without a timestamp has no latency"
    assert total(registry, name + "_sum") == 8 * 30
    assert total(registry, name + "_bucket", le="30.0") == 8
    assert total(registry, name + "_bucket", le="10.0") == 0


def test_a_partition_that_goes_takes_its_gauges_along(registry: CollectorRegistry, metrics: WorkerMetrics) -> None:
    metrics.add("old", 3, "new", tally(), now=31.0)
    gauges = {"lag": 4, "lag_seconds": None, "position": 5, "committed": 5, "end": 9, "breaker_open": 0}
    metrics.show_partition("old", 3, gauges)
    assert total(registry, "upcaster_consumer_lag", consumer_group="group", partition="3") == 4
    assert b"upcaster_consumer_lag_seconds{" not in generate_latest(registry)
    metrics.forget_partition("old", 3)
    metrics.forget_partition("old", 3)
    shown = generate_latest(registry).decode()
    assert [line for line in shown.splitlines() if 'partition="3"' in line and "consumed" not in line] == []
    assert total(registry, "upcaster_records_consumed_total") == 9


def test_event_types_are_capped(registry: CollectorRegistry, metrics: WorkerMetrics) -> None:
    made = Tally()
    passages = [Passage(f"type{n}", "1", "2", 1) for n in range(MAX_EVENT_TYPES + 50)]
    made.add_upcast(passages)
    metrics.add("old", 0, "new", made, now=1.0)
    assert total(registry, "upcaster_upcasts_total", event_type="other") == 50


NAMES = [
    "consumer_lag",
    "consumer_lag_seconds",
    "records_consumed",
    "records_upcast",
    "records_passed",
    "records_produced",
    "records_dead_lettered",
    "records_skipped",
    "errors",
    "retries",
    "upcasts",
    "record_e2e_latency_seconds",
    "process_duration_seconds",
    "produce_duration_seconds",
    "commit_duration_seconds",
    "partition_position",
    "partition_committed_offset",
    "partition_end_offset",
    "replay_remaining_records",
    "replay_complete",
    "rebalances",
    "assigned_partitions",
    "paused_partitions",
    "in_flight_records",
    "in_flight_bytes",
    "last_progress_timestamp_seconds",
    "build_info",
    "breaker_open",
    "api_requests",
]


def test_names_are_the_promised_ones(registry: CollectorRegistry, metrics: WorkerMetrics) -> None:
    assert {family.name for family in registry.collect()} == {f"upcaster_{name}" for name in NAMES}
    assert all(family.documentation.endswith((".", ")")) for family in registry.collect())
