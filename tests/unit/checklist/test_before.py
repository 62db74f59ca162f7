"""Whether every version has a way to its target, of chains whose events leave their type."""

from __future__ import annotations

import pytest

from upcasters import Baseline, Chain, Step, add, drop_event, rename_type, split_each
from worker.checklist.before import reaches

LEAVING = Chain(
    [
        Step("a", 1, 2, [rename_type("c")]),
        Step("b", 1, 2, [rename_type("c")]),
        Step("c", 2, 3, [add("x", 1)]),
        Step("basket", 1, 2, [split_each("items", "item", item="of")], lossy="split"),
        Step("item", 2, 3, [rename_type("c")]),
        Step("ping", 1, 2, [drop_event()], lossy="nobody reads it"),
    ],
    [Baseline("a", 1), Baseline("b", 1), Baseline("basket", 1), Baseline("ping", 1)],
)


def test_types_that_events_leave_end_as_others() -> None:
    found = reaches("topic", LEAVING, {})
    assert found.status == "pass"
    assert found.text == "topic: 6 older versions have a path to c 3, item 2, ping 2: see `upcast matrix`"


@pytest.mark.parametrize("pinned", [{"c": "2"}, {"a": "1", "c": "3"}])
def test_pinned_targets(pinned: dict[str, str]) -> None:
    assert reaches("topic", LEAVING, pinned).status == "pass"
