"""Facts from the brokers about the routes' topics, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["refuse", "warn", "undecided"]


@dataclass(frozen=True)
class Finding:
    """A result of the checks: something that cannot work (``refuse``), that the operator should know (``warn``), or
    that could not be checked (``undecided``). ``of_settings``: the worker's own configuration is at fault. `upcast
    explain` knows the ``code``."""

    severity: Severity
    topic: str
    found: str
    fix: str
    of_settings: bool = False
    code: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.topic}: {self.found}: {self.fix}"


@dataclass(frozen=True)
class TopicFacts:
    """One topic. ``partitions`` is 0 where the topic does not exist, ``config`` is empty where the worker's user may
    not read it. ``visible`` is False where the user may not even describe the topic. ``replicas`` is
    how many brokers have a partition, 0 where that was not looked at.
    """

    name: str
    partitions: int = 0
    config: Mapping[str, str] = field(default_factory=dict)
    visible: bool = True
    replicas: int = 0

    def number(self, key: str) -> int | None:
        """A numeric setting; None where the broker does not say."""
        value = self.config.get(key)
        return int(value) if value not in (None, "") else None

    def has_policy(self, policy: str) -> bool:
        return policy in self.config.get("cleanup.policy", "delete").split(",")


@dataclass(frozen=True)
class Backlog:
    """What the group has yet to read of a source topic.

    ``oldest`` is the timestamp (ms) of the first unread record, None where there is none or none was shown in
    time; ``bytes_of_largest`` an estimate of the largest partition's unread bytes. ``new``: the group has committed
    nothing of the topic. ``keyless``: some of the first unread records have no key.
    """

    records: int = 0
    oldest: int | None = None
    bytes_of_largest: int = 0
    new: bool = False
    keyless: bool = False


@dataclass(frozen=True)
class BrokerLimits:
    """The brokers' limits for the worker itself. ``settings`` are theirs, as far as they may be read; ``refusals`` are
    the error codes of what was tried; ``strategy`` and ``members`` are the group's, where it refused a member.
    """

    settings: Mapping[str, int] = field(default_factory=dict)
    refusals: frozenset[int] = frozenset()
    strategy: str = ""
    members: int = 0


@dataclass(frozen=True)
class ClusterFacts:
    """Everything that the rules use. ``denied`` is what the brokers' ACLs refused, ``undecided`` what they could not
    answer, ``filled`` the destinations of new groups that hold records."""

    now: int
    topics: Mapping[str, TopicFacts]
    backlogs: Mapping[str, Backlog] = field(default_factory=dict)
    denied: tuple[Finding, ...] = ()
    undecided: tuple[Finding, ...] = ()
    filled: frozenset[str] = frozenset()
    brokers: int = 1
    limits: BrokerLimits = field(default_factory=BrokerLimits)

    def topic(self, name: str) -> TopicFacts:
        return self.topics.get(name, TopicFacts(name))


@dataclass(frozen=True)
class ChainTraits:
    """What a route's chain may do to a record beyond its value."""

    changes_keys: bool = False
    splits: bool = False
    makes_tombstones: bool = False
