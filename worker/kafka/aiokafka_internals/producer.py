"""Functions that need private names of aiokafka's producer."""

from __future__ import annotations

from collections.abc import Iterable

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka_errors


async def missing(producer: AIOKafkaProducer, topics: Iterable[str]) -> str | None:
    """The first of the topics that does not exist; None where all do. Raises TopicAuthorizationFailedError where one
    may not be described."""
    wanted = list(topics)
    for topic in wanted:
        producer.client.add_topic(topic)
    await producer.client.force_metadata_update()
    cluster = producer.client.cluster
    hidden = cluster.unauthorized_topics.intersection(wanted)
    if hidden:
        raise kafka_errors.TopicAuthorizationFailedError(*sorted(hidden))
    return next((topic for topic in wanted if not cluster.partitions_for_topic(topic)), None)


def partitions_now(producer: AIOKafkaProducer, topic: str) -> int:
    """The number of partitions of a topic, by the producer's last metadata."""
    return len(producer.client.cluster.partitions_for_topic(topic) or ())


def transaction_timeout(producer: AIOKafkaProducer) -> float:
    """Seconds after which the brokers abort an open transaction of this producer."""
    milliseconds: int = producer._txn_manager.transaction_timeout_ms
    return milliseconds / 1000
