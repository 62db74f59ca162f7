"""What is known of replays that run or ran: their ranges, and how far they are.

A replay writes both beside the offsets of its group (`<group>-replay-<id>`) and into the ledger. Brokers forget the
group about a week after the replay, the ledger keeps it; a process on another machine may have no ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec
import structlog
from aiokafka import TopicPartition

from worker.errors import WorkerError
from worker.kafka.clients import KafkaClients
from worker.ledger import Ledger
from worker.replay.ranges import Range
from worker.replay.topics import Reached, cluster_id_of, committed_of, groups_of, refuse_hidden
from worker.settings.group_names import replay_id_in, replays_of

log = structlog.get_logger(__name__)


class Share(msgspec.Struct, frozen=True, array_like=True):
    """What a replay is to do in one partition: ``[start, end)``, into ``destination``."""

    destination: str
    start: int
    end: int


class _Note(msgspec.Struct):
    """The part of a partition's account that is read here; `worker.replay.apply.account` writes it."""

    share: Share | None = None


@dataclass(frozen=True)
class KnownReplay:
    """One replay of one source. ``destination`` is empty where neither group nor ledger has it; ``read`` is the part of
    each of its ``ranges`` that is done."""

    replay_id: str
    destination: str
    ranges: tuple[Range, ...]
    read: tuple[Range, ...]

    @property
    def finished(self) -> bool:
        """Whether all of its output is written."""
        return self.read == self.ranges

    def united(self, other: KnownReplay) -> KnownReplay:
        """Both descriptions of the same replay in one: of each partition the one that is further."""
        destination = self.destination or other.destination
        return KnownReplay(
            self.replay_id, destination, _united(self.ranges, other.ranges), _united(self.read, other.read)
        )


def _united(some: Iterable[Range], more: Iterable[Range]) -> tuple[Range, ...]:
    known = {each.partition: each for each in some}
    for each in more:
        before = known.get(each.partition, each)
        known[each.partition] = Range(each.partition, max(before.start, each.start), max(before.end, each.end))
    return tuple(known[partition] for partition in sorted(known))


async def known_replays(
    clients: KafkaClients, group: str, sources: Collection[str], ledger: Ledger | None
) -> dict[str, list[KnownReplay]]:
    """The replays by source, from their groups and from the ledger. A failure of one of the two is logged, and the
    other one alone counts."""
    found: dict[tuple[str, str], KnownReplay] = {}
    for source, replay in [*await _of_groups(clients, group, sources), *await _of_ledger(clients, sources, ledger)]:
        known = found.get((source, replay.replay_id))
        found[source, replay.replay_id] = known.united(replay) if known else replay
    by_source: dict[str, list[KnownReplay]] = {}
    for (source, _), replay in sorted(found.items()):
        by_source.setdefault(source, []).append(replay)
    return by_source


async def _of_groups(clients: KafkaClients, group: str, sources: Collection[str]) -> list[tuple[str, KnownReplay]]:
    found = []
    try:
        await refuse_hidden(clients, replays_of(group))
        for name in await groups_of(clients):
            if replay_id := replay_id_in(name, group):
                committed = await committed_of(clients, name, *sources)
                found += list(_of_offsets(replay_id, committed, sources))
    except WorkerError as error:
        log.warning("the groups of replays cannot be listed, only the ledger is asked", group=group, reason=str(error))
    return found


def _share_of(note: str) -> Share | None:
    try:
        return msgspec.json.decode(note, type=_Note).share
    except ValueError:
        return None


def _of_offsets(
    replay_id: str, committed: Mapping[TopicPartition, Reached], sources: Collection[str]
) -> Iterator[tuple[str, KnownReplay]]:
    for source in sources:
        places = [(place.partition, reached) for place, reached in committed.items() if place.topic == source]
        if places:
            yield source, of_shares(replay_id, ((number, each.offset, each.note) for number, each in places))


def of_shares(replay_id: str, committed: Iterable[tuple[int, int, str]]) -> KnownReplay:
    """The replay that the accounts beside its offsets describe. ``committed`` has partition, offset and account. An
    account without a share is of an older version, or was changed by hand: then everything below its offset counts as
    read, whatever the destination."""
    destination, ranges, read = "", [], []
    for partition, offset, note in sorted(committed):
        share = _share_of(note) or Share(destination, 0, offset)
        destination = share.destination
        ranges.append(Range(partition, share.start, share.end))
        read.append(Range(partition, share.start, offset))
    return KnownReplay(replay_id, destination, tuple(ranges), tuple(read))


async def _of_ledger(
    clients: KafkaClients, sources: Collection[str], ledger: Ledger | None
) -> list[tuple[str, KnownReplay]]:
    if ledger is None:
        return []
    try:
        runs = await asyncio.to_thread(ledger.runs)
        ours = [run for run in runs if run.kind == "replay" and run.route in sources]
        cluster = await cluster_id_of(clients) if ours else ""
        of_cluster = [run.replay_id for run in ours if run.cluster_id == cluster]
        return await asyncio.to_thread(_of_runs, ledger, of_cluster)
    except WorkerError as error:
        log.warning("the ledger cannot be read, only the groups of replays are asked", reason=str(error))
        return []


def _of_runs(ledger: Ledger, replay_ids: Iterable[str]) -> list[tuple[str, KnownReplay]]:
    found = []
    for replay_id in replay_ids:
        progress, kept = ledger.progress(replay_id), ledger.receipt(replay_id)
        known = of_shares(replay_id, ((each.partition, each.committed, each.digest) for each in progress))
        ranges = tuple(Range(each.partition, each.start, each.end) for each in progress)
        read = tuple(Range(each.partition, each.start, each.committed) for each in progress)
        destination = kept["route"]["destination"] if kept else known.destination
        if progress:
            found.append((progress[0].topic, KnownReplay(replay_id, destination, ranges, read)))
    return found
