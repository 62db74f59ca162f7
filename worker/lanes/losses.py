"""What brokers have lost of what they had acknowledged: partitions that end before an offset that was there once.

An unclean election, a disk without its last writes or a topic that was made anew leave that behind. What is missing
in a source was not read, what is missing in an output was: nobody but a person knows what to do about it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient

from worker.kafka.log_ends import end_of_epoch, end_of_log
from worker.lanes.bounded import StartingPoint
from worker.lanes.offset_note import LastWritten, OffsetNote, Truncation, What
from worker.routes.route import Route


@dataclass(frozen=True)
class TruncationCheck:
    """Asks the leaders. ``second_look`` is how many seconds later they are asked again before what one says counts: a
    broker that wakes up may not know yet that it is no leader any more."""

    client: AIOKafkaClient
    second_look: float

    async def find(
        self, partition: TopicPartition, route: Route, beginning: StartingPoint, now: float
    ) -> Truncation | None:
        """The first of source, destination and dead-letter topic that has lost something."""
        end = await self._source_end(partition, beginning.offset, beginning.note.epoch)
        if end is not None:
            return Truncation("source", partition.topic, partition.partition, beginning.offset, end, int(now))
        for what, written in outputs(beginning.note, route):
            output = TopicPartition(written.topic, written.partition)
            end = await self._output_end(output, written.offset + 1)
            if end is not None:
                return Truncation(what, written.topic, written.partition, written.offset + 1, end, int(now))
        return None

    async def is_another_log(self, partition: TopicPartition, epochs: Mapping[int, int]) -> bool:
        """Whether what was read is not there any more: ``epochs`` are the leaders' in the order in which their batches
        were read, each with the offset behind its last. Nothing is asked where there is only one."""
        *before, _ = epochs or (0,)
        for epoch in before:
            end = await end_of_epoch(self.client, partition, epoch)
            if end is not None and end < epochs[epoch]:
                return True
        return False

    async def _source_end(self, partition: TopicPartition, known: int, epoch: int | None) -> int | None:
        """Where it ended before ``known``. Where it does not any more, the leaders' epochs decide whether it ever did;
        without them nobody can tell."""
        end, told = await self._end(partition, epoch)
        if end >= known:
            return None
        await self._later()
        again, told = await self._end(partition, epoch)
        return None if told and again >= known else min(end, again)

    async def _end(self, partition: TopicPartition, epoch: int | None) -> tuple[int, bool]:
        """And whether the leader knows how far what was read under this epoch is there."""
        end = await end_of_log(self.client, partition)
        of_epoch = None if epoch is None else await end_of_epoch(self.client, partition, epoch)
        return (end, False) if of_epoch is None else (min(end, of_epoch), True)

    async def _output_end(self, output: TopicPartition, known: int) -> int | None:
        """Where it ends before ``known``."""
        if output.partition not in (self.client.cluster.partitions_for_topic(output.topic) or ()):
            return None
        if await end_of_log(self.client, output) >= known:
            return None
        await self._later()
        end = await end_of_log(self.client, output)
        return end if end < known else None

    async def _later(self) -> None:
        await asyncio.sleep(self.second_look)
        await self.client.force_metadata_update()


def outputs(note: OffsetNote, route: Route) -> Iterator[tuple[What, LastWritten]]:
    """What the note tells of topics that the route still writes to."""
    if note.destination and note.destination.topic == route.destination.name:
        yield "destination", note.destination
    if note.dead_letter and note.dead_letter.topic == route.dead_letter.name:
        yield "dead-letter", note.dead_letter
