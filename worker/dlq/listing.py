"""Reads a dead-letter topic for `upcast dlq list` and `show`. Writes nothing and joins no group; memory is bounded: it
keeps counts for at most ``MOST_GROUPS`` groups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer

from upcasters.event import SourceRecord
from worker.dead_letters import CONNECT, OURS
from worker.dlq.letters import Letter, read_letter
from worker.dlq.selection import RedriveScope, Selection, taken_before
from worker.errors import MAY_PASS, WorkerError
from worker.kafka.clients import KafkaClients
from worker.kafka.fetched import NO_TIMESTAMP, timestamp_of
from worker.kafka.open_transactions import OpenTransaction, open_transactions
from worker.kafka.waiting import wait_for_broker
from worker.ledger import Ledger, open_existing_ledger
from worker.progress import OnProgress
from worker.replay.census.counting import OTHERS, RangeProgress
from worker.replay.plan.file import Coordinates
from worker.replay.ranges import Earliest, Frozen, Latest, Range, freeze
from worker.replay.reading import open_range_reader, read_ranges
from worker.replay.topics import cluster_id_of, partition_counts
from worker.routes.chains import RouteChain
from worker.settings import Settings

MOST = 1_000
SAMPLES = 3
NAMES = {
    "topic": CONNECT + "topic",
    "stage": CONNECT + "stage",
    "error_type": CONNECT + "exception.class.name",
    "event_type": OURS + "event.type",
    "from_version": OURS + "schema.from",
    "to_version": OURS + "schema.to",
    "step": OURS + "failed.step",
}
LONGEST_NAME = 200


class LetterFault(NamedTuple):
    """What letters are grouped by. ``fingerprint`` is empty for records that this worker did not write."""

    fingerprint: str
    topic: str = ""
    stage: str = ""
    error_type: str = ""
    event_type: str = ""
    from_version: str = ""
    to_version: str = ""
    step: str = ""


@dataclass
class Group:
    """Dead letters with one fault. Times (ms, -1 unknown) are when the first and the last one became a dead letter.
    ``left`` is the number that no redrive has taken. ``rounds`` is how often the one redriven most was redriven.
    """

    records: int = 0
    left: int = 0
    rounds: int = 0
    first_seen: int = NO_TIMESTAMP
    last_seen: int = NO_TIMESTAMP
    samples: list[Coordinates] = field(default_factory=list)

    def add(self, place: Coordinates, time: int, rounds: int, *, left: bool) -> None:
        self.records += 1
        self.left += left
        self.rounds = max(self.rounds, rounds)
        if time >= 0:
            self.last_seen = max(self.last_seen, time)
            self.first_seen = time if self.first_seen < 0 else min(self.first_seen, time)
        if len(self.samples) < SAMPLES:
            self.samples.append(place)


class Listing:
    """Counts every record of the topic; ``hidden`` are the open transactions that hide some."""

    def __init__(self, selection: Selection, hidden: Sequence[OpenTransaction] = ()) -> None:
        self._selection = selection
        self.hidden = hidden
        self.groups: dict[LetterFault, Group] = {}
        self.records = 0

    def add(self, partition: int, records: Sequence[SourceRecord]) -> None:
        for record in records:
            letter = read_letter(record)
            place = Coordinates(partition=partition, offset=record.offset or 0)
            if letter is None:
                self._group(foreign_fault(record)).add(place, timestamp_of(record.timestamp), 0, left=True)
            else:
                left = not self._selection.is_done(partition, letter)
                self._group(fault_of(letter)).add(place, letter.buried, letter.rounds, left=left)
        self.records += len(records)

    def _group(self, fault: LetterFault) -> Group:
        if fault not in self.groups and len(self.groups) >= MOST:
            fault = LetterFault(OTHERS)
        return self.groups.setdefault(fault, Group())

    def ordered(self) -> list[tuple[LetterFault, Group]]:
        """The groups, the largest first, records of other producers last."""
        return sorted(self.groups.items(), key=lambda item: (not item[0].fingerprint, -item[1].records, item[0]))


def fault_of(letter: Letter) -> LetterFault:
    """The fault in a letter's headers, as far as there was room for it."""
    return LetterFault(
        letter.fingerprint, **{name: letter.text(header)[:LONGEST_NAME] for name, header in NAMES.items()}
    )


def foreign_fault(record: SourceRecord) -> LetterFault:
    """The fault of a record that Kafka Connect or another producer wrote, by the headers that they share."""
    told = {
        name: (dict(record.headers).get(header) or b"").decode("utf-8", "replace") for name, header in NAMES.items()
    }
    return LetterFault("", **{name: told[name][:LONGEST_NAME] for name in ("topic", "stage", "error_type")})


