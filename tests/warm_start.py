"""Starts `upcast` without importing it each time: a process that has imported the worker forks itself for each start.

What is forked is a process like any other: its own id, output, folder, environment, signals and exit code. Importing
takes longer than most tests of the command. A start that is to import, or whose environment decides how Python itself
begins, has to be made by ``asyncio.create_subprocess_exec``; see ``begin``.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LARGEST_REQUEST = 1 << 20
WARM = ("worker.app", "upcast_authoring.trying", "worker.dlq.redrive", "worker.verifying.verification")
"""What is imported with all that it imports, beside the command itself."""
SERVE = "from tests.warm_start import serve; serve(); from worker.cli import main; main()"


class WarmProcess:
    """The part of ``asyncio.subprocess.Process`` that tests use."""

    def __init__(self, pid: int, stdout: asyncio.StreamReader, stderr: asyncio.StreamReader) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self.ended: asyncio.Task[None] | None = None

    async def wait(self) -> int:
        assert self.ended is not None
        await asyncio.shield(self.ended)
        assert self.returncode is not None
        return self.returncode

    async def communicate(self) -> tuple[bytes, bytes]:
        out, errors = await asyncio.gather(self.stdout.read(), self.stderr.read())
        await self.wait()
        return out, errors

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


async def begin(
    *arguments: str, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> WarmProcess:
    """Run ``upcast`` with these arguments. ``environment`` is added to that of this process."""
    ours, theirs = socket.socketpair()
    out_read, out_write = os.pipe()
    errors_read, errors_write = os.pipe()
    request = {
        "arguments": arguments,
        "folder": str(folder or Path.cwd()),
        "environment": {**os.environ, **(environment or {})},
        "path": [each for each in sys.path if each],
    }
    given = [theirs.fileno(), out_write, errors_write]
    socket.send_fds(_server(), [json.dumps(request).encode()], given)
    theirs.close()
    os.close(out_write)
    os.close(errors_write)
    told, writer = await asyncio.open_connection(sock=ours)
    process = WarmProcess(int(await told.readline()), await _reader(out_read), await _reader(errors_read))

    async def until_it_ends() -> None:
        process.returncode = int(await told.readline())
        writer.close()
        await writer.wait_closed()

    process.ended = asyncio.create_task(until_it_ends())
    return process


async def _reader(pipe: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe, "rb", buffering=0)
    )
    return reader


@functools.cache
def _server() -> socket.socket:
    """It ends when this process does, since that closes the other end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        env=path,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def serve() -> None:
    """Return in each process that is to be the command; end where nobody can ask for one any more."""
    for name in WARM:
        importlib.import_module(name)
    gc.freeze()  # looking for garbage writes to all that is shared
    asked = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who waits is the process in between
    while True:
        request, given, _, _ = socket.recv_fds(asked, LARGEST_REQUEST, 3)
        if not request:
            os._exit(0)
        if os.fork() == 0:
            asked.close()
            if _becomes_the_command(json.loads(request), given):
                return
        for each in given:
            os.close(each)


def _becomes_the_command(request: dict[str, Any], given: Sequence[int]) -> bool:
    """Fork, and tell about the process until it ends. True in that process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    tells, out, errors = given
    pid = os.fork()
    if pid:
        os.close(out)
        os.close(errors)
        os.write(tells, b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(tells, b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.close(tells)
    os.dup2(out, 1)
    os.dup2(errors, 2)
    os.close(out)
    os.close(errors)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115  # the one there was made for what it was before
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115  # as above
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.path[:] = ["", *request["path"]]
    sys.argv[:] = ["upcast", *request["arguments"]]
    return True
