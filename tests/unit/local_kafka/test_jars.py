"""The broker's jars: only whole files with the pinned hash are kept."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.ports import free_port
from upcast_demo.local_kafka import jars
from upcast_demo.local_kafka.jars import Jar, JarsUnavailableError, fetch_jars, pinned_jars

CONTENT = b"a jar"
ROOT = Path(__file__).parents[3]
LEFT_OUT = {"kafka_bootstrap_servers", "no_proxy"}


def downloaded(jar: Jar, scratch: Path) -> Path:
    path = scratch / jar.file_name
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(jars, "_download", downloaded)
    return tmp_path / "upcast" / "kafka"


def test_the_broker_and_its_client_library_are_pinned_to_one_version() -> None:
    versions = {jar.version for jar in pinned_jars() if jar.group == "org.apache.kafka"}
    assert len(versions) == 1


def test_fetched_jars_are_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = Jar("org.example", "thing", "1.0", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(jars, "pinned_jars", lambda: [jar])
    seen: list[tuple[int, int]] = []
    assert fetch_jars(lambda done, total: seen.append((done, total))) == [cache / "thing-1.0.jar"]
    assert fetch_jars(lambda done, total: seen.append((done, total))) == [cache / "thing-1.0.jar"]
    assert seen == [(1, 1)]
    assert (cache / "thing-1.0.jar").read_bytes() == CONTENT


def test_a_jar_with_another_hash_is_refused_and_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "pinned_jars", lambda: [Jar("org.example", "thing", "1.0", "0" * 64)])
    with pytest.raises(JarsUnavailableError, match=r"org\.example:thing:1\.0 was fetched but is not the file"):
        fetch_jars()
    assert list(cache.glob("*.jar")) == []


@contextmanager
def mirror_with_its_own_certificate(folder: Path) -> Iterator[str]:
    """The address of a server that nobody vouches for."""
    own = folder / "own.pem"
    make = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout {own} -out {folder}/crt -subj /CN=mirror"
    subprocess.run(make.split(), check=True, capture_output=True)
    own.write_text(own.read_text() + (folder / "crt").read_text())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(own)

    def serve(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection, suppress(ssl.SSLError):
                    context.wrap_socket(connection, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")
def test_a_certificate_that_is_not_trusted_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with mirror_with_its_own_certificate(tmp_path) as address:
        monkeypatch.setattr("jgo.constants.MAVEN_CENTRAL_URL", address)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        told = refused(tmp_path)
    assert "org.example:thing:1.0 could not be fetched from 127.0.0.1: its certificate is not trusted here" in told
    assert "REQUESTS_CA_BUNDLE" in told


def test_a_network_that_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jgo.constants.MAVEN_CENTRAL_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    told = refused(tmp_path)
    assert "could not be fetched from 127.0.0.1: [Errno" in told
    assert "Connection refused. The first start needs the network (behind a proxy: HTTPS_PROXY)" in told
    assert "REQUESTS_CA_BUNDLE" not in told
    assert "Max retries" not in told


def refused(scratch: Path) -> str:
    with pytest.raises(JarsUnavailableError) as caught:
        jars._download(Jar("org.example", "thing", "1.0", "0" * 64), scratch)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.long
@pytest.mark.parametrize("script", ["tests.upgrade.story", "benchmarks.drain"])
def test_a_script_says_in_one_line_that_the_jars_cannot_be_had(tmp_path: Path, script: str) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "HTTPS_PROXY": f"http://127.0.0.1:{free_port()}"}
    environment = {name: value for name, value in environment.items() if name.lower() not in LEFT_OUT}
    ended = subprocess.run(
        [sys.executable, "-m", script], env=environment, capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert ended.returncode == 1
    assert re.fullmatch(r"\S+ could not be fetched from .*\n", ended.stderr), ended.stderr


def test_a_home_that_cannot_be_written_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    with pytest.raises(JarsUnavailableError, match=r"cannot be made to keep Kafka in: .* Set XDG_CACHE_HOME"):
        fetch_jars()
