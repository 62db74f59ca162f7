"""Members of the group with another chain or destination: reported when they differ for too long."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from structlog.testing import capture_logs

from worker.kafka.clients import KafkaClients
from worker.kafka.members import AnnouncingAssignor, GroupMember, SourceUse, uses_in
from worker.preflight.members import ROLLING, MemberWatch, differing
from worker.settings import KafkaSettings

OURS = {"old": SourceUse("new", "c2"), "more": SourceUse("current", "c2")}


def member(
    name: str, ways: Mapping[str, SourceUse], topics: frozenset[str] | None = frozenset({"old", "more"})
) -> GroupMember:
    return GroupMember(name, topics, ways)


def test_what_a_member_tells_at_its_join_is_read_by_others() -> None:
    metadata = AnnouncingAssignor(OURS).metadata(["old"])
    assert uses_in(metadata.user_data) == OURS
    for anybody_s in (b"", None, b"\xff", b"[]", b'{"routes": 5}'):
        assert uses_in(anybody_s) == {}


def test_another_chain_and_another_destination_differ_and_silence_does_not() -> None:
    members = [
        member("c", {"old": SourceUse("elsewhere", "c2")}),
        member("a", OURS),
        member("b", OURS | {"old": SourceUse("new", "c1")}),
        member("older", {}),
    ]
    assert differing(OURS, members) == {"old": ["b has chain c1", "c writes to elsewhere"]}


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_rolling_start_has_its_time(clock: Clock) -> None:
    counted: dict[str, int] = {}
    watch = MemberWatch(
        KafkaClients(KafkaSettings(bootstrap_servers="localhost:1", group_id="g")), OURS, counted.__setitem__, clock
    )
    behind = member("b", OURS | {"old": SourceUse("new", "c1")})
    with capture_logs() as logs:
        watch.note([member("a", OURS), behind])
        assert (counted, watch.disagreements, logs) == ({"old": 1, "more": 0}, {}, [])
        clock.now += ROLLING - 1
        watch.note([behind])
        assert (watch.disagreements, logs) == ({}, [])
        clock.now += 1
        watch.note([behind])
        watch.note([behind])
        watch.note([member("b", {}, None)])
        assert watch.disagreements == {"old": ["b has chain c1"]}
        assert [(each["topic"], each["others"]) for each in logs] == [("old", ["b has chain c1"])]
    watch.note([member("a", OURS)])
    assert (counted, watch.disagreements) == ({"old": 0, "more": 0}, {})
    watch.note([behind])
    assert watch.disagreements == {}, "the next one has its time, too"
