"""Proves the invariants over the topics, with a consumer of its own and expected results of its own.

I1 each number has its fate, in one place · I2 once · I3 in order · I4 the committed offset is where the work ends ·
I5 commits never go back · I6 key, headers, timestamp and null-ness as they were · I7 the last offset is passed, also
over what cannot be read · I9 nothing is left open. I8 and I10 are told by the workers' metrics (``fleet``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.faults.commits import commits_of
from tests.faults.events import NUMBER, STAGES, Ledger, expected_value, number_of, parse
from tests.faults.reading import ends, records_of
from tests.faults.tracks import EXAMPLES, Tracks
from tests.kafka import Record, committed_offsets

OUR_HEADERS = ("__connect.errors.", "upcaster.dlq.")


@dataclass(frozen=True)
class Place:
    """Where everything is."""

    bootstrap_servers: str
    source: str
    destination: str
    dead_letter: str
    group: str
    partitions: int


@dataclass
class Verdict:
    """``found`` counts what is wrong, by what it is; ``examples`` are some of it."""

    records_in: int = 0
    out: int = 0
    dead_lettered: int = 0
    skipped: int = 0
    commits: int = 0
    found: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def complain(self, what: str, example: str, count: int = 1) -> None:
        self.found[what] += count
        if len(self.examples) < 3 * EXAMPLES:
            self.examples.append(f"{what}: {example}")

    @property
    def lost(self) -> int:
        return self.found["lost"]

    @property
    def doubled(self) -> int:
        return self.found["doubled"]

    @property
    def reordered(self) -> int:
        return self.found["reordered"]

    @property
    def is_clean(self) -> bool:
        return not self.found


async def check(place: Place, ledger: Ledger, may_be_lost: Collection[int] = ()) -> Verdict:
    """Judge the topics as they are, when all work should be done.

    ``may_be_lost`` are the numbers that the brokers may have lost after they had acknowledged them, in the source or
    in the output: these need not be there, but must not be there twice either.
    """
    verdict = Verdict()
    await _check_source(place, ledger, len(may_be_lost), verdict)
    arrived, buried = Tracks(place.destination), Tracks(place.dead_letter)
    await _read_destination(place, ledger, arrived, verdict)
    await _read_dead_letters(place, ledger, buried, verdict)
    for tracks in (arrived, buried):
        _take_over(tracks, verdict)
    _check_fates(ledger, arrived, buried, may_be_lost, verdict)
    await _check_commits(place, verdict)
    await _check_open_transactions(place, verdict)
    return verdict


async def _check_source(place: Place, ledger: Ledger, lost_at_most: int, verdict: Verdict) -> None:
    """That the feeder wrote what the ledger says; else nothing could be judged."""
    for partition in range(place.partitions):
        async for records in records_of(place.bootstrap_servers, place.source, partition):
            verdict.records_in += len(records)
            for record in records:
                number = number_of(record.headers)
                if not _is_at(ledger, number, partition, record.offset):
                    verdict.complain("source broken", f"{place.source}:{partition}:{record.offset} has number {number}")
    if not len(ledger) - lost_at_most <= verdict.records_in <= len(ledger):
        verdict.complain("source broken", f"{verdict.records_in} records, {len(ledger)} numbers")


def _is_at(ledger: Ledger, number: int, partition: int, offset: int) -> bool:
    known = 0 <= number < len(ledger)
    return known and number % ledger.partitions == partition and ledger.offsets[number] == offset


async def _read_destination(place: Place, ledger: Ledger, tracks: Tracks, verdict: Verdict) -> None:
    for partition in range(place.partitions):
        async for records in records_of(place.bootstrap_servers, place.destination, partition):
            verdict.out += len(records)
            for record in records:
                sent = _sent(ledger, record, tracks, verdict)
                if sent is None:
                    continue
                _check_envelope(sent, record, tuple(record.headers), tracks.topic, verdict)
                if not _right_value(ledger, sent, record):
                    verdict.complain("wrong value", f"{tracks.topic}:{partition}:{record.offset}")


async def _read_dead_letters(place: Place, ledger: Ledger, tracks: Tracks, verdict: Verdict) -> None:
    for partition in range(place.partitions):
        async for records in records_of(place.bootstrap_servers, place.dead_letter, partition):
            verdict.dead_lettered += len(records)
            for record in records:
                sent = _sent(ledger, record, tracks, verdict)
                if sent is None:
                    continue
                own = tuple(record.headers[: len(sent.headers)])
                _check_envelope(sent, record, own, tracks.topic, verdict)
                _check_reasons(place, ledger, sent, record, verdict)


def _sent(ledger: Ledger, record: Any, tracks: Tracks, verdict: Verdict) -> Record | None:
    """The event that this record was made from; None where there was none."""
    number = number_of(record.headers)
    if not 0 <= number < len(ledger):
        verdict.complain("foreign", f"{tracks.topic}:{record.partition}:{record.offset} has number {number}")
        return None
    tracks.note(number, record.partition, record.offset)
    return ledger.record(number)


def _check_envelope(sent: Record, found: Any, headers: tuple[Any, ...], topic: str, verdict: Verdict) -> None:
    same = (
        found.partition == sent.partition
        and found.key == sent.key
        and found.timestamp == sent.timestamp
        and headers == sent.headers
        and (found.value is None) == (sent.value is None)
    )
    if not same:
        verdict.complain("wrong envelope", f"{topic}:{found.partition}:{found.offset}")


def _right_value(ledger: Ledger, sent: Record, found: Any) -> bool:
    number = number_of(sent.headers)
    if ledger.fate(number) == "upcast":
        return found.value is not None and parse(found.value) == expected_value(number, ledger.kind(number))
    return bool(found.value == sent.value)


def _check_reasons(place: Place, ledger: Ledger, sent: Record, found: Any, verdict: Verdict) -> None:
    reasons = dict(found.headers[len(sent.headers) :])
    right = {
        "__connect.errors.topic": place.source.encode(),
        "__connect.errors.partition": b"%d" % sent.partition,
        "__connect.errors.offset": b"%d" % sent.offset,
    }
    kind = ledger.kind(int(dict(sent.headers)[NUMBER]))
    stage = STAGES.get(kind)
    if stage:
        right["__connect.errors.stage"] = stage
    known = all(name.startswith(OUR_HEADERS) for name in reasons)
    if found.value != sent.value or not known or not right.items() <= reasons.items():
        verdict.complain("wrong dead letter", f"{place.dead_letter}:{found.partition}:{found.offset} ({kind.name})")


def _take_over(tracks: Tracks, verdict: Verdict) -> None:
    for what, count in (("doubled", tracks.doubled), ("reordered", tracks.reordered)):
        if count:
            verdict.found[what] += count
    verdict.examples += tracks.examples


def _check_fates(
    ledger: Ledger, arrived: Tracks, buried: Tracks, may_be_lost: Collection[int], verdict: Verdict
) -> None:
    for number in range(len(ledger)):
        fate = ledger.fate(number)
        verdict.skipped += fate == "skipped"
        wanted = (fate in {"upcast", "passed"}, fate == "dead-lettered")
        found = (arrived.has(number), buried.has(number))
        if found != wanted and (any(found) or number not in may_be_lost):
            at = f"{number % ledger.partitions}:{ledger.offsets[number]}"
            verdict.complain("wrong fate" if any(found) else "lost", f"number {number}, offset {at}")


async def _check_commits(place: Place, verdict: Verdict) -> None:
    history = await commits_of(place.bootstrap_servers, place.group)
    for (topic, partition), offsets in history.items():
        verdict.commits += len(offsets)
        # The same offset twice is one request that was sent again in its transaction.
        back = sum(later < earlier for earlier, later in pairwise(offsets))
        if back:
            verdict.complain("commits going back", f"{topic}:{partition}", back)
    committed = await committed_offsets(place.bootstrap_servers, place.group)
    for partition, end in enumerate(await ends(place.bootstrap_servers, place.source, place.partitions)):
        at = committed.get((place.source, partition), 0)
        if at != end:
            verdict.complain("not at the end", f"{place.source}:{partition} ends at {end}, committed is {at}")


async def _check_open_transactions(place: Place, verdict: Verdict) -> None:
    for topic in (place.destination, place.dead_letter):
        stable = await ends(place.bootstrap_servers, topic, place.partitions)
        last = await ends(place.bootstrap_servers, topic, place.partitions, "read_uncommitted")
        if stable != last:
            verdict.complain("open transaction", f"{topic} ends at {last}, can be read to {stable}")
