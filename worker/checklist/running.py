"""Evidence from the running worker: its endpoints, and its metrics compared with the operator's bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from worker.checklist.evidence import Evidence, Facts, failed, passed, unknown
from worker.http_request import HttpAnswer, ask_worker

PATHS = ("/livez", "/readyz", "/metrics", "/v2/status", "/v1/status")
PATIENCE = 10.0
QUANTILE = 0.99


async def endpoints(facts: Facts) -> list[Evidence]:
    """Each endpoint answers with status 200."""
    answers = {path: await _get(facts, path) for path in PATHS}
    if not any(answer.status for answer in answers.values()):
        return [_away(facts)]
    wrong = [f"{path} {answer.status or 'does not answer'}" for path, answer in answers.items() if not answer.ok]
    if wrong:
        return [failed(f"{facts.worker}: {', '.join(wrong)}")]
    return [passed(f"{facts.worker}: {', '.join(PATHS)} answer 200")]


async def is_ready(facts: Facts) -> bool:
    return (await _get(facts, "/readyz")).ok


async def performance(facts: Facts) -> list[Evidence]:
    """Each bound of the section ``checklist`` beside what the metrics say."""
    bounds = facts.settings.checklist.model_dump(exclude_none=True)
    if not bounds:
        return [unknown("no range is set: set bounds in the section `checklist` of the configuration")]
    answer = await _get(facts, "/metrics")
    if not answer.ok:
        return [_away(facts)]
    measured = Measured.of(text_string_to_metric_families(answer.text))
    return [_judged(name, getattr(measured, name), bound) for name, bound in bounds.items()]


def _judged(name: str, value: float | None, bound: float) -> Evidence:
    if value is None:
        return unknown(f"{name}: the worker has measured nothing yet")
    return (passed if value <= bound else failed)(f"{name}: {value:,.4g}, at most {bound:,.4g}")


@dataclass(frozen=True)
class Measured:
    """By the names of the settings; None where there is nothing to measure."""

    lag_seconds: float | None
    latency_seconds: float | None
    dead_letter_share: float | None
    memory_bytes: float | None

    @classmethod
    def of(cls, metrics: Iterable[Metric]) -> Measured:
        families = {metric.name: metric for metric in metrics}
        consumed, dead = (_sum(families.get(f"upcaster_records_{name}")) for name in ("consumed", "dead_lettered"))
        lag = [sample.value for sample in _samples(families.get("upcaster_consumer_lag_seconds"))]
        memory = [sample.value for sample in _samples(families.get("process_resident_memory_bytes"))]
        return cls(
            lag_seconds=max(lag, default=None),
            latency_seconds=_quantile(families.get("upcaster_record_e2e_latency_seconds")),
            dead_letter_share=dead / consumed if consumed else None,
            memory_bytes=max(memory, default=None),
        )


def _samples(metric: Metric | None) -> list[Sample]:
    return list(metric.samples) if metric else []


def _sum(metric: Metric | None) -> float:
    return sum(sample.value for sample in _samples(metric) if sample.name.endswith("_total"))


def _quantile(metric: Metric | None) -> float | None:
    """The bound of the bucket in which the quantile lies."""
    buckets: dict[float, float] = {}
    for sample in _samples(metric):
        if sample.name.endswith("_bucket"):
            bound = float(sample.labels["le"])
            buckets[bound] = buckets.get(bound, 0) + sample.value
    total = max(buckets.values(), default=0)
    return next((bound for bound, count in sorted(buckets.items()) if total and count >= QUANTILE * total), None)


def _away(facts: Facts) -> Evidence:
    return unknown(f"no worker answers at {facts.worker}: start it, or name its address with --worker")


async def _get(facts: Facts, path: str) -> HttpAnswer:
    host, _, port = facts.worker.rpartition(":")
    return await asyncio.to_thread(ask_worker, host.strip("[]"), int(port), path, PATIENCE)
