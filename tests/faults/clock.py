"""A wall clock that can jump, for workers and brokers that begin with it: a small library that is loaded before C's.

Debian's libfaketime is not for brokers: under it a JVM waits for the wrong times. Kafka 3.7.2 took a minute to start,
and missed heartbeats. This one changes what time it is, and nothing that waits.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


def can_jump() -> bool:
    """Whether there is a compiler."""
    return shutil.which("gcc") is not None


class Clock:
    """Two files in ``folder``. ``environment`` is what a process needs from its beginning on; time passes for it as for
    everybody else."""

    def __init__(self, folder: Path) -> None:
        self._library, self._offset = folder / "clock.so", folder / "clock-offset"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", self._library, SOURCE, "-ldl"], check=True)
        self._offset.write_bytes(bytes(8))

    @property
    def environment(self) -> Mapping[str, str]:
        return {"LD_PRELOAD": str(self._library), "CLOCK_OFFSET_FILE": str(self._offset)}

    def jump(self, seconds: int) -> None:
        """To so many seconds from the true time."""
        with self._offset.open("r+b") as file:
            file.write(struct.pack("=q", seconds))
