"""Reads only the first records of partitions, to find out how old or large they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException

from upcasters.event import SourceRecord
from worker.kafka.aiokafka_internals.reader import open_reader
from worker.kafka.fetched import Fetched, UnpackError


class FirstRecords:
    """Reads with a started consumer, which nothing else may use. ``places`` are the offsets to begin at; ``most`` is
    the number of records of each partition."""

    def __init__(self, consumer: AIOKafkaConsumer, places: Mapping[TopicPartition, int], most: int) -> None:
        consumer.assign(list(places))
        for partition, offset in places.items():
            consumer.seek(partition, offset)
        self._reader = open_reader(consumer)
        self._places = places
        self._most = most
        self.found: dict[TopicPartition, Sequence[SourceRecord]] = {}
        self.next_offsets = dict(places)
        """The next offset of each partition."""

    @property
    def missing(self) -> list[TopicPartition]:
        return [partition for partition in self._places if partition not in self.found]

    async def fetch(self, partitions: Collection[TopicPartition], seconds: float) -> dict[TopicPartition, str]:
        """Fetch once, for ``seconds`` at most. Returns the class names of errors of batches that cannot be
        decompressed, by partition."""
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
        """The first records of a fetch; the rest is not decompressed."""
        return next((piece.records for piece in fetched.slices(self._most) if piece.records), ())
