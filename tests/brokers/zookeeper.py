"""A ZooKeeper for the brokers that need one: out of their own jars, on loopback, gone with whoever started it."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port
from upcast_demo.local_kafka.release import Release
from upcast_demo.local_kafka.watcher import Watcher

MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
CONFIG = """\
tickTime=500
dataDir={folder}
clientPort={port}
clientPortAddress=127.0.0.1
admin.enableServer=false
maxClientCnxns=0
"""


@contextmanager
def running_zookeeper(release: Release) -> Iterator[str]:
    """Its address, at once: a broker waits until it answers."""
    with tempfile.TemporaryDirectory(prefix="upcast-zookeeper-") as folder:
        port, config = free_port(), Path(folder) / "zoo.cfg"
        config.write_text(CONFIG.format(folder=folder, port=port), encoding="utf-8")
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(
                [*release.command(), "-Xmx128m", MAIN, str(config)], stdout=log, stderr=log, start_new_session=True
            )
        watcher = Watcher(None)
        watcher.watch(process.pid)
        try:
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()
            watcher.dismiss()
