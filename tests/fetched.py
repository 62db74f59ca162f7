"""What a fetch brought, made of records, without a broker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from upcasters.event import Event
from worker.kafka.fetched import DecodedBatch, FetchedBatch, Slice, cut, timestamp_of


class FetchedRecords:
    def __init__(self, records: Sequence[Event], offset: int, next_offset: int) -> None:
        self.offset = offset
        self.next_offset = next_offset
        self.size = sum(len(each.key or b"") + len(each.value or b"") for each in records)
        self.count = len(records)
        self.oldest = timestamp_of(records[0].timestamp if records else None)
        self._records = records

    def slices(self, size: int) -> Iterator[Slice]:
        yield from cut([self._records], size, self.next_offset)

    def batches(self) -> Iterator[FetchedBatch]:
        yield DecodedBatch(self._records, self.next_offset)
