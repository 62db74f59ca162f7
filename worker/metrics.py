"""Every metric of the worker, declared and described here once. Names and labels are a promise to dashboards.

Record counters move when a transaction commits, so that at any moment consumed = upcast + passed + skipped +
dead-lettered. Gauges of partitions are computed at each scrape. No label holds a key, an offset or a value of an event,
and each has a bounded number of values; OpenMetrics exemplars name a partition and an offset.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import ClassVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from upcasters.native.extension import counts
from upcasters.outcome import Passage
from worker.lanes.counters import Counters
from worker.lanes.state import LaneState, MeasuredLane

LATENCY_BUCKETS = (
    0.025,
    0.05,
    0.1,
    0.15,
    0.2,
    0.3,
    0.5,
    1,
    2.5,
    5,
    10,
    30,
    60,
    300,
    3600,
    86400,
    604800,
    2592000,
    31536000,
)
WORK_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
MAX_EVENT_TYPES = 200
MAX_ERROR_TYPES = 100
MAX_REASONS = 100
PARTITION = ("topic", "partition")
LAG = ("consumer_group", "topic", "partition")
FAULT = ("stage", "error_type")
WAIT_FOR_AN_OPERATOR = {LaneState.PAUSED, LaneState.BREAKER_OPEN, LaneState.BLOCKED}


class WorkerMetrics:
    """One set of metrics in one registry. ``topic`` is the source topic unless the description says otherwise."""

    def __init__(self, registry: CollectorRegistry, group: str) -> None:
        self._event_type = Bounded(MAX_EVENT_TYPES)
        self._error_type = Bounded(MAX_ERROR_TYPES)
        self._reason = Bounded(MAX_REASONS)
        self.lanes = LaneGauges(group)
        registry.register(self.lanes)
        registry.register(NativeCounters())
        self._declare_records(registry)
        self._declare_durations(registry)
        self._declare_process(registry)
        self._declare_replay(registry)

    def _declare_records(self, registry: CollectorRegistry) -> None:
        counter = partial(self._counter, registry)
        self.consumed = counter(
            "records_consumed_total", "Source records that were processed and committed.", *PARTITION
        )
        self.upcast = counter("records_upcast_total", "Source records that the chain changed.", "topic")
        self.passed = counter(
            "records_passed_total", "Source records that were written with their value unchanged.", "topic"
        )
        self.produced = counter(
            "records_produced_total",
            "Records in the destination; a split counts each child. Dead letters are not among them.",
            "topic",
            "destination",
        )
        self.tombstones = counter(
            "records_tombstones_total",
            "Records in the destination that the chain has made null values on purpose.",
            "topic",
        )
        self.dead_lettered = counter(
            "records_dead_lettered_total", "Source records that became dead letters.", "topic", *FAULT
        )
        self.skipped = counter(
            "records_skipped_total",
            "Source records that were not written, by the route's policy or filters.",
            "topic",
            "reason",
        )
        self.left_out = counter(
            "left_out_records_total",
            "Unread offsets that a person decided to skip (`upcast lanes decide`).",
            *PARTITION,
        )
        self.upcasts = counter(
            "upcasts_total",
            "Events that the chain changed, by type and by version before and after.",
            "event_type",
            "from_version",
            "to_version",
        )
        self.observed_invalid = counter(
            "observed_invalid_total",
            "Events that violate the model of this version and were written anyway: found by validation that observes.",
            "topic",
            "event_type",
            "version",
        )
        self.errors = counter("errors_total", "Errors by stage and class, dead letters included.", *FAULT)
        self.retries = counter("retries_total", "Restarts of a lane after an error that may pass.", *FAULT)
        self.throttled = counter(
            "throttled_seconds_total",
            "Time that brokers asked the worker to wait because of a quota, by kind of request: produce, fetch, "
            "transaction, group, other.",
            "request",
        )

    def _declare_durations(self, registry: CollectorRegistry) -> None:
        def histogram(name: str, description: str, buckets: tuple[float, ...]) -> WeightedHistogram:
            return WeightedHistogram(f"upcaster_{name}", description, ("topic",), buckets=buckets, registry=registry)

        self.latency = histogram(
            "record_e2e_latency_seconds",
            "From a record's timestamp to its commit; the records of a slice share the oldest one's.",
            LATENCY_BUCKETS,
        )
        self.process_duration = histogram("process_duration_seconds", "Upcasting, per transaction.", WORK_BUCKETS)
        self.produce_duration = histogram(
            "produce_duration_seconds",
            "Waiting for the brokers to take batches, per transaction.",
            WORK_BUCKETS,
        )
        self.commit_duration = histogram("commit_duration_seconds", "Committing, per transaction.", WORK_BUCKETS)

    def _declare_process(self, registry: CollectorRegistry) -> None:
        self.last_progress = self._gauge(
            registry, "last_progress_timestamp_seconds", "When a transaction last committed; 0 before the first."
        )
        self.rebalances = self._counter(registry, "rebalances_total", "Assignments of partitions to this process.")
        self.disagreeing_members = self._gauge(
            registry,
            "disagreeing_members",
            "Members of the group that use another chain or destination for the same source.",
            "topic",
        )
        self.build_info = self._gauge(
            registry,
            "build_info",
            "Always 1; the labels have the version, and which path upcasts: native or pure.",
            "version",
            "engine",
        )
        self.api_requests = self._counter(
            registry, "api_requests_total", "Requests to the HTTP interface.", "version", "route", "status"
        )
        self.legacy_port_requests = Counter(
            "upcaster_legacy_port_requests_total",
            "Requests over the legacy port; they are also counted among all requests.",
            ("version", "route"),
            registry=registry,
        )

    def count_disagreeing(self, topic: str, members: int) -> None:
        self.disagreeing_members.labels(topic).set(members)

    def count_request(self, version: str, route: str, status: int) -> None:
        self.api_requests.labels(version, route, status).inc()

    def count_legacy_request(self, version: str, route: str) -> None:
        self.legacy_port_requests.labels(version, route).inc()

    def _declare_replay(self, registry: CollectorRegistry) -> None:
        labels = ("replay_id", *PARTITION)
        self.replay_remaining = self._gauge(
            registry, "replay_remaining_records", "Offsets that a replay has yet to read.", *labels
        )
        self.replay_complete = self._gauge(
            registry, "replay_complete", "1 when the replay has reached its end, else 0.", *labels
        )

    def _counter(self, registry: CollectorRegistry, name: str, description: str, *labels: str) -> Counter:
        return Counter(f"upcaster_{name}", description, labels, registry=registry)

    def _gauge(self, registry: CollectorRegistry, name: str, description: str, *labels: str) -> Gauge:
        return Gauge(f"upcaster_{name}", description, labels, registry=registry)

    def add(
        self,
        topic: str,
        partition: int,
        destination: str,
        counters: Counters,
        now: float,
        trace: Mapping[str, str] | None = None,
    ) -> None:
        """Count a committed transaction. ``topic`` is the source."""
        self.consumed.labels(topic, partition).inc(counters.consumed)
        self.passed.labels(topic).inc(counters.passed)
        self.upcast.labels(topic).inc(counters.upcast_total())
        self.tombstones.labels(topic).inc(counters.tombstones)
        self.produced.labels(topic, destination).inc(counters.produced[destination])
        for passage, count in counters.upcast.values():
            self._count_passage(passage, count)
        for reason, count in counters.skipped.items():
            self.skipped.labels(topic, self._reason(reason)).inc(count)
        for violation, count in counters.violations.values():
            event_type = self._event_type(violation.event_type)
            self.observed_invalid.labels(topic, event_type, violation.version).inc(count)
        self._count_dead_letters(topic, partition, counters)
        latency = self.latency.labels(topic)
        for oldest, count, offset in counters.slices:
            latency.observe_many(max(0.0, now - oldest / 1000), count, _record(partition, offset) | dict(trace or {}))
        self.last_progress.set(now)

    def error(self, stage: str, error_type: str, count: int = 1) -> None:
        """Count an error that is no dead letter."""
        self.errors.labels(stage, self._error_type(error_type)).inc(count)

    def retry(self, stage: str, error_type: str) -> None:
        """Count a restart of a lane."""
        self.retries.labels(stage, self._error_type(error_type)).inc()

    def _count_dead_letters(self, topic: str, partition: int, counters: Counters) -> None:
        for (stage, error_type), count in counters.dead_lettered.items():
            fault = stage, self._error_type(error_type)
            exemplar = _record(partition, counters.dead_letter_at[stage, error_type])
            self.dead_lettered.labels(topic, *fault).inc(count, exemplar)
            self.errors.labels(*fault).inc(count)
        if counters.trimmed:
            self.error("produce", "DeadLetterTrimmed", counters.trimmed)

    def observe(self, topic: str, seconds: Mapping[str, float]) -> None:
        """Observe the seconds of each part of a transaction."""
        self.process_duration.labels(topic).observe(seconds["process"])
        self.produce_duration.labels(topic).observe(seconds["produce"])
        self.commit_duration.labels(topic).observe(seconds["commit"])

    def _count_passage(self, passage: Passage, count: int) -> None:
        event_type = self._event_type(passage.event_type)
        self.upcasts.labels(event_type, passage.from_version, passage.to_version).inc(count)


def _record(partition: int, offset: int) -> dict[str, str]:
    """An exemplar: where to find one of the records that were counted. Its topic is a label already."""
    return {"partition": str(partition), "offset": str(offset)}


class LaneGauges(Collector):
    """Gauges of the lanes, computed at each scrape. A partition that is not assigned to this process has no series."""

    FAMILIES: ClassVar[Mapping[str, tuple[str, tuple[str, ...]]]] = {
        "consumer_lag": ("Records that can be read and are not committed (end - committed).", LAG),
        "consumer_lag_seconds": (
            "Age of the oldest record not yet committed, by its own timestamp; 0 when caught up, absent while unknown.",
            LAG,
        ),
        "consumer_held_back_records": (
            "Offsets behind an open transaction, which cannot be read yet (log end - last stable offset).",
            LAG,
        ),
        "consumer_held_back_seconds": (
            "How long this worker has seen the last stable offset stand still before them; 0 when nothing is held.",
            LAG,
        ),
        "partition_position": ("Offset of the next record to process.", PARTITION),
        "partition_committed_offset": ("Offset committed by the group.", PARTITION),
        "partition_end_offset": ("Last stable offset: the end of what can be read.", PARTITION),
        "breaker_open": (
            "1 while the breaker has paused the partition because of too many dead letters, else 0.",
            PARTITION,
        ),
        "partition_blocked": (
            "1 while the partition waits for a person (`upcast lanes list` says why), else 0.",
            PARTITION,
        ),
        "assigned_partitions": ("Partitions that are assigned to this process.", ()),
        "paused_partitions": ("Partitions that wait for an operator.", ()),
        "in_flight_records": ("Records fetched and not yet committed.", ()),
        "in_flight_bytes": ("Bytes fetched (as they came, compressed) and not yet committed.", ()),
    }

    def __init__(self, group: str) -> None:
        self._group = group
        self.look: Callable[[], Sequence[MeasuredLane]] = tuple

    def collect(self) -> Iterator[Metric]:
        measured = self.look()
        lanes = [each.status for each in measured]
        families = {
            name: GaugeMetricFamily(f"upcaster_{name}", description, labels=labels)
            for name, (description, labels) in self.FAMILIES.items()
        }
        for each in measured:
            self._add_partition(families, each)
        families["assigned_partitions"].add_metric((), len(lanes))
        families["paused_partitions"].add_metric((), sum(lane.state in WAIT_FOR_AN_OPERATOR for lane in lanes))
        families["in_flight_records"].add_metric((), sum(lane.in_flight_records for lane in lanes))
        families["in_flight_bytes"].add_metric((), sum(lane.in_flight_bytes for lane in lanes))
        yield from families.values()

    def _add_partition(self, families: Mapping[str, GaugeMetricFamily], measured: MeasuredLane) -> None:
        """The families share the labels, which are many when partitions are."""
        lane = measured.status
        partition = {"topic": lane.topic, "partition": str(lane.partition)}
        of_group = {"consumer_group": self._group, **partition}
        for name, labels, value in (
            ("consumer_lag", of_group, lane.lag),
            ("consumer_lag_seconds", of_group, lane.lag_seconds),
            ("consumer_held_back_records", of_group, measured.held_back_records),
            ("consumer_held_back_seconds", of_group, measured.held_back_seconds),
            ("partition_position", partition, lane.position),
            ("partition_committed_offset", partition, lane.committed),
            ("partition_end_offset", partition, lane.end),
            ("breaker_open", partition, lane.state == LaneState.BREAKER_OPEN),
            ("partition_blocked", partition, lane.state == LaneState.BLOCKED),
        ):
            if value is not None:
                families[name].add_sample(families[name].name, labels, value)


class NativeCounters(Collector):
    """What the native extension did in this process; zeros where the pure path runs."""

    FAMILIES: ClassVar[Mapping[str, tuple[str, tuple[str, ...]]]] = {
        "native_events": (
            "Events that the native extension was given: those that it did, and those that it left to Python.",
            ("by",),
        ),
        "native_panics": ("Panics of the native extension: each costs one of its programs, and no event.", ()),
    }

    def collect(self) -> Iterator[Metric]:
        families = {
            name: CounterMetricFamily(f"upcaster_{name}", description, labels=labels)
            for name, (description, labels) in self.FAMILIES.items()
        }
        done, left, panics = counts()
        families["native_events"].add_metric(("extension",), done)
        families["native_events"].add_metric(("python",), left)
        families["native_panics"].add_metric((), panics)
        yield from families.values()


class Bounded:
    """Bounds the values of a label: the first ``most`` values as they are, and ``other`` for all later ones."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: set[str] = set()

    def __call__(self, value: str) -> str:
        if value not in self._seen:
            if len(self._seen) >= self._most:
                return "other"
            self._seen.add(value)
        return value


class WeightedHistogram(Histogram):
    """A histogram that takes the same value many times at once."""

    def observe_many(self, amount: float, count: int, exemplar: Mapping[str, str]) -> None:
        self._sum.inc(amount * count)
        for bound, bucket in zip(self._upper_bounds, self._buckets, strict=True):
            if amount <= bound:
                bucket.inc(count)
                bucket.set_exemplar(Exemplar(dict(exemplar), amount, time.time()))
                break
