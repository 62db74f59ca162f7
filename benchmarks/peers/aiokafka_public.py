"""aiokafka by hand with its public interface alone: ``getmany`` into ``send_batch``, one transaction a partition."""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from arguments import Arguments, arguments
from task_context import upcast


async def main(given: Arguments) -> None:
    consumer = AIOKafkaConsumer(
        given.source,
        bootstrap_servers=given.bootstrap,
        group_id=given.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
    )
    await consumer.start()
    producers = {}
    while True:
        for partition, records in (await consumer.getmany(timeout_ms=100)).items():
            if partition not in producers:
                producers[partition] = AIOKafkaProducer(
                    bootstrap_servers=given.bootstrap,
                    enable_idempotence=True,
                    transactional_id=f"{given.group}:{partition.partition}" if given.exactly_once else None,
                    compression_type=given.compression,
                    max_batch_size=900_000,
                )
                await producers[partition].start()
            producer, offsets = producers[partition], {partition: records[-1].offset + 1}
            if given.exactly_once:
                async with producer.transaction():
                    await produce(producer, given.destination, partition.partition, records)
                    await producer.send_offsets_to_transaction(offsets, given.group)
            else:
                await produce(producer, given.destination, partition.partition, records)
                await consumer.commit(offsets)


async def produce(producer, topic, partition, records) -> None:
    sent = []
    batch = producer.create_batch()
    for record in records:
        fields = {
            "timestamp": record.timestamp,
            "key": record.key,
            "value": upcast(record.value),
            "headers": list(record.headers),
        }
        if batch.append(**fields) is None:
            sent.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(**fields)
    sent.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*sent)


if __name__ == "__main__":
    asyncio.run(main(arguments()))
