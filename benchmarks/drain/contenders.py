"""Who takes part, and how each is started."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from benchmarks.drain.cases import Case

BENCHMARKS = Path(__file__).parent.parent
PEERS = BENCHMARKS / "peers"
STREAMS = BENCHMARKS.parent / ".venv-peers" / "streams"
PEERS_PYTHON = BENCHMARKS.parent / ".venv-peers" / "bin" / "python"


@dataclass(frozen=True)
class Job:
    """One drain: from where, to where, and as whom."""

    bootstrap: str
    source: str
    destination: str
    group: str
    case: Case
    scratch: Path


@dataclass(frozen=True)
class Contender:
    """``arguments`` follow the usual ones. ``share``: of the case's records, for what would take an age with all.
    ``in_order``: its output stands in its source's partitions."""

    name: str
    title: str
    program: Sequence[str] = ()
    arguments: Sequence[str] = ()
    share: float = 1.0
    copies: bool = False
    in_order: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)

    def command(self, job: Job) -> Sequence[str]:
        case = job.case
        usual = (job.bootstrap, job.source, job.destination, job.group, case.delivery, case.compression)
        return (*self.program, *usual, *self.arguments)


class Worker(Contender):
    """The worker as shipped."""

    def command(self, job: Job) -> Sequence[str]:
        case, config = job.case, job.scratch / "upcast.yaml"
        route = {
            "source": job.source,
            "destination": job.destination,
            "dead_letter": f"{job.destination}-dlt",
            "event_type": "task_context",
            "delivery": case.delivery,
            **case.route,
        }
        settings = {
            "kafka": {
                "bootstrap_servers": job.bootstrap,
                "group_id": job.group,
                "compression": case.compression,
            },
            "http": {"port": 0},
            "routes": [route],
        }
        config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        return (*self.program, "run", "--config", str(config), *self.arguments)


def _python(program: str) -> tuple[str, str]:
    return (os.environ.get("PEERS_PYTHON", str(PEERS_PYTHON)), str(PEERS / program))


def _streams() -> tuple[str, ...]:
    """Compiled and with its jars fetched by ``peers.py``."""
    return (os.environ.get("JAVA", "java"), "-Xmx512m", "-cp", f"{STREAMS}{os.pathsep}{STREAMS}/*", "KafkaStreams")


WORKER = Worker("worker", "this worker", (sys.executable, "-c", "from worker.cli import main; main()"))
CONTENDERS = {
    contender.name: contender
    for contender in (
        WORKER,
        Worker("worker-2", "this worker, two processes", WORKER.program, ("--processes", "2")),
        Worker(
            "worker-pure",
            "this worker, without the native extension",
            WORKER.program,
            environment={"UPCAST_NATIVE": "0"},
        ),
        Worker(
            "worker-stub", "this worker, a stub for its chain", (sys.executable, "-m", "benchmarks.stub"), copies=True
        ),
        Contender("aiokafka-copy", "byte copy, aiokafka", _python("aiokafka_tuned.py"), ("copy",), copies=True),
        Contender("aiokafka-tuned", "by hand, aiokafka, best tuned", _python("aiokafka_tuned.py")),
        Contender("aiokafka-public", "by hand, aiokafka, public interface", _python("aiokafka_public.py")),
        Contender("aiokafka-naive", "aiokafka's own example", _python("aiokafka_naive.py"), share=0.25),
        Contender("streams-tuned", "Kafka Streams 4.3, tuned", _streams(), ("tuned",), 2.0, in_order=False),
        Contender("streams-default", "Kafka Streams 4.3, as it comes", _streams(), (), 2.0, in_order=False),
        Contender("quix", "Quix Streams", _python("quix_app.py"), share=0.4, in_order=False),
        Contender("bytewax", "Bytewax", _python("bytewax_flow.py"), share=0.4, in_order=False),
        Contender(
            "faststream-batch", "FastStream, batches", _python("faststream_app.py"), ("batch",), 0.2, in_order=False
        ),
        Contender(
            "faststream-one", "FastStream, one by one", _python("faststream_app.py"), ("one",), 0.01, in_order=False
        ),
        Contender("confluent-copy", "byte copy, confluent-kafka", _python("confluent_hand.py"), ("copy",), copies=True),
        Contender("confluent-hand", "by hand, confluent-kafka", _python("confluent_hand.py")),
    )
}
