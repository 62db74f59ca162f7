"""FastStream with aiokafka, at least once; the seventh argument says how.

``one``: a subscriber and a publisher, as its first page has them. ``batch``: the same with ``batch=True``.
https://faststream.ag2.ai/latest/kafka/Subscriber/batch_subscriber/
"""

import asyncio
import logging
import sys
from itertools import groupby, islice
from operator import attrgetter

from arguments import Arguments, arguments
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage, KafkaPublishMessage
from task_context import upcast

# What it publishes together has to fit into one record batch, of one partition.
A_BATCH = 1000


async def undecoded(message: KafkaMessage) -> bytes | list[bytes]:
    """JSON is read once, by the transform."""
    return message.body


async def main(given: Arguments, how: str) -> None:
    logging.disable(logging.INFO)
    broker = KafkaBroker(
        given.bootstrap, compression_type=given.compression, enable_idempotence=True, max_batch_size=900_000
    )
    usual = {
        "group_id": given.group,
        "auto_offset_reset": "earliest",
        "ack_policy": AckPolicy.NACK_ON_ERROR,
        "decoder": undecoded,
    }
    if how == "one":

        @broker.subscriber(given.source, **usual)
        async def each(value: bytes, message: KafkaMessage) -> None:
            await broker.publish(upcast(value), given.destination, key=message.raw_message.key)

    else:

        @broker.subscriber(given.source, batch=True, max_records=8000, **usual)
        async def many(message: KafkaMessage) -> None:
            for partition, records in groupby(message.raw_message, attrgetter("partition")):
                while part := tuple(islice(records, A_BATCH)):
                    changed = (KafkaPublishMessage(upcast(record.value), key=record.key) for record in part)
                    await broker.publish_batch(*changed, topic=given.destination, partition=partition)

    await FastStream(broker).run()


if __name__ == "__main__":
    asyncio.run(main(arguments(), sys.argv[7]))
