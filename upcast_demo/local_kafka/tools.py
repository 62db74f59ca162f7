"""Kafka's own tools (`kafka-topics.sh` and the others), run with the jars of the local broker."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from upcast_demo.local_kafka.properties import TOOLS_LOG4J
from upcast_demo.local_kafka.release import NEWEST

PINNED = Path(__file__).with_name("tools.txt")
PACKAGE = "org.apache.kafka.tools."
TOOLS = {
    "acls": "AclCommand",
    "broker-api-versions": "BrokerApiVersionsCommand",
    "configs": "ConfigCommand",
    "console-consumer": "consumer.ConsoleConsumer",
    "console-producer": "ConsoleProducer",
    "consumer-groups": "consumer.group.ConsumerGroupCommand",
    "delete-records": "DeleteRecordsCommand",
    "features": "FeatureCommand",
    "get-offsets": "GetOffsetShell",
    "leader-election": "LeaderElectionCommand",
    "log-dirs": "LogDirsCommand",
    "reassign-partitions": "reassign.ReassignPartitionsCommand",
    "topics": "TopicCommand",
    "transactions": "TransactionsCommand",
}
"""What follows `kafka-` in the name of a script, and the class that the script starts."""


def run_tool(name: str, arguments: Sequence[str]) -> int:
    """Run one of ``TOOLS`` to its end, on this terminal; returns its exit code.

    Raises LocalKafkaError where Java or the jars cannot be had.
    """
    java = NEWEST.command(beside=PINNED)
    with tempfile.TemporaryDirectory(prefix="upcast-kafka-tool-") as folder:
        log4j = Path(folder) / "log4j2.properties"
        log4j.write_text(TOOLS_LOG4J, encoding="utf-8")
        options = [f"-Dlog4j2.configurationFile={log4j}", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        done = subprocess.run([*java, *options, PACKAGE + TOOLS[name], *arguments], check=False)
    return done.returncode
