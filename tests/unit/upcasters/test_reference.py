"""What a dead letter may carry of an event: names, made fit to be shown."""

from __future__ import annotations

import pytest

from upcasters import Baseline, Chain, DeadLettered, Detection, Event, FromHeader, Step, add
from upcasters.reference import shortened


@pytest.mark.parametrize(
    ("name", "shown"),
    [("order", "order"), ("", ""), ("a\nb\x00", "a?b?"), ("é" * 100, "é" * 100), ("x" * 101, "x" * 99 + "…")],
)
def test_names_fit_into_a_line(name: str, shown: str) -> None:
    assert shortened(name) == shown


def test_a_hostile_version_is_cut() -> None:
    chain = Chain([Step("t", 1, 2, [add("a", 1)])], [Baseline("t", 1)], detection=Detection(version=(FromHeader("v"),)))
    outcome = chain.upcaster().upcast(Event(b"{}", None, [("v", b"9\n" * 5000)]))
    assert isinstance(outcome, DeadLettered)
    assert outcome.fault.error_type == "UnknownVersion"
    assert outcome.fault.from_version == "9?" * 49 + "9…"
