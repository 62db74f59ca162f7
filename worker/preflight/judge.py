"""The rules: which facts mean that a route cannot work. Pure; ``gather`` asks the brokers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from worker.kafka.tools import kafka_tool
from worker.preflight.facts import Backlog, ChainTraits, ClusterFacts, Finding, Severity, TopicFacts
from worker.preflight.limits import judge_limits
from worker.settings import RouteSettings, Settings

# A dead letter is its record and our headers: message (4 KiB), stack trace (8 KiB) and room for the rest.
DEAD_LETTER_HEADERS = 32 * 1024
HOUR = 3_600_000


@dataclass(frozen=True)
class Inspection:
    """One route with the facts about its topics."""

    route: RouteSettings
    traits: ChainTraits
    source: TopicFacts
    destination: TopicFacts
    dead_letter: TopicFacts
    backlog: Backlog
    now: int
    servers: str
    group: str
    filled: bool

    @property
    def outputs(self) -> tuple[TopicFacts, ...]:
        return tuple(topic for topic in (self.destination, self.dead_letter) if topic.partitions)

    def alter(self, topic: TopicFacts, setting: str) -> str:
        return (
            f"run `{kafka_tool('configs')} --bootstrap-server {self.servers} --alter --entity-type topics "
            f"--entity-name {topic.name} --add-config {setting}`"
        )


def judge(facts: ClusterFacts, settings: Settings, traits: Mapping[str, ChainTraits]) -> tuple[Finding, ...]:
    """All findings. ``traits`` are by source topic."""
    findings = [*facts.denied, *facts.undecided, *judge_limits(facts.limits, settings)]
    for route in settings.routes:
        inspection = _inspection(facts, settings, route, traits.get(route.source, ChainTraits()))
        for rule in RULES:
            findings += rule(inspection)
    return tuple(dict.fromkeys(findings))


def _inspection(facts: ClusterFacts, settings: Settings, route: RouteSettings, traits: ChainTraits) -> Inspection:
    return Inspection(
        route=route,
        traits=traits,
        source=facts.topic(route.source),
        destination=facts.topic(route.destination),
        dead_letter=facts.topic(route.dead_letter),
        backlog=facts.backlogs.get(route.source, Backlog()),
        now=facts.now,
        servers=settings.kafka.bootstrap_servers,
        group=settings.kafka.group_id,
        filled=route.destination in facts.filled,
    )


def topics_exist(at: Inspection) -> Iterator[Finding]:
    wanted = at.source.partitions or 6
    for topic in (at.source, at.destination, at.dead_letter):
        if topic.visible and not topic.partitions:
            config = "" if topic is at.source else " --config retention.ms=-1"
            yield Finding(
                "refuse",
                topic.name,
                "the topic does not exist",
                f"run `{kafka_tool('topics')} --bootstrap-server {at.servers} --create --topic {topic.name} "
                f"--partitions {wanted}{config}`, or `upcast topics create`",
                code="UPC1301",
            )


def partitions_equal(at: Inspection) -> Iterator[Finding]:
    """Records keep their partition, and by it their order per key."""
    if at.source.partitions and at.destination.partitions not in (0, at.source.partitions):
        yield Finding(
            "refuse",
            at.destination.name,
            f"has {at.destination.partitions} partitions, its source {at.source.name} {at.source.partitions}",
            "give both as many: records keep their partition, and so their order per key",
            code="UPC1302",
        )


def records_fit(at: Inspection) -> Iterator[Finding]:
    source = at.source.number("max.message.bytes")
    destination = at.destination.number("max.message.bytes")
    if source and destination and destination < source:
        yield Finding(
            "refuse",
            at.destination.name,
            f"max.message.bytes is {destination}, its source allows {source}",
            at.alter(at.destination, f"max.message.bytes={source}"),
            code="UPC1303",
        )


def dead_letters_fit(at: Inspection) -> Iterator[Finding]:
    source = at.source.number("max.message.bytes")
    dead_letter = at.dead_letter.number("max.message.bytes")
    if source and dead_letter and dead_letter < source + DEAD_LETTER_HEADERS:
        yield Finding(
            "warn",
            at.dead_letter.name,
            f"max.message.bytes is {dead_letter}, that of the source is {source}: a record near that size leaves no "
            "room for its error headers, so headers will be cut",
            at.alter(at.dead_letter, f"max.message.bytes={source + DEAD_LETTER_HEADERS}"),
            code="UPC1304",
        )


def history_is_kept(at: Inspection) -> Iterator[Finding]:
    """Timestamps are preserved, so a topic deletes old records as soon as they arrive."""
    if at.backlog.oldest is None:
        return
    age = at.now - at.backlog.oldest
    for topic in at.outputs:
        retention = topic.number("retention.ms")
        if topic.has_policy("delete") and retention is not None and 0 <= retention < age:
            yield Finding(
                at.route.short_retention,
                topic.name,
                f"retention.ms is {retention} ({_span(retention)}), but the oldest unread record of "
                f"{at.source.name} is {_span(age)} old: Kafka would delete it on arrival",
                at.alter(topic, "retention.ms=-1"),
                code="UPC1305",
            )


def backlog_is_kept(at: Inspection) -> Iterator[Finding]:
    for topic in at.outputs if at.backlog.records else ():
        retention = topic.number("retention.bytes")
        if topic.name != at.destination.name or not topic.has_policy("delete"):
            continue
        if retention is not None and 0 <= retention < at.backlog.bytes_of_largest:
            yield Finding(
                at.route.short_retention,
                topic.name,
                f"retention.bytes is {retention}, but about {at.backlog.bytes_of_largest} bytes of "
                f"{at.source.name} are unread in one partition: Kafka would delete the first of them",
                at.alter(topic, "retention.bytes=-1"),
                code="UPC1306",
            )


def timestamps_are_kept(at: Inspection) -> Iterator[Finding]:
    for topic in at.outputs:
        if topic.config.get("message.timestamp.type") == "LogAppendTime":
            yield Finding(
                "refuse",
                topic.name,
                "message.timestamp.type is LogAppendTime: the events' own timestamps would be lost",
                at.alter(topic, "message.timestamp.type=CreateTime"),
                code="UPC1307",
            )


def old_timestamps_are_taken(at: Inspection) -> Iterator[Finding]:
    if at.backlog.oldest is None:
        return
    age = at.now - at.backlog.oldest
    for topic in at.outputs:
        key = "message.timestamp.before.max.ms"
        limit = topic.number(key)
        if limit is not None and limit < age:
            yield Finding(
                "refuse",
                topic.name,
                f"{key} is {limit} ({_span(limit)}), but the oldest unread record of {at.source.name} is "
                f"{_span(age)} old: Kafka would refuse it",
                at.alter(topic, f"{key}=9223372036854775807"),
                code="UPC1308",
            )


def compaction_keeps_events(at: Inspection) -> Iterator[Finding]:
    """Compaction keeps the last record of a key: it must mean the same before and after."""
    if at.source.has_policy("compact") and at.traits.changes_keys:
        yield Finding(
            "refuse",
            at.source.name,
            "is compacted, and the chain changes keys: tombstones would no longer meet what they delete",
            "keep the key in the chain, or read from a topic with cleanup.policy=delete",
            code="UPC1309",
        )
    if at.destination.has_policy("compact") and at.traits.splits:
        yield Finding(
            "refuse",
            at.destination.name,
            "is compacted, and the chain splits events: children with one key would replace each other",
            at.alter(at.destination, "cleanup.policy=delete") + ", or give each child a key of its own",
            code="UPC1310",
        )
    if at.destination.has_policy("compact") and at.backlog.keyless:
        yield Finding(
            "warn",
            at.destination.name,
            f"is compacted, and {at.source.name} has records without a key: Kafka refuses those, so each becomes a "
            "dead letter",
            "give them a key in the chain, or write to a topic with cleanup.policy=delete",
            code="UPC1311",
        )


def tombstones_delete(at: Inspection) -> Iterator[Finding]:
    """A null value that the chain makes deletes what has its key, and only compaction does that."""
    if at.traits.makes_tombstones and at.destination.config and not at.destination.has_policy("compact"):
        yield Finding(
            "refuse",
            at.destination.name,
            "is not compacted, and the chain makes tombstones: nothing would delete what they are about",
            at.alter(at.destination, "cleanup.policy=compact") + ", or drop such events in the chain",
            code="UPC1312",
        )


def dead_letters_stay(at: Inspection) -> Iterator[Finding]:
    """Dead letters keep their record's key."""
    if at.dead_letter.has_policy("compact"):
        yield Finding(
            "refuse",
            at.dead_letter.name,
            "is compacted: dead letters of one key would replace each other, and one without a key is refused, which "
            "blocks its lane",
            at.alter(at.dead_letter, "cleanup.policy=delete"),
            code="UPC1313",
        )


