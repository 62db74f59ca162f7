"""Every metric of the worker, declared and described here once. Names and labels are a promise to dashboards.

Record counters move when the transaction that did the work commits, so that at any moment, from the metrics
alone, consumed = upcast + passed + skipped + dead-lettered. No label ever holds a key, an offset or a value
of an event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from upcasters.outcome import Passage
from worker.lanes.tally import Tally

LATENCY_BUCKETS = (0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 86400)
WORK_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
MAX_EVENT_TYPES = 200
PARTITION = ("topic", "partition")
LAG = ("consumer_group", "topic", "partition")
FAULT = ("stage", "error_type")


class WorkerMetrics:
    """One set of metrics in one registry. ``topic`` is the source topic unless the description says otherwise."""

    def __init__(self, registry: CollectorRegistry, group: str) -> None:
        self._group = group
        self._event_types: set[str] = set()
        self._declare_records(registry)
        self._declare_durations(registry)
        self._declare_positions(registry)
        self._declare_process(registry)
        self._declare_replay(registry)

    def _declare_records(self, registry: CollectorRegistry) -> None:
        def counter(name: str, description: str, *labels: str) -> Counter:
            return Counter(f"upcaster_{name}", description, labels, registry=registry)

        self.consumed = counter("records_consumed_total", "Source records whose fate is committed.", *PARTITION)
        self.upcast = counter("records_upcast_total", "Source records that the chain changed.", "topic")
        self.passed = counter("records_passed_total", "Source records whose value went on unchanged.", "topic")
        self.produced = counter(
            "records_produced_total",
            "Records in the destination; a split counts each child. Dead letters are not among them.",
            "topic",
            "destination",
        )
        self.dead_lettered = counter(
            "records_dead_lettered_total", "Source records that became dead letters.", "topic", *FAULT
        )
        self.skipped = counter(
            "records_skipped_total", "Source records that went nowhere, on purpose.", "topic", "reason"
        )
        self.upcasts = counter(
            "upcasts_total",
            "Events the chain changed, by type and way.",
            "event_type",
            "from_version",
            "to_version",
        )
        self.errors = counter("errors_total", "What went wrong, dead letters included.", *FAULT)
        self.retries = counter("retries_total", "Starts of a lane anew after something that may pass.", *FAULT)

    def _declare_durations(self, registry: CollectorRegistry) -> None:
        def histogram(name: str, description: str, buckets: tuple[float, ...]) -> WeightedHistogram:
            return WeightedHistogram(f"upcaster_{name}", description, ("topic",), buckets=buckets, registry=registry)

        self.latency = histogram(
            "record_e2e_latency_seconds",
            "From a record's timestamp to the commit; records worked on together share the oldest's.",
            LATENCY_BUCKETS,
        )
        self.process_duration = histogram("process_duration_seconds", "Upcasting, per transaction.", WORK_BUCKETS)
        self.produce_duration = histogram(
            "produce_duration_seconds",
            "Waiting for the brokers to take batches, per transaction.",
            WORK_BUCKETS,
        )
        self.commit_duration = histogram("commit_duration_seconds", "Committing, per transaction.", WORK_BUCKETS)

    def _declare_positions(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, description: str, labels: tuple[str, ...]) -> Gauge:
            return Gauge(f"upcaster_{name}", description, labels, registry=registry)

        self.lag = gauge("consumer_lag", "Records that can be read and are not committed (end - committed).", LAG)
        self.lag_seconds = gauge(
            "consumer_lag_seconds", "Age of the oldest record not yet committed; 0 when caught up.", LAG
        )
        self.position = gauge("partition_position", "Offset of the next record to work on.", PARTITION)
        self.committed = gauge("partition_committed_offset", "Offset committed by the group.", PARTITION)
        self.end = gauge("partition_end_offset", "Last stable offset: the end of what can be read.", PARTITION)
        self.breaker_open = gauge(
            "breaker_open", "1 while too many dead letters hold the partition, else 0.", PARTITION
        )

    def _declare_process(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, description: str) -> Gauge:
            return Gauge(f"upcaster_{name}", description, registry=registry)

        self.assigned = gauge("assigned_partitions", "Partitions that this process works on.")
        self.paused = gauge("paused_partitions", "Partitions that wait for an operator.")
        self.in_flight_records = gauge("in_flight_records", "Records fetched and not yet committed.")
        self.in_flight_bytes = gauge(
            "in_flight_bytes", "Bytes fetched (as they came, compressed) and not yet committed."
        )
        self.last_progress = gauge("last_progress_timestamp_seconds", "When a transaction last committed.")
        self.rebalances = Counter(
            "upcaster_rebalances_total", "Assignments of partitions to this process.", registry=registry
        )
        self.build_info = Gauge(
            "upcaster_build_info", "Always 1; the label tells the version.", ("version",), registry=registry
        )
        self.api_requests = Counter(
            "upcaster_api_requests_total",
            "Requests to the HTTP interface.",
            ("version", "route", "status"),
            registry=registry,
        )
        self.legacy_port_requests = Counter(
            "upcaster_legacy_port_requests_total",
            "Requests that came in over the legacy port; they are among the others, too.",
            ("version", "route"),
            registry=registry,
        )

    def count_request(self, version: str, route: str, status: int) -> None:
        self.api_requests.labels(version, route, status).inc()

    def count_legacy_request(self, version: str, route: str) -> None:
        self.legacy_port_requests.labels(version, route).inc()

    def _declare_replay(self, registry: CollectorRegistry) -> None:
        labels = ("replay_id", *PARTITION)
        self.replay_remaining = Gauge(
            "upcaster_replay_remaining_records",
            "Offsets a replay has yet to pass.",
            labels,
            registry=registry,
        )
        self.replay_complete = Gauge(
            "upcaster_replay_complete", "1 when the replay has passed its end.", labels, registry=registry
        )

    def add(self, topic: str, partition: int, destination: str, tally: Tally, now: float) -> None:
        """A transaction committed: what it did becomes visible. ``topic`` is where its records came from."""
        self.consumed.labels(topic, partition).inc(tally.consumed)
        self.passed.labels(topic).inc(tally.passed)
        self.upcast.labels(topic).inc(tally.upcast_total())
        self.produced.labels(topic, destination).inc(tally.produced[destination])
        for passage, count in tally.upcast.values():
            self._count_passage(passage, count)
        for reason, count in tally.skipped.items():
            self.skipped.labels(topic, reason).inc(count)
        for fault, count in tally.dead_lettered.items():
            self.dead_lettered.labels(topic, *fault).inc(count)
            self.errors.labels(*fault).inc(count)
        if tally.trimmed:
            self.errors.labels("produce", "DeadLetterTrimmed").inc(tally.trimmed)
        latency = self.latency.labels(topic)
        for oldest, count in tally.slices:
            latency.observe_many(max(0.0, now - oldest / 1000), count)
        self.last_progress.set(now)

    def observe(self, topic: str, seconds: Mapping[str, float]) -> None:
        """How long the parts of one transaction took."""
        self.process_duration.labels(topic).observe(seconds["process"])
        self.produce_duration.labels(topic).observe(seconds["produce"])
        self.commit_duration.labels(topic).observe(seconds["commit"])

    def _count_passage(self, passage: Passage, count: int) -> None:
        event_type = passage.event_type
        if event_type not in self._event_types:
            if len(self._event_types) >= MAX_EVENT_TYPES:
                event_type = "other"
            self._event_types.add(event_type)
        self.upcasts.labels(event_type, passage.from_version, passage.to_version).inc(count)

    def show_partition(self, topic: str, partition: int, gauges: Mapping[str, float | None]) -> None:
        """Set the gauges of one partition, by the names of this class's attributes; None leaves one as it is."""
        for name, value in gauges.items():
            if value is not None:
                gauge: Gauge = getattr(self, name)
                gauge.labels(*self._labels(gauge, topic, partition)).set(value)

    def forget_partition(self, topic: str, partition: int) -> None:
        """The partition is somebody else's now. Its count of consumed records stays: the sums above need it."""
        for gauge in (
            self.lag,
            self.lag_seconds,
            self.position,
            self.committed,
            self.end,
            self.breaker_open,
        ):
            gauge.remove(*self._labels(gauge, topic, partition))

    def _labels(self, gauge: Gauge, topic: str, partition: int) -> tuple[Any, ...]:
        grouped = gauge in (self.lag, self.lag_seconds)
        return (self._group, topic, partition) if grouped else (topic, partition)


class WeightedHistogram(Histogram):
    """A histogram that takes the same value many times at once."""

    def observe_many(self, amount: float, count: int) -> None:
        self._sum.inc(amount * count)
        for bound, bucket in zip(self._upper_bounds, self._buckets, strict=True):
            if amount <= bound:
                bucket.inc(count)
                break
