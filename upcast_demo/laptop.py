"""`upcast broker`: a Kafka broker on this machine, for whoever tries a chain of his own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from upcast_demo.kafka import create_topics
from upcast_demo.local_kafka import LocalKafka, LocalKafkaError
from upcast_demo.local_kafka.broker import PORT_TAKEN
from upcast_demo.local_kafka.properties import free_ports
from upcast_demo.signals import ended_by_signals
from worker.errors import MAY_PASS, WorkerError


def serve(port: int, topics: Mapping[str, int], data: Path | None, tell: Callable[[str], None]) -> None:
    """Run a broker at 127.0.0.1 until a signal ends it.

    ``topics`` are created with so many partitions, unless they are there; ``data`` is a folder that keeps everything
    for the next time, else it is gone at the end. ``tell`` gets each line for the user. Raises WorkerError.
    """
    with ended_by_signals():
        tell("starting a Kafka broker on this machine (the first time it is fetched, 44 MB)")
        with _broker(port, data) as broker:
            servers = broker.bootstrap_servers
            made = asyncio.run(create_topics(servers, topics)) if topics else []
            for name, partitions in topics.items():
                tell(f"topic {name}: {f'created, {_counted(partitions)}' if name in made else 'is there already'}")
            tell(f"Kafka {broker.release.version} serves at {servers}")
            tell(f"in another terminal: upcast kafka topics --bootstrap-server {servers} --list")
            tell("Ctrl-C ends it" + (f" and keeps the data in {data}" if data else " and removes its data"))
            threading.Event().wait()


def _broker(port: int, data: Path | None) -> LocalKafka:
    (controller,) = free_ports(1)
    properties = {
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
    }
    try:
        return LocalKafka.start(data, properties=properties)
    except LocalKafkaError as error:
        raise WorkerError(f"broker: {_why(error, port)}", MAY_PASS, code="UPC1010") from error
    except OSError as error:
        raise WorkerError(
            f"broker: {data or 'a temporary folder'} cannot be written: {error.strerror}", code="UPC1004"
        ) from error


def _why(error: LocalKafkaError, port: int) -> str:
    log = error.log.read_text(encoding="utf-8", errors="replace") if error.log and error.log.exists() else ""
    if PORT_TAKEN in log:
        return f"port {port} is taken: give another one with --port"
    return str(error)


def _counted(partitions: int) -> str:
    return f"{partitions} partition{'' if partitions == 1 else 's'}"
