"""Reading a dead-letter topic for `upcast dlq list` and `show`: nothing is written, and no group is joined."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer

from upcasters.event import SourceRecord
from worker.dlq.letter import Letter, read_letter
from worker.dlq.listing import Listing
from worker.dlq.selection import Selection
from worker.dlq.taken import RedriveScope, existing_ledger, taken_before
from worker.errors import MAY_PASS, WorkerError
from worker.kafka.clients import KafkaClients
from worker.kafka.open_transactions import OpenTransaction, open_transactions
from worker.kafka.waiting import wait_for_broker
from worker.ledger import Ledger
from worker.replay.census.surveying import Behind, OnProgress
from worker.replay.plan.parts import Coordinates
from worker.replay.ranges import Earliest, Frozen, Latest, Range, freeze
from worker.replay.reading import open_range_reader, read_ranges
from worker.replay.topics import cluster_id_of, partition_counts
from worker.routes.chains import RouteChain
from worker.settings import Settings


@dataclass(frozen=True)
class FoundLetter:
    """A record of the dead-letter topic; ``letter`` is None where it is somebody else's."""

    place: Coordinates
    record: SourceRecord
    letter: Letter | None


async def list_letters(settings: Settings, given: RouteChain, progress: OnProgress) -> Listing:
    """Everything that is there. Raises WorkerError."""
    async with _opened(settings, given) as (clients, consumer, frozen):
        selection = await _selection(settings, given, clients, consumer)
        listing = Listing(selection, await open_transactions(consumer, frozen.hidden))
        behind = Behind(frozen.ranges, progress)
        async for piece in read_ranges(consumer, given.route.dead_letter, frozen.ranges):
            listing.add(piece.partition, piece.slice.records)
            behind.reached(piece.partition, piece.slice.next_offset)
    return listing


async def find_letter(settings: Settings, given: RouteChain, place: Coordinates) -> FoundLetter:
    """Raises WorkerError where there is no record at that place, or none that can be read yet."""
    topic = given.route.dead_letter
    async with _opened(settings, given) as (_, consumer, frozen):
        _refuse_hidden(await open_transactions(consumer, frozen.hidden), place)
        within = [each for each in frozen.ranges if each.partition == place.partition]
        if within and within[0].start <= place.offset < within[0].end:
            async for piece in read_ranges(consumer, topic, [Range(place.partition, place.offset, place.offset + 1)]):
                for record in piece.slice.records:
                    return FoundLetter(place, record, read_letter(record))
    raise WorkerError(
        f"{topic}: there is no record at partition {place.partition}, offset {place.offset} (any more): "
        "`upcast dlq list` names some of each kind"
    )


async def find_letters(
    settings: Settings, given: RouteChain, fingerprint: str, most: int, progress: OnProgress
) -> list[FoundLetter]:
    """The first ``most`` letters of a fault. Raises WorkerError where there is none, or none that can be read yet."""
    found: list[FoundLetter] = []
    async with _opened(settings, given) as (_, consumer, frozen):
        hidden = await open_transactions(consumer, frozen.hidden)
        behind = Behind(frozen.ranges, progress)
        async for piece in read_ranges(consumer, given.route.dead_letter, frozen.ranges):
            for record in piece.slice.records:
                letter = read_letter(record)
                if letter is not None and letter.fingerprint == fingerprint and len(found) < most:
                    place = Coordinates(partition=piece.partition, offset=record.offset or 0)
                    found.append(FoundLetter(place, record, letter))
            behind.reached(piece.partition, piece.slice.next_offset)
            if len(found) >= most:
                break
    if not found and hidden:
        raise WorkerError(
            f"{given.route.dead_letter}: no dead letter that can be read has the fingerprint {fingerprint}, and "
            f"{hidden[0]}: {hidden[0].fix}, then look again",
            MAY_PASS,
        )
    if not found:
        raise WorkerError(
            f"{given.route.dead_letter}: no dead letter has the fingerprint {fingerprint}: `upcast dlq list` names all"
        )
    return found


def _refuse_hidden(hidden: Sequence[OpenTransaction], place: Coordinates) -> None:
    for each in hidden:
        if each.partition == place.partition and each.offset <= place.offset < each.offset + each.hidden:
            raise WorkerError(
                f"{each.place}: offset {place.offset} cannot be read yet: {each.cause}: {each.fix}, then look again",
                MAY_PASS,
            )


async def _selection(
    settings: Settings, given: RouteChain, clients: KafkaClients, consumer: AIOKafkaConsumer
) -> Selection:
    """Of all faults, for its knowledge of what is done."""
    route = given.route
    place = RedriveScope(await cluster_id_of(clients), route.source, route.dead_letter, settings.kafka.group_id)
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
) -> AsyncIterator[tuple[KafkaClients, AIOKafkaConsumer, Frozen]]:
    topic, clients = given.route.dead_letter, KafkaClients(settings.kafka)
    await wait_for_broker(clients)
    partitions = (await partition_counts(clients)).get(topic, 0)
    if not partitions:
        raise WorkerError(f"{topic}: no such topic, or none that we may describe: correct the route's dead_letter")
    async with open_range_reader(clients, partitions) as consumer:
        yield clients, consumer, await freeze(consumer, topic, partitions, Earliest(), Latest())
