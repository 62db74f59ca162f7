"""aiokafka by hand, as fast as we could make it: raw records, whole batches, up to 8,000 records a transaction.

With ``copy`` as seventh argument it is the byte copy: the same without the transform, the least that aiokafka can do.
"""

import asyncio
import gc
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer import fetcher
from arguments import Arguments, arguments
from task_context import upcast

# Records as the C parser makes them, without a Python object around each (0.7 us a record).
fetcher.PartitionRecords._consumer_record = lambda _self, _partition, record: record

A_TRANSACTION = 8000


async def main(given: Arguments, copy: bool) -> None:
    consumer = AIOKafkaConsumer(
        given.source,
        bootstrap_servers=given.bootstrap,
        group_id=given.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=4 * 1024 * 1024,
        fetch_max_wait_ms=100,
    )
    await consumer.start()
    producers: dict[TopicPartition, AIOKafkaProducer] = {}
    gc.freeze()
    gc.set_threshold(50_000)
    while True:
        fetched = await consumer.getmany(timeout_ms=100, max_records=4 * A_TRANSACTION)
        work = []
        for partition, records in fetched.items():
            if partition not in producers:
                producers[partition] = await start_producer(given, partition)
            work.append(transact(producers[partition], consumer, given, partition, records, copy))
        await asyncio.gather(*work)


async def start_producer(given: Arguments, partition: TopicPartition) -> AIOKafkaProducer:
    transactional = f"{given.group}:{partition.topic}:{partition.partition}" if given.exactly_once else None
    producer = AIOKafkaProducer(
        bootstrap_servers=given.bootstrap,
        transactional_id=transactional,
        enable_idempotence=True,
        compression_type=given.compression,
        max_batch_size=900_000,
        linger_ms=0,
        retry_backoff_ms=20,
    )
    await producer.start()
    return producer


async def transact(producer, consumer, given, partition, records, copy) -> None:
    for start in range(0, len(records), A_TRANSACTION):
        part = records[start : start + A_TRANSACTION]
        if given.exactly_once:
            async with producer.transaction():
                await produce(producer, given.destination, partition.partition, part, copy)
                await producer.send_offsets_to_transaction({partition: part[-1].offset + 1}, given.group)
        else:
            await produce(producer, given.destination, partition.partition, part, copy)
            await consumer.commit({partition: part[-1].offset + 1})


async def produce(producer, topic, partition, records, copy) -> None:
    sent = []
    batch = producer.create_batch()
    append = batch.append
    for record in records:
        value = record.value
        if not copy and value is not None:
            value = upcast(value)
        if append(timestamp=record.timestamp, key=record.key, value=value, headers=record.headers) is None:
            sent.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            append = batch.append
            append(timestamp=record.timestamp, key=record.key, value=value, headers=record.headers)
    sent.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*sent)


if __name__ == "__main__":
    asyncio.run(main(arguments(), copy="copy" in sys.argv[7:]))
