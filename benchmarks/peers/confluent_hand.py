"""confluent-kafka (librdkafka) by hand: ``consume`` many, ``produce`` each, one transaction for all of them.

With ``copy`` as seventh argument it is the byte copy.
"""

import gc
import sys

from arguments import Arguments, arguments
from confluent_kafka import Consumer, Producer
from task_context import upcast

A_TRANSACTION = 8000


def main(given: Arguments, copy: bool) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": given.bootstrap,
            "group.id": given.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": given.bootstrap,
            "enable.idempotence": True,
            "linger.ms": 20,
            "batch.size": 900_000,
            "queue.buffering.max.messages": 1_000_000,
            "compression.type": given.compression or "none",
            **({"transactional.id": given.group} if given.exactly_once else {}),
        }
    )
    if given.exactly_once:
        producer.init_transactions()
    consumer.subscribe([given.source])
    gc.freeze()
    gc.set_threshold(50_000)
    while True:
        messages = consumer.consume(A_TRANSACTION, 0.1)
        if not messages:
            continue
        if given.exactly_once:
            producer.begin_transaction()
        for message in messages:
            value = message.value()
            producer.produce(
                given.destination,
                value if copy or value is None else upcast(value),
                message.key(),
                message.partition(),
                timestamp=message.timestamp()[1],
                headers=message.headers(),
            )
        if given.exactly_once:
            offsets = consumer.position(consumer.assignment())
            producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata())
            producer.commit_transaction()
        else:
            producer.flush()
            consumer.commit(asynchronous=False)


if __name__ == "__main__":
    main(arguments(), copy="copy" in sys.argv[7:])
