"""aiokafka as the example of its documentation has it ("Transactional Consume-Process-Produce"): ``send`` each record.

https://aiokafka.readthedocs.io/en/stable/examples/transaction_example.html
"""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from arguments import Arguments, arguments
from task_context import upcast


async def main(given: Arguments) -> None:
    consumer = AIOKafkaConsumer(
        given.source,
        bootstrap_servers=given.bootstrap,
        enable_auto_commit=False,
        group_id=given.group,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    producer = AIOKafkaProducer(
        bootstrap_servers=given.bootstrap,
        transactional_id=given.group if given.exactly_once else None,
        compression_type=given.compression,
    )
    await producer.start()
    while True:
        fetched = await consumer.getmany(timeout_ms=100)
        if not fetched:
            continue
        offsets = {partition: records[-1].offset + 1 for partition, records in fetched.items()}
        if given.exactly_once:
            async with producer.transaction():
                await produce(producer, given.destination, fetched)
                await producer.send_offsets_to_transaction(offsets, given.group)
        else:
            await produce(producer, given.destination, fetched)
            await consumer.commit(offsets)


async def produce(producer, topic, fetched) -> None:
    sent = [
        await producer.send(
            topic,
            value=upcast(record.value),
            key=record.key,
            partition=record.partition,
            timestamp_ms=record.timestamp,
            headers=list(record.headers),
        )
        for records in fetched.values()
        for record in records
    ]
    await asyncio.gather(*sent)


if __name__ == "__main__":
    asyncio.run(main(arguments()))
