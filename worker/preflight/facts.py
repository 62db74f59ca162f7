"""What the brokers say about the topics of our routes; plain data, gathered once at start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["refuse", "warn", "undecided"]


@dataclass(frozen=True)
class Finding:
    """Something that will not work (``refuse``), that somebody should know (``warn``), or that could not be found out
    (``undecided``). ``of_settings``: what is at fault is the worker's own configuration."""

    severity: Severity
    topic: str
    found: str
    fix: str
    of_settings: bool = False

    def __str__(self) -> str:
        return f"{self.topic}: {self.found}: {self.fix}"


@dataclass(frozen=True)
class TopicFacts:
    """``partitions`` is 0 where the topic is not there, ``config`` empty where we may not read it.

    ``visible`` is False where we may not even know whether it is there.
    """

    name: str
    partitions: int = 0
    config: Mapping[str, str] = field(default_factory=dict)
    visible: bool = True

    def number(self, key: str) -> int | None:
        """A numeric setting; None where the broker does not say."""
        value = self.config.get(key)
        return int(value) if value not in (None, "") else None

    def has_policy(self, policy: str) -> bool:
        return policy in self.config.get("cleanup.policy", "delete").split(",")


@dataclass(frozen=True)
class Backlog:
    """What of a source topic the group has yet to read.

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
    """What the brokers take of the worker itself.

    ``settings`` are theirs, as far as we may see them; ``refusals`` the codes with which they answered what
    was tried; ``strategy`` and ``members`` what the group is like, where it refused us.
    """

    settings: Mapping[str, int] = field(default_factory=dict)
    refusals: frozenset[int] = frozenset()
    strategy: str = ""
    members: int = 0


@dataclass(frozen=True)
class ClusterFacts:
    """Everything that the rules look at. ``denied`` holds what the brokers' ACLs refused us, ``undecided`` what they
    could not say, ``filled`` the destinations of new groups that hold records."""

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
