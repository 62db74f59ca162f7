"""aiokafka's consumer, extended to leave its group in any case and to look up log offsets; and functions that need its
private names."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka import errors as kafka_errors
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.group import LeaveGroupRequest

from worker.kafka.aiokafka_internals.closing_patches import close_connections
from worker.kafka.log_offsets import LogOffsets
from worker.settings.kafka import UNPACKED_BATCH_BYTES

LEAVE_AFTER = 0.2


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's consumer with two additions. It knows how many bytes a batch may have when decompressed. And it leaves
    its group even during a rebalance: all other members would wait for it until its session ends.
    """

    def __init__(self, *, unpacked_bytes: int = UNPACKED_BATCH_BYTES, **options: Any) -> None:
        super().__init__(**options)
        self.unpacked_bytes = unpacked_bytes

    async def stop(self) -> None:
        stopping = asyncio.ensure_future(super().stop())
        try:
            while not (await asyncio.wait({stopping}, timeout=LEAVE_AFTER))[0]:
                await _leave(self._coordinator)
            if stopping.cancelled():
                await self._put_away()
            else:
                stopping.result()
        finally:
            stopping.cancel()
            close_connections(self)

    async def log_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, LogOffsets]:
        """Where partitions begin and end, for readers of committed records and in the log. Raises KafkaError. The end
        is looked up first, so that records written between two requests do not count as hidden.
        """
        asked, patience = list(partitions), self._request_timeout_ms
        of_all, of_committed = (_asking(self._fetcher, level) for level in (READ_UNCOMMITTED, READ_COMMITTED))
        ends = await of_all.end_offsets(asked, patience)
        stable = await of_committed.end_offsets(asked, patience)
        start = await self.beginning_offsets(asked)
        return {at: LogOffsets(start[at], stable[at], max(stable[at], ends[at])) for at in asked}

    async def _put_away(self) -> None:
        """Cancel what aiokafka leaves running when a fetch waits for its next attempt."""
        fetches = self._fetcher._pending_tasks
        for fetch in fetches:
            fetch.cancel()
        await asyncio.gather(*fetches, return_exceptions=True)
        await self._client.close()


def _asking(fetcher: Any, isolation_level: int) -> Any:
    """The same fetcher, for looking up offsets at another isolation level."""
    asking = copy.copy(fetcher)
    asking._isolation_level = isolation_level
    return asking


async def _leave(coordinator: Any) -> None:
    """Leave the group, on another connection than the rebalance's, where answers come in order."""
    if not isinstance(coordinator, GroupCoordinator) or coordinator._group_instance_id is not None:
        return
    node, member = coordinator.coordinator_id, coordinator.member_id
    if node is not None and member:
        with contextlib.suppress(kafka_errors.KafkaError):
            await coordinator._client.send(node, LeaveGroupRequest(coordinator.group_id, member))


def add_topics(consumer: AIOKafkaConsumer, topics: Iterable[str]) -> None:
    """Name topics whose offsets the consumer will be asked for; call this before its start. Otherwise the first request
    about each would wait for the back-off of a tenth of a second."""
    consumer._client.set_topics(list(topics))


def hidden_topics(consumer: AIOKafkaConsumer) -> set[str]:
    """The topics that the worker's user may not describe: the consumer silently fetches nothing of them."""
    return set(consumer._client.cluster.unauthorized_topics)


def ask_about_topics(consumer: AIOKafkaConsumer) -> None:
    """Request metadata now; aiokafka may do it minutes later."""
    consumer._client.force_metadata_update()


def join_again(consumer: AIOKafkaConsumer) -> None:
    """Join again after access to the group was denied: aiokafka's heartbeats have ended then."""
    consumer._coordinator.request_rejoin()


def is_expelled(consumer: AIOKafkaConsumer) -> bool:
    """Whether the group has removed the consumer: its partitions may have other owners already."""
    by_group: bool = consumer._subscription.partitions_auto_assigned()
    return by_group and bool(consumer._coordinator.generation == OffsetCommitRequest.DEFAULT_GENERATION_ID)


def why_given_up(consumer: AIOKafkaConsumer) -> BaseException | None:
    """The error that ended one of the client's tasks, after which it never fetches or joins again; None while all
    run."""
    tasks = (consumer._fetcher.error_future, getattr(consumer._coordinator, "_coordination_task", None))
    ended = [task for task in tasks if task is not None and task.done()]
    errors = (None if task.cancelled() else task.exception() for task in ended)
    stopped = kafka_errors.KafkaError("one of its tasks was cancelled") if ended else None
    return next((error for error in errors if error), stopped)
