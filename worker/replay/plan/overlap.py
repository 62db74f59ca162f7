"""Who has read a plan's range before: what they wrote would be in the destination twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from worker.kafka.clients import KafkaClients
from worker.ledger import Ledger
from worker.replay.known_replays import known_replays
from worker.replay.ranges import Range
from worker.replay.topics import committed_of, groups_of, partition_counts
from worker.settings.group_names import live_group, replay_group, replay_id_in


async def told_twice(
    clients: KafkaClients,
    group: str,
    consumer: AIOKafkaConsumer,
    topics: tuple[str, str],
    ranges: Sequence[Range],
    ledger: Ledger | None = None,
    but: str = "",
) -> list[str]:
    """A line for each pass over offsets of ``ranges`` whose output the destination may hold: of the live worker, called
    ``group``, and of replays ``but`` this one. ``topics`` are source and destination; one that is empty holds nothing
    twice, and one whose records stand behind an open transaction is not empty.

    Raises WorkerError where the brokers do not say.
    """
    source, destination = topics
    written = await _written(clients, consumer, destination, ranges)
    if not written:
        return []
    committed = await committed_of(clients, group, source)
    live = [Range(place.partition, 0, found.offset) for place, found in committed.items()]
    lines = list(_line(f"the live worker ({group}) has read", destination, written, live))
    for replay in (await known_replays(clients, group, [source], ledger)).get(source, ()):
        if replay.destination in ("", destination) and replay.replay_id != but:
            lines += _line(f"replay {replay.replay_id} has read", destination, written, replay.read)
    return lines


async def read_by_others(
    clients: KafkaClients, group: str, replay_id: str, source: str, ranges: Sequence[Range]
) -> bool:
    """Whether replays other than this one of ``group`` have read offsets of ``ranges``, into whatever topic."""
    live = live_group(group, replay_id)
    for name in await _passes(clients, live):
        if name in (live, replay_group(live, replay_id)):
            continue
        committed = await committed_of(clients, name, source)
        reached = {place.partition: found.offset for place, found in committed.items() if place.topic == source}
        if any(reached.get(each.partition, 0) > each.start for each in ranges):
            return True
    return False


async def _written(
    clients: KafkaClients, consumer: AIOKafkaConsumer, topic: str, ranges: Sequence[Range]
) -> list[Range]:
    """Those whose output goes to partitions that hold something."""
    count = (await partition_counts(clients)).get(topic, 0)
    places = [TopicPartition(topic, number) for number in range(count)]
    filled = {place.partition for place, each in (await consumer.log_offsets(places)).items() if not each.empty}
    return [each for each in ranges if count and each.partition % count in filled]


async def _passes(clients: KafkaClients, group: str) -> list[str]:
    return [group, *sorted(name for name in await groups_of(clients) if replay_id_in(name, group))]


def _line(who: str, destination: str, ranges: Sequence[Range], others: Iterable[Range]) -> Iterator[str]:
    read = {each.partition: each for each in others}
    again = {each.partition: _common(each, read[each.partition]) for each in ranges if each.partition in read}
    if any(again.values()):
        behind = ",".join(
            f"{each.partition}:{read[each.partition].end if again.get(each.partition) else each.start}"
            for each in ranges
        )
        yield (
            f"{destination}: {who} {sum(again.values()):,} of these offsets before, and a replay writes them again: "
            f"replay into an empty topic, plan what is behind them with `--from {behind}`, or say "
            "`upcast replay --again`"
        )


def _common(one: Range, other: Range) -> int:
    return max(0, min(one.end, other.end) - max(one.start, other.start))
