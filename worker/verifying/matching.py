"""One partition, source beside destination beside dead letters: all three are in the order of the source."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from upcasters.event import SourceRecord
from worker.fetched import known
from worker.raw_headers import writable
from worker.replay.digest import RunningDigest
from worker.replay.plan_file import OutcomeCounts
from worker.replay.receipt import PartitionReceipt, Receipt
from worker.verifying.findings import Findings
from worker.verifying.oracle import Expected, Oracle, Output
from worker.verifying.streams import ORIGIN, SOURCE, Stream, last_header, origin

RESTAMPED = "upcaster.dlq.timestamp.original"
MOST_MISSING = 10_000
"""Missing outputs that are remembered, to tell one that comes later from one that comes twice."""


@dataclass
class Counts:
    """The same as the receipt's, counted anew."""

    upcast: int = 0
    passed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    dead_lettered: int = 0
    source: RunningDigest = field(default_factory=RunningDigest)
    output: RunningDigest = field(default_factory=RunningDigest)

    def add(self, expected: Expected, *, refused: bool) -> None:
        if refused or expected.fate == "dead-lettered":
            self.dead_lettered += 1
        elif expected.fate == "skipped":
            self.skipped[expected.reason] += 1
        elif expected.fate == "upcast":
            self.upcast += 1
        else:
            self.passed += 1

    def as_outcomes(self) -> OutcomeCounts:
        return OutcomeCounts(
            read=self.source.count,
            upcast=self.upcast,
            passed=self.passed,
            skipped=dict(sorted(self.skipped.items())),
            dead_lettered=self.dead_lettered,
            produced=self.output.count,
        )


