"""What bounded passes ask the cluster about itself and its topics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import stamina
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError

from worker.errors import MAY_PASS, WorkerError
from worker.kafka.clients import KafkaClients
from worker.kafka.codes import UnstableOffsetCommitError
from worker.kafka.members import GroupMember, members_of
from worker.kafka.refusals import in_words
from worker.kafka.stable_offsets import END_IT, CommittedOffsets, cannot_be_known, committed_by_group
from worker.kafka.topics import settings_of
from worker.kafka.waiting import may_pass
from worker.lanes.committed_offset import Committed, read_note

TIMEOUT = 30.0
RETRY_SECONDS = 20.0


@dataclass(frozen=True)
class Reached:
    """An offset, and the account of all before it as a note."""

    offset: int
    note: str


async def partitions_of(clients: KafkaClients, topic: str) -> int:
    """How many partitions the topic has. Raises WorkerError where it is not there or the brokers do not say."""
    counts = await partition_counts(clients)
    if not counts.get(topic):
        raise WorkerError(
            f"{topic}: the topic does not exist, or the worker's user may not describe it: correct the route's source"
        )
    return counts[topic]


async def partition_counts(clients: KafkaClients) -> dict[str, int]:
    """Of all topics: asking for one by name would make the broker create it."""
    topics = await _ask(clients, lambda admin: admin.describe_topics())
    return {each["topic"]: len(each["partitions"]) for each in topics}


async def cluster_id_of(clients: KafkaClients) -> str:
    """The cluster's own id, the same for its whole life; empty where it is too old to say."""
    cluster = await _ask(clients, lambda admin: admin.describe_cluster())
    return str(cluster.get("cluster_id") or "")


async def committed_of(clients: KafkaClients, group: str, *topics: str) -> dict[TopicPartition, Reached]:
    """What a group has committed of the topics, with the accounts beside it; a partition without an offset is not in
    it. Raises WorkerError where a transaction is about to move one of the offsets and does not end."""
    found = await notes_of(clients, group, *topics)
    return {partition: Reached(each.offset, each.note.journal) for partition, each in found.items()}


async def notes_of(clients: KafkaClients, group: str, *topics: str) -> dict[TopicPartition, Committed]:
    """The same, with all that its workers keep beside it, the fingerprint of their chain for one."""

    async def ask(admin: AIOKafkaAdminClient) -> CommittedOffsets:
        partitions = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics()}
        places = [TopicPartition(topic, number) for topic in topics for number in range(partitions.get(topic, 0))]
        return await committed_by_group(admin, group, places)

    try:
        offsets: CommittedOffsets = await _ask(clients, ask)
    except UnstableOffsetCommitError as error:
        raise WorkerError(f"kafka: {cannot_be_known(group, error)}: try again; {END_IT}", MAY_PASS) from error
    return {partition: Committed(each.offset, read_note(each.metadata)) for partition, each in offsets.items()}


async def groups_of(clients: KafkaClients) -> list[str]:
    """The groups that we may know of."""
    return [name for name, *_ in await _ask(clients, lambda admin: admin.list_consumer_groups())]


async def group_members(clients: KafkaClients, group: str) -> list[GroupMember]:
    """Raises WorkerError, also where we may not know."""
    return list(await _ask(clients, lambda admin: members_of(admin, group)))


async def refuse_hidden(clients: KafkaClients, group: str) -> None:
    """Raises WorkerError where we may not know whether there is such a group: brokers leave it out of their list."""
    try:
        await _ask(clients, lambda admin: admin.find_coordinator(group))
    except WorkerError as error:
        if isinstance(error.__cause__, GroupAuthorizationFailedError):
            raise WorkerError(f"{group}: grant Read on all groups that begin with this name") from error
        raise


async def compacted_of(clients: KafkaClients, topics: Sequence[str]) -> list[str]:
    """Those from which Kafka removes records whose key comes again; not those whose settings may not be read."""
    told = await _ask(clients, lambda admin: settings_of(admin, topics))
    return [name for name, _, settings in told if "compact" in settings.get("cleanup.policy", "")]


async def _ask(clients: KafkaClients, question: Callable[[AIOKafkaAdminClient], Awaitable[Any]]) -> Any:
    admin = clients.admin()

    @stamina.retry(on=may_pass, attempts=None, timeout=RETRY_SECONDS, wait_initial=0.1, wait_max=1.0)
    async def ask() -> Any:
        """What is retried has to be a coroutine function, which a question in a lambda is not."""
        return await question(admin)

    try:
        async with asyncio.timeout(TIMEOUT):
            await admin.start()
            return await ask()
    except UnstableOffsetCommitError:
        raise
    except (KafkaError, TimeoutError) as error:
        raise WorkerError(
            f"kafka: the brokers do not answer questions about topics and groups ({in_words(error)}): try again once "
            "the cluster is healthy",
            MAY_PASS,
        ) from error
    finally:
        await admin.close()
