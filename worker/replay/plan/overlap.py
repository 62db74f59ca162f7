"""Finds other passes that write the output of the same offsets: a plan warns of them, a replay and a live worker refuse
to start beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from aiokafka import AIOKafkaConsumer

from worker.errors import NEEDS_A_PERSON, WorkerError
from worker.kafka.clients import KafkaClients, started
from worker.kafka.members import GroupMember
from worker.kafka.refusals import answered
from worker.kafka.topics import places_of
from worker.ledger import AllowedOverlap, Ledger
from worker.replay.known_replays import KnownReplay, known_replays
from worker.replay.plan.file import Plan
from worker.replay.ranges import Range
from worker.replay.topics import committed_of, group_members, groups_of, partition_counts
from worker.runtime import VERSION
from worker.settings import RouteSettings, Settings
from worker.settings.group_names import live_group, replay_group, replay_id_in


async def warn_of_second_outputs(
    clients: KafkaClients,
    group: str,
    consumer: AIOKafkaConsumer,
    topics: tuple[str, str],
    ranges: Sequence[Range],
    ledger: Ledger | None = None,
    but: str = "",
) -> list[str]:
    """Warnings: a line for each pass that has read offsets of ``ranges`` and whose output the destination may hold.
    Such passes are the live worker (``group``), live workers that were let in beside the replay ``but``, and all other
    replays. ``topics`` are source and destination.
    An empty destination partition needs no warning; one whose records stand behind an open transaction is not empty.

    Raises WorkerError where the brokers do not answer.
    """
    source, destination = topics
    written = await _written(clients, consumer, destination, ranges)
    if not written:
        return []
    lines: list[str] = []
    for name in await _live_groups(group, but, ledger):
        committed = await committed_of(clients, name, source)
        live = [Range(place.partition, 0, found.offset) for place, found in committed.items()]
        lines += _line(f"the live worker ({name}) has read", destination, written, live)
    for replay in (await known_replays(clients, group, [source], ledger)).get(source, ()):
        if replay.destination in ("", destination) and replay.replay_id != but:
            lines += _line(f"replay {replay.replay_id} has read", destination, written, replay.read)
    return lines


async def _live_groups(group: str, replay_id: str, ledger: Ledger | None) -> Iterable[str]:
    """``group``, and the groups of live workers that somebody let in beside the replay, as far as the ledger knows."""
    noted = await asyncio.to_thread(ledger.besides, replay_id) if ledger else []
    return dict.fromkeys((group, *(each.group for each in noted)))


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
    filled = await _filled(consumer, topic, count)
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
            f"{destination}: {who} {sum(again.values()):,} of these offsets already, and the replay would write them "
            f"again: replay into an empty topic, plan the offsets after them with `--from {behind}`, or insist with "
            "`upcast replay --again`"
        )


def _common(one: Range, other: Range) -> int:
    return max(0, min(one.end, other.end) - max(one.start, other.start))


log = structlog.get_logger(__name__)

MOST_NAMED = 5
"""Partitions, steps or settings in a line."""


@dataclass(frozen=True)
class SourceNow:
    """By partition of a source: where the group goes on, where the log ends, and whether the partition that its output
    goes to holds anything."""

    unread_from: Mapping[int, int]
    ends: Mapping[int, int]
    filled: Collection[int]


def overlapping(replay: KnownReplay, destination: str, now: SourceNow) -> list[Range]:
    """The offsets that the replay writes and the group has yet to read. A source that ends before the replay's range
    was deleted and created again; an empty destination holds no output of a finished replay."""
    if replay.destination not in ("", destination):
        return []
    found = []
    for each in replay.ranges:
        begin = now.unread_from.get(each.partition)
        if begin is None or now.ends[each.partition] < each.end:
            continue
        if replay.finished and each.partition not in now.filled:
            continue
        if (left := Range(each.partition, max(each.start, begin), each.end)).offsets:
            found.append(left)
    return found


async def refuse_beside(
    clients: KafkaClients,
    settings: Settings,
    ledger: Ledger | None,
    allowed: Collection[str] = (),
    noted: set[str] | None = None,
) -> None:
    """Raises WorkerError with a line for each replay that writes offsets which the group has yet to read. Replays that
    are ``allowed`` by id pass; the log and the ledger record that, unless their ids are in ``noted`` already. Called
    before the worker joins the group, and again when others can see it as a member."""
    noted = set() if noted is None else noted
    group = settings.kafka.group_id
    replays = await known_replays(clients, group, [route.source for route in settings.routes], ledger)
    refusals = []
    for route in settings.routes:
        of_route = replays.get(route.source)
        if not of_route:
            continue
        now = await _source_now(clients, group, route)
        for replay in of_route:
            ranges = overlapping(replay, route.destination, now)
            if ranges and replay.replay_id not in allowed:
                refusals.append(_refusal(replay, route, ranges, group))
            elif ranges and replay.replay_id not in noted:
                await _write_down(replay, route, ranges, group, ledger)
                noted.add(replay.replay_id)
    if refusals:
        raise WorkerError("\n".join(refusals), NEEDS_A_PERSON, code="UPC1618")


async def refuse_live(clients: KafkaClients, plan: Plan, ledger: Ledger | None = None) -> None:
    """Raises WorkerError where the live worker's group has members that have yet to read offsets of the plan and write
    them to the same topic; or a group that somebody let in beside this replay. Called before the replay writes, and
    again when others can see it. A group without members is no obstacle: it may be started after the replay."""
    group = live_group(clients.kafka.group_id, plan.replay_id)
    for name in await _live_groups(group, plan.replay_id, ledger):
        await _refuse_live(clients, plan, name)


async def _refuse_live(clients: KafkaClients, plan: Plan, group: str) -> None:
    try:
        members = await group_members(clients, group)
    except WorkerError as error:
        log.warning(
            "the members of the live worker's group cannot be listed, so whether it runs is unknown",
            group=group,
            reason=str(error),
        )
        return
    source, destination = plan.topic, plan.route.destination
    if not any(writes(member, source, destination) for member in members):
        return
    committed = await committed_of(clients, group, source)
    ahead = still_to_read(
        [Range(each.partition, each.start, each.end) for each in plan.ranges],
        {place.partition: reached.offset for place, reached in committed.items() if place.topic == source},
    )
    if ahead:
        raise WorkerError(
            f"{offset_ranges_text(source, ahead)}: the live worker (group {group}) is running, has yet to read these "
            f"offsets, and would also write them to {destination}: stop it and start it after the replay with "
            "`upcast run --after RECEIPT`, plan only what it has read, or insist with `upcast replay --again`",
            NEEDS_A_PERSON,
            code="UPC1618",
        )


def writes(member: GroupMember, source: str, destination: str) -> bool:
    """Whether the member writes records of ``source`` to ``destination``. True also where its metadata does not say."""
    if member.topics is not None and source not in member.topics:
        return False
    way = member.uses.get(source)
    return way is None or way.destination == destination


def still_to_read(ranges: Sequence[Range], committed: Mapping[int, int]) -> list[Range]:
    """What is left of the ranges behind a group's offsets; all of one where it has none."""
    left = [Range(each.partition, max(each.start, committed.get(each.partition, 0)), each.end) for each in ranges]
    return [each for each in left if each.offsets]


