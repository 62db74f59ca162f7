"""The first records of partitions, for whoever wants to know how old or large they are and reads no further."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException

from upcasters.event import SourceRecord
from worker.kafka.aiokafka_internals.reader import open_reader
from worker.kafka.fetched import Fetched, UnpackError


class FirstRecords:
    """Takes a started consumer over. ``places`` are the offsets to begin at, ``most`` bounds the records of each."""

    def __init__(self, consumer: AIOKafkaConsumer, places: Mapping[TopicPartition, int], most: int) -> None:
        consumer.assign(list(places))
        for partition, offset in places.items():
            consumer.seek(partition, offset)
        self._reader = open_reader(consumer)
        self._places = places
        self._most = most
        self.found: dict[TopicPartition, Sequence[SourceRecord]] = {}
        self.next_offsets = dict(places)
        """How far each partition was read."""

    @property
    def missing(self) -> list[TopicPartition]:
        return [partition for partition in self._places if partition not in self.found]

    async def fetch(self, partitions: Collection[TopicPartition], seconds: float) -> dict[TopicPartition, str]:
        """Once, for ``seconds`` at most. Returns the errors of batches that cannot be unpacked, by their class."""
        broken = {}
        for partition, fetched in (await self._reader.read(partitions, seconds)).items():
            self.next_offsets[partition] = fetched.next_offset
            try:
                if records := self._first(fetched):
                    self.found[partition] = records
            except (UnpackError, CorruptRecordException) as error:
                broken[partition] = type(error).__name__
        return broken

    def _first(self, fetched: Fetched) -> Sequence[SourceRecord]:
        """No more of it is unpacked than that."""
        return next((piece.records for piece in fetched.slices(self._most) if piece.records), ())
