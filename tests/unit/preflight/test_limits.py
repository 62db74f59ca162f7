"""What the brokers take of the worker itself: beyond it a start is refused, with both numbers."""

from __future__ import annotations

from typing import Any

import pytest

from worker.preflight.facts import BrokerLimits, Finding
from worker.preflight.limits import judge_limits
from worker.settings import KafkaSettings, RouteSettings, Settings

DEFAULTS = {
    "group.min.session.timeout.ms": 6_000,
    "group.max.session.timeout.ms": 1_800_000,
    "transaction.max.timeout.ms": 900_000,
    "offset.metadata.max.bytes": 4096,
    "group.max.size": 2**31 - 1,
}


SESSION = (
    "kafka.session_timeout: is 30 s, the brokers accept 6 s to 20 s (group.min.session.timeout.ms, "
    "group.max.session.timeout.ms): set it in between, or change the brokers"
)
TRANSACTION = (
    "kafka.transaction_timeout: is 60 s, the brokers accept 30 s at most (transaction.max.timeout.ms): set it to 30 or "
    "less, or raise the brokers'"
)


def judged(limits: BrokerLimits, delivery: str = "exactly-once", **kafka: Any) -> list[Finding]:
    route = RouteSettings.model_validate({"source": "legacy", "destination": "current", "delivery": delivery})
    settings = Settings.model_construct(
        kafka=KafkaSettings(bootstrap_servers="b:9092", group_id="g", **kafka), routes=(route,)
    )
    return list(judge_limits(limits, settings))


@pytest.mark.parametrize("settings", [DEFAULTS, {}], ids=["Kafka's defaults", "nothing may be seen"])
def test_nothing_to_refuse(settings: dict[str, int]) -> None:
    assert judged(BrokerLimits(settings)) == []


@pytest.mark.parametrize(
    ("changed", "kafka", "told"),
    [
        (
            {"group.max.session.timeout.ms": 20_000},
            {},
            SESSION,
        ),
        ({}, {"session_timeout": 5, "heartbeat_interval": 1}, "is 5 s, the brokers accept 6 s to 1800 s"),
        (
            {"transaction.max.timeout.ms": 30_000},
            {},
            TRANSACTION,
        ),
        ({}, {"transaction_timeout": 901}, "is 901 s, the brokers accept 900 s at most"),
    ],
)
def test_what_the_settings_ask_too_much_is_the_settings_fault(
    changed: dict[str, int], kafka: dict[str, Any], told: str
) -> None:
    (finding,) = judged(BrokerLimits({**DEFAULTS, **changed}), **kafka)
    assert told in str(finding)
    assert (finding.severity, finding.of_settings) == ("refuse", True)


def test_what_fits_by_a_hair_is_taken() -> None:
    limits = {**DEFAULTS, "group.max.session.timeout.ms": 30_000, "transaction.max.timeout.ms": 60_000}
    assert judged(BrokerLimits(limits)) == []


def test_without_transactions_their_time_does_not_matter() -> None:
    assert judged(BrokerLimits({"transaction.max.timeout.ms": 1_000}), delivery="at-least-once") == []


def test_notes_that_the_brokers_would_not_keep() -> None:
    (finding,) = judged(BrokerLimits({**DEFAULTS, "offset.metadata.max.bytes": 1000}))
    assert str(finding).startswith(
        "the brokers: offset.metadata.max.bytes is 1000, and the worker commits up to 4096 bytes"
    )
    assert finding.severity == "refuse"


@pytest.mark.parametrize(
    ("code", "severity", "of_settings"), [(26, "refuse", True), (50, "refuse", True), (23, "refuse", False)]
)
def test_what_the_brokers_answered_counts_where_their_settings_may_not_be_seen(
    code: int, severity: str, of_settings: bool
) -> None:
    (finding,) = judged(BrokerLimits(refusals=frozenset({code})))
    assert (finding.severity, finding.of_settings) == (severity, of_settings)


def test_the_others_strategy_is_named() -> None:
    (finding,) = judged(BrokerLimits(DEFAULTS, frozenset({23}), "range", 2))
    assert "theirs is `range`" in str(finding)
    assert "kafka.group_id" in str(finding)


def test_a_full_group_is_warned_of_since_somebody_may_leave() -> None:
    (finding,) = judged(BrokerLimits({**DEFAULTS, "group.max.size": 2}, frozenset({81}), "roundrobin", 2))
    assert finding.severity == "warn"
    assert "it has 2, group.max.size is 2" in str(finding)


DRAIN = (
    "kafka.rebalance_timeout: is 6 s; a worker learns of a rebalance within 3 s (kafka.heartbeat_interval), and its "
    "lanes drain in up to 4 s: make it longer than both together"
)
JOIN = (
    "kafka.request_timeout: is 30 s, and the answer to a worker that joins may take 30 s (kafka.rebalance_timeout): "
    "make it longer than that"
)


@pytest.mark.parametrize(("kafka", "told"), [({"rebalance_timeout": 6}, DRAIN), ({"request_timeout": 30}, JOIN)])
def test_what_makes_a_rebalance_slow_is_reported_and_not_refused(kafka: dict[str, Any], told: str) -> None:
    (found,) = judged(BrokerLimits(DEFAULTS), **kafka)
    assert (found.severity, str(found)) == ("warn", told)