@dataclass(frozen=True)
class FoundLetter:
    """A record of the dead-letter topic; ``letter`` is None where this worker did not write it."""

    place: Coordinates
    record: SourceRecord
    letter: Letter | None


async def list_letters(settings: Settings, given: RouteChain, progress: OnProgress) -> Listing:
    """All dead letters of the route, grouped by fault. Raises WorkerError where the topic cannot be read."""
    async with _opened(settings, given) as (clients, consumer, frozen):
        selection = await _selection(settings, given, clients, consumer)
        listing = Listing(selection, await open_transactions(consumer, frozen.hidden))
        behind = RangeProgress(frozen.ranges, progress)
        async for piece in read_ranges(consumer, given.route.dead_letter, frozen.ranges):
            listing.add(piece.partition, piece.slice.records)
            behind.reached(piece.partition, piece.slice.next_offset)
    return listing


async def find_letter(settings: Settings, given: RouteChain, place: Coordinates) -> FoundLetter:
    """The record at ``place``. Raises WorkerError where there is none, or none that can be read yet."""
    topic = given.route.dead_letter
    async with _opened(settings, given) as (_, consumer, frozen):
        _refuse_hidden(await open_transactions(consumer, frozen.hidden), place)
        within = [each for each in frozen.ranges if each.partition == place.partition]
        if within and within[0].start <= place.offset < within[0].end:
            async for piece in read_ranges(consumer, topic, [Range(place.partition, place.offset, place.offset + 1)]):
                for record in piece.slice.records:
                    await given.begin_to_show(leniently=True)
                    await given.learn([record])
                    return FoundLetter(place, record, read_letter(record))
    raise WorkerError(
        f"{topic}: there is no record at partition {place.partition}, offset {place.offset}, or not any more: "
        "`upcast dlq list` names some of each fault",
        code="UPC1619",
    )


async def find_letters(
    settings: Settings, given: RouteChain, fingerprint: str, most: int, progress: OnProgress
) -> list[FoundLetter]:
    """The first ``most`` letters with a fault. Raises WorkerError where there is none, or none that can be read yet."""
    found: list[FoundLetter] = []
    async with _opened(settings, given) as (_, consumer, frozen):
        hidden = await open_transactions(consumer, frozen.hidden)
        behind = RangeProgress(frozen.ranges, progress)
        async for piece in read_ranges(consumer, given.route.dead_letter, frozen.ranges):
            for record in piece.slice.records:
                letter = read_letter(record)
                if letter is not None and letter.fingerprint == fingerprint and len(found) < most:
                    place = Coordinates(partition=piece.partition, offset=record.offset or 0)
                    found.append(FoundLetter(place, record, letter))
            behind.reached(piece.partition, piece.slice.next_offset)
            if len(found) >= most:
                break
    await given.begin_to_show(leniently=True)
    await given.learn([each.record for each in found])
    if not found and hidden:
        raise WorkerError(
            f"{given.route.dead_letter}: no dead letter that can be read has the fingerprint {fingerprint}, and "
            f"{hidden[0]}: {hidden[0].fix}, then look again",
            MAY_PASS,
            code="UPC1802",
        )
    if not found:
        raise WorkerError(
            f"{given.route.dead_letter}: no dead letter has the fingerprint {fingerprint}: `upcast dlq list` names "
            "all of them",
            code="UPC1801",
        )
    return found


def _refuse_hidden(hidden: Sequence[OpenTransaction], place: Coordinates) -> None:
    for each in hidden:
        if each.partition == place.partition and each.offset <= place.offset < each.offset + each.hidden:
            raise WorkerError(
                f"{each.place}: offset {place.offset} cannot be read yet: {each.cause}: {each.fix}, then look again",
                MAY_PASS,
                code="UPC1802",
            )


async def _selection(
    settings: Settings, given: RouteChain, clients: KafkaClients, consumer: AIOKafkaConsumer
) -> Selection:
    """A selection of all faults, which knows what earlier redrives took."""
    route = given.route
    place = RedriveScope(await cluster_id_of(clients), route.source, route.dead_letter, settings.kafka.group_id)
    ledger = await asyncio.to_thread(open_existing_ledger, settings)
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
        raise WorkerError(
            f"{topic}: the topic does not exist, or the worker's user may not describe it: correct the route's "
            "dead_letter",
            code="UPC1206",
        )
    async with open_range_reader(clients, partitions) as consumer:
        yield clients, consumer, await freeze(consumer, topic, partitions, Earliest(), Latest())
