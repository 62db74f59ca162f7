"""Who has read a plan's range before: what they wrote would be in the destination twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from worker.kafka.clients import Clients
from worker.replay.ranges import Range
from worker.replay.topics import committed_of, groups_of, partition_counts


async def told_twice(
    clients: Clients, group: str, consumer: AIOKafkaConsumer, topics: tuple[str, str], ranges: Sequence[Range]
) -> list[str]:
    """A line for each pass over offsets of ``ranges`` whose output the destination may hold: the live worker, called
    ``group``, and earlier replays. ``topics`` are source and destination; one that is empty holds nothing twice.

    Raises WorkerError where the brokers do not say.
    """
    source, destination = topics
    filled = await _filled(clients, consumer, destination)
    affected = [each for each in ranges if each.partition in filled]
    lines: list[str] = []
    for name in await _passes(clients, group) if affected else ():
        committed = await committed_of(clients, name)
        reached = {place.partition: found.offset for place, found in committed.items() if place.topic == source}
        lines += _line(_who(name, group), destination, affected, reached)
    return lines


async def read_by_others(clients: Clients, group: str, replay_id: str, source: str, ranges: Sequence[Range]) -> bool:
    """Whether replays other than this one of ``group`` have read offsets of ``ranges``, into whatever topic."""
    ours = f"-replay-{replay_id}"
    live = group.removesuffix(ours)
    for name in await _passes(clients, live):
        if name in (live, live + ours):
            continue
        committed = await committed_of(clients, name)
        reached = {place.partition: found.offset for place, found in committed.items() if place.topic == source}
        if any(reached.get(each.partition, 0) > each.start for each in ranges):
            return True
    return False


async def _filled(clients: Clients, consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    places = [TopicPartition(topic, number) for number in range((await partition_counts(clients)).get(topic, 0))]
    first, last = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    return {place.partition for place in places if first[place] < last[place]}


async def _passes(clients: Clients, group: str) -> list[str]:
    replays = f"{group}-replay-"
    return [group, *sorted(name for name in await groups_of(clients) if name.startswith(replays))]


def _who(name: str, group: str) -> str:
    return f"the live worker ({group})" if name == group else f"replay {name.removeprefix(f'{group}-replay-')}"


def _line(who: str, destination: str, ranges: Sequence[Range], reached: Mapping[int, int]) -> Iterator[str]:
    ends = {each.partition: min(max(reached.get(each.partition, 0), each.start), each.end) for each in ranges}
    again = sum(ends[each.partition] - each.start for each in ranges)
    if again:
        behind = ",".join(f"{partition}:{end}" for partition, end in ends.items())
        yield (
            f"{destination}: {who} has read {again:,} of these offsets before, and a replay writes them again: replay "
            f"into an empty topic, plan what is behind them with `--from {behind}`, or say `upcast replay --again`"
        )