def nothing_is_written_twice(at: Inspection) -> Iterator[Finding]:
    """A group of another name begins at the beginning, whatever other groups have upcast before."""
    if at.filled and at.backlog.new and at.backlog.records:
        yield Finding(
            "warn",
            at.destination.name,
            f"holds records, and group {at.group} has committed nothing of {at.source.name}: the worker would upcast "
            f"all {at.backlog.records:,} records there, a second time if a replay or another group did so before",
            "in that case start with `upcast run --after RECEIPT`, or correct kafka.group_id",
            code="UPC1314",
        )


def settings_are_visible(at: Inspection) -> Iterator[Finding]:
    for topic in (at.source, at.destination, at.dead_letter):
        if topic.partitions and not topic.config:
            yield Finding(
                "warn",
                topic.name,
                "the worker's user may not read its settings, so retention, sizes and timestamps are not checked",
                "allow DESCRIBE_CONFIGS on the topic",
                code="UPC1315",
            )


RULES: tuple[Callable[[Inspection], Iterable[Finding]], ...] = (
    topics_exist,
    partitions_equal,
    records_fit,
    dead_letters_fit,
    history_is_kept,
    backlog_is_kept,
    timestamps_are_kept,
    old_timestamps_are_taken,
    compaction_keeps_events,
    tombstones_delete,
    dead_letters_stay,
    nothing_is_written_twice,
    settings_are_visible,
)


def of_severity(findings: Iterable[Finding], severity: Severity) -> list[Finding]:
    return [finding for finding in findings if finding.severity == severity]


def _span(milliseconds: int) -> str:
    """``3.2 days`` or ``5.0 hours``."""
    hours = milliseconds / HOUR
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours"
