"""A line is as good as its worst evidence, and nobody's word stands against a failure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from worker.checklist import report
from worker.checklist.evidence import ITEMS, NAMES, Evidence, EvidenceStatus, Facts
from worker.checklist.report import CHECKS, check_all
from worker.checklist.running import Measured
from worker.cli.checklist import parse_address, parse_attested
from worker.errors import WorkerError

NOTHING: Any = None


def test_every_line_of_the_guide_is_there() -> None:
    assert tuple(CHECKS) == NAMES
    assert len(ITEMS) == 4 + 6


@pytest.mark.parametrize(
    ("found", "word", "status"),
    [
        ([], "", "not checked"),
        (["pass"], "", "pass"),
        (["pass", "not checked"], "", "not checked"),
        (["pass", "fail", "not checked"], "", "fail"),
        (["not checked"], "CHG-17", "attested"),
        (["fail"], "CHG-17", "fail"),
        ([], "CHG-17", "attested"),
    ],
)
async def test_the_worst_counts(
    found: Sequence[EvidenceStatus], word: str, status: EvidenceStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(_: Facts) -> list[Evidence]:
        return [Evidence(each, "seen") for each in found]

    monkeypatch.setattr(report, "CHECKS", dict.fromkeys(NAMES, (check,)))
    attested = dict.fromkeys(NAMES, word) if word else {}
    facts = Facts(NOTHING, {}, NOTHING, NOTHING, "localhost:1", attested=attested)
    lines = await check_all(facts)
    assert {line.status for line in lines} == {status}
    assert all(line.evidence for line in lines)


async def test_what_cannot_be_found_out_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(_: Facts) -> list[Evidence]:
        raise WorkerError("kafka: the brokers do not answer")

    monkeypatch.setattr(report, "CHECKS", dict.fromkeys(NAMES, (check,)))
    lines = await check_all(Facts(NOTHING, {}, NOTHING, NOTHING, "localhost:1"))
    assert {(line.status, line.evidence) for line in lines} == {("not checked", ("kafka: the brokers do not answer",))}


def test_what_was_measured() -> None:
    text = """
# TYPE upcaster_records_consumed_total counter
upcaster_records_consumed_total{partition="0"} 60
upcaster_records_consumed_total{partition="1"} 40
# TYPE upcaster_records_dead_lettered_total counter
upcaster_records_dead_lettered_total{stage="decode"} 5
# TYPE upcaster_consumer_lag_seconds gauge
upcaster_consumer_lag_seconds{partition="0"} 1.5
upcaster_consumer_lag_seconds{partition="1"} 2.5
# TYPE upcaster_record_e2e_latency_seconds histogram
upcaster_record_e2e_latency_seconds_bucket{topic="a",le="0.1"} 90
upcaster_record_e2e_latency_seconds_bucket{topic="a",le="0.5"} 99
upcaster_record_e2e_latency_seconds_bucket{topic="a",le="+Inf"} 100
"""
    measured = Measured.of(text_string_to_metric_families(text))
    assert measured == Measured(2.5, 0.5, 0.05, None)
    assert Measured.of([]) == Measured(None, None, None, None)


@pytest.mark.parametrize("text", ["backup", "backup=", "backup= ", "nothing=x"])
def test_a_word_needs_a_line_and_a_text(text: str) -> None:
    with pytest.raises(WorkerError, match="write NAME=TEXT"):
        parse_attested([text])


def test_an_address_has_a_port() -> None:
    assert parse_address("localhost:8090") == "localhost:8090"
    with pytest.raises(WorkerError, match="HOST:PORT"):
        parse_address("localhost")
