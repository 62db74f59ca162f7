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


def producer_id(producer: AIOKafkaProducer) -> int:
    """The id under which the brokers know a producer that has started: all producers of a transactional id, one after
    the other, have the same, until it expires (a week without use) or has started some 32,000 times."""
    given: int = producer._txn_manager.producer_id
    return given


def is_first_of_its_id(producer: AIOKafkaProducer) -> bool:
    """Whether no producer has started with this transactional id before, as far as the brokers remember."""
    return bool(producer._txn_manager.producer_epoch == 0)
