"""A line on which a whole transaction takes longer than the brokers keep it open."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.protocol.produce import ProduceRequest

from tests.kafka import Record, Topics, produce
from tests.lanes import QUICK, PlainClients, caught_up, make_bench, read_settled, until

RECORDS, SIZE = 400, 1_500
PATIENT = replace(QUICK, operation=60)
"""A lane that waits for the brokers longer than they wait for its transaction."""


@dataclass
class Line:
    """At its rate all records together take 15 seconds."""

    bytes_a_second: float = 40_000

    def slow_down(self, producer: AIOKafkaProducer) -> None:
        send = producer.client.send

        async def slowly(node: int, request: Any, **options: Any) -> Any:
            if isinstance(request, ProduceRequest):
                size = sum(len(batch) for _, partitions in request._topics for _, batch in partitions)
                await asyncio.sleep(size / self.bytes_a_second)
            return await send(node, request, **options)

        producer.client.send = slowly


async def test_output_that_takes_too_long_goes_in_smaller_transactions(kafka_bootstrap: str, topics: Topics) -> None:
    """Given up by the brokers first, the same transaction would come again for ever."""
    bench, line = await make_bench(kafka_bootstrap, topics), Line()
    await produce(kafka_bootstrap, bench.route.source, [Record(b"%d" % n, b"grow %d" % SIZE) for n in range(RECORDS)])
    options = {"transaction_timeout_ms": 4_000}
    clients = PlainClients(kafka_bootstrap, bench.group, spoil=line.slow_down, options=options)
    async with bench.running(clients, PATIENT) as supervisor:
        await until(lambda: bench.total("upcaster_records_consumed_total") > 0, "a transaction that gets through")
        line.bytes_a_second = float("inf")
        await until(caught_up(supervisor, partitions=1), "the lane")
    written = await read_settled(kafka_bootstrap, bench.route.destination.name)
    assert [int(each.key or b"") for each in written] == list(range(RECORDS))
