"""Whose record is at an offset: compaction leaves batches with gaps, and empty ones."""

from __future__ import annotations

from typing import cast

import pytest
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from worker.kafka import own_output
from worker.kafka.own_output import is_written_by

OWN_ID, OTHERS = 7, 8


def batch(*offsets: int) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=1,
        producer_id=OWN_ID,
        producer_epoch=0,
        base_sequence=0,
        batch_size=10_000,
    )
    for offset in offsets:
        assert builder.append(offset, timestamp=1_000, key=b"k", value=b"v", headers=[])
    return bytes(builder.build())


@pytest.mark.parametrize(
    ("data", "offset", "producer", "found"),
    [
        (batch(0, 1, 2), 1, OWN_ID, True),
        (batch(0, 2), 1, OWN_ID, False),
        (batch(0, 1, 2), 1, OTHERS, False),
        (batch(0, 1), 5, OWN_ID, False),
        (b"", 0, OWN_ID, False),
    ],
    ids=["there", "compacted", "of-others", "before", "nothing"],
)
async def test_whose_record_it_is(
    monkeypatch: pytest.MonkeyPatch, data: bytes, offset: int, producer: int, *, found: bool
) -> None:
    async def fetch(*_: object) -> bytes:
        return data

    monkeypatch.setattr(own_output, "_fetch", fetch)
    client = cast("AIOKafkaClient", None)
    assert await is_written_by(client, TopicPartition("output", 0), offset, producer) is found
