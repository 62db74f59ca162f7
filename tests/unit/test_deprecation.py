"""The deprecation policy: nothing goes before its time, and nothing without notice."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from upcast_authoring.deprecation.policy import DeprecationPolicy, Offer, between, minor_of
from worker.deprecation import DEPRECATED, Deprecation
from worker.offered import offered, policy, released, this_version

NONE: Offer = {"schema": frozenset(), "setting": frozenset(), "endpoint": frozenset()}
DAY = date(2026, 1, 1)


def offer(**names: set[str]) -> Offer:
    return {**NONE, **{kind: frozenset(given) for kind, given in names.items()}}


def entry(kind: str, name: str, notice: str, removal: str) -> Deprecation:
    return Deprecation(kind, name, "other", notice, removal, DAY, DAY)  # type: ignore[arg-type]  # wrong kinds are tried, too


def test_this_version_keeps_the_policy() -> None:
    assert policy().breaches() == []


def test_the_record_is_of_today() -> None:
    """A thing that was added is written down: python -m worker.offered."""
    assert released()[this_version()] == offered()


@pytest.mark.parametrize("kind", ["schema", "setting", "endpoint"])
def test_dropping_any_one_thing_is_found(kind: str) -> None:
    now = policy()
    for name in sorted(now.offered[kind]):
        less = {**now.offered, kind: now.offered[kind] - {name}}
        (line,) = replace(now, offered=less).breaches()
        assert line.startswith(f"{kind} {name}: ")


@pytest.mark.parametrize("given", DEPRECATED, ids=lambda given: given.name)
def test_a_notice_that_is_too_short_is_found(given: Deprecation) -> None:
    now = policy()
    shorter = replace(given, removal="0.2")
    (line,) = replace(now, entries=[shorter]).breaches()
    assert line == f"{given.kind} {given.name}: noticed in 0.1, removed in 0.2: leave 2 minor versions for it to go"


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.5", "schema order 1: was removed in 1.5, but its removal is due in 1.6: bring it back"),
        ("1.6", ""),
        ("2.0", ""),
    ],
)
def test_when_a_noticed_thing_may_go(version: str, expected: str) -> None:
    before = {"1.4": offer(schema={"order 1", "order 2"})}
    given = DeprecationPolicy([entry("schema", "order 1", "1.4", "1.6")], offer(schema={"order 2"}), before, version)
    assert "\n".join(given.breaches()) == expected


def test_without_notice_nothing_may_go_ever() -> None:
    given = DeprecationPolicy([], NONE, {"1.4": offer(setting={"http.port"})}, "9.0")
    (line,) = given.breaches()
    assert line.startswith("setting http.port: existed in 1.4 and was removed without notice: bring it back")


def test_an_entry_covers_all_below_a_path() -> None:
    before = {"1.0": offer(endpoint={"GET /v1/status", "GET /v10/status"})}
    (line,) = DeprecationPolicy([entry("endpoint", "/v1", "1.0", "1.2")], NONE, before, "1.2").breaches()
    assert line.startswith("endpoint GET /v10/status")


def test_a_name_that_never_was_is_a_slip() -> None:
    (line,) = DeprecationPolicy(
        [entry("setting", "htpp.port", "1.0", "1.2")], offer(setting={"http.port"}), {}, "1.0"
    ).breaches()
    assert line == "setting htpp.port: deprecated, but it never existed: correct its name"


@pytest.mark.parametrize(
    ("notice", "removal", "steps"),
    [
        ("1.4", "1.6", 2),
        ("1.4", "1.5", 1),
        ("1.4", "1.4", 0),
        ("1.4", "1.3", -1),
        ("1.4", "2.0", 2),  # 1.5 is known, and then comes 2.0
        ("1.5", "2.0", 1),
        ("1.5", "2.1", 2),
        ("1.5", "3.0", 2),
        ("1.5", "0.9", -1),
    ],
)
def test_minor_versions_between(notice: str, removal: str, steps: int) -> None:
    assert between(minor_of(notice), minor_of(removal), [(1, 4), (1, 5)]) == steps
