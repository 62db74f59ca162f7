"""Which transactions are recorded, and which events their spans lead to."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from upcasters.event import Event
from worker.errors import WorkerError
from worker.lanes.counters import Counters
from worker.settings.sections import TracingSettings
from worker.tracing import MOST_LINKS, _OpenTelemetry, tracing

TIMES = {"process": 0.5, "produce": 0.25, "commit": 0.125}


def traced(
    *parents: bytes | None, sample: float = 0.0, error: str = ""
) -> tuple[list[ReadableSpan], Mapping[str, str]]:
    """One transaction with an event for each ``traceparent``."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace = _OpenTelemetry(provider.get_tracer("t"), "g", sample).begin("legacy", 3, "current")
    trace.see([Event(b"", None, [("traceparent", parent)] if parent else []) for parent in parents])
    ids = trace.end(Counters(), TIMES, error)
    return list(exporter.get_finished_spans()), ids


def parent(number: int, flags: bytes = b"01") -> bytes:
    return b"00-%032x-%016x-%s" % (number, number, flags)


def test_recorded_where_an_event_is_part_of_a_recorded_trace() -> None:
    (span,), ids = traced(None, parent(1, b"00"), parent(2), parent(2))
    assert [link.context.trace_id for link in span.links] == [1, 2]
    assert ids == {"trace_id": f"{span.context.trace_id:032x}", "span_id": f"{span.context.span_id:016x}"}
    assert span.attributes is not None
    assert span.attributes["messaging.destination.partition.id"] == "3"
    assert span.attributes["upcaster.commit_seconds"] == 0.125


def test_of_the_others_a_share() -> None:
    assert traced(parent(1, b"00"), None) == ([], {})
    assert len(traced(None, sample=1.0)[0]) == 1


@pytest.mark.parametrize("wrong", [b"", b"00-1-2-01", parent(0), b"\xff" * 55, parent(1).upper() + b"-"])
def test_what_is_no_context_is_passed_over(wrong: bytes) -> None:
    assert traced(wrong) == ([], {})


def test_links_are_bounded() -> None:
    (span,), _ = traced(*(parent(n) for n in range(1, MOST_LINKS + 50)))
    assert len(span.links) == MOST_LINKS


def test_what_was_taken_back_says_so() -> None:
    (span,), _ = traced(parent(1), error="ProducerFenced")
    assert span.attributes is not None
    assert span.attributes["error.type"] == "ProducerFenced"
    assert not span.status.is_ok


def test_off_by_default_and_one_line_where_the_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with tracing(TracingSettings(), "g", "1") as off:
        assert off is None
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    settings = TracingSettings(endpoint="http://localhost:4318/v1/traces")
    with pytest.raises(WorkerError, match="pip install 'opentelemetry-exporter"), tracing(settings, "g", "1"):
        pass
