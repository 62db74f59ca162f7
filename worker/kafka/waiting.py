"""Waits for the brokers at the start, and says why they cannot be reached."""

from __future__ import annotations

from collections.abc import Iterable

import stamina
import structlog
from aiokafka.conn import AIOKafkaConnection, collect_hosts, create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from worker.errors import MAY_PASS, NEEDS_A_PERSON, WorkerError
from worker.kafka.aiokafka_internals.questions import versions_of
from worker.kafka.clients import KafkaClients
from worker.kafka.codes import UnstableOffsetCommitError
from worker.kafka.diagnosis import PROBE_TIMEOUT, Address, Cause, diagnose, no_brokers
from worker.kafka.stable_offsets import TooOldBrokerError, refuse_too_old

log = structlog.get_logger(__name__)


class BrokerAwayError(Exception):
    """No broker could be reached; trying again may help."""


async def wait_for_broker(clients: KafkaClients) -> None:
    """Return when a broker answers. Raises WorkerError after ``kafka.start_timeout``, or at once where waiting cannot
    help."""
    kafka = clients.kafka
    waiting = False
    try:
        async for attempt in stamina.retry_context(
            on=BrokerAwayError,
            attempts=None,
            timeout=kafka.start_timeout,
            wait_initial=0.25,
            wait_max=1.0,
            wait_jitter=0.25,
        ):
            with attempt:
                try:
                    await _reach(clients)
                except BrokerAwayError as away:
                    if not waiting:
                        log.warning("waiting for kafka", reason=str(away), seconds=kafka.start_timeout)
                    waiting = True
                    raise
    except BrokerAwayError as away:
        raise WorkerError(
            f"kafka: {away}, for {kafka.start_timeout:g} s: start the broker, or correct "
            "kafka.bootstrap_servers (UPCAST_KAFKA__BOOTSTRAP_SERVERS)",
            MAY_PASS,
            code="UPC1201",
        ) from None
    if waiting:
        log.info("kafka answers")


async def ask_once(clients: KafkaClients) -> None:
    """Raises WorkerError, with the reason, where no broker answers now."""
    try:
        await _reach(clients)
    except BrokerAwayError as away:
        raise WorkerError(f"kafka: {away}: try again when the broker answers", MAY_PASS, code="UPC1201") from None


def may_pass(error: Exception) -> bool:
    """Whether to ask again: a cluster that has just started has no coordinators yet. Requests for offsets have waited
    already for an unstable one."""
    return isinstance(error, KafkaError) and bool(error.retriable) and not isinstance(error, UnstableOffsetCommitError)


async def _reach(clients: KafkaClients) -> None:
    """Raises unless a bootstrap server, and then one of the brokers that it names, answers."""
    bootstrap = [Address(host, port) for host, port, _ in collect_hosts(clients.kafka.bootstrap_servers)]
    server, brokers = await _first_answer(clients, bootstrap)
    if brokers and server not in brokers:
        try:
            await _first_answer(clients, brokers)
        except BrokerAwayError as away:
            raise BrokerAwayError(
                f"{server} answers, but the address that it gives for its brokers does not: {away} "
                "(see the brokers' advertised.listeners)"
            ) from None


async def _first_answer(clients: KafkaClients, addresses: Iterable[Address]) -> tuple[Address, list[Address]]:
    """The first address that answers, and the brokers that it names."""
    causes: dict[Address, Cause] = {}
    for address in addresses:
        found = await _ask(clients, address)
        if not isinstance(found, Cause):
            return address, found
        causes[address] = found
    for address, cause in causes.items():
        if cause.permanent:
            raise WorkerError(f"kafka: {address}: {cause.text}", NEEDS_A_PERSON, code="UPC1202")
    raise BrokerAwayError("; ".join(f"no broker at {address} ({cause.text})" for address, cause in causes.items()))


async def _ask(clients: KafkaClients, at: Address) -> list[Address] | Cause:
    connection: AIOKafkaConnection | None = None
    try:
        connection = await create_conn(
            at.host, at.port, request_timeout_ms=round(PROBE_TIMEOUT * 1000), **clients.security
        )
        refuse_too_old(versions_of(connection))
        answer = await connection.send(MetadataRequest([]))
    except TooOldBrokerError as error:
        return Cause(error.args[0], permanent=True)
    except (OSError, KafkaError) as error:
        return await diagnose(error, at, clients.kafka, clients.security)
    finally:
        if connection is not None:
            await connection.close()
    return [Address(host, port) for _, host, port, *_ in answer.brokers] or no_brokers(clients.kafka)
