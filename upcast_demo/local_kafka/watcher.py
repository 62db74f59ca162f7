"""Kills the broker when this process ends, however it ends: a tiny shell at the other end of a pipe.

The pipe closes with this process, a SIGKILL included. (PR_SET_PDEATHSIG is Linux only, and fires when the *thread* that
started the broker ends.)
"""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

# Reads one process id a line, the last one counts, until its input ends without the word `done`.
WATCHER = """
trap '' HUP INT TERM
while read -r line; do last=$line; done
[ "$last" = done ] && exit
kill -KILL "$last" 2>/dev/null
[ -n "$1" ] && rm -rf "$1"
"""


class Watcher:
    """``removable`` is a folder that goes with the broker, where it is killed."""

    def __init__(self, removable: Path | None) -> None:
        command = ["/bin/sh", "-c", WATCHER, "watcher", str(removable or "")]
        nowhere = subprocess.DEVNULL
        self._shell = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere, start_new_session=True
        )

    def watch(self, pid: int) -> None:
        """Kill this process, and none before it, when we are gone."""
        self._tell(str(pid))

    def forget(self) -> None:
        """The system may give the process id to somebody else from now on."""
        self._tell("")

    def dismiss(self) -> None:
        """There is nothing left to watch."""
        self._tell("done")
        self._shell.communicate()

    def _tell(self, line: str) -> None:
        pipe = self._shell.stdin
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.write(f"{line}\n".encode())
                pipe.flush()
