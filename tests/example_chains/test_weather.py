"""The weather network's history: every hop by its golden pairs, the whole of it up in one go, and down again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.example_chains.weather import chain
from upcasters import DeadLettered, Event, Policy, Record, Reversibility, SourcePartition, Upcast
from upcasters.checks import model_problems
from upcasters.event import Header
from upcasters.step import Hop
from upcasters.testing.golden import Golden, check, goldens, run

FOLDER = Path(__file__).parent / "weather"
PAIRS = goldens(chain, FOLDER / "golden")
SOURCE = SourcePartition("stations", 2)
FIRST = (FOLDER / "history.before.json").read_bytes().strip()
BINARY: Sequence[Header] = (
    ("ce_specversion", b"1.0"),
    ("ce_id", b"A-1"),
    ("ce_type", b"station-report"),
    ("ce_dataschema", b"urn:weather/v1"),
    ("tenant", b"noaa"),
)


def upcast(event: Event) -> tuple[Record, ...]:
    upcaster = chain.upcaster()
    outcome = upcaster.upcast(event, SOURCE)
    assert outcome == upcaster.reference.upcast(event, SOURCE)
    assert isinstance(outcome, Upcast)
    return outcome.output(event)


def test_the_chain_is_sound_and_deep() -> None:
    assert not model_problems(chain)
    trace = chain.upcaster().trace(Event(FIRST, None, BINARY, offset=41), SOURCE)
    first_child = [hop.hop.source for hop in trace.hops[:24]]
    assert len(set(first_child)) == 24
    assert {step.id for step in chain.steps if step.lossy} == {
        *("report_2019_11", "report_2021_06", "report_2022_01", "report_2022_12", "report_2025_01", "sample_2025_06"),
    }


@pytest.mark.parametrize("golden", PAIRS, ids=lambda golden: golden.subject)
def test_golden(golden: Golden) -> None:
    check(chain, golden)


def test_every_hop_has_a_golden_pair() -> None:
    pairs = {(golden.event_type, golden.source, golden.target) for golden in PAIRS}
    assert pairs == {(*hop.source, hop.target[1]) for hop in chain.hops.values()}


def test_the_whole_history_in_binary_mode() -> None:
    temperature, wind = upcast(Event(FIRST, b"KSEA", BINARY, 1700000000000, 41))
    expected = json.loads((FOLDER / "history.after.json").read_text())
    assert [json.loads(record.value or b"") for record in (temperature, wind)] == expected
    assert b'"score":1.10' in (temperature.value or b"")
    assert b'"gust":9007199254740993' in (wind.value or b"")
    assert (temperature.key, wind.key) == (b"KSEA/0", b"KSEA/1")
    assert list(wind.headers) == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"stations/2/41/1"),
        ("ce_type", b"weather.wind"),
        ("ce_dataschema", b"urn:weather/v2026-03-01"),
        ("tenant-id", b"noaa"),
    ]


def test_the_whole_history_in_structured_mode() -> None:
    envelope = b'{"specversion":"1.0","id":"A-1","type":"station-report","dataschema":"urn:weather/v1","data":'
    structured = upcast(Event(envelope + FIRST + b"}", None, [("tenant", b"noaa")], None, 41))
    binary = upcast(Event(FIRST, None, BINARY, None, 41))
    for position, (one, other) in enumerate(zip(structured, binary, strict=True)):
        value = json.loads(one.value or b"")
        assert value.pop("data") == json.loads(other.value or b"")
        assert value == {
            "specversion": "1.0",
            "id": f"stations/2/41/{position}",
            "type": ("weather.temperature", "weather.wind")[position],
            "dataschema": ("urn:weather/v2025-09-01", "urn:weather/v2026-03-01")[position],
        }


# The way down stays within a type.
REVERSIBLE = [
    hop
    for hop in chain.hops.values()
    if hop.inverse().kind is not Reversibility.LOSSY and not hop.forks and hop.source[0] == hop.target[0]
]


@pytest.mark.parametrize("hop", REVERSIBLE, ids=lambda hop: hop.id)
def test_down_again_gives_the_same_document(hop: Hop) -> None:
    golden = next(pair for pair in PAIRS if (pair.event_type, pair.source) == hop.source and pair.stem.name == "plain")
    event, outcome = run(chain, golden)
    assert isinstance(outcome, Upcast)
    (up,) = outcome.output(event)
    upcaster = chain.upcaster(Policy(target={hop.source[0]: hop.source[1]}))
    newer = Event(up.value, up.key, up.headers)
    back = upcaster.upcast(newer, SOURCE)
    assert back == upcaster.reference.upcast(newer, SOURCE)
    if hop.id == "report_2024_01":  # two names became one: only the older document can tell which it was
        assert isinstance(back, DeadLettered)
        assert back.fault.error_type == "Ambiguous"
        back = upcaster.downcast_into(newer, event.value or b"")
    assert isinstance(back, Upcast), back
    (down,) = back.output(newer)
    assert same(down.value, event.value)
    assert sorted(down.headers) == sorted(event.headers)


def test_down_over_many_hops() -> None:
    policy = Policy(target={"station-report": "8"})
    event = Event(FIRST, None, BINARY)
    up = chain.upcaster(policy).upcast(event)
    assert isinstance(up, Upcast)
    (newer,) = up.output(event)
    source = Event(newer.value, newer.key, newer.headers)
    down = chain.upcaster(Policy(target={"station-report": "1"})).upcast(source)
    assert isinstance(down, Upcast)
    assert same(down.output(source)[0].value, FIRST)
    assert down.output(source)[0].headers == list(BINARY)


def same(one: bytes | None, other: bytes | None) -> bool:
    """Equal as JSON, in any order, with every number as it is written."""
    return bool(read(one) == read(other))


def read(value: bytes | None) -> Any:
    return json.loads(value or b"", parse_float=str, parse_int=str)
