"""What must have become of a record, by the compiled chain and by its reference.

The reference interprets the chain hop by hop and costs several times as much. It upcasts every record that left no
output, and one of ``every`` others; where the two differ, the compiled chain is wrong.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from upcasters import Policy
from upcasters.event import Header, SourcePartition, SourceRecord
from upcasters.outcome import DeadLettered, Fault, Passage, Passed, Skipped, Upcast
from worker.kafka.fetched import timestamp_of
from worker.kafka.raw_headers import writable
from worker.replay.apply.receipt import Receipt
from worker.replay.digest import Content
from worker.replay.plan.file import Filters
from worker.replay.plan.filters import filtered
from worker.routes.chains import RouteChain
from worker.routes.route import RecordUpcaster

EVERY = 100


class Output(Struct, frozen=True, gc=False):
    """A record that must stand in the destination; ``content`` has no lineage headers: they follow from the passage,
    unless ``lineage`` has them."""

    content: Content
    passage: Passage
    lineage: Sequence[Header] | None = None


class Expected(Struct, frozen=True, gc=False):
    """What must have become of a record. ``fate`` is upcast, passed, skipped or dead-lettered; ``invalid`` says why an
    output violates the model of its version."""

    fate: str
    outputs: tuple[Output, ...] = ()
    reason: str = ""
    fault: Fault | None = None
    invalid: str = ""
    disputed: bool = False
    """What the reference makes of it, where that differs from the compiled chain."""
    letter_headers: Mapping[str, bytes] | None = None
    """What the headers of a dead letter must say beside the fault."""


NOWHERE = Passage("", "", "")


class ExpectedLineage:
    """The lineage headers that a replay appends to a record's own, ``count`` of them; a redrive adds ``more``."""

    partition = "upcaster.source.partition"
    offset = "upcaster.source.offset"

    def __init__(self, receipt: Receipt, source: SourcePartition, more: Sequence[Header] = ()) -> None:
        self.before: list[Header] = [
            ("upcaster.source.topic", source.topic.encode()),
            (self.partition, b"%d" % source.partition),
        ]
        self._work: list[Header] = [
            ("upcaster.chain", receipt.route.chain_fingerprint.encode()),
            ("upcaster.replay.id", receipt.replay_id.encode()),
            *more,
        ]
        self.count = len(self.headers(0, NOWHERE))

    def behind(self, passage: Passage) -> list[Header]:
        """The headers after that of the offset."""
        return [
            ("upcaster.schema.from", passage.from_version.encode()),
            ("upcaster.schema.to", passage.to_version.encode()),
            *self._work,
        ]

    def headers(self, offset: int, passage: Passage) -> list[Header]:
        return [*self.before, (self.offset, b"%d" % offset), *self.behind(passage)]


class Judges:
    """The compiled chain and its reference, built once. ``strict`` validates every result, even where the route does
    not."""

    def __init__(self, given: RouteChain, filters: Filters) -> None:
        def strict(policy: Policy) -> Policy:
            return dataclasses.replace(policy, validate_target="always")

        self.compiled = filtered(given.built(), filters)
        self.reference = filtered(given.built(step_by_step=True), filters)
        is_strict = given.route.validation.target == "always"
        self.strict = self.compiled if is_strict else filtered(given.built(strict), filters)


class Oracle:
    """Finds out what must have become of the records of one partition. The reference upcasts one of ``every``
    records."""

    def __init__(self, judges: Judges, receipt: Receipt, source: SourcePartition, every: int = EVERY) -> None:
        self._judges = judges
        self._source = source
        self._every = every
        self._in_place = receipt.route.source == receipt.route.destination

    def expect(self, record: SourceRecord) -> Expected:
        if record.headers and not all(map(writable, record.headers)):
            return Expected("dead-lettered", fault=Fault("decode", "HeaderNameNotUtf8", ""))
        expected = self._expectation(record, self._judges.strict)
        if expected.fault is not None and self._judges.strict is not self._judges.compiled:
            expected = self._unless_let_through(record, expected)
        if expected.outputs and (record.offset or 0) % self._every:
            return expected
        plainly = replace(self._expectation(record, self._judges.reference), invalid=expected.invalid)
        return plainly if plainly == expected else replace(plainly, disputed=True)

    def _expectation(self, record: SourceRecord, upcaster: RecordUpcaster) -> Expected:
        outcome = upcaster.upcast(record, self._source)
        kind = type(outcome)
        if kind is Upcast and outcome.new_records is None:  # type: ignore[union-attr]  # mypy cannot follow `kind`
            content = (record.offset, record.timestamp, record.key, outcome.new_value, record.headers)  # type: ignore[union-attr]  # an Upcast: `kind` says so
            return Expected("upcast", (Output(content, outcome.passage),))  # type: ignore[arg-type,union-attr]  # an Upcast: `kind` says so
        if isinstance(outcome, DeadLettered):
            return Expected("dead-lettered", fault=outcome.fault)
        if isinstance(outcome, Skipped):
            return Expected("skipped", reason=outcome.reason)
        if isinstance(outcome, Passed) and self._in_place:
            return Expected("skipped", reason="in-place")
        return self._expected_outputs(record, outcome)

    def _expected_outputs(self, record: SourceRecord, outcome: Passed | Upcast) -> Expected:
        fate = "passed" if isinstance(outcome, Passed) else "upcast"
        parts = [(each.key, each.value, each.headers) for each in outcome.output(record)]
        place = (record.offset or 0, timestamp_of(record.timestamp))
        outputs = tuple(Output((*place, *part), outcome.passage) for part in parts)
        return Expected(fate, outputs)

    def _unless_let_through(self, record: SourceRecord, strict: Expected) -> Expected:
        """Why the result violates its model, also on a route that does not validate."""
        expected = self._expectation(record, self._judges.compiled)
        fault = strict.fault
        if expected.fault is not None or fault is None:
            return expected
        return replace(expected, invalid=f"{fault.stage}: {fault.error_type} at {fault.path or 'the document'}")
