"""A route as the lanes use it: checked and complete, independent of configuration files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from upcasters.event import Partition, SourceRecord
from upcasters.outcome import Outcome, Violation
from worker.settings.compression import NO_COMPRESSION, Compression
from worker.settings.route import BreakerSettings, DeliveryGuarantee, LimitSettings


class RecordUpcaster(Protocol):
    """The pure core: upcasts one record and returns the outcome. Never raises."""

    def upcast(self, record: SourceRecord, source: Partition | None = None) -> Outcome: ...


class RouteSchemas(Protocol):
    """The schemas of a route whose values have a frame."""

    async def learn(self, records: Sequence[SourceRecord]) -> None:
        """Ask for those of these records that nobody has seen yet, before the records are worked on. Raises
        ``RegistryError``."""

    def told(self, record: SourceRecord) -> str:
        """The schema that a record names, for a person."""


@dataclass(frozen=True)
class OutputTopic:
    """A topic that a route writes to, with what the brokers said about it.

    ``max_timestamp_ahead_ms`` is how far ahead of now a record's timestamp may be (the topic's
    ``message.timestamp.after.max.ms``); None where nobody knows, and then the broker's refusal decides. ``pinned`` is
    the one partition that everything goes to, where that is not the source's own. A ``compacted`` topic refuses records
    without a key. ``compression`` is that of the batches written to it.
    """

    name: str
    partitions: int
    max_message_bytes: int = 1_048_588
    max_timestamp_ahead_ms: int | None = None
    pinned: int | None = None
    compacted: bool = False
    compression: Compression = NO_COMPRESSION

    def partition_for(self, source_partition: int) -> int:
        """The source's own partition where there is one, so that order is kept."""
        return (source_partition if self.pinned is None else self.pinned) % self.partitions


@dataclass(frozen=True)
class Route:
    """One source topic, the upcaster its records pass, and where they go.

    The upcaster adds observed violations of models to ``violations``; the caller removes them. ``chain`` is the
    fingerprint of the chain, ``replay_id`` the id of a replay: both for the lineage headers. ``expected`` are the
    fingerprints of faults that the operator has allowed: the breaker does not count them.
    """

    source: str
    destination: OutputTopic
    dead_letter: OutputTopic
    upcaster: RecordUpcaster
    delivery: DeliveryGuarantee = "exactly-once"
    lineage_headers: bool = False
    chain: str = ""
    replay_id: str = ""
    expected: frozenset[str] = frozenset()
    violations: list[Violation] = field(default_factory=list, compare=False)
    breaker: BreakerSettings = field(default_factory=BreakerSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    bytes_per_second: float | None = None
    """Rate of the whole route, beside that of its limits."""
    schemas: RouteSchemas | None = None
    """None where values are bare JSON."""

    @property
    def in_place(self) -> bool:
        """Whether the source is the destination: then only records that the chain changes are written, at the end of
        the same topic."""
        return self.source == self.destination.name
