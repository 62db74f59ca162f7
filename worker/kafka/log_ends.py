"""The end of a partition's log at its leader, and the end of the records of an earlier leader epoch.

A leader that was elected without having all copies (unclean election) ends before what its predecessor had
acknowledged. Once its log has grown past that again, only the epochs of the leaders tell (KIP-320): each record batch
bears the epoch of the leader that took it, and the brokers know where an epoch ends. aiokafka does not ask for that.
"""

from __future__ import annotations

from typing import Any

from aiokafka import TopicPartition
from aiokafka import errors as kafka_errors
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.offset import OffsetRequest, OffsetResetStrategy
from aiokafka.protocol.types import Array, Int16, Int32, Int64, Schema, String

from worker.kafka.aiokafka_internals.one_version import OneVersionRequest

UNKNOWN = -1
CONSUMER = -1
"""The replica id of a request that no follower sends."""
READ_UNCOMMITTED = 0


class EndOfEpochRequest(
    OneVersionRequest,
    key=23,
    version=3,  # the first one that needs no right on the cluster (Kafka 2.3)
    flexible=False,
    asks=Schema(
        ("replica_id", Int32),
        (
            "topics",
            Array(
                ("topic", String("utf-8")),
                ("partitions", Array(("partition", Int32), ("current_leader_epoch", Int32), ("leader_epoch", Int32))),
            ),
        ),
    ),
    answer=Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            Array(
                ("topic", String("utf-8")),
                (
                    "partitions",
                    Array(("error_code", Int16), ("partition", Int32), ("leader_epoch", Int32), ("end_offset", Int64)),
                ),
            ),
        ),
    ),
):
    """OffsetForLeaderEpoch, of one partition."""

    def __init__(self, partition: TopicPartition, epoch: int) -> None:
        topic, number = partition
        super().__init__(CONSUMER, [(topic, [(number, UNKNOWN, epoch)])])


async def start_of_log(client: AIOKafkaClient, partition: TopicPartition) -> int:
    """The offset of the oldest record that is left. Raises KafkaError."""
    return await _offset_in_log(client, partition, OffsetResetStrategy.EARLIEST)


async def end_of_log(client: AIOKafkaClient, partition: TopicPartition) -> int:
    """The offset behind the last record that all copies have, also of a transaction that is open. Raises KafkaError."""
    return await _offset_in_log(client, partition, OffsetResetStrategy.LATEST)


async def end_of_epoch(client: AIOKafkaClient, partition: TopicPartition, epoch: int) -> int | None:
    """The offset behind the last record of this leader epoch, or of the last one before it that is left; None where
    the broker does not know. Raises KafkaError."""
    try:
        answer = await ask_leader(client, partition, EndOfEpochRequest(partition, epoch))
    except kafka_errors.IncompatibleBrokerVersion:
        return None
    code, _, _, end = answer.topics[0][1][0]
    raise_error(client, code)
    return None if end == UNKNOWN else int(end)


async def _offset_in_log(client: AIOKafkaClient, partition: TopicPartition, which: int) -> int:
    topics = [(partition.topic, [(partition.partition, which)])]
    answer = await ask_leader(client, partition, OffsetRequest(CONSUMER, READ_UNCOMMITTED, topics))
    _, code, _, offset = answer.topics[0][1][0]
    raise_error(client, code)
    return int(offset)


async def ask_leader(client: AIOKafkaClient, partition: TopicPartition, request: Any) -> Any:
    """The answer of the partition's leader. Raises KafkaError."""
    await client.add_topic(partition.topic)
    leader = client.cluster.leader_for_partition(partition)
    if leader is None or leader == UNKNOWN:
        client.force_metadata_update()
        raise kafka_errors.LeaderNotAvailableError(f"{partition.topic}:{partition.partition}")
    return await client.send(leader, request)


def raise_error(client: AIOKafkaClient, code: int) -> None:
    """Raises the KafkaError of an answer's code, if it is one."""
    error = kafka_errors.for_code(code)
    if error is kafka_errors.NoError:
        return
    if error.invalid_metadata:
        client.force_metadata_update()
    raise error
