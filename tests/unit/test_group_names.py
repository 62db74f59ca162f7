"""Names of groups: no two passes get one name, and no user's group has that of a pass."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition
from hypothesis import example, given
from hypothesis import strategies as st

from worker.lanes.delivery import transactional_id
from worker.settings.group_names import live_group, redrive_group, refuse_reserved, replay_group, replay_id_in

REPLAY_ID = "0123456789ab"
PARTS = st.lists(st.sampled_from(["a", "-", "-replay", "-redrive", "redrive-", REPLAY_ID, "b"]), min_size=1, max_size=6)
NAMES = PARTS.map("".join)


def is_free(group: str) -> bool:
    try:
        refuse_reserved(group)
    except ValueError:
        return False
    return True


FREE = NAMES.filter(is_free)


@pytest.mark.parametrize(
    "name",
    [f"orders-replay-{REPLAY_ID}", "orders-redrive-legacy", "orders-redrive", "-redrive-", "a-redrive-b-redrive-c"],
)
def test_names_of_passes_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="choose another name"):
        refuse_reserved(name)


@pytest.mark.parametrize(
    "name",
    ["orders", "orders-replay-worker", "orders-replay-0123", "replay", "redrive-orders", "x-redrives", "a-replay"],
)
def test_other_names_are_free(name: str) -> None:
    assert refuse_reserved(name) == name


@given(NAMES, FREE, NAMES)
def test_no_group_of_a_user_has_the_name_of_a_pass(user: str, group: str, source: str) -> None:
    passes = {replay_group(group, REPLAY_ID), redrive_group(group, source)}
    assert not (is_free(user) and user in passes)


@given(NAMES, NAMES, NAMES, NAMES)
@example("a", "a-redrive", "redrive-b", "b")
@example("a", "a-redrive-b", "b-redrive-c", "c")
def test_redrives_of_two_routes_have_two_names(one: str, other: str, source: str, another: str) -> None:
    if is_free(one) and is_free(other) and (one, source) != (other, another):
        assert redrive_group(one, source) != redrive_group(other, another)


@given(FREE, FREE, NAMES)
def test_a_replay_is_no_redrive(one: str, other: str, source: str) -> None:
    assert replay_group(one, REPLAY_ID) != redrive_group(other, source)


@given(FREE, NAMES)
def test_a_replay_is_known_by_its_name_and_no_other_group_is(group: str, other: str) -> None:
    name = replay_group(group, REPLAY_ID)
    assert replay_id_in(name, group) == REPLAY_ID
    assert live_group(name, REPLAY_ID) == group
    assert replay_id_in(other, group) in (None, REPLAY_ID)
    if is_free(other):
        assert replay_id_in(other, group) is None


def test_a_worker_whose_name_goes_on_like_a_replay_is_none() -> None:
    assert replay_id_in("orders-replay-worker", "orders") is None


@given(NAMES, NAMES, NAMES, NAMES)
def test_no_two_lanes_share_a_transactional_id(one: str, topic: str, other: str, another: str) -> None:
    if (one, topic) != (other, another):
        assert transactional_id(one, TopicPartition(topic, 0)) != transactional_id(other, TopicPartition(another, 0))
