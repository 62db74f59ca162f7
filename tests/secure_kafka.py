"""A broker with a listener for every way to connect, and the certificates that go with it."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ports import free_ports
from tests.scram import set_password
from upcast_demo.local_kafka import LocalKafka

USER, PASSWORD = "worker", "right-password"

SESSION_MS = 3_000
"""After so long TLSLOGIN wants another login with SCRAM."""

LISTENERS = {
    "PLAINTEXT": "PLAINTEXT",
    "TLS": "SSL",
    "MUTUAL": "SSL",
    "EXPIRED": "SSL",
    "LOGIN": "SASL_PLAINTEXT",
    "TLSLOGIN": "SASL_SSL",
    "TOKEN": "SASL_PLAINTEXT",
    "ASTRAY": "PLAINTEXT",
}

PLAIN = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
BEARER = (
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
    'unsecuredLoginStringClaim_sub="admin";'
)


@dataclass(frozen=True)
class SecureKafka:
    """``address["TLS"]`` is the bootstrap server of that listener, ``files`` holds ca.crt, client.crt …"""

    address: dict[str, str]
    files: Path


@contextmanager
def secure_kafka(files: Path) -> Iterator[SecureKafka]:
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command, which makes the certificates, is not installed")
    make_certificates(files)
    ports = dict(zip([*LISTENERS, "CONTROLLER"], free_ports(len(LISTENERS) + 1), strict=True))
    with LocalKafka.start(properties=_properties(ports, files)):
        address = {name: f"127.0.0.1:{ports[name]}" for name in LISTENERS}
        asyncio.run(set_password(address["PLAINTEXT"], USER, PASSWORD))
        yield SecureKafka(address, files)


def make_certificates(files: Path) -> None:
    """An authority, a broker and a client that it signed, and an authority that signed nothing."""
    for authority in ("ca", "other-ca"):
        _openssl(
            files,
            f"req -x509 -newkey rsa:2048 -nodes -days 2 -keyout {authority}.key -out {authority}.crt "
            f"-subj /CN={authority} -addext basicConstraints=critical,CA:TRUE",
        )
    (files / "names").write_text("subjectAltName=IP:127.0.0.1\n", encoding="utf-8")
    sign(files, "client")
    _key_store(files, "broker", days=2)
    _key_store(files, "expired", days=0)


def _key_store(files: Path, name: str, days: int) -> None:
    sign(files, name, "-extfile names", days)
    _openssl(files, f"pkcs8 -topk8 -nocrypt -in {name}.key -out {name}.pk8")
    (files / f"{name}.pem").write_text((files / f"{name}.pk8").read_text() + (files / f"{name}.crt").read_text())


def sign(files: Path, name: str, extra: str = "", days: int = 2) -> None:
    _openssl(files, f"req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}")
    _openssl(
        files,
        f"x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days {days} -out {name}.crt {extra}",
    )


def _openssl(files: Path, command: str) -> None:
    subprocess.run(["openssl", *command.split()], cwd=files, check=True, capture_output=True)


def _properties(ports: dict[str, int], files: Path) -> dict[str, str]:
    protocols = [f"{name}:{protocol}" for name, protocol in LISTENERS.items()]
    # Clients of ASTRAY are told to go where nobody listens.
    advertised = {name: 1 if name == "ASTRAY" else ports[name] for name in LISTENERS}
    return {
        "advertised.listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in advertised.items()),
        "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items()),
        "controller.quorum.voters": f"1@127.0.0.1:{ports['CONTROLLER']}",
        "listener.security.protocol.map": ",".join([*protocols, "CONTROLLER:PLAINTEXT"]),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(files / "broker.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(files / "ca.crt"),
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.expired.ssl.keystore.type": "PEM",
        "listener.name.expired.ssl.keystore.location": str(files / "expired.pem"),
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.login.plain.sasl.jaas.config": PLAIN,
        "listener.name.login.scram-sha-512.sasl.jaas.config": SCRAM,
        "listener.name.tlslogin.plain.sasl.jaas.config": PLAIN,
        "listener.name.tlslogin.scram-sha-512.sasl.jaas.config": SCRAM,
        "listener.name.tlslogin.scram-sha-512.connections.max.reauth.ms": str(SESSION_MS),
        "listener.name.token.sasl.enabled.mechanisms": "OAUTHBEARER",
        "listener.name.token.oauthbearer.sasl.jaas.config": BEARER,
    }
