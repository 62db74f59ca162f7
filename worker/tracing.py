"""OpenTelemetry: one span for each transaction, with links to the traces of the events in it.

A span for each record would cost more than upcasting it. The events' own `traceparent` headers stay unchanged, so that
a trace continues after the worker; a link leads from it to the transaction of its event. Where tracing is off nothing
of it is imported and no header is read.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from upcasters.event import SourceRecord
from worker.errors import NEEDS_A_PERSON, WorkerError
from worker.extras import pip_install
from worker.lanes.counters import Counters, TransactionTrace, TransactionTracing
from worker.settings.sections import TracingSettings

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext, Tracer

HEADER = "traceparent"
W3C = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
LAST_SPANS_SECONDS = 1.0
MOST_LINKS = 128
"""What OpenTelemetry itself keeps of one span."""


@contextmanager
def tracing(settings: TracingSettings, group: str, version: str) -> Iterator[TransactionTracing | None]:
    """None where it is off. Spans that wait are sent at the end. Raises ``WorkerError`` where the extra is missing."""
    if settings.endpoint is None:
        yield None
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise WorkerError(
            f"tracing.endpoint: its packages are not installed: {pip_install('tracing')}, or remove the setting",
            NEEDS_A_PERSON,
            code="UPC1006",
        ) from error
    provider = TracerProvider(resource=Resource.create({"service.version": version}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(settings.endpoint)))
    try:
        yield _OpenTelemetry(provider.get_tracer("upcast-worker", version), group, settings.sample)
    finally:
        # A collector that is away is no reason to be late.
        sending = threading.Thread(target=provider.shutdown, daemon=True)
        sending.start()
        sending.join(LAST_SPANS_SECONDS)


class _OpenTelemetry:
    def __init__(self, tracer: Tracer, group: str, sample: float) -> None:
        self._tracer = tracer
        self._group = group
        self._sample = sample

    def begin(self, topic: str, partition: int, destination: str) -> TransactionTrace:
        names = {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.operation.name": "upcast",
            "messaging.destination.name": topic,
            "messaging.destination.partition.id": str(partition),
            "messaging.consumer.group.name": self._group,
            "upcaster.destination": destination,
        }
        return _Transaction(self._tracer, f"upcast {topic}", names, wanted=random.random() < self._sample)  # noqa: S311  # which traces are sampled is no secret


class _Transaction:
    def __init__(self, tracer: Tracer, name: str, attributes: Mapping[str, str], *, wanted: bool) -> None:
        self._tracer = tracer
        self._name = name
        self._attributes = attributes
        self._wanted = wanted
        self._began = time.time_ns()
        self._contexts: dict[tuple[int, int], bool] = {}
        """Trace and span of events, in the order in which they came, and whether somebody records the trace."""

    def see(self, records: Sequence[SourceRecord]) -> None:
        for record in records:
            for name, value in record.headers:
                if name == HEADER and value and (found := W3C.fullmatch(value)):
                    self._note(int(found[1], 16), int(found[2], 16), recorded=bool(int(found[3], 16) & 1))

    def _note(self, trace_id: int, span_id: int, *, recorded: bool) -> None:
        if trace_id and span_id and len(self._contexts) < MOST_LINKS:
            self._contexts[trace_id, span_id] = recorded
            self._wanted = self._wanted or recorded

    def end(self, counters: Counters, seconds: Mapping[str, float], error: str = "") -> Mapping[str, str]:
        if not self._wanted:
            return {}
        from opentelemetry.trace import Link, SpanKind, Status, StatusCode

        links = [Link(_context(*ids, recorded=recorded)) for ids, recorded in self._contexts.items()]
        span = self._tracer.start_span(
            self._name, kind=SpanKind.CONSUMER, attributes=dict(self._attributes), links=links, start_time=self._began
        )
        span.set_attributes(_counts(counters) | {f"upcaster.{part}_seconds": took for part, took in seconds.items()})
        if error:
            span.set_attribute("error.type", error)
            span.set_status(Status(StatusCode.ERROR, error))
        span.end()
        ids = span.get_span_context()
        return {"trace_id": f"{ids.trace_id:032x}", "span_id": f"{ids.span_id:016x}"}


def _context(trace_id: int, span_id: int, *, recorded: bool) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(int(recorded)))


def _counts(counters: Counters) -> dict[str, float]:
    return {
        "messaging.batch.message_count": counters.consumed,
        "upcaster.upcast": counters.upcast_total(),
        "upcaster.passed": counters.passed,
        "upcaster.skipped": sum(counters.skipped.values()),
        "upcaster.dead_lettered": sum(counters.dead_lettered.values()),
    }
