"""The partitions and settings of topics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType


def places_of(topic: str, partitions: int) -> list[TopicPartition]:
    """All partitions of a topic."""
    return [TopicPartition(topic, number) for number in range(partitions)]


async def settings_of(admin: AIOKafkaAdminClient, topics: Iterable[str]) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Name, error code (0 for none) and settings of each topic. Raises KafkaError."""
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, each) for each in topics])
    return (
        (name, code, {key: value for key, value, *_ in entries})
        for answer in answers
        for code, _, _, name, entries in answer.resources
    )
