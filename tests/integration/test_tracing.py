"""Tracing, on a real broker: spans as a collector gets them, and events whose context goes through untouched."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.http import request
from tests.kafka import Record, Topics, produce, read_all
from tests.worker_process import running_worker, write_config

RECORDED = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADERS = [("traceparent", f"00-{RECORDED[0]}-{RECORDED[1]}-01".encode()), ("tracestate", b"vendor=1")]
GOOD = b'{"metadata": {"taskId": "1", "projectId": "p"}, "nodes": {}}'
OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP, as any collector does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Any] = []
        self.resources: list[dict[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        body = self.rfile.read(int(self.headers["content-length"]))
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.server.resources.append(
                {each.key: each.value.string_value for each in of_resource.resource.attributes}
            )
            for of_scope in of_resource.scope_spans:
                self.server.spans += of_scope.spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing to tell."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def test_a_transaction_is_a_span_that_leads_to_its_events(
    kafka_bootstrap: str, topics: Topics, tmp_path: Path, collector: Collector
) -> None:
    keep = {"retention.ms": "-1"}
    route = {
        "source": await topics.create("legacy", configs=keep),
        "destination": await topics.create("current", configs=keep),
        "dead_letter": await topics.create("dlt", configs=keep),
    }
    values = (GOOD, b"{")
    await produce(kafka_bootstrap, route["source"], [Record(b"k", v, HEADERS, 1_700_000_000_000) for v in values])
    config = write_config(tmp_path / "upcast.yaml", kafka_bootstrap, topics.name("group"), route)
    settings = {
        "UPCAST_TRACING__ENDPOINT": f"http://127.0.0.1:{collector.server_port}/v1/traces",
        "UPCAST_TRACING__SAMPLE": "0",
        "OTEL_SERVICE_NAME": "runner-upcaster",
    }
    async with running_worker(config, settings) as worker:
        await worker.caught_up(2)
        exposed = (await request(worker.address, "/metrics", headers=OPENMETRICS)).text
        assert await worker.stop() == 0, worker.errors
    (span,) = collector.spans
    assert span.name == f"upcast {route['source']}"
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in span.links] == [RECORDED]
    counts = {each.key: each.value.int_value for each in span.attributes}
    assert [counts[f"upcaster.{fate}"] for fate in ("upcast", "passed", "skipped", "dead_lettered")] == [1, 0, 0, 1]
    assert f'trace_id="{span.trace_id.hex()}"' in exposed
    assert collector.resources[0]["service.name"] == "runner-upcaster"
    for topic in (route["destination"], route["dead_letter"]):
        (record,) = await read_all(kafka_bootstrap, topic)
        assert list(record.headers[:2]) == HEADERS


@pytest.mark.long
def test_nothing_of_it_is_loaded_where_it_is_off() -> None:
    """FastAPI looks for OpenTelemetry's interface by itself; what works and costs is the SDK."""
    script = "import sys, worker.app; sys.exit('opentelemetry.sdk' in sys.modules or 'google.protobuf' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
