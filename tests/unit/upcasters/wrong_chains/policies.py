"""Policies and detection rules that do not fit their chain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.unit.upcasters.wrong_chains.case import Case, base, chain, step
from upcasters import (
    Always,
    Detection,
    FromCloudEvents,
    FromField,
    FromHeader,
    FromShape,
    Policy,
    Upcaster,
    add,
    present,
    split_each,
)

ANY: Any = "not a choice"


def route(policy: Policy) -> Callable[[], Upcaster]:
    """An upcaster for orders from 1 to 3."""
    return lambda: chain(base("1"), step("1", "2", add("a", 1)), step("2", "3")).upcaster(policy)


def versions(*rules: Any, types: tuple[Any, ...] = ()) -> Policy:
    """A policy with these rules."""
    return Policy(detection=Detection(event_type=types, version=rules))


HEADER = FromHeader("v")

POLICIES = {
    "a target that there is not": Case(
        ["target"],
        route(Policy(target={"order": "4"}, detection=versions(HEADER).detection)),
        route(Policy(target={"order": "2"}, detection=versions(HEADER).detection)),
    ),
    "a target for a type that there is not": Case(
        ["target"],
        route(Policy(target={"bill": "3"}, detection=versions(HEADER).detection)),
        route(Policy(target={"order": "3"}, detection=versions(HEADER).detection)),
    ),
    "never a sample": Case(
        ["option"],
        route(Policy(sample_every=0, detection=versions(HEADER).detection)),
        route(Policy(sample_every=1, detection=versions(HEADER).detection)),
    ),
    "unknown_type=": Case(
        ["option"],
        route(Policy(unknown_type=ANY, detection=versions(HEADER).detection)),
        route(Policy(unknown_type="skip", detection=versions(HEADER).detection)),
    ),
    "future_version=": Case(
        ["option"],
        route(Policy(future_version=ANY, detection=versions(HEADER).detection)),
        route(Policy(future_version="pass", detection=versions(HEADER).detection)),
    ),
    "duplicate_keys=": Case(
        ["option"],
        route(Policy(duplicate_keys=ANY, detection=versions(HEADER).detection)),
        route(Policy(duplicate_keys="refuse", detection=versions(HEADER).detection)),
    ),
    "validate_target=": Case(
        ["option"],
        route(Policy(validate_target=ANY, detection=versions(HEADER).detection)),
        route(Policy(validate_target="never", detection=versions(HEADER).detection)),
    ),
    "no rule for the version": Case(["detection"], route(Policy()), route(versions(Always("1")))),
    "a malformed field": Case(["detection"], route(versions(FromField("a..b"))), route(versions(FromField("a.b")))),
    "a field with '*'": Case(["detection"], route(versions(FromField("a.*"))), route(versions(FromField(("a", "*"))))),
    "no field": Case(["detection"], route(versions(FromField(""))), route(versions(FromField(("",))))),
    "a pattern that is none": Case(
        ["detection"],
        route(versions(FromCloudEvents("dataschema", "(v"))),
        route(versions(FromCloudEvents("dataschema", "v(.*)"))),
    ),
    "a pattern without a group": Case(
        ["detection"],
        route(versions(FromCloudEvents("dataschema", "v.*"))),
        route(versions(FromCloudEvents("dataschema", "v(.*)"))),
    ),
    "a pattern with two groups": Case(
        ["detection"],
        route(versions(FromCloudEvents("dataschema", "(v)(.*)"))),
        route(versions(FromCloudEvents("dataschema", "(?:v)(.*)"))),
    ),
    "by shape, and no version has one": Case(
        ["detection"],
        route(versions(FromShape())),
        lambda: chain(base("1", shape=present("a")), step("1", "2")).upcaster(versions(FromShape())),
    ),
    "by shape alone, and an old version has none": Case(
        ["detection"],
        lambda: chain(base("1"), step("1", "2", shape=present("a"))).upcaster(versions(FromShape())),
        lambda: chain(base("1"), step("1", "2", shape=present("a"))).upcaster(versions(FromShape(), Always("1"))),
    ),
    "several types, and nothing tells them apart": Case(
        ["detection"],
        lambda: chain(base("1"), base("1", event_type="bill")).upcaster(versions(HEADER)),
        lambda: chain(base("1"), base("1", event_type="bill")).upcaster(versions(HEADER, types=(FromHeader("t"),))),
    ),
    "a type that there is not": Case(
        ["detection"],
        route(versions(HEADER, types=(Always("ordre"),))),
        route(versions(HEADER, types=(Always("order"),))),
    ),
    "a version that there is not": Case(["detection"], route(versions(Always("0"))), route(versions(Always("1")))),
    "a rule behind the last word": Case(
        ["detection"], route(versions(Always("1"), HEADER)), route(versions(HEADER, Always("1")))
    ),
    "children of a type with rules of their own": Case(
        ["target"],
        lambda: chain(base("1"), step("1", "2", split_each("a", "part", item="i"), lossy="?")).upcaster(
            Policy(target={"part": "3"}, detection=versions(HEADER).detection)
        ),
        lambda: chain(base("1"), step("1", "2", split_each("a", "part", item="i"), lossy="?")).upcaster(
            Policy(target={"part": "2"}, detection=versions(HEADER).detection)
        ),
    ),
}
