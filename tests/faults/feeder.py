"""Writes numbered events straight to the brokers, in order, at a pace."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from typing import Any, Self

from aiokafka import AIOKafkaProducer

from tests.faults.events import Kind, Ledger, mixture, number_of
from tests.kafka import Record

PATIENCE_MS = 180_000
"""Longer than any fault: a write that is given up would leave nobody knowing what the source holds."""
BEAT = 0.05
"""Seconds between two handfuls."""


class Feeder:
    """``written`` numbers are in the source topic and acknowledged."""

    def __init__(self, bootstrap_servers: str, topic: str, ledger: Ledger, seed: int) -> None:
        self.ledger = ledger
        self.written = 0
        self._topic = topic
        self._chance = random.Random(f"events {seed}")
        self._busy = asyncio.Lock()
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap_servers,
            enable_idempotence=True,
            request_timeout_ms=PATIENCE_MS,
            max_batch_size=1_100_000,
            max_request_size=2_000_000,
        )

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def feed(self, count: int, seconds: float = 0.0) -> None:
        """The usual mixture, spread over so many seconds."""
        handfuls = max(1, round(seconds / BEAT))
        for size in _shares(count, handfuls):
            await self.write(mixture(self._chance, size))
            if seconds:
                await asyncio.sleep(BEAT)

    async def write(self, kinds: Iterable[Kind]) -> None:
        """Return when all is acknowledged."""
        async with self._busy:
            numbers = self.ledger.add(kinds)
            records = [self.ledger.record(number) for number in numbers]
            partitions = range(self.ledger.partitions)
            await asyncio.gather(
                *(self._write([each for each in records if each.partition == number], number) for number in partitions)
            )
            self.written = len(self.ledger)

    async def _write(self, records: Sequence[Record], partition: int) -> None:
        batches = self._batches(records)
        acknowledged = [await self._producer.send_batch(batch, self._topic, partition=partition) for batch in batches]
        number = number_of(records[0].headers) if records else 0
        for batch, told in zip(batches, await asyncio.gather(*acknowledged), strict=True):
            for offset in range(told.offset, told.offset + batch.record_count()):
                self.ledger.offsets[number] = offset
                number += self.ledger.partitions

    def _batches(self, records: Sequence[Record]) -> list[Any]:
        batches: list[Any] = []
        for record in records:
            if not batches or _append(batches[-1], record) is None:
                batches.append(self._producer.create_batch())
                _append(batches[-1], record)
        return batches


def _append(batch: Any, record: Record) -> object | None:
    # What would grow over the usual limit of a batch gets one of its own.
    if batch.record_count() and batch.size() + len(record.value or b"") > 900_000:
        return None
    appended: object | None = batch.append(
        timestamp=record.timestamp, key=record.key, value=record.value, headers=list(record.headers)
    )
    return appended


def _shares(count: int, parts: int) -> list[int]:
    return [count * (part + 1) // parts - count * part // parts for part in range(parts)]
