"""What must have become of a record, found out by the chain's plain reference: hop by hop, nothing compiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from upcasters import Chain, Policy
from upcasters.event import Header, SourcePartition, SourceRecord
from upcasters.middle import Middle
from upcasters.outcome import DeadLettered, Fault, Passage, Passed, Skipped
from upcasters.reference import Reference
from worker.replay.filters import filtered
from worker.replay.receipt import Receipt


@dataclass(frozen=True)
class Output:
    """A record that must stand in the destination, with the source's timestamp."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]


@dataclass(frozen=True)
class Expected:
    """``fate`` is upcast, passed, skipped or dead-lettered; ``invalid`` says why an output does not fit its version."""

    fate: str
    outputs: tuple[Output, ...] = ()
    reason: str = ""
    fault: Fault | None = None
    invalid: str = ""


class Oracle:
    """For the records of one partition."""

    def __init__(self, chain: Chain, policy: Policy, receipt: Receipt, source: SourcePartition) -> None:
        self._receipt = receipt
        self._source = source
        self._in_place = receipt.route.source == receipt.route.destination
        self._upcaster = filtered(Reference(Middle(chain, policy)), receipt.filters)
        strict = replace(policy, validate_target="always")
        self._strict = None if strict == policy else Reference(Middle(chain, strict))

    def expect(self, record: SourceRecord) -> Expected:
        outcome = self._upcaster.upcast(record, self._source)
        if isinstance(outcome, DeadLettered):
            return Expected("dead-lettered", fault=outcome.fault)
        if isinstance(outcome, Skipped):
            return Expected("skipped", reason=outcome.reason)
        if isinstance(outcome, Passed):
            if self._in_place:
                return Expected("skipped", reason="in-place")
            parts = [(record.key, record.value, record.headers)]
        else:
            parts = [(each.key, each.value, each.headers) for each in outcome.output(record)]
        ours = self._lineage(record, outcome.passage)
        return Expected(
            "passed" if isinstance(outcome, Passed) else "upcast",
            tuple(Output(key, value, [*headers, *ours]) for key, value, headers in parts),
            invalid=self._invalid(record),
        )

    def _invalid(self, record: SourceRecord) -> str:
        """A route may let results through unchecked; here all of them are checked."""
        if self._strict is None:
            return ""
        outcome = self._strict.upcast(record, self._source)
        if isinstance(outcome, DeadLettered):
            return f"{outcome.fault.stage}: {outcome.fault.error_type} at {outcome.fault.path or 'the document'}"
        return ""

    def _lineage(self, record: SourceRecord, passage: Passage) -> list[Header]:
        return [
            ("upcaster.source.topic", self._source.topic.encode()),
            ("upcaster.source.partition", b"%d" % self._source.partition),
            ("upcaster.source.offset", b"%d" % (record.offset or 0)),
            ("upcaster.schema.from", passage.from_version.encode()),
            ("upcaster.schema.to", passage.to_version.encode()),
            ("upcaster.chain", self._receipt.route.chain_fingerprint.encode()),
            ("upcaster.replay.id", self._receipt.replay_id.encode()),
        ]
