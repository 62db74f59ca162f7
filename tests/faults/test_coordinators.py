"""Which broker is to die so that the group's coordinator has much to load. Needs no broker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.faults.coordinators import PARTITIONS, Takeover, partition_of, rotated, takeover

GROUP, OWN = "g", 3


def described(changes: Mapping[int, Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """All is well on three brokers, but for these changes by partition."""
    return [
        {"partition": at, "leader": replicas[0], "replicas": replicas, "isr": sorted(replicas), **changes.get(at, {})}
        for at, replicas in rotated(PARTITIONS, 3).items()
    ]


def test_the_coordinator_is_the_second_replica_of_what_it_takes_over() -> None:
    assert partition_of(GROUP) == OWN
    assert takeover(described({}), GROUP) == Takeover(partition=2, victim=3, heir=1)


def test_a_broker_that_has_just_come_back_leaves_nothing_to_others() -> None:
    """It catches up while the commits are written, and then it takes partition 1 over, not the coordinator."""
    lags, has_moved = {"isr": [1, 2]}, {"leader": 1, "isr": [1, 2]}
    assert takeover(described({1: lags, 2: has_moved}), GROUP) is None
    assert takeover(described({2: {"isr": [2, 3]}}), GROUP) is None


def test_nobody_can_tell_while_there_is_no_coordinator() -> None:
    assert takeover([], GROUP) is None
