"""From where to where: what an operator writes, and the offsets that it means, frozen.

A bound is ``earliest``, ``latest`` (or ``now``), an offset (``1200``; one for each partition: ``0:1200,1:900``), a time
(ISO 8601, UTC where it names no zone) or a duration ago (``90d``, ``12h``, ``30m``, ``45s``, ``2w``). A range is
``[start, end)``; its end is never past the last stable offset, which is as far as anybody can read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndTimestamp

from worker.errors import WorkerError

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
START_FORMS = "earliest, latest, an offset, a time such as 2026-01-31T12:00:00Z, or a duration ago such as 90d"
END_FORMS = "now, an offset, a time such as 2026-01-31T12:00:00Z, or a duration ago such as 12h"

Offsets = Mapping[int, int]


@dataclass(frozen=True)
class Earliest:
    """The oldest record that is still there."""


@dataclass(frozen=True)
class Latest:
    """The last stable offset."""


@dataclass(frozen=True)
class At:
    """An offset: by partition, or (``everywhere``) the same one in each."""

    by_partition: Mapping[int, int]
    everywhere: int | None = None


@dataclass(frozen=True)
class Since:
    """The first record whose timestamp (ms) is this one or later, in the order of offsets."""

    timestamp: int


Bound = Earliest | Latest | At | Since


@dataclass(frozen=True)
class Range:
    """``[start, end)`` of one partition."""

    partition: int
    start: int
    end: int

    @property
    def offsets(self) -> int:
        return max(0, self.end - self.start)


class OffsetSource(Protocol):
    """The questions that are put to the brokers; an AIOKafkaConsumer of no group answers them."""

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]: ...

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]: ...

    async def offsets_for_times(
        self, timestamps: Mapping[TopicPartition, int]
    ) -> Mapping[TopicPartition, OffsetAndTimestamp | None]: ...


def parse_start(text: str, now: float) -> Bound:
    """``--from``. ``now`` in seconds. Raises WorkerError for what is no bound."""
    if text == "earliest":
        return Earliest()
    bound = _parse(text, now)
    if bound is None:
        raise WorkerError(f"--from {text}: is none of {START_FORMS}")
    return bound


def parse_end(text: str, now: float) -> Bound:
    """``--to``. ``now`` in seconds. Raises WorkerError for what is no bound."""
    bound = _parse(text, now)
    if bound is None:
        raise WorkerError(f"--to {text}: is none of {END_FORMS}")
    return bound


def _parse(text: str, now: float) -> Bound | None:
    if text in ("latest", "now"):
        return Latest()
    if re.fullmatch(r"[0-9]{1,18}", text):
        return At({}, int(text))
    if re.fullmatch(r"[0-9]{1,9}:[0-9]{1,18}(,[0-9]{1,9}:[0-9]{1,18})*", text):
        pairs = [part.split(":") for part in text.split(",")]
        return At({int(partition): int(offset) for partition, offset in pairs})
    ago = re.fullmatch(r"([0-9]{1,9})([smhdw])", text)
    if ago:
        return Since(max(0, round((now - int(ago[1]) * SECONDS[ago[2]]) * 1000)))
    return _parse_time(text)


def _parse_time(text: str) -> Since | None:
    try:
        time = datetime.fromisoformat(text)
        seconds = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return Since(max(0, round(seconds * 1000)))


async def freeze(offsets: OffsetSource, topic: str, partitions: int, start: Bound, end: Bound) -> list[Range]:
    """The range of each partition now. Raises WorkerError for offsets that are not there; empty ranges are fine."""
    all_partitions = [TopicPartition(topic, number) for number in range(partitions)]
    first = _by_number(await offsets.beginning_offsets(all_partitions))
    last = _by_number(await offsets.end_offsets(all_partitions))
    starts = await _resolve("--from", start, offsets, topic, first, last)
    ends = await _resolve("--to", end, offsets, topic, first, last)
    return [_range(topic, number, starts[number], ends[number], start, end) for number in range(partitions)]


async def _resolve(
    option: str, bound: Bound, offsets: OffsetSource, topic: str, first: Offsets, last: Offsets
) -> Offsets:
    if isinstance(bound, Earliest):
        return first
    if isinstance(bound, Latest):
        return last
    if isinstance(bound, Since):
        asked = {TopicPartition(topic, number): bound.timestamp for number in last}
        found = {at.partition: answer for at, answer in (await offsets.offsets_for_times(asked)).items()}
        return {number: _of_time(found.get(number), last[number]) for number in last}
    return _named(option, bound, topic, first, last)


def _of_time(found: OffsetAndTimestamp | None, end: int) -> int:
    """Where no record is as late, the end; an open transaction may hide the one that is."""
    return end if found is None else min(found.offset, end)


def _named(option: str, bound: At, topic: str, first: Offsets, last: Offsets) -> Offsets:
    named = bound.by_partition if bound.everywhere is None else dict.fromkeys(last, bound.everywhere)
    if named.keys() != last.keys():
        raise WorkerError(
            f"{option}: it names partitions {_listed(named)}, {topic} has {_listed(last)}: name each of them once"
        )
    for number, offset in sorted(named.items()):
        place = f"{option} {offset}: partition {number} of {topic}"
        if offset < first[number]:
            raise WorkerError(
                f"{place} holds nothing before offset {first[number]} any more (retention): "
                f"begin there, or use --from earliest"
            )
        if offset > last[number]:
            raise WorkerError(f"{place} ends at offset {last[number]} so far: name an offset up to that, or `now`")
    return named


def _range(topic: str, number: int, start: int, end: int, asked_start: Bound, asked_end: Bound) -> Range:
    if start > end and isinstance(asked_start, At) and isinstance(asked_end, At):
        raise WorkerError(f"--from {start} is behind --to {end} in partition {number} of {topic}: swap them")
    return Range(number, start, max(start, end))


def _by_number(found: Mapping[TopicPartition, int]) -> dict[int, int]:
    return {partition.partition: offset for partition, offset in found.items()}


def _listed(numbers: Offsets) -> str:
    return ", ".join(map(str, sorted(numbers)))
