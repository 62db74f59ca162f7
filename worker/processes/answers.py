"""Merges the answers of the children into one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.parser import text_string_to_metric_families

from worker.http_request import HttpAnswer

NOT_SUMMED = (
    "upcaster_last_progress_timestamp_seconds",
    "upcaster_build_info",
    "upcaster_disagreeing_members",
    "upcaster_api_requests",
    "python_info",
    "process_max_fds",
    "process_start_time_seconds",
)
"""Gauges of which the largest counts: each child answers for the whole."""
COUNTED = ("counter", "histogram")
IDLE = "no partitions assigned"

Labels = tuple[tuple[str, str], ...]
MetricSamples = dict[tuple[str, Labels], float]


class Scrapes:
    """The metrics of all children, and what those that are gone had counted: a sum of counters never falls.

    It can be encoded like a registry. ``own`` are the parent's.
    """

    def __init__(self, size: int, own: CollectorRegistry) -> None:
        self._own = own
        self._last: list[tuple[int | None, list[Metric]]] = [(None, []) for _ in range(size)]
        self._gone: list[Metric] = []

    def begin(self) -> None:
        """A scrape. Of a child that does not answer, what it counted is still true, what it was doing is not."""
        self._last = [(pid, [each for each in metrics if each.type in COUNTED]) for pid, metrics in self._last]

    def note(self, number: int, pid: int | None, text: str) -> None:
        """What the child with this process id says now."""
        before, metrics = self._last[number]
        if before is not None and before != pid:
            kept = [each for each in metrics if each.type in COUNTED]
            self._gone = merged([self._gone, [each for each in kept if each.name.startswith("upcaster_")]])
        self._last[number] = (pid, list(text_string_to_metric_families(text)))

    def collect(self) -> Iterable[Metric]:
        return merged([self._own.collect(), *(metrics for _, metrics in self._last), self._gone])


def merged(parts: Sequence[Iterable[Metric]]) -> list[Metric]:
    """Series of the same labels become one: their sum, or what they all say."""
    families: dict[str, Metric] = {}
    samples: dict[str, MetricSamples] = defaultdict(dict)
    for part in parts:
        for metric in part:
            families.setdefault(metric.name, metric)
            found = samples[metric.name]
            for sample in metric.samples:
                key = (sample.name, tuple(sorted(sample.labels.items())))
                found[key] = _joined(metric, key[1], found.get(key), sample.value)
    return [_family(metric, samples[name]) for name, metric in families.items()]


def _joined(metric: Metric, labels: Labels, before: float | None, value: float) -> float:
    """A partition has one owner at a time, but for a moment while it moves."""
    if before is None:
        return value
    of_partition = metric.type == "gauge" and any(name == "partition" for name, _ in labels)
    return max(before, value) if of_partition or metric.name in NOT_SUMMED else before + value


def _family(metric: Metric, samples: MetricSamples) -> Metric:
    made = Metric(metric.name, metric.documentation, metric.type)
    for (name, labels), value in samples.items():
        made.add_sample(name, dict(labels), value)
    return made


def reasons(answers: Sequence[HttpAnswer]) -> list[str]:
    """The reasons of all children, with their numbers. A child without partitions is ready as long as another one has
    some."""
    idle = [_is_idle(answer) for answer in answers]
    found = []
    for number, answer in enumerate(answers):
        if idle[number] and not all(idle):
            continue
        told = answer.json["reasons"] if answer.status else ["does not answer"]
        found += [f"process {number}: {reason}" for reason in told]
    return found


def _is_idle(answer: HttpAnswer) -> bool:
    return bool(answer.status) and any(reason.startswith(IDLE) for reason in answer.json["reasons"])


def one_status(statuses: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of all that answered: the state of those that are not as far as the others, and all lanes."""
    first = dict(statuses[0])
    first["state"] = next((each["state"] for each in statuses if each["state"] != "running"), "running")
    routes = zip(*(each["routes"] for each in statuses), strict=True)
    first["routes"] = [one_route(parts) for parts in routes]
    return first


def one_route(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Each child has its share of the rate."""
    made = dict(parts[0])
    made["lanes"] = sorted((lane for part in parts for lane in part["lanes"]), key=lambda lane: lane["partition"])
    for rate in ("records_per_second", "bytes_per_second"):
        shares = [part[rate] for part in parts]
        made[rate] = None if None in shares else sum(shares)
    made["disagreeing"] = list(dict.fromkeys(each for part in parts for each in part["disagreeing"]))
    made["paused"] = all(part["paused"] for part in parts)
    return made
