"""The rules of the start: what is refused, what is warned of, and that each finding names the fix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from upcasters import Baseline, Chain, Step, add, set_key, split_each
from worker.preflight.facts import Backlog, ChainTraits, ClusterFacts, Finding, TopicFacts
from worker.preflight.judge import judge
from worker.routes.chains import load_route_chain
from worker.settings import KafkaSettings, RouteSettings, Settings

DAY = 24 * 3_600_000
NOW = 1_800_000_000_000
GOOD = {
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "max.message.bytes": "1048588",
    "cleanup.policy": "delete",
    "message.timestamp.type": "CreateTime",
    "message.timestamp.before.max.ms": "9223372036854775807",
}
ROOMY = {**GOOD, "max.message.bytes": str(1048588 + 32 * 1024)}
OLD = Backlog(records=1000, oldest=NOW - 900 * DAY, bytes_of_largest=5_000_000)


def settings(**route: Any) -> Settings:
    return Settings.model_construct(
        kafka=KafkaSettings(bootstrap_servers="b:9092", group_id="g"),
        routes=(RouteSettings.model_validate({"source": "legacy", "destination": "current", **route}),),
    )


def facts(configs: Mapping[str, Mapping[str, str]] | None = None, backlog: Backlog = OLD) -> ClusterFacts:
    """Three topics that are right, but for the changes given by topic."""
    topics = {"legacy": GOOD, "current": GOOD, "legacy-dlt": ROOMY}
    changed = configs or {}
    return ClusterFacts(
        now=NOW,
        topics={name: TopicFacts(name, 6, {**config, **changed.get(name, {})}) for name, config in topics.items()},
        backlogs={"legacy": backlog},
    )


def only(findings: tuple[Finding, ...]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


def test_topics_that_are_right() -> None:
    assert judge(facts(), settings(), {}) == ()


@pytest.mark.parametrize("missing", ["legacy", "current", "legacy-dlt"])
def test_a_missing_topic_is_refused_with_the_command_that_creates_it(missing: str) -> None:
    good = facts()
    present = {name: topic for name, topic in good.topics.items() if name != missing}
    finding = only(judge(ClusterFacts(NOW, present, good.backlogs), settings(), {}))
    assert (finding.severity, finding.topic, finding.found) == ("refuse", missing, "the topic does not exist")
    assert f"upcast kafka topics --bootstrap-server b:9092 --create --topic {missing} --partitions 6" in finding.fix


def test_other_partition_counts_are_refused() -> None:
    good = facts()
    topics = {**good.topics, "current": TopicFacts("current", 3, GOOD)}
    finding = only(judge(ClusterFacts(NOW, topics), settings(), {}))
    assert finding.severity == "refuse"
    assert finding.found == "has 3 partitions, its source legacy 6"


def test_fewer_partitions_for_dead_letters_are_fine() -> None:
    good = facts()
    topics = {**good.topics, "legacy-dlt": TopicFacts("legacy-dlt", 1, ROOMY)}
    assert judge(ClusterFacts(NOW, topics), settings(), {}) == ()


@pytest.mark.parametrize(
    ("config", "severity", "topic", "found", "fix"),
    [
        (
            {"current": {"retention.ms": str(7 * DAY)}},
            "refuse",
            "current",
            "the oldest unread record of legacy is 900.0 days old",
            "--entity-name current --add-config retention.ms=-1",
        ),
        (
            {"legacy-dlt": {"retention.ms": str(7 * DAY)}},
            "refuse",
            "legacy-dlt",
            "Kafka would delete it on arrival",
            "retention.ms=-1",
        ),
        (
            {"current": {"retention.bytes": "1000000"}},
            "refuse",
            "current",
            "about 5000000 bytes of legacy are unread in one partition",
            "retention.bytes=-1",
        ),
        (
            {"current": {"max.message.bytes": "1000"}},
            "refuse",
            "current",
            "max.message.bytes is 1000, its source allows 1048588",
            "max.message.bytes=1048588",
        ),
        (
            {"legacy-dlt": {"max.message.bytes": "1048588"}},
            "warn",
            "legacy-dlt",
            "headers will be cut",
            "max.message.bytes=1081356",
        ),
        (
            {"current": {"message.timestamp.type": "LogAppendTime"}},
            "refuse",
            "current",
            "timestamps would be lost",
            "message.timestamp.type=CreateTime",
        ),
        (
            {"current": {"message.timestamp.before.max.ms": str(DAY)}},
            "refuse",
            "current",
            "Kafka would refuse it",
            "message.timestamp.before.max.ms=9223372036854775807",
        ),
    ],
)
def test_configurations_that_lose_something(
    config: dict[str, dict[str, str]], severity: str, topic: str, found: str, fix: str
) -> None:
    finding = only(judge(facts(config), settings(), {}))
    assert (finding.severity, finding.topic) == (severity, topic)
    assert found in finding.found
    assert fix in finding.fix


def test_short_retention_can_be_accepted() -> None:
    short = facts({"current": {"retention.ms": str(7 * DAY)}})
    assert only(judge(short, settings(short_retention="warn"), {})).severity == "warn"


@pytest.mark.parametrize(
    "config",
    [
        {"retention.ms": str(1000 * DAY)},
        {"retention.ms": str(7 * DAY), "cleanup.policy": "compact"},
        {"retention.bytes": "6000000"},
    ],
)
def test_retention_that_is_enough(config: dict[str, str]) -> None:
    assert judge(facts({"current": config}), settings(), {}) == ()


def test_retention_does_not_matter_where_nothing_is_unread() -> None:
    short = {"retention.ms": "1000", "retention.bytes": "1000"}
    assert judge(facts({"current": short, "legacy-dlt": short}, Backlog()), settings(), {}) == ()


def test_log_append_time_in_the_source_is_its_own_business() -> None:
    assert judge(facts({"legacy": {"message.timestamp.type": "LogAppendTime"}}), settings(), {}) == ()


@pytest.mark.parametrize(
    ("topic", "traits", "refused"),
    [
        ("legacy", ChainTraits(changes_keys=True), True),
        ("legacy", ChainTraits(splits=True), False),
        ("legacy", ChainTraits(), False),
        ("current", ChainTraits(splits=True), True),
        ("current", ChainTraits(), False),
        ("current", ChainTraits(makes_tombstones=True), False),
    ],
)
def test_compacted_topics(topic: str, traits: ChainTraits, refused: bool) -> None:
    compacted = facts({topic: {"cleanup.policy": "compact,delete"}})
    findings = judge(compacted, settings(), {"legacy": traits})
    assert [finding.topic for finding in findings] == [topic] * refused


def test_tombstones_need_compaction() -> None:
    kept = facts({"current": {"cleanup.policy": "delete"}})
    finding = only(judge(kept, settings(), {"legacy": ChainTraits(makes_tombstones=True)}))
    assert (finding.severity, finding.topic) == ("refuse", "current")
    assert finding.found.startswith("is not compacted, and the chain makes tombstones")


def test_what_may_not_be_read_is_said() -> None:
    good = facts()
    topics = {**good.topics, "current": TopicFacts("current", 6, {})}
    finding = only(judge(ClusterFacts(NOW, topics, good.backlogs), settings(), {}))
    assert (finding.severity, finding.topic) == ("warn", "current")


def test_denials_come_first_and_hidden_topics_are_not_missing() -> None:
    denial = Finding("refuse", "current", "denied", "allow it")
    good = facts()
    topics = {**good.topics, "current": TopicFacts("current", visible=False)}
    assert judge(ClusterFacts(NOW, topics, good.backlogs, (denial,)), settings(), {}) == (denial,)


def test_a_new_group_at_a_filled_destination_is_reported() -> None:
    new = replace(OLD, new=True)
    finding = only(judge(replace(facts(backlog=new), filled=frozenset({"current"})), settings(), {}))
    assert (finding.severity, finding.topic) == ("warn", "current")
    assert finding.found.startswith(
        "holds records, and group g has committed nothing of legacy: the worker would upcast all 1,000 records there"
    )
    assert judge(facts(backlog=new), settings(), {}) == ()
    assert judge(replace(facts(), filled=frozenset({"current"})), settings(), {}) == ()


@pytest.mark.parametrize(("target", "splits"), [({}, False), ({"task_context": "3.0"}, True)])
def test_a_preview_that_no_route_asks_for_is_no_reason_to_refuse(target: dict[str, str], splits: bool) -> None:
    route = settings().routes[0].model_copy(update={"target": target})
    assert load_route_chain(route).traits == ChainTraits(changes_keys=splits, splits=splits)


parts = Chain(
    [Step("task", "1", "2", [split_each("lines", "line", item="of", number="at", key=("id",))], lossy="lines")],
    [Baseline("task", "1"), Baseline("line", "2")],
)
moved = Chain([Step("task", "1", "2", [set_key("id")], lossy="key")], [Baseline("task", "1")])
own = Chain([Step("task", "1", "2", [add("unit", "EUR")])], [Baseline("task", "1")])


@pytest.mark.parametrize(("chain", "changes"), [("parts", True), ("moved", True), ("own", False)])
def test_whatever_sets_a_key_changes_keys(chain: str, changes: bool) -> None:
    route = RouteSettings.model_validate(
        {
            "source": "old",
            "destination": "new",
            "chain": f"tests.unit.preflight.test_judge:{chain}",
            "event_type": "task",
            "version": [{"header": "version"}],
        }
    )
    assert load_route_chain(route).traits.changes_keys is changes


@pytest.mark.parametrize("policy", ["compact", "compact,delete"])
def test_a_compacted_dead_letter_topic_is_refused(policy: str) -> None:
    finding = only(judge(facts({"legacy-dlt": {"cleanup.policy": policy}}), settings(), {}))
    assert (finding.severity, finding.topic) == ("refuse", "legacy-dlt")
    assert "is compacted: dead letters of one key would replace each other" in finding.found
    assert "--add-config cleanup.policy=delete" in finding.fix


@pytest.mark.parametrize("policy", ["compact", "compact,delete"])
def test_records_without_a_key_for_a_compacted_destination_are_warned_of(policy: str) -> None:
    compacted = {"current": {"cleanup.policy": policy}}
    assert judge(facts(compacted), settings(), {}) == ()
    finding = only(judge(facts(compacted, replace(OLD, keyless=True)), settings(), {}))
    assert (finding.severity, finding.topic) == ("warn", "current")
    assert "legacy has records without a key" in finding.found
    assert judge(facts(backlog=replace(OLD, keyless=True)), settings(), {}) == ()
