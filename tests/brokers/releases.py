"""The versions of Kafka that the tests can start, the oldest first.

``python -m upcast_demo.local_kafka.pin 3.8.1 tests/brokers/3.8.1.txt`` adds one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from upcast_demo.local_kafka import LocalKafkaError
from upcast_demo.local_kafka.release import NEWEST, Release

HERE = Path(__file__).parent
OLDEST_JAVA, LAST_JAVA = 11, 23
"""Before 3.7 Kafka asks for the security manager, which Java 24 no longer has."""
KRAFT_ONLY = ("process.roles", "controller.quorum.voters", "controller.listener.names")


@dataclass(frozen=True)
class OnOlderJava(Release):
    """Runs on a Java of this machine: the one that the demo brings is too new."""

    def java(self) -> str:
        found = older_java()
        if found is None:
            raise LocalKafkaError(f"Kafka {self.version} needs a Java from {OLDEST_JAVA} to {LAST_JAVA}, e.g. 17")
        return found


@dataclass(frozen=True)
class WithZooKeeper(OnOlderJava):
    """Settings must name `zookeeper.connect`."""

    ready_line = "] started"

    def properties(self, data: Path, given: Mapping[str, str]) -> dict[str, str]:
        made = super().properties(data, given)
        for name in ("listeners", "listener.security.protocol.map"):
            made[name] = ",".join(each for each in made[name].split(",") if not each.startswith("CONTROLLER:"))
        made["broker.id"] = made.pop("node.id")
        # One that was killed may not come back before its old session is over.
        made["zookeeper.session.timeout.ms"] = "2000"
        return {name: value for name, value in made.items() if name not in KRAFT_ONLY}

    def format_command(self, properties: Path) -> list[str]:
        return []


@cache
def older_java() -> str | None:
    """`java` of JAVA_HOME or of the path, where an older Kafka runs on it."""
    home = os.environ.get("JAVA_HOME", "")
    candidates = [str(Path(home) / "bin" / "java")] if home else []
    found = [java for each in (*candidates, "java") if (java := shutil.which(each))]
    return next((java for java in found if OLDEST_JAVA <= _major(java) <= LAST_JAVA), None)


def _major(java: str) -> int:
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', told)
    return int(version[1]) if version else 0


def _pinned(version: str) -> Path:
    return HERE / f"{version}.txt"


def _of_transaction_versions(version: str, pinned: Path) -> dict[str, Release]:
    return {f"{version}:{each}": Release(pinned, (f"transaction.version={each}",)) for each in range(3)}


RELEASES: Mapping[str, Release] = {
    "2.8.2": WithZooKeeper(_pinned("2.8.2")),
    **{version: OnOlderJava(_pinned(version)) for version in ("3.4.1", "3.5.2", "3.6.2")},
    **{version: Release(_pinned(version)) for version in ("3.7.2", "3.8.1", "3.9.0", "3.9.1")},
    **_of_transaction_versions("4.0.0", _pinned("4.0.0")),
    **_of_transaction_versions("4.3.1", _pinned("4.3.1")),
    **_of_transaction_versions(NEWEST.version, NEWEST.pinned),
}
"""By name: the version, from 4.0 on with the `transaction.version` behind it."""


def named(name: str) -> dict[str, Release]:
    """`3.7.2` and `4.4.0:1` are one, `4.4.0` is one for each `transaction.version`; `3.7` is the 3.7.2 that we have."""
    found = {each: release for each, release in RELEASES.items() if _begins_with(each, name)}
    if not found:
        raise SystemExit(f"Kafka {name} is none of those that are pinned: {', '.join(RELEASES)}")
    return found


def _begins_with(known: str, name: str) -> bool:
    return known == name or known.startswith((f"{name}.", f"{name}:"))
