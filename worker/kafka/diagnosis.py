"""Finds out why a connection to a broker failed, and names the setting to correct.

aiokafka's clients raise the same KafkaConnectionError, without a reason, for every failed start.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.admin import SaslHandShakeRequest

from worker.kafka.login import refused_login
from worker.kafka.oauth import TokenError
from worker.settings import KafkaSettings

PROBE_TIMEOUT = 5.0

# OpenSSL's X509_V_ERR_* codes.
EXPIRED, NOT_YET_VALID = 10, 9
OTHER_NAME = {62, 64}


@dataclass(frozen=True)
class Cause:
    """Why a connection failed; ``permanent`` where waiting cannot help."""

    text: str
    permanent: bool


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


async def diagnose(error: BaseException, at: Address, kafka: KafkaSettings, security: Mapping[str, Any]) -> Cause:
    """The cause of ``error``. ``security`` are the options of a connection."""
    root = error.__cause__ or error
    known = _authentication(root, kafka) or _certificate(root) or _network(root, at)
    if known:
        return known
    return await _wrong_protocol(at, kafka, security) or Cause("the connection was closed", permanent=False)


def no_brokers(kafka: KafkaSettings) -> Cause:
    """The cause of an answer that names no broker. aiokafka takes the refusal of a token for an empty answer."""
    if kafka.sasl_mechanism == "OAUTHBEARER":
        return Cause(refused_login(kafka), permanent=True)
    return Cause("the broker is not ready yet", permanent=False)


def _authentication(error: BaseException, kafka: KafkaSettings) -> Cause | None:
    if isinstance(error, TokenError):
        return Cause(str(error.args[0]), permanent=True)
    if isinstance(error, SaslAuthenticationFailed):
        return Cause(refused_login(kafka), permanent=True)
    if isinstance(error, UnsupportedSaslMechanismError):
        return Cause(
            f"the broker does not offer {kafka.sasl_mechanism}: set kafka.sasl_mechanism to one that it does",
            permanent=True,
        )
    if isinstance(error, IllegalSaslStateError):
        instead = "SSL" if kafka.encrypted else "PLAINTEXT"
        return Cause(
            f"this listener asks for no authentication: set kafka.security_protocol to {instead}",
            permanent=True,
        )
    return None


def _certificate(error: BaseException) -> Cause | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Cause(_untrusted(error), permanent=True)
    reason = (getattr(error, "reason", None) or "") if isinstance(error, ssl.SSLError) else ""
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return Cause(
            "the broker asks for a client certificate: set kafka.ssl_certfile and kafka.ssl_keyfile",
            permanent=True,
        )
    if "ALERT" in reason:
        kind = reason.partition("ALERT_")[2].lower().replace("_", " ")
        return Cause(f"the broker refuses the client certificate ({kind}): check kafka.ssl_certfile", permanent=True)
    return None


def _untrusted(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in {EXPIRED, NOT_YET_VALID}:
        return f"the broker's certificate is not valid now ({error.verify_message}): renew it"
    if error.verify_code in OTHER_NAME:
        return (
            f"the broker's certificate is for another name ({error.verify_message}): "
            "use its name in kafka.bootstrap_servers"
        )
    return (
        f"the broker's certificate is not trusted ({error.verify_message}): "
        "set kafka.ssl_cafile to the PEM file of the authority that signed it"
    )


def _network(error: BaseException, at: Address) -> Cause | None:
    if isinstance(error, socket.gaierror):
        return Cause(f"the name {at.host} cannot be resolved", permanent=False)
    if isinstance(error, ConnectionRefusedError) or "Connect call failed" in str(error):
        return Cause("connection refused", permanent=False)
    if isinstance(error, TimeoutError):
        return Cause("no answer in time", permanent=False)
    return None


async def _wrong_protocol(at: Address, kafka: KafkaSettings, security: Mapping[str, Any]) -> Cause | None:
    """The protocol of the listener, found out by trying."""
    sasl = "SASL_" if kafka.authenticated else ""
    if not kafka.authenticated and await _takes_logins(at, security):
        return Cause(
            "the broker asks for authentication: set kafka.security_protocol to "
            f"SASL_{kafka.security_protocol}, and kafka.sasl_mechanism",
            permanent=True,
        )
    if not kafka.encrypted and await _speaks_tls(at):
        return Cause(f"this listener is encrypted: set kafka.security_protocol to {sasl}SSL", permanent=True)
    if kafka.encrypted and await _speaks_plaintext(at):
        return Cause(
            f"this listener is not encrypted: set kafka.security_protocol to {sasl}PLAINTEXT, "
            "or use the broker's encrypted port",
            permanent=True,
        )
    return None


async def _takes_logins(at: Address, security: Mapping[str, Any]) -> bool:
    """Ask how one may log in. A listener without logins says that there are none; one with them closes the connection
    at any other request, as a broker that is going away does."""
    try:
        connection = await create_conn(at.host, at.port, request_timeout_ms=int(PROBE_TIMEOUT * 1000), **security)
    except (OSError, KafkaError):
        return False
    try:
        answer = await connection.send(SaslHandShakeRequest("PLAIN"))
    except (OSError, KafkaError):
        return False
    finally:
        await connection.close()
    return answer.error_code in {0, UnsupportedSaslMechanismError.errno}


async def _speaks_tls(at: Address) -> bool:
    """Try a TLS handshake without verification; nothing is sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            _, writer = await asyncio.open_connection(at.host, at.port, ssl=context)
            writer.close()
            await writer.wait_closed()
    except OSError:
        return False
    return True


async def _speaks_plaintext(at: Address) -> bool:
    try:
        connection = await create_conn(at.host, at.port, request_timeout_ms=int(PROBE_TIMEOUT * 1000))
    except (OSError, KafkaConnectionError):
        return False
    await connection.close()
    return True
