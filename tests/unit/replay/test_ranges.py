"""Bounds as operators write them, and what they are frozen to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndTimestamp

from worker.errors import WorkerError
from worker.kafka.log_offsets import LogOffsets
from worker.replay.ranges import (
    AtOffset,
    Bound,
    Earliest,
    Frozen,
    Latest,
    Range,
    SinceTime,
    freeze,
    parse_end,
    parse_start,
)

NOW = 1_700_000_000.0
DAY = 86_400_000


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("earliest", Earliest()),
        ("latest", Latest()),
        ("now", Latest()),
        ("1200", AtOffset({}, 1200)),
        ("0:5,11:7", AtOffset({0: 5, 11: 7})),
        ("2023-11-14T22:13:20Z", SinceTime(1_700_000_000_000)),
        ("2023-11-15T00:13:20.5+02:00", SinceTime(1_700_000_000_500)),
        ("2023-11-14T22:13:20", SinceTime(1_700_000_000_000)),
        ("2023-11-14", SinceTime(1_699_920_000_000)),
        ("90d", SinceTime(1_700_000_000_000 - 90 * DAY)),
        ("12h", SinceTime(1_700_000_000_000 - DAY // 2)),
        ("2w", SinceTime(1_700_000_000_000 - 14 * DAY)),
        ("1m", SinceTime(1_699_999_940_000)),
        ("30s", SinceTime(1_699_999_970_000)),
        ("999999999w", SinceTime(0)),
    ],
)
def test_starts(text: str, bound: Bound) -> None:
    assert parse_start(text, NOW) == bound


@pytest.mark.parametrize("text", ["", "soon", "-5", "1.5h", "5 d", "0:5,", "0:-1", "2023-13-01", "9" * 19, "٣d"])
def test_what_is_no_bound(text: str) -> None:
    with pytest.raises(WorkerError, match=r"--from .*: not a bound: give earliest, latest, an offset"):
        parse_start(text, NOW)
    with pytest.raises(WorkerError, match=r"--to .*: not a bound: give now, an offset"):
        parse_end(text, NOW)


def test_nothing_ends_at_its_beginning() -> None:
    with pytest.raises(WorkerError, match="--to earliest: not a bound: give now"):
        parse_end("earliest", NOW)


class Log:
    """Two partitions: offsets 10 to 100 and 0 to 0; offset ``n`` has the timestamp ``1000 * n``. Offsets from 100 on
    are there, up to ``end``, behind an open transaction."""

    first: Mapping[int, int] = {0: 10, 1: 0}

    def __init__(self, end: int) -> None:
        self.found = {0: LogOffsets(10, 100, end), 1: LogOffsets(0, 0, 0)}

    async def log_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, LogOffsets]:
        return {at: self.found[at.partition] for at in partitions}

    async def offsets_for_times(
        self, timestamps: Mapping[TopicPartition, int]
    ) -> Mapping[TopicPartition, OffsetAndTimestamp | None]:
        found = {at: max(self.first[at.partition], -(-time // 1000)) for at, time in timestamps.items()}
        # Records past the last stable offset are there, but not to be read yet.
        return {at: OffsetAndTimestamp(offset, 0) if offset < 110 else None for at, offset in found.items()}


async def freezing(start: str, end: str, log_end: int) -> Frozen:
    return await freeze(Log(log_end), "legacy", 2, parse_start(start, 0.1), parse_end(end, 0.1), patience=0)


async def frozen(start: str, end: str = "now") -> list[tuple[int, int]]:
    return [(each.start, each.end) for each in (await freezing(start, end, 100)).ranges]


async def hidden(start: str, end: str = "now") -> dict[TopicPartition, LogOffsets]:
    """Of a log that goes on behind an open transaction at offset 100."""
    return dict((await freezing(start, end, 120)).hidden)


async def complaint(start: str, end: str = "now", log_end: int = 100) -> str:
    with pytest.raises(WorkerError) as caught:
        await freezing(start, end, log_end)
    return str(caught.value)


async def test_all_of_it() -> None:
    assert await frozen("earliest") == [(10, 100), (0, 0)]


async def test_an_empty_range_is_fine() -> None:
    assert await frozen("latest") == [(100, 100), (0, 0)]
    assert Range(0, 5, 5).offsets == 0


async def test_times_are_the_first_record_as_late() -> None:
    assert await frozen("1970-01-01T00:00:20.5Z", "1970-01-01T00:00:30Z") == [(21, 30), (0, 0)]


async def test_times_before_retention_begin_with_what_is_left() -> None:
    assert (await frozen("1970-01-01T00:00:02Z"))[0] == (10, 100)


async def test_times_past_the_last_stable_offset_are_its_end() -> None:
    assert (await frozen("1970-01-01T00:01:45Z"))[0] == (100, 100)
    assert (await frozen("1970-01-01T10:00:00Z"))[0] == (100, 100)


async def test_a_start_in_time_behind_its_end_is_empty() -> None:
    assert (await frozen("1970-01-01T00:00:50Z", "1970-01-01T00:00:40Z"))[0] == (50, 50)


async def test_offsets_by_partition() -> None:
    assert await frozen("0:20,1:0", "0:30,1:0") == [(20, 30), (0, 0)]


async def test_an_offset_below_retention() -> None:
    assert await complaint("0:9,1:0") == (
        "--from 9: partition 0 of legacy holds nothing before offset 10 any more (retention): "
        "begin there, or use --from earliest"
    )


async def test_an_offset_past_the_end() -> None:
    assert "--from 1: partition 1 of legacy ends at offset 0" in await complaint("0:10,1:1")
    assert "--to 101: partition 0 of legacy ends at offset 100" in await complaint("earliest", "0:101,1:0")


async def test_offsets_the_wrong_way_round() -> None:
    assert await complaint("0:30,1:0", "0:20,1:0") == (
        "--from 30 is behind --to 20 in partition 0 of legacy: swap them"
    )


async def test_partitions_that_are_not_there_or_not_named() -> None:
    assert "names partitions 0, but legacy has 0, 1" in await complaint("0:10")
    assert "names partitions 0, 1, 2, but legacy has 0, 1" in await complaint("0:10,1:0,2:0")


async def test_what_stands_behind_an_open_transaction_is_hidden_and_not_absent() -> None:
    held = {TopicPartition("legacy", 0): LogOffsets(10, 100, 120)}
    assert await hidden("earliest") == held
    assert await hidden("latest") == held
    assert await hidden("earliest", "1970-01-01T00:01:45Z") == held


async def test_a_range_that_ends_before_it_misses_nothing() -> None:
    assert await hidden("earliest", "1970-01-01T00:01:00Z") == {}
    assert await hidden("earliest", "0:100,1:0") == {}


async def test_an_offset_behind_an_open_transaction_can_be_named_later() -> None:
    assert await complaint("earliest", "0:110,1:0", log_end=120) == (
        "--to 110: partition 0 of legacy cannot be read past offset 100, where a transaction is open: name an offset "
        "up to that, or try again once it has ended"
    )
    assert "ends at offset 120 so far" in await complaint("earliest", "0:121,1:0", log_end=120)
