"""Reading a dead-letter topic for `upcast dlq list` and `show`: nothing is written, and no group is joined."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer

from upcasters.event import SourceRecord
from worker.dlq.letter import Letter, read_letter
from worker.dlq.listing import Listing
from worker.dlq.selection import Selection
from worker.dlq.taken import Place, existing_ledger, taken_before
from worker.errors import WorkerError
from worker.kafka.clients import Clients
from worker.kafka.waiting import wait_for_broker
from worker.ledger import Ledger
from worker.replay.census.surveying import Behind, Progress
from worker.replay.plan.parts import Coordinates
from worker.replay.ranges import Earliest, Latest, Range, freeze
from worker.replay.reading import open_range_reader, read_ranges
from worker.replay.topics import cluster_id_of, partition_counts
from worker.routes.chains import RouteChain
from worker.settings import Settings


@dataclass(frozen=True)
class Found:
    """A record of the dead-letter topic; ``letter`` is None where it is somebody else's."""

    place: Coordinates
    record: SourceRecord
    letter: Letter | None


async def list_letters(settings: Settings, given: RouteChain, progress: Progress) -> Listing:
    """Everything that is there. Raises WorkerError."""
    async with _opened(settings, given) as (clients, consumer, ranges):
        selection = await _selection(settings, given, clients, consumer)
        listing, behind = Listing(selection), Behind(ranges, progress)
        async for piece in read_ranges(consumer, given.route.dead_letter, ranges):
            listing.add(piece.partition, piece.slice.records)
            behind.reached(piece.partition, piece.slice.next_offset)
    return listing


async def find_letter(settings: Settings, given: RouteChain, place: Coordinates) -> Found:
    """Raises WorkerError where there is no record at that place."""
    topic = given.route.dead_letter
    async with _opened(settings, given) as (_, consumer, ranges):
        within = [each for each in ranges if each.partition == place.partition]
        if within and within[0].start <= place.offset < within[0].end:
            async for piece in read_ranges(consumer, topic, [Range(place.partition, place.offset, place.offset + 1)]):
                for record in piece.slice.records:
                    return Found(place, record, read_letter(record))
    raise WorkerError(
        f"{topic}: there is no record at partition {place.partition}, offset {place.offset} (any more): "
        "`upcast dlq list` names some of each kind"
    )


async def find_letters(
    settings: Settings, given: RouteChain, fingerprint: str, most: int, progress: Progress
) -> list[Found]:
    """The first ``most`` letters of a fault. Raises WorkerError where there is none."""
    found: list[Found] = []
    async with _opened(settings, given) as (_, consumer, ranges):
        behind = Behind(ranges, progress)
        async for piece in read_ranges(consumer, given.route.dead_letter, ranges):
            for record in piece.slice.records:
                letter = read_letter(record)
                if letter is not None and letter.fingerprint == fingerprint and len(found) < most:
                    place = Coordinates(partition=piece.partition, offset=record.offset or 0)
                    found.append(Found(place, record, letter))
            behind.reached(piece.partition, piece.slice.next_offset)
            if len(found) >= most:
                break
    if not found:
        raise WorkerError(
            f"{given.route.dead_letter}: no dead letter has the fingerprint {fingerprint}: `upcast dlq list` names all"
        )
    return found


async def _selection(settings: Settings, given: RouteChain, clients: Clients, consumer: AIOKafkaConsumer) -> Selection:
    """Of all faults, for its knowledge of what is done."""
    route = given.route
    place = Place(await cluster_id_of(clients), route.source, route.dead_letter, settings.kafka.group_id)
    ledger = await asyncio.to_thread(existing_ledger, settings.ledger.url.get_secret_value())
    with _closing(ledger):
        before = await taken_before(place, clients, consumer, ledger)
    return Selection(route.source, route.dead_letter, frozenset("*"), 1, True, before.done)


@contextmanager
def _closing(ledger: Ledger | None) -> Iterator[None]:
    try:
        yield
    finally:
        if ledger is not None:
            ledger.close()


@asynccontextmanager
async def _opened(
    settings: Settings, given: RouteChain
) -> AsyncIterator[tuple[Clients, AIOKafkaConsumer, list[Range]]]:
    topic, clients = given.route.dead_letter, Clients(settings.kafka)
    await wait_for_broker(clients)
    partitions = (await partition_counts(clients)).get(topic, 0)
    if not partitions:
        raise WorkerError(f"{topic}: no such topic, or none that we may describe: correct the route's dead_letter")
    async with open_range_reader(clients, partitions) as consumer:
        yield clients, consumer, await freeze(consumer, topic, partitions, Earliest(), Latest())
