"""Questions of bounded passes about the cluster, its topics and groups."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import stamina
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

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
    """A committed offset, and the account of everything below it, as text."""

    offset: int
    note: str


async def partitions_of(clients: KafkaClients, topic: str) -> int:
    """The number of partitions of a topic. Raises WorkerError where it does not exist or the brokers do not answer."""
    counts = await partition_counts(clients)
    if not counts.get(topic):
        raise WorkerError(
            f"{topic}: the topic does not exist, or the worker's user may not describe it: correct the route's source",
            code="UPC1206",
        )
    return counts[topic]


async def partition_counts(clients: KafkaClients) -> dict[str, int]:
    """The number of partitions of every topic. It lists all, since asking for one by name could make the broker create
    it."""
    topics = await _ask(clients, lambda admin: admin.describe_topics())
    return {each["topic"]: len(each["partitions"]) for each in topics}


async def cluster_id_of(clients: KafkaClients) -> str:
    """The cluster's id, which never changes; empty where the brokers are too old to have one."""
    cluster = await _ask(clients, lambda admin: admin.describe_cluster())
    return str(cluster.get("cluster_id") or "")


async def committed_of(clients: KafkaClients, group: str, *topics: str) -> dict[TopicPartition, Reached]:
    """The offsets that a group has committed for the topics, with the accounts beside them; partitions without an
    offset are left out. Raises WorkerError where an open transaction moves one of the offsets and does not end."""
    found = await notes_of(clients, group, *topics)
    return {partition: Reached(each.offset, each.note.journal) for partition, each in found.items()}


async def notes_of(clients: KafkaClients, group: str, *topics: str) -> dict[TopicPartition, Committed]:
    """The same, with everything that workers commit beside an offset, such as the fingerprint of their chain."""

    async def ask(admin: AIOKafkaAdminClient) -> CommittedOffsets:
        partitions = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics()}
        places = [TopicPartition(topic, number) for topic in topics for number in range(partitions.get(topic, 0))]
        return await committed_by_group(admin, group, places)

    try:
        offsets: CommittedOffsets = await _ask(clients, ask)
    except UnstableOffsetCommitError as error:
        raise WorkerError(
            f"kafka: {cannot_be_known(group, error)}: try again; {END_IT}", MAY_PASS, code="UPC1205"
        ) from error
    return {partition: Committed(each.offset, read_note(each.metadata)) for partition, each in offsets.items()}


async def groups_of(clients: KafkaClients) -> list[str]:
    """The ids of the groups that the worker's user may list."""
    return [name for name, *_ in await _ask(clients, lambda admin: admin.list_consumer_groups())]


async def group_members(clients: KafkaClients, group: str) -> list[GroupMember]:
    """The members of a group. Raises WorkerError where the brokers do not answer or deny access."""
    return list(await _ask(clients, lambda admin: members_of(admin, group)))


async def refuse_hidden(clients: KafkaClients, group: str) -> None:
    """Raises WorkerError where the worker's user has no access to the group: brokers leave such groups out of their
    list."""
    try:
        await _ask(clients, lambda admin: admin.find_coordinator(group))
    except WorkerError as error:
        if isinstance(error.__cause__, GroupAuthorizationFailedError):
            raise WorkerError(
                f"{group}: the brokers deny access to the group: grant Read on all groups that begin with this name",
                code="UPC1207",
            ) from error
        raise


async def compacted_of(clients: KafkaClients, topics: Sequence[str]) -> list[str]:
    """The compacted ones among the topics, as far as their settings may be read."""
    told = await _ask(clients, lambda admin: settings_of(admin, topics))
    return [name for name, _, settings in told if "compact" in settings.get("cleanup.policy", "")]


async def refuse_hidden_topics(clients: KafkaClients, topics: list[str]) -> None:
    """Raises WorkerError where one of these topics, which the brokers do not list, may be there: the worker's user may
    not describe it."""
    told = await _ask(clients, lambda admin: settings_of(admin, topics))
    hidden = [name for name, code, _ in told if code == TopicAuthorizationFailedError.errno]
    if hidden:
        raise WorkerError(
            f"{', '.join(hidden)}: the worker's user may not describe it, so nobody can tell whether it exists: grant "
            "Describe and Read on it",
            code="UPC1206",
        )


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
            code="UPC1205",
        ) from error
    finally:
        await admin.close()