class Matching:
    """``run`` once; what is wrong goes to ``findings``."""

    def __init__(
        self,
        receipt: Receipt,
        partition: PartitionReceipt,
        oracle: Oracle,
        streams: tuple[Stream, Stream, Stream],
        findings: Findings,
    ) -> None:
        self._receipt = receipt
        self._partition = partition
        self._oracle = oracle
        self._source, self._destination, self._letters = streams
        self._findings = findings
        self._missing: set[int] = set()
        self.counts = Counts()

    async def run(self) -> None:
        for stream in (self._source, self._destination, self._letters):
            await stream.advance()
        while (record := self._source.head) is not None:
            self.counts.source.add_read((record,))
            await self._judge(record)
            await self._source.advance()
        await self._leftovers(self._partition.end)
        self._compare_with_receipt()

    async def _judge(self, record: SourceRecord) -> None:
        offset = record.offset or 0
        expected = self._oracle.expect(record)
        await self._leftovers(offset)
        found = await self._take_outputs(offset)
        letters = await self._take_letters(record)
        refused = bool(letters) and not found and _is_refusal(letters[0])
        self.counts.add(expected, refused=refused)
        self._judge_letters(record, expected, letters, refused=refused)
        self._judge_outputs(record, () if refused else expected.outputs, found)
        if expected.invalid and found:
            self._find("not valid at its version", offset, found[0], expected.invalid)

    # What there is.

    async def _take_outputs(self, offset: int) -> list[SourceRecord]:
        taken: list[SourceRecord] = []
        while (head := self._destination.head) is not None and origin(head, SOURCE) == offset:
            taken.append(await self._step_output(head, offset))
        return taken

    async def _step_output(self, head: SourceRecord, offset: int) -> SourceRecord:
        self.counts.output.add_written(offset, known(head.timestamp), head.key, head.value, head.headers)
        await self._destination.advance()
        return head

    async def _take_letters(self, record: SourceRecord) -> list[SourceRecord]:
        taken: list[SourceRecord] = []
        while (head := self._letters.head) is not None and _is_letter_of(head, record, first=not taken):
            taken.append(head)
            await self._letters.advance()
        return taken

    async def _leftovers(self, offset: int) -> None:
        """Outputs and dead letters of offsets that are behind us already, or that tell of none."""
        while (head := self._destination.head) is not None and _before(at := origin(head, SOURCE), offset):
            await self._step_output(head, at or 0)
            kind = "out of order" if at in self._missing else "doubled or not from the source"
            self._find(kind, at, head)
        while (letter := self._letters.head) is not None and _before(at := origin(letter, ORIGIN), offset):
            self._find("dead letter doubled or out of order", at, letter, dead_letter=True)
            await self._letters.advance()

    # What there should be.

    def _judge_outputs(self, record: SourceRecord, expected: tuple[Output, ...], found: list[SourceRecord]) -> None:
        offset = record.offset or 0
        for output, actual in zip(expected, found, strict=False):
            different = _differences(record, output, actual)
            if different:
                self._find("altered", offset, actual, ", ".join(different))
        for actual in found[len(expected) :]:
            self._find("doubled" if expected else "written, though nothing should be", offset, actual)
        if len(found) < len(expected):
            if len(self._missing) < MOST_MISSING:
                self._missing.add(offset)
            self._find("missing in the destination", offset)

    def _judge_letters(
        self, record: SourceRecord, expected: Expected, letters: list[SourceRecord], *, refused: bool
    ) -> None:
        offset = record.offset or 0
        if expected.fate != "dead-lettered" and not refused:
            for letter in letters:
                self._find("dead-lettered, though the chain can do it", offset, letter, dead_letter=True)
            return
        if not letters:
            self._find("missing among the dead letters", offset)
            return
        different = _letter_differences(record, letters[0])
        fingerprint = last_header(letters[0], "upcaster.dlq.fingerprint")
        if expected.fault is not None and not refused and fingerprint != expected.fault.fingerprint.encode():
            different.append("fault")
        if different:
            self._find("dead letter altered", offset, letters[0], ", ".join(different), dead_letter=True)
        for letter in letters[1:]:
            self._find("dead letter doubled or out of order", offset, letter, dead_letter=True)

    def _compare_with_receipt(self) -> None:
        told, counted = self._partition, self.counts.as_outcomes()
        place = f"{self._receipt.route.source} partition {told.partition}"
        for name in OutcomeCounts.model_fields:
            before, now = getattr(told.counts, name), getattr(counted, name)
            if before != now:
                self._findings.add("count", f"{place}: the receipt says {name} {before}, found {now}")
        for name, before, now in (
            ("what was read", told.read_digest, self.counts.source.text),
            ("what was written", told.written_digest, self.counts.output.text),
        ):
            if before != now:
                self._findings.add("digest", f"{place}: the receipt has another digest of {name}")

    def _find(
        self,
        kind: str,
        offset: int | None,
        at: SourceRecord | None = None,
        detail: str = "",
        *,
        dead_letter: bool = False,
    ) -> None:
        route, number = self._receipt.route, self._partition.partition
        source = f"source offset {'unknown' if offset is None else offset}"
        topic = route.dead_letter if dead_letter else route.destination
        where = "" if at is None else f" at {topic} offset {at.offset}"
        self._findings.add(kind, f"partition {number}, {source}{where}" + (f": {detail}" if detail else ""))


def _before(at: int | None, offset: int) -> bool:
    return at is None or at < offset


def _is_letter_of(letter: SourceRecord, record: SourceRecord, *, first: bool) -> bool:
    """A letter whose headers had to be cut tells no offset: then it is known by its content, and only once."""
    at = origin(letter, ORIGIN)
    if at is not None:
        return at == record.offset
    return first and (letter.key, letter.value) == (record.key, record.value)


def _is_refusal(letter: SourceRecord) -> bool:
    """The brokers did not take the result; the chain cannot know that."""
    return last_header(letter, "__connect.errors.stage") == b"produce"


def _differences(record: SourceRecord, expected: Output, actual: SourceRecord) -> list[str]:
    pairs = {
        "key": (expected.key, actual.key),
        "value": (expected.value, actual.value),
        "headers": (list(expected.headers), list(actual.headers)),
        "timestamp": (known(record.timestamp), known(actual.timestamp)),
    }
    return [name for name, (wanted, found) in pairs.items() if wanted != found]


def _letter_differences(record: SourceRecord, letter: SourceRecord) -> list[str]:
    own = [header for header in record.headers if writable(header)]
    restamped = last_header(letter, RESTAMPED)
    timestamp = b"%d" % known(letter.timestamp) if restamped is None else restamped
    pairs = {
        "key": (record.key, letter.key),
        "value": (record.value, letter.value),
        "headers": (own, list(letter.headers[: len(own)])),
        "timestamp": (b"%d" % known(record.timestamp), timestamp),
    }
    return [name for name, (wanted, found) in pairs.items() if wanted != found]
