"""Patches of the client's connections: a closed connection raises a connection error, brokers with new addresses are
found again, and metadata requests create no topics.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from aiokafka import errors as kafka_errors
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason, create_conn
from aiokafka.protocol.metadata import MetadataRequest

from worker.kafka.aiokafka_internals.quota_patches import throttling_of
from worker.kafka.throttling import PRODUCE

log = structlog.get_logger(__name__)

LOST_AFTER = 30.0
"""Seconds without an answer of any broker after which the bootstrap servers are asked again (KIP-899)."""


CONNECTING = (
    "client_id",
    "request_timeout_ms",
    "ssl_context",
    "security_protocol",
    "sasl_mechanism",
    "sasl_plain_username",
    "sasl_plain_password",
    "sasl_kerberos_service_name",
    "sasl_kerberos_domain_name",
    "sasl_oauth_token_provider",
)


def telling_that_it_is_closed(send: Callable[..., Any]) -> Callable[..., Any]:
    """uvloop raises RuntimeError where something is written to a connection that has just been closed, asyncio does
    not. aiokafka expects OSError alone, and its tasks for fetching, for the group and for sending end on it."""

    @functools.wraps(send)
    def sending(connection: AIOKafkaConnection, *arguments: Any, **options: Any) -> Any:
        try:
            return send(connection, *arguments, **options)
        except NotImplementedError as error:
            # A RuntimeError, too: the broker takes no version of this request that aiokafka knows.
            raise kafka_errors.IncompatibleBrokerVersion(str(error)) from error
        except RuntimeError as error:
            connection.close(CloseReason.CONNECTION_BROKEN)
            raise kafka_errors.KafkaConnectionError(f"{connection.host}:{connection.port} is closed") from error

    return sending


def creating_no_topic(build: Callable[..., Any]) -> Callable[..., Any]:
    """A topic that was deleted under the worker would come back with the broker's defaults, and a retention under which
    old events are gone as soon as they arrive."""

    @functools.wraps(build)
    def building(request: MetadataRequest, version: Any) -> Any:
        request._allow_auto_topic_creation = False
        return build(request, version)

    return building


def finding_moved_brokers(update: Callable[..., Any]) -> Callable[..., Any]:
    """Ask the bootstrap servers where no known broker answers: all brokers may have new addresses."""

    @functools.wraps(update)
    async def updating(client: AIOKafkaClient, cluster: Any, topics: Iterable[str]) -> bool:
        now = asyncio.get_running_loop().time()
        if await update(client, cluster, topics):
            vars(client).pop("_lost_since", None)
            return True
        if throttling_of(client).until(PRODUCE) > now:
            return False  # the brokers answer, but throttle this client
        if now - vars(client).setdefault("_lost_since", now) < LOST_AFTER:
            return False
        return await _update_from_bootstrap(client, cluster, topics)

    return updating


async def _update_from_bootstrap(client: AIOKafkaClient, cluster: Any, topics: Iterable[str]) -> bool:
    options = {name: getattr(client, f"_{name}") for name in CONNECTING}
    for host, port, _ in client.hosts:
        try:
            connection = await create_conn(host, port, max_idle_ms=client._connections_max_idle_ms, **options)
        except (OSError, kafka_errors.KafkaError, TimeoutError):
            continue
        try:
            found = await connection.send(MetadataRequest(list(topics) or None))
        except (kafka_errors.KafkaError, TimeoutError):
            continue
        finally:
            connection.close()
        if found.brokers:
            if {broker[:3] for broker in found.brokers} != {broker[:3] for broker in cluster.brokers()}:
                log.warning(
                    "the brokers have new addresses, found through the bootstrap servers", server=f"{host}:{port}"
                )
            cluster.update_metadata(found)
            return True
    return False
