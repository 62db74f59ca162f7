"""Turns the bounds that an operator writes (``--from``, ``--to``) into offsets.

A bound is ``earliest``, ``latest`` (or ``now``), an offset (``1200``; one for each partition: ``0:1200,1:900``), a time
(ISO 8601, UTC where it names no zone) or a duration ago (``90d``, ``12h``, ``30m``, ``45s``, ``2w``). A range is
``[start, end)``; its end is never past the last stable offset, the end of what readers of committed records can read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndTimestamp

from worker.errors import MAY_PASS, WorkerError
from worker.kafka.log_offsets import AnswersOffsets, LogOffsets, once_readable
from worker.kafka.topics import places_of

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
START_FORMS = "earliest, latest, an offset, a time such as 2026-01-31T12:00:00Z, or a duration ago such as 90d"
END_FORMS = "now, an offset, a time such as 2026-01-31T12:00:00Z, or a duration ago such as 12h"

PartitionOffsets = Mapping[int, int]


@dataclass(frozen=True)
class Earliest:
    """The oldest record that is still there."""


@dataclass(frozen=True)
class Latest:
    """The last stable offset."""


@dataclass(frozen=True)
class AtOffset:
    """An offset: by partition, or (``everywhere``) the same one in each."""

    by_partition: Mapping[int, int]
    everywhere: int | None = None


@dataclass(frozen=True)
class SinceTime:
    """The first record whose timestamp (ms) is this one or later, in the order of offsets."""

    timestamp: int


Bound = Earliest | Latest | AtOffset | SinceTime


@dataclass(frozen=True)
class Range:
    """``[start, end)`` of one partition."""

    partition: int
    start: int
    end: int

    @property
    def offsets(self) -> int:
        return max(0, self.end - self.start)


@dataclass(frozen=True)
class Frozen:
    """The ranges. ``hidden`` are the partitions in which an open transaction hides records that the bound may mean."""

    ranges: list[Range]
    hidden: Mapping[TopicPartition, LogOffsets] = field(default_factory=dict)


class OffsetSource(AnswersOffsets, Protocol):
    """What ``freeze`` asks the brokers; a consumer without a group has these methods."""

    async def offsets_for_times(
        self, timestamps: Mapping[TopicPartition, int]
    ) -> Mapping[TopicPartition, OffsetAndTimestamp | None]: ...


def parse_start(text: str, now: float) -> Bound:
    """``--from``. ``now`` is Unix time in seconds. Raises WorkerError where ``text`` is no bound."""
    if text == "earliest":
        return Earliest()
    bound = _parse(text, now)
    if bound is None:
        raise WorkerError(f"--from {text}: not a bound: give {START_FORMS}", code="UPC1001")
    return bound


def parse_end(text: str, now: float) -> Bound:
    """``--to``. ``now`` is Unix time in seconds. Raises WorkerError where ``text`` is no bound."""
    bound = _parse(text, now)
    if bound is None:
        raise WorkerError(f"--to {text}: not a bound: give {END_FORMS}", code="UPC1001")
    return bound


def _parse(text: str, now: float) -> Bound | None:
    if text in ("latest", "now"):
        return Latest()
    if re.fullmatch(r"[0-9]{1,18}", text):
        return AtOffset({}, int(text))
    if re.fullmatch(r"[0-9]{1,9}:[0-9]{1,18}(,[0-9]{1,9}:[0-9]{1,18})*", text):
        pairs = [part.split(":") for part in text.split(",")]
        return AtOffset({int(partition): int(offset) for partition, offset in pairs})
    ago = re.fullmatch(r"([0-9]{1,9})([smhdw])", text)
    if ago:
        return SinceTime(max(0, round((now - int(ago[1]) * SECONDS[ago[2]]) * 1000)))
    return _parse_time(text)


def _parse_time(text: str) -> SinceTime | None:
    try:
        time = datetime.fromisoformat(text)
        seconds = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return SinceTime(max(0, round(seconds * 1000)))


async def freeze(
    offsets: OffsetSource, topic: str, partitions: int, start: Bound, end: Bound, patience: float | None = None
) -> Frozen:
    """The range of each partition as of now. An open transaction has ``patience`` seconds to end.

    Raises WorkerError for offsets that do not exist or cannot be read yet. A range may be empty.
    """
    found = await once_readable(offsets, places_of(topic, partitions), patience)
    starts = await _resolve("--from", start, offsets, topic, found)
    ends = await _resolve("--to", end, offsets, topic, found)
    ranges = [_range(topic, number, starts[number], ends[number], start, end) for number in range(partitions)]
    return Frozen(ranges, {} if isinstance(end, AtOffset) else _short(ranges, found))


def _short(ranges: list[Range], found: Mapping[TopicPartition, LogOffsets]) -> dict[TopicPartition, LogOffsets]:
    ends = {each.partition: each.end for each in ranges}
    return {at: each for at, each in found.items() if each.hidden and ends[at.partition] >= each.stable}


async def _resolve(
    option: str, bound: Bound, offsets: OffsetSource, topic: str, found: Mapping[TopicPartition, LogOffsets]
) -> PartitionOffsets:
    first = {at.partition: each.start for at, each in found.items()}
    last = {at.partition: each.stable for at, each in found.items()}
    if isinstance(bound, Earliest):
        return first
    if isinstance(bound, Latest):
        return last
    if isinstance(bound, SinceTime):
        asked = {TopicPartition(topic, number): bound.timestamp for number in last}
        times = {at.partition: answer for at, answer in (await offsets.offsets_for_times(asked)).items()}
        return {number: _of_time(times.get(number), last[number]) for number in last}
    return _named(option, bound, topic, {at.partition: each for at, each in found.items()})


def _of_time(found: OffsetAndTimestamp | None, end: int) -> int:
    """The end where no readable record is as late; an open transaction may hide one that is."""
    return end if found is None else min(found.offset, end)


def _named(option: str, bound: AtOffset, topic: str, found: Mapping[int, LogOffsets]) -> PartitionOffsets:
    named = bound.by_partition if bound.everywhere is None else dict.fromkeys(found, bound.everywhere)
    if named.keys() != found.keys():
        raise WorkerError(
            f"{option} names partitions {_listed(named)}, but {topic} has {_listed(found)}: name each of them once",
            code="UPC1601",
        )
    for number, offset in sorted(named.items()):
        place = f"{option} {offset}: partition {number} of {topic}"
        if offset < found[number].start:
            raise WorkerError(
                f"{place} holds nothing before offset {found[number].start} any more (retention): "
                f"begin there, or use --from earliest",
                code="UPC1601",
            )
        if offset > found[number].end:
            raise WorkerError(
                f"{place} ends at offset {found[number].end} so far: name an offset up to that, or `now`",
                code="UPC1601",
            )
        if offset > found[number].stable:
            raise WorkerError(
                f"{place} cannot be read past offset {found[number].stable}, where a transaction is open: name an "
                "offset up to that, or try again once it has ended",
                MAY_PASS,
                code="UPC1601",
            )
    return named


def _range(topic: str, number: int, start: int, end: int, asked_start: Bound, asked_end: Bound) -> Range:
    if start > end and isinstance(asked_start, AtOffset) and isinstance(asked_end, AtOffset):
        raise WorkerError(
            f"--from {start} is behind --to {end} in partition {number} of {topic}: swap them", code="UPC1601"
        )
    return Range(number, start, max(start, end))


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
