"""Filters: what takes part in a bounded pass, and what is skipped as filtered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.replay.chains import SOURCE, chain_of
from upcasters import Event, Policy, Skipped, default
from worker.replay.plan.file import Filters
from worker.replay.plan.filters import filtered

UPCASTER = chain_of(default("added", 1)).upcaster(Policy())
OLD = Event(b"{}", b"customer-1", [("v", b"1.0")])
NEW = Event(b"{}", b"customer-22", [("v", b"2.0")])
BROKEN = Event(b"{", b"other", [])
TOMBSTONE = Event(None, b"customer-1", [])
KEYLESS = Event(b"{}", None, [("v", b"1.0")])
UNKNOWN = Event(b"{}", b"customer-1", [("v", b"7.0")])


def test_no_filter_costs_nothing() -> None:
    assert filtered(UPCASTER, Filters()) is UPCASTER


@pytest.mark.parametrize(
    ("filters", "let_through"),
    [
        ({"types": ["thing"]}, [OLD, NEW, TOMBSTONE, KEYLESS, UNKNOWN]),
        ({"types": ["other"]}, []),
        ({"versions": ["1.0"]}, [OLD, KEYLESS]),
        ({"versions": ["7.0"]}, [UNKNOWN]),
        ({"versions": ["1.0", "2.0"]}, [OLD, NEW, KEYLESS]),
        ({"keys": ["customer-1"]}, [OLD, TOMBSTONE, UNKNOWN]),
        ({"key_prefixes": ["customer-"]}, [OLD, NEW, TOMBSTONE, UNKNOWN]),
        ({"key_prefixes": ["customer-2"], "keys": ["other"]}, [NEW, BROKEN]),
        ({"key_prefixes": ["customer-2"], "versions": ["1.0"]}, []),
    ],
)
def test_what_they_let_through(filters: dict[str, Any], let_through: list[Event]) -> None:
    chosen = filtered(UPCASTER, Filters(**filters))
    for event in (OLD, NEW, BROKEN, TOMBSTONE, KEYLESS, UNKNOWN):
        outcome = chosen.upcast(event, SOURCE)
        if event in let_through:
            assert outcome == UPCASTER.upcast(event, SOURCE)
        else:
            assert isinstance(outcome, Skipped)
            assert outcome.reason == "filtered"