def _refusal(replay: KnownReplay, route: RouteSettings, ranges: Sequence[Range], group: str) -> str:
    wrote = "wrote" if replay.finished else "writes"
    first = "verify it" if replay.finished else "let it finish, verify it"
    return (
        f"{offset_ranges_text(route.source, ranges)}: replay {replay.replay_id} {wrote} these offsets to "
        f"{route.destination}, and "
        f"the group {group} has yet to read them, so that readers would see them twice: {first}, then start with "
        f"`upcast run --after RECEIPT`, or insist with `--beside {replay.replay_id}`"
    )


def offset_ranges_text(source: str, ranges: Sequence[Range]) -> str:
    """``source:0 100-199, source:1 0-99``, and how many more."""
    shown = ", ".join(f"{source}:{each.partition} {each.start}-{each.end - 1}" for each in ranges[:MOST_NAMED])
    more = len(ranges) - MOST_NAMED
    return shown + (f" and {more} more partitions" if more > 0 else "")


async def _write_down(
    replay: KnownReplay, route: RouteSettings, ranges: Sequence[Range], group: str, ledger: Ledger | None
) -> None:
    log.warning(
        "the worker starts beside a replay of the same offsets (--beside): readers see them twice",
        replay_id=replay.replay_id,
        offsets=offset_ranges_text(route.source, ranges),
        destination=route.destination,
    )
    if ledger is not None:
        await asyncio.to_thread(_note_in, ledger, replay.replay_id, group)


def _note_in(ledger: Ledger, replay_id: str, group: str) -> None:
    """A ledger that does not know the replay is left as it is."""
    if ledger.run(replay_id) is not None:
        ledger.note_beside(AllowedOverlap(replay_id, datetime.now(UTC), group, VERSION))


# What there is now.


async def _source_now(clients: KafkaClients, group: str, route: RouteSettings) -> SourceNow:
    counts = await partition_counts(clients)
    committed = await committed_of(clients, group, route.source)
    places = places_of(route.source, counts.get(route.source, 0))
    with answered(f"{route.source}: the brokers do not say where it begins and ends"):
        async with started(clients.reader()) as reader:
            offsets = await reader.log_offsets(places)
            filled = await _filled(reader, route.destination, counts.get(route.destination, 0))
    partitions = counts.get(route.destination, 0)
    return SourceNow(
        {at.partition: max(offsets[at].start, committed[at].offset if at in committed else 0) for at in places},
        {at.partition: offsets[at].end for at in places},
        {place.partition for place in places if partitions and place.partition % partitions in filled},
    )


async def _filled(reader: AIOKafkaConsumer, topic: str, partitions: int) -> set[int]:
    """The partitions that hold something."""
    found = await reader.log_offsets(places_of(topic, partitions))
    return {place.partition for place, each in found.items() if not each.empty}
