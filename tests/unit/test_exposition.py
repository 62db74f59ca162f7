"""What a scrape reads: the library's text, to the byte, in each format and spelling that one can ask for."""

from __future__ import annotations

import math

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder

from worker.exposition import encoder_for

NASTY = 'a "quoted" back\\slash\nand a line, ü'
ACCEPTS = [
    "",
    "text/plain; version=0.0.4",
    "text/plain; version=1.0.0; escaping=allow-utf-8",
    "text/plain; version=1.0.0; escaping=dots",
    "application/openmetrics-text",
    "application/openmetrics-text; version=1.0.0",
    "application/openmetrics-text; version=1.0.0; escaping=underscores, text/plain; version=0.0.4",
    "application/openmetrics-text; version=1.0.0; escaping=values",
]


@pytest.fixture
def registry() -> CollectorRegistry:
    made = CollectorRegistry()
    counted = Counter("a_total", f"Counts {NASTY}", ("topic", "fault"), registry=made)
    counted.labels("old", NASTY).inc(3_000_000, {"offset": "7", "partition": "3"})
    counted.labels("old", "").inc(0.1)
    Counter("never_total", "Was never counted.", ("topic",), registry=made)
    Counter("plain_total", "Has no labels.", registry=made).inc()
    shown = Gauge("b", "Shows.", ("z", "partition"), registry=made)
    for n, value in enumerate([0, -1.5, 1e6, 12_345_678.25, 1e22, 1e-9, math.inf, -math.inf, math.nan]):
        shown.labels("y", n).set(value)
    taken = Histogram("c_seconds", "Takes.", ("topic",), buckets=(0.1, 1e7), registry=made)
    taken.labels(NASTY).observe(0.05, {"trace_id": "0af7651916cd43dd"})
    return made


@pytest.mark.parametrize("accept", ACCEPTS)
def test_a_scrape_reads_what_the_library_writes(registry: CollectorRegistry, accept: str) -> None:
    encode, content_type = encoder_for(accept)
    of_library, expected_type = choose_encoder(accept)
    assert content_type == expected_type
    assert encode(registry).decode() == of_library(registry).decode()
