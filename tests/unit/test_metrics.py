"""Metrics: the sums add up, partitions leave, names are the promised ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import choose_encoder

from upcasters.outcome import Fault, Passage, Violation
from worker.exposition import encoder_for
from worker.lanes.counters import Counters
from worker.lanes.state import LaneState, LaneStatus, MeasuredLane
from worker.metrics import MAX_ERROR_TYPES, MAX_EVENT_TYPES, MAX_REASONS, WorkerMetrics

OPENMETRICS, _ = choose_encoder("application/openmetrics-text; version=1.0.0")
ONE_TO_TWO = Passage("task", "1.0", "2.0", 1)
TWO_TO_TWO = Passage("task", "2.0", "2.0")


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> WorkerMetrics:
    return WorkerMetrics(registry, "group")


def counters() -> Counters:
    made = Counters()
    made.add_upcast([ONE_TO_TWO, ONE_TO_TWO, TWO_TO_TWO])
    made.add_upcast([ONE_TO_TWO])
    made.passed = 2
    made.skipped["dropped"] += 1
    made.add_dead_letter(Fault("decode", "DecodeError", "x"), 7, trimmed=True)
    made.add_dead_letter(Fault("upcast", "WrongType", "x"), 7, trimmed=False)
    made.add_violations([Violation("t", "2", Fault("validate", "InvalidEvent", "x"))] * 2)
    made.produced["new"] += 6
    made.add_slice(1_000, 8, 40)
    made.add_slice(-1, 1, 48)
    return made


def total(registry: CollectorRegistry, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_consumed_is_the_sum_of_all_fates(registry: CollectorRegistry, metrics: WorkerMetrics) -> None:
    metrics.add("old", 3, "new", counters(), now=31.0)
    fates = {
        fate: total(registry, f"upcaster_records_{fate}_total")
        for fate in ("consumed", "upcast", "passed", "skipped", "dead_lettered")
    }
    assert fates == {"consumed": 9, "upcast": 4, "passed": 2, "skipped": 1, "dead_lettered": 2}
    assert total(registry, "upcaster_records_produced_total", topic="old", destination="new") == 6
    assert total(registry, "upcaster_upcasts_total", from_version="1.0") == 3
    assert total(registry, "upcaster_observed_invalid_total", event_type="t", version="2") == 2
    assert total(registry, "upcaster_errors_total", error_type="DeadLetterTrimmed") == 1
    assert total(registry, "upcaster_errors_total", stage="decode") == 1
    assert total(registry, "upcaster_last_progress_timestamp_seconds") == 31


def test_what_the_extension_did_is_asked_when_a_scrape_asks(
    registry: CollectorRegistry, metrics: WorkerMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.metrics.counts", lambda: (5, 2, 1))
    assert total(registry, "upcaster_native_events_total", by="extension") == 5
    assert total(registry, "upcaster_native_events_total", by="python") == 2
    assert total(registry, "upcaster_native_panics_total") == 1


def test_latency_weighs_slices_by_their_records(registry: CollectorRegistry, metrics: WorkerMetrics) -> None:
    metrics.add("old", 0, "new", counters(), now=31.0)
    name = "upcaster_record_e2e_latency_seconds"
    assert total(registry, name + "_count") == 8, "a record without a timestamp has no latency"
    assert total(registry, name + "_sum") == 8 * 30
    assert total(registry, name + "_bucket", le="30.0") == 8
    assert total(registry, name + "_bucket", le="10.0") == 0


def lane(partition: int, state: LaneState = LaneState.RUNNING, **known: Any) -> MeasuredLane:
    offsets = {"position": 5, "committed": 5, "end": 9, "lag": 4, "lag_seconds": 1.5, **known}
    counts = {"in_flight_records": 2, "in_flight_bytes": 30}
    return MeasuredLane(LaneStatus(topic="old", partition=partition, state=state, **offsets, **counts))


def test_lanes_are_looked_at_when_a_scrape_asks(registry: CollectorRegistry, metrics: WorkerMetrics) -> None:
    lanes = [lane(3, lag_seconds=None), lane(4, LaneState.BREAKER_OPEN), lane(5, LaneState.PAUSED, lag=None)]
    metrics.lanes.look = lambda: lanes
    assert total(registry, "upcaster_consumer_lag", consumer_group="group", partition="3") == 4
    assert shown(registry, "upcaster_consumer_lag_seconds") == ["4", "5"], "absent, not 0"
    assert shown(registry, "upcaster_consumer_lag") == ["3", "4"]
    assert total(registry, "upcaster_breaker_open", partition="4") == 1
    assert total(registry, "upcaster_breaker_open") == 1
    names = ("assigned_partitions", "paused_partitions", "in_flight_records", "in_flight_bytes")
    assert [total(registry, f"upcaster_{name}") for name in names] == [3, 2, 6, 90]


def test_a_partition_that_goes_takes_its_gauges_along(registry: CollectorRegistry, metrics: WorkerMetrics) -> None:
    metrics.add("old", 3, "new", counters(), now=31.0)
    metrics.lanes.look = lambda: [lane(3)]
    assert 'partition="3"' in generate_latest(registry).decode().replace("consumed_total{", "")
    metrics.lanes.look = list
    text = generate_latest(registry).decode()
    assert [line for line in text.splitlines() if 'partition="3"' in line and "consumed" not in line] == []
    assert total(registry, "upcaster_records_consumed_total") == 9


def shown(registry: CollectorRegistry, name: str) -> list[str]:
    return [
        sample.labels["partition"] for family in registry.collect() for sample in family.samples if sample.name == name
    ]


def test_exemplars_name_a_record_where_the_scrape_asks(registry: CollectorRegistry, metrics: WorkerMetrics) -> None:
    metrics.add("old", 3, "new", counters(), now=31.0)
    text = OPENMETRICS(registry).decode()
    latency = next(line for line in text.splitlines() if 'latency_seconds_bucket{le="30.0"' in line)
    assert ' # {offset="40",partition="3"} 30.0 ' in latency
    dead = next(line for line in text.splitlines() if line.startswith("upcaster_records_dead_lettered_total{"))
    assert ' # {offset="7",partition="3"} 1.0 ' in dead
    assert text.count("# {") == 3
    assert "offset=" not in generate_latest(registry).decode()


def test_label_values_are_capped(registry: CollectorRegistry, metrics: WorkerMetrics) -> None:
    made = Counters()
    passages = [Passage(f"type{n}", "1", "2", 1) for n in range(MAX_EVENT_TYPES + 50)]
    made.add_upcast(passages)
    for n in range(MAX_ERROR_TYPES + 20):
        made.add_dead_letter(Fault("upcast", f"Error{n}", "x"), n, trimmed=False)
    for n in range(MAX_REASONS + 10):
        made.skipped[f"reason {n}"] += 1
    metrics.add("old", 0, "new", made, now=1.0)
    metrics.add("old", 0, "new", made, now=1.0)
    metrics.error("fetch", "OneMore")
    metrics.retry("fetch", "OneMore")
    assert total(registry, "upcaster_upcasts_total", event_type="other") == 2 * 50
    assert total(registry, "upcaster_upcasts_total", event_type="type0") == 2
    assert total(registry, "upcaster_records_dead_lettered_total", error_type="other") == 2 * 20
    assert total(registry, "upcaster_records_skipped_total", reason="other") == 2 * 10
    assert total(registry, "upcaster_errors_total", error_type="other") == 2 * 20 + 1
    assert total(registry, "upcaster_retries_total", error_type="other") == 1


YARDSTICKS = 10
"""What a scrape of 500 partitions may take. Where this was set a yardstick took 0.0037 s of CPU: ten are 0.037 s, which
is under the 0.05 s that a scrape may take there. It took four of them, 0.015 s."""


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
def test_a_scrape_of_500_partitions_takes_under_50_ms(
    registry: CollectorRegistry, metrics: WorkerMetrics, accept: str
) -> None:
    """CPU time, the least of some, in yardsticks that are measured in between: slow machines have slow yardsticks."""
    lanes = [MeasuredLane(lane(n).status, 0, 0.0) for n in range(500)]
    metrics.lanes.look = lambda: lanes
    for n in range(500):
        metrics.add("old", n, "new", counters(), now=31.0)
    encode, _ = encoder_for(accept)
    assert encode(registry).count(b"upcaster_consumer_lag_seconds{") == 500
    times = [(seconds_of(lambda: encode(registry)), seconds_of(yardstick)) for _ in range(7)]
    scrape, one = map(min, zip(*times, strict=True))
    assert scrape < YARDSTICKS * one


def yardstick() -> str:
    """Twice as many lines as the scrape has, written in the plainest way."""
    return "".join(f'{{partition="{n}"}} {float(n)}\n' for n in range(10_000))


def seconds_of(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


NAMES = [
    "consumer_lag",
    "consumer_lag_seconds",
    "consumer_held_back_records",
    "consumer_held_back_seconds",
    "records_consumed",
    "records_upcast",
    "records_passed",
    "records_produced",
    "records_tombstones",
    "records_dead_lettered",
    "records_skipped",
    "errors",
    "retries",
    "throttled_seconds",
    "upcasts",
    "observed_invalid",
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
    "disagreeing_members",
    "native_events",
    "native_panics",
    "build_info",
    "breaker_open",
    "left_out_records",
    "partition_blocked",
    "api_requests",
    "legacy_port_requests",
]


def test_names_are_the_promised_ones(registry: CollectorRegistry, metrics: WorkerMetrics) -> None:
    assert {family.name for family in registry.collect()} == {f"upcaster_{name}" for name in NAMES}
    assert all(family.documentation.endswith((".", ")")) for family in registry.collect())
