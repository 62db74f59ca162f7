"""Makes Kafka clients from the settings: the one place with the options that a correct worker needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from worker.kafka.aiokafka_internals.closing_patches import close_connections
from worker.kafka.aiokafka_internals.consumer import Consumer
from worker.kafka.aiokafka_internals.patches import apply_patches
from worker.kafka.login import Login
from worker.kafka.tls import ssl_context
from worker.settings import KafkaSettings

C = TypeVar("C", AIOKafkaConsumer, AIOKafkaProducer, AIOKafkaAdminClient)


@asynccontextmanager
async def started(client: C) -> AsyncIterator[C]:
    """Start the client, and stop it after the block or where it cannot start. Raises KafkaError."""
    try:
        await client.start()
        # A client that is stopped before its own tasks have begun ends in CancelledError.
        await asyncio.sleep(0)
        yield client
    finally:
        try:
            await (client.close() if hasattr(client, "close") else client.stop())
        finally:
            close_connections(client)


class KafkaClients:
    """Makes clients that are not started yet. All of them share one TLS context and one login."""

    def __init__(self, kafka: KafkaSettings) -> None:
        apply_patches()
        self.kafka = kafka
        self.login = Login(kafka)
        self.security: Mapping[str, Any] = {
            "security_protocol": kafka.security_protocol,
            "ssl_context": ssl_context(kafka),
            **self.login.options(),
        }
        self._connection = {
            "bootstrap_servers": kafka.bootstrap_servers,
            "client_id": kafka.client_id,
            "request_timeout_ms": _milliseconds(kafka.request_timeout),
            **self.security,
        }

    def group_consumer(self, **options: Any) -> AIOKafkaConsumer:
        """A consumer in the group, without automatic commits. A new group reads from the beginning."""
        kafka = self.kafka
        return self._consumer(
            **{
                "group_id": kafka.group_id,
                "group_instance_id": kafka.group_instance_id,
                "auto_offset_reset": "earliest",
                "session_timeout_ms": _milliseconds(kafka.session_timeout),
                "heartbeat_interval_ms": _milliseconds(kafka.heartbeat_interval),
                "rebalance_timeout_ms": _milliseconds(kafka.rebalance_timeout),
                **options,
            }
        )

    def reader(self, **options: Any) -> AIOKafkaConsumer:
        """A consumer without a group, for bounded reads of assigned partitions; it never resets its position by
        itself."""
        return self._consumer(group_id=None, auto_offset_reset="none", **options)

    def transactional_producer(self, transactional_id: str, **options: Any) -> AIOKafkaProducer:
        return self.producer(transactional_id=transactional_id, **options)

    def producer(self, **options: Any) -> AIOKafkaProducer:
        """A producer that compresses nothing by itself: a lane's batches are compressed before they are sent."""
        return AIOKafkaProducer(
            **{
                **self._connection,
                "enable_idempotence": True,
                "transaction_timeout_ms": _milliseconds(self.kafka.transaction_timeout),
                **options,
            }
        )

    def admin(self) -> AIOKafkaAdminClient:
        return AIOKafkaAdminClient(**self._connection)

    def _consumer(self, **options: Any) -> AIOKafkaConsumer:
        return Consumer(
            **{
                **self._connection,
                "unpacked_bytes": self.kafka.unpacked_batch_bytes,
                "enable_auto_commit": False,
                "isolation_level": "read_committed",
                **options,
            }
        )


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
