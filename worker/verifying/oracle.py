"""What must have become of a record: asked of the chain again, and of its plain reference.

The reference goes hop by hop, with nothing compiled, and costs several times as much. It is asked about every record
that left no output, and about every so many-th of the others; where the two do not say the same, the chain is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from upcasters import Chain, Policy
from upcasters.event import Header, SourcePartition, SourceRecord
from upcasters.middle import Middle
from upcasters.outcome import DeadLettered, Fault, Passage, Passed, Skipped
from upcasters.reference import Reference
from worker.raw_headers import writable
from worker.replay.filters import filtered
from worker.replay.plan_file import Filters
from worker.replay.receipt import Receipt
from worker.route import Upcaster

EVERY = 100


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
    disputed: bool = False
    """The reference says something else than the compiled chain. This is what the reference says."""
    passage: Passage | None = None
    """None where nothing is to be written."""
    told: Mapping[str, bytes] = field(default_factory=dict)
    """What a dead letter's headers must say, beside the fault."""


class Judges:
    """The chain in the forms that are asked, made once; ``strict`` only where the route does not check all results."""

    def __init__(self, chain: Chain, policy: Policy, filters: Filters) -> None:
        always = replace(policy, validate_target="always")
        self.compiled = filtered(chain.upcaster(policy), filters)
        self.reference = filtered(Reference(Middle(chain, policy)), filters)
        self.strict = None if always == policy else chain.upcaster(always)


class Oracle:
    """For the records of one partition. ``every``: how far apart the records are that the reference is asked about."""

    def __init__(self, judges: Judges, receipt: Receipt, source: SourcePartition, every: int = EVERY) -> None:
        self._judges = judges
        self._source = source
        self._every = every
        self._in_place = receipt.route.source == receipt.route.destination
        self._place: list[Header] = [
            ("upcaster.source.topic", source.topic.encode()),
            ("upcaster.source.partition", b"%d" % source.partition),
        ]
        self._work: list[Header] = [
            ("upcaster.chain", receipt.route.chain_fingerprint.encode()),
            ("upcaster.replay.id", receipt.replay_id.encode()),
        ]

    def expect(self, record: SourceRecord) -> Expected:
        if record.headers and not all(map(writable, record.headers)):
            return Expected("dead-lettered", fault=Fault("decode", "HeaderNameNotUtf8", ""))
        expected = self._expectation(record, self._judges.compiled)
        if expected.outputs and (record.offset or 0) % self._every:
            return expected
        plainly = self._expectation(record, self._judges.reference)
        return plainly if plainly == expected else replace(plainly, disputed=True)

    def _expectation(self, record: SourceRecord, upcaster: Upcaster) -> Expected:
        outcome = upcaster.upcast(record, self._source)
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
            passage=outcome.passage,
        )

    def _invalid(self, record: SourceRecord) -> str:
        """A route may let results through unchecked; here all of them are checked."""
        if self._judges.strict is None:
            return ""
        outcome = self._judges.strict.upcast(record, self._source)
        if isinstance(outcome, DeadLettered):
            return f"{outcome.fault.stage}: {outcome.fault.error_type} at {outcome.fault.path or 'the document'}"
        return ""

    def _lineage(self, record: SourceRecord, passage: Passage) -> list[Header]:
        return [
            *self._place,
            ("upcaster.source.offset", b"%d" % (record.offset or 0)),
            ("upcaster.schema.from", passage.from_version.encode()),
            ("upcaster.schema.to", passage.to_version.encode()),
            *self._work,
        ]
