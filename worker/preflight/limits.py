"""The rules about the brokers' limits for the worker itself: session, transactions, notes, one more member. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from worker.kafka.brokers import (
    LARGEST_GROUP,
    LARGEST_NOTE,
    LONGEST_SESSION,
    LONGEST_TRANSACTION,
    SHORTEST_SESSION,
)
from worker.kafka.refusals import TABLE, Mends
from worker.preflight.facts import BrokerLimits, Finding, Severity
from worker.settings import Settings
from worker.settings.kafka import DRAIN_SECONDS

NOTE = 4096
"""Bytes of metadata that a lane or a replay commits beside an offset."""

OTHER_STRATEGY, SESSION, TRANSACTION, GROUP_FULL = 23, 26, 50, 81


def judge_limits(limits: BrokerLimits, settings: Settings) -> Iterator[Finding]:
    """The limits that would make the brokers refuse the worker later, or make it wait."""
    group = f"group {settings.kafka.group_id}"
    yield from _session(limits, settings, group)
    if any(route.delivery == "exactly-once" for route in settings.routes):
        yield from _transaction(limits, settings)
    yield from _note(limits)
    yield from _rebalance(settings)
    if OTHER_STRATEGY in limits.refusals:
        told = f": theirs is `{limits.strategy}`" if limits.strategy else ""
        yield _of_table(OTHER_STRATEGY, group, told)
    if GROUP_FULL in limits.refusals:
        most = limits.settings.get(LARGEST_GROUP)
        yield _of_table(GROUP_FULL, group, f": it has {limits.members}, {LARGEST_GROUP} is {most}" if most else "")


def _session(limits: BrokerLimits, settings: Settings, group: str) -> Iterator[Finding]:
    asked = settings.kafka.session_timeout * 1000
    shortest = limits.settings.get(SHORTEST_SESSION, 0)
    longest = limits.settings.get(LONGEST_SESSION, asked)
    if not shortest <= asked <= longest:
        yield Finding(
            "refuse",
            "kafka.session_timeout",
            f"is {_seconds(asked)}, the brokers accept {_seconds(shortest)} to {_seconds(longest)} "
            f"({SHORTEST_SESSION}, {LONGEST_SESSION})",
            "set it in between, or change the brokers",
            of_settings=True,
            code="UPC1316",
        )
    elif SESSION in limits.refusals:
        yield _of_table(SESSION, group)


def _transaction(limits: BrokerLimits, settings: Settings) -> Iterator[Finding]:
    asked = settings.kafka.transaction_timeout * 1000
    longest = limits.settings.get(LONGEST_TRANSACTION, asked)
    if asked > longest:
        yield Finding(
            "refuse",
            "kafka.transaction_timeout",
            f"is {_seconds(asked)}, the brokers accept {_seconds(longest)} at most ({LONGEST_TRANSACTION})",
            f"set it to {longest / 1000:g} or less, or raise the brokers'",
            of_settings=True,
            code="UPC1317",
        )
    elif TRANSACTION in limits.refusals:
        yield _of_table(TRANSACTION, "kafka")


def _note(limits: BrokerLimits) -> Iterator[Finding]:
    largest = limits.settings.get(LARGEST_NOTE, NOTE)
    if largest < NOTE:
        yield Finding(
            "refuse",
            "the brokers",
            f"{LARGEST_NOTE} is {largest}, and the worker commits up to {NOTE} bytes beside an offset",
            f"set it to {NOTE}, Kafka's own default",
            code="UPC1318",
        )


def _rebalance(settings: Settings) -> Iterator[Finding]:
    """Limits that cost pauses, but neither loss nor duplicates."""
    kafka = settings.kafka
    if kafka.heartbeat_interval + DRAIN_SECONDS > kafka.rebalance_timeout:
        yield Finding(
            "warn",
            "kafka.rebalance_timeout",
            f"is {kafka.rebalance_timeout:g} s; a worker learns of a rebalance within {kafka.heartbeat_interval:g} s "
            f"(kafka.heartbeat_interval), and its lanes drain in up to {DRAIN_SECONDS:g} s",
            "make it longer than both together",
            of_settings=True,
            code="UPC1319",
        )
    if kafka.request_timeout <= kafka.rebalance_timeout:
        yield Finding(
            "warn",
            "kafka.request_timeout",
            f"is {kafka.request_timeout:g} s, and the answer to a worker that joins may take "
            f"{kafka.rebalance_timeout:g} s (kafka.rebalance_timeout)",
            "make it longer than that",
            of_settings=True,
            code="UPC1320",
        )


def _of_table(code: int, subject: str, told: str = "") -> Finding:
    row = TABLE[code]
    severity: Severity = "warn" if row.mends is Mends.IN_TIME else "refuse"
    return Finding(severity, subject, row.found + told, row.fix, of_settings=row.mends is Mends.NEVER, code="UPC1321")


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:g} s"
