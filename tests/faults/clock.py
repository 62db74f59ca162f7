"""A wall clock that can jump, for workers that begin with it: Debian's libfaketime.

Not for brokers: under it a JVM waits for the wrong times. Kafka 3.7.2 took a minute to start, and missed heartbeats.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PLACES = ("/usr/lib", "/usr/local/lib")


def library() -> Path | None:
    """Where it is installed."""
    found = (path for place in PLACES for path in Path(place).glob("**/faketime/libfaketimeMT.so.1"))
    return next(found, None)


class Clock:
    """``environment`` is what a process needs from its beginning on; time passes for it as for everybody else."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.jump(0)

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, seconds: int) -> None:
        """To so many seconds from the true time."""
        whole = self._file.with_suffix(".new")
        whole.write_text(f"{seconds:+d}\n", encoding="utf-8")
        whole.replace(self._file)
