"""A census of a route's source, from the settings to the counts: what `upcast census` does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from worker.kafka.clients import KafkaClients
from worker.kafka.open_transactions import OpenTransaction, open_transactions
from worker.kafka.waiting import wait_for_broker
from worker.progress import OnProgress
from worker.replay.census.counting import Census, Identifier
from worker.replay.ranges import Range, freeze, parse_end, parse_start
from worker.replay.reading import open_range_reader, read_ranges
from worker.replay.topics import partitions_of
from worker.routes.chains import RouteChain
from worker.settings import Settings


@dataclass(frozen=True)
class Survey:
    """What was counted, in which ranges. ``hidden`` is what could not be counted."""

    census: Census
    ranges: list[Range]
    hidden: list[OpenTransaction]
    whole: bool
    seconds: float


async def survey(
    settings: Settings, given: RouteChain, start: str, end: str, progress: OnProgress, *, producers: bool = False
) -> Survey:
    """Count everything from ``start`` to ``end``. Raises WorkerError."""
    now = time.time()
    first, last = parse_start(start, now), parse_end(end, now)
    clients = KafkaClients(settings.kafka)
    await wait_for_broker(clients)
    source = given.route.source
    partitions = await partitions_of(clients, source)
    census = Census(Identifier(given.chain, given.route.policy()), given.route.producer_header if producers else None)
    began = time.monotonic()
    async with open_range_reader(clients, partitions) as consumer:
        frozen = await freeze(consumer, source, partitions, first, last)
        hidden = await open_transactions(consumer, frozen.hidden)
        behind = Behind(frozen.ranges, progress)
        async for piece in read_ranges(consumer, source, frozen.ranges):
            census.add(piece.partition, piece.slice.records)
            behind.reached(piece.partition, piece.slice.next_offset)
    whole = (start, end) in {("earliest", "now"), ("earliest", "latest")}
    return Survey(census, frozen.ranges, hidden, whole, time.monotonic() - began)


class Behind:
    """Adds up how far all partitions are."""

    def __init__(self, ranges: Sequence[Range], progress: OnProgress) -> None:
        self._total = sum(each.offsets for each in ranges)
        self._position = {each.partition: each.start for each in ranges}
        self._done = 0
        self._progress = progress
        progress(0, self._total)

    def reached(self, partition: int, offset: int) -> None:
        self._done += offset - self._position[partition]
        self._position[partition] = offset
        self._progress(self._done, self._total)
