"""Matches one partition: source, destination and dead letters, all three in the order of the source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from upcasters.context import last_header
from upcasters.event import SourceRecord
from upcasters.outcome import Passage
from worker.kafka.fetched import FetchedBatch, timestamp_of
from worker.replay.apply.receipt import PartitionReceipt, Receipt
from worker.replay.plan.file import OutcomeCounts
from worker.verifying.comparison import Encoder, differences, is_refusal, letter_differences
from worker.verifying.destination import END, UNKNOWN, OtherLetters, OtherWriters, Stream
from worker.verifying.findings import Findings
from worker.verifying.oracle import Expected, ExpectedLineage, Output
from worker.verifying.read_ahead import Ahead, StretchedDigest, outputs_of

MOST_UNPLACED = 1_000
"""Dead letters without room for their offset that wait for their record."""
MOST_MISSING = 10_000
"""Missing outputs that are remembered, to distinguish an output out of order from a duplicate."""


@dataclass
class Counts:
    """The counts of the receipt, counted again."""

    read: int = 0
    upcast: int = 0
    passed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    dead_lettered: int = 0
    produced: int = 0
    tombstones: int = 0

    def add(self, expected: Expected, *, refused: bool) -> None:
        self.read += 1
        if refused or expected.fate == "dead-lettered":
            self.dead_lettered += 1
        elif expected.fate == "skipped":
            self.skipped[expected.reason] += 1
        elif expected.fate == "upcast":
            self.upcast += 1
            self.tombstones += _tombstones(expected)
        else:
            self.passed += 1

    def add_written(self, written: Sequence[Expected]) -> None:
        """Of many records, all of them with output."""
        fates = [expected.fate for expected in written]
        self.tombstones += sum(_tombstones(expected) for expected in written if expected.fate == "upcast")
        self.read += len(fates)
        self.upcast += fates.count("upcast")
        self.passed += fates.count("passed")

    def as_outcomes(self) -> OutcomeCounts:
        return OutcomeCounts(
            read=self.read,
            upcast=self.upcast,
            passed=self.passed,
            skipped=dict(sorted(self.skipped.items())),
            dead_lettered=self.dead_lettered,
            produced=self.produced,
            tombstones=self.tombstones,
        )


def _tombstones(expected: Expected) -> int:
    """How many null values the chain makes of an event."""
    return sum(value is None for _, _, _, value, _ in (output.content for output in expected.outputs))


class Matching:
    """``run`` once; it adds to ``findings``.

    A batch of the destination that equals the expected bytes is matched as a whole. Any other batch is decoded and
    matched record by record, so that the findings can say what is wrong.
    """

    def __init__(
        self,
        receipt: Receipt,
        partition: PartitionReceipt,
        source: Ahead,
        written: tuple[Stream, Stream],
        lineage: ExpectedLineage,
        others: OtherWriters,
        other_letters: OtherLetters,
        findings: Findings,
    ) -> None:
        self._receipt = receipt
        self._partition = partition
        self._source = source
        self._destination, self._letters = written
        self._lineage = lineage
        self._encoder = Encoder(lineage)
        self._ours = receipt.replay_id.encode()
        self._written = StretchedDigest(partition.stretches)
        self._findings = findings
        self._missing: set[int] = set()
        self._unplaced: list[SourceRecord] = []
        self._others = others
        self._other_letters = other_letters
        self.counts = Counts()
        self.hidden = 0
        """The number of missing outputs and dead letters that an open transaction may hide."""

    async def run(self) -> None:
        await self._letters.open()
        while await self._source.more():
            batch = await self._destination.unopened()
            if batch is None or not await self._match(batch):
                await self._judge(*self._source.take())
        await self._leftovers(END)
        for letter in self._unplaced:
            self._find("dead letter doubled or out of order", UNKNOWN, letter, dead_letter=True)
        self._others.add_findings(self._findings, self._receipt.route.destination)
        self._other_letters.add_findings(self._findings, self._receipt.route.dead_letter)
        self._compare_with_receipt()

    async def _match(self, batch: FetchedBatch) -> bool:
        """Skip a batch that another pass wrote, or that is as expected; returns whether it was."""
        content = batch.content
        if content is None:
            return False
        if self._is_of_others(content, batch.count):
            self._step_over(batch, content)
            return True
        judged = await self._source.reach(batch.count)
        outputs = outputs_of(judged)
        if not judged or self._encoder.records(outputs, batch.first_timestamp) != content:
            return False
        self._destination.skip()
        self._source.drop(judged)
        self._written.add([output.content for output in outputs])
        self.counts.produced += len(outputs)
        self.counts.add_written([expected for _, expected in judged if expected.outputs])
        for record, expected in judged:
            if not expected.outputs:
                await self._judge_rest(record, expected, [])
            elif expected.invalid or expected.disputed:
                self._judge_chain(record, expected, [])
        return True

    def _step_over(self, batch: FetchedBatch, content: bytes) -> None:
        if self._encoder.before in content:
            for record in batch.records():
                self._others.look(dict(record.headers), record.offset or 0)
        elif content.count(ExpectedLineage.offset.encode()) < batch.count:
            self._others.unmarked_end = max(self._others.unmarked_end, batch.next_offset)
        self._destination.skip()

    def _is_of_others(self, content: bytes, records: int) -> bool:
        """Whether another pass wrote the batch, or the replay of another source partition. False where it is not
        clear."""
        if self._ours not in content:
            return True
        return self._encoder.before not in content and content.count(ExpectedLineage.partition.encode()) >= records

    async def _judge(self, record: SourceRecord, expected: Expected) -> None:
        offset = record.offset or 0
        await self._destination.open()
        if self._destination.at < offset or self._letters.at < offset:
            await self._leftovers(offset)
        found = await self._take_outputs(offset, len(expected.outputs))
        await self._judge_rest(record, expected, found)

    async def _judge_rest(self, record: SourceRecord, expected: Expected, found: list[SourceRecord]) -> None:
        offset = record.offset or 0
        await self._leftover_letters(offset)
        letters = await self._take_letters(offset)
        if not found:
            self._others.silent.add(offset)
        if letters:
            self._other_letters.dead_lettered.add(offset)
        if not letters and not found and (expected.outputs or expected.fate == "dead-lettered"):
            letters = self._unplaced_letter_of(record)
        refused = bool(letters) and not found and is_refusal(letters[0], _passage(expected))
        self.counts.add(expected, refused=refused)
        self._judge_letters(record, expected, letters, refused=refused)
        self._judge_outputs(record, () if refused else expected.outputs, found)
        self._judge_chain(record, expected, found)

    def _judge_chain(self, record: SourceRecord, expected: Expected, found: list[SourceRecord]) -> None:
        if expected.invalid:
            self._find("not valid at its version", record.offset or 0, found[0] if found else None, expected.invalid)
        if expected.disputed:
            self._find("the compiled chain and its reference disagree", record.offset or 0)

    # What there is.

    async def _take_outputs(self, offset: int, enough: int) -> list[SourceRecord]:
        """The outputs of an offset. Where there are ``enough``, the next batch is not decoded."""
        taken: list[SourceRecord] = []
        while self._destination.at == offset:
            taken.append(self._step_output())
            if len(taken) < enough:
                await self._destination.open()
        return taken

    def _step_output(self) -> SourceRecord:
        head, at = self._destination.head, self._destination.at
        assert head is not None  # noqa: S101  (it has an offset)
        own = head.headers[: -self._lineage.count]
        self._written.add([(at, timestamp_of(head.timestamp), head.key, head.value, own)])
        self.counts.produced += 1
        self._destination.step()
        return head

    async def _take_letters(self, offset: int) -> list[SourceRecord]:
        taken: list[SourceRecord] = []
        while self._letters.at == offset:
            assert self._letters.head is not None  # noqa: S101  (it has an offset)
            taken.append(self._letters.head)
            await self._letters.advance()
        return taken

    def _unplaced_letter_of(self, record: SourceRecord) -> list[SourceRecord]:
        """The letter of a record whose headers had no room for its offset: found by its content, and only once."""
        for letter in self._unplaced:
            if (letter.key, letter.value) == (record.key, record.value):
                self._unplaced.remove(letter)
                return [letter]
        return []

    async def _leftovers(self, offset: int) -> None:
        """Report outputs and dead letters of offsets that were matched before."""
        await self._destination.open()
        while (at := self._destination.at) < offset:
            kind = "out of order" if at in self._missing else "doubled or not from the source"
            self._find(kind, at, self._step_output())
            await self._destination.open()
        await self._leftover_letters(offset)

    async def _leftover_letters(self, offset: int) -> None:
        """The same for letters; those without an offset are kept for later."""
        while (at := self._letters.at) < offset:
            letter = self._letters.head
            if at == UNKNOWN and letter is not None and len(self._unplaced) < MOST_UNPLACED:
                self._unplaced.append(letter)
            else:
                self._find("dead letter doubled or out of order", at, letter, dead_letter=True)
            await self._letters.advance()

    # What there should be.

    def _judge_outputs(self, record: SourceRecord, expected: tuple[Output, ...], found: list[SourceRecord]) -> None:
        offset = record.offset or 0
        for output, actual in zip(expected, found, strict=False):
            ours = output.lineage or self._lineage.headers(offset, output.passage)
            different = differences(output.content, ours, actual)
            if different:
                self._find("altered", offset, actual, ", ".join(different))
        for actual in found[len(expected) :]:
            self._find("doubled" if expected else "output, although there should be none", offset, actual)
        if len(found) < len(expected) and self._may_be_hidden(found):
            self.hidden += len(expected) - len(found)
        elif len(found) < len(expected):
            if len(self._missing) < MOST_MISSING:
                self._missing.add(offset)
            self._find("missing in the destination", offset)

    def _may_be_hidden(self, found: list[SourceRecord]) -> bool:
        """Note missing outputs that an open transaction may hide."""
        return self._destination.may_hide_more() or (not found and self._letters.may_hide_more())

    def _judge_letters(
        self, record: SourceRecord, expected: Expected, letters: list[SourceRecord], *, refused: bool
    ) -> None:
        offset = record.offset or 0
        if expected.fate != "dead-lettered" and not refused:
            for letter in letters:
                self._find("a dead letter, although the chain can upcast it", offset, letter, dead_letter=True)
            return
        if not letters and self._letters.may_hide_more():
            self.hidden += 1
            return
        if not letters:
            self._find("missing among the dead letters", offset)
            return
        different = letter_differences(record, letters[0])
        fingerprint = last_header(letters[0].headers, "upcaster.dlq.fingerprint")
        if expected.fault is not None and not refused and fingerprint != expected.fault.fingerprint.encode():
            different.append("fault")
        different += [
            name
            for name, text in (expected.letter_headers or {}).items()
            if last_header(letters[0].headers, name) not in (text, None)
        ]
        if different:
            self._find("dead letter altered", offset, letters[0], ", ".join(different), dead_letter=True)
        for letter in letters[1:]:
            self._find("dead letter doubled or out of order", offset, letter, dead_letter=True)

    def _compare_with_receipt(self) -> None:
        """Compare counts and digests with the receipt; those of the output only where all of it can be read."""
        told, counted = self._partition, self.counts.as_outcomes()
        place = f"{self._receipt.topic} partition {told.partition}"
        for name in ("read",) if self.hidden else OutcomeCounts.model_fields:
            before, now = getattr(told.counts, name), getattr(counted, name)
            if before != now:
                self._findings.add("count", f"{place}: the receipt has {before} {name}, found {now}")
        written = told.written_digest if self.hidden else self._written.digest.text
        for name, before, now in (
            ("what was read", told.read_digest, self._source.source.digest.text),
            ("what was written", told.written_digest, written),
        ):
            if before != now:
                self._findings.add("digest", f"{place}: the receipt has another digest of {name}")

    def _find(
        self,
        kind: str,
        offset: int,
        at: SourceRecord | None = None,
        detail: str = "",
        *,
        dead_letter: bool = False,
    ) -> None:
        route, number = self._receipt.route, self._partition.partition
        word = "source" if self._receipt.redrive is None else "letter"
        source = f"{word} offset {'unknown' if offset == UNKNOWN else offset}"
        topic = route.dead_letter if dead_letter else route.destination
        where = "" if at is None else f" at {topic} offset {at.offset}"
        self._findings.add(kind, f"partition {number}, {source}{where}" + (f": {detail}" if detail else ""))


def _passage(expected: Expected) -> Passage | None:
    return expected.outputs[0].passage if expected.outputs else None
