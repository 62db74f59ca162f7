"""What a group has committed, as somebody sees it who is no member: offsets, and what its workers keep beside them."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import TopicPartition

from worker.kafka.stable_offsets import committed_by_group
from worker.lanes.delivery import ClientFactory
from worker.lanes.offset_note import Committed, read_note


async def committed_of_group(
    clients: ClientFactory, group: str, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, Committed]:
    """A partition without an offset is not in it. Raises KafkaError."""
    admin = clients.admin()
    try:
        await admin.start()
        found = await committed_by_group(admin, group, partitions)
    finally:
        await admin.close()
    return {at: Committed(each.offset, read_note(each.metadata)) for at, each in found.items()}
