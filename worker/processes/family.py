"""Starts and watches the child processes, starts killed ones again, and stops them together."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from worker.errors import MAY_PASS, WorkerError
from worker.processes.child import Child

log = structlog.get_logger(__name__)

PAUSE = 1.0
"""Seconds before a child that was killed is started again."""
MOST_DEATHS = 5
WITHIN = 300.0
"""Seconds in which ``MOST_DEATHS`` deaths end the family: another start would not help."""
STOP_SECONDS = 9.5
"""Seconds for all children to finish their transactions; then they are killed, and the brokers abort the rest."""


@dataclass
class ChildWorker:
    """One place in the family, also after its child was replaced; ``port`` stays the same."""

    number: int
    listener: socket.socket
    process: asyncio.subprocess.Process | None = None
    started: float = 0.0
    finished: bool = False
    deaths: list[float] = field(default_factory=list)

    @property
    def port(self) -> int:
        port: int = self.listener.getsockname()[1]
        return port

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.process.returncode is None else None


class Family:
    """``arguments`` is the command of each child, less the program."""

    def __init__(self, arguments: Sequence[str], size: int) -> None:
        self._command = (sys.executable, "-m", "worker", *arguments)
        self.members = [ChildWorker(number, _listener()) for number in range(size)]
        self._stopping = False
        self._alive, self._held = os.pipe()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Future[list[None]]]:
        """Gives what is done when all children have ended by themselves, with code 0. It raises WorkerError where
        one ended otherwise and is not started again. Behind the block all are stopped."""
        keepers = [asyncio.create_task(self._keep(member), name=f"process {member.number}") for member in self.members]
        ended = asyncio.gather(*keepers)
        try:
            yield ended
        finally:
            await self._stop(keepers)
            await asyncio.gather(ended, return_exceptions=True)
            self._close()

    async def _keep(self, member: ChildWorker) -> None:
        while not self._stopping:
            code = await self._live(member)
            if code == 0 or self._stopping:
                member.finished = code == 0
                return
            if code > 0:
                # It has said why itself, in a line of its own.
                raise WorkerError(
                    f"process {member.number} ended with exit code {code}: see its error above", code, code="UPC1403"
                )
            self._refuse_another_death(member, code)
            log.error("a child process was killed and is started again", number=member.number, signal=_name(code))
            await asyncio.sleep(PAUSE)

    async def _live(self, member: ChildWorker) -> int:
        told = Child(member.number, len(self.members), member.listener.fileno(), self._alive)
        # In a session of its own: Ctrl-C is for the parent alone, who passes it on once.
        member.process = await asyncio.create_subprocess_exec(
            *self._command,
            env={**os.environ, **told.environment()},
            pass_fds=(told.http, told.parent),
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        member.started = time.monotonic()
        if self._stopping:
            self._signal(member)
        return await member.process.wait()

    def _refuse_another_death(self, member: ChildWorker, code: int) -> None:
        now = time.monotonic()
        member.deaths = [*(at for at in member.deaths if now - at < WITHIN), now]
        if len(member.deaths) >= MOST_DEATHS:
            raise WorkerError(
                f"process {member.number} was killed {MOST_DEATHS} times in {WITHIN:.0f} s, the last time by "
                f"{_name(code)}: check whether memory is short",
                MAY_PASS,
                code="UPC1404",
            )

    async def _stop(self, keepers: Iterable[asyncio.Task[None]]) -> None:
        self._stopping = True
        for member in self.members:
            self._signal(member)
        _, late = await asyncio.wait(keepers, timeout=STOP_SECONDS)
        if late:
            log.warning(
                "child processes did not stop in time, the brokers abort their open transactions", processes=len(late)
            )
            for member in self.members:
                if member.process and member.pid:
                    member.process.kill()
            await asyncio.wait(late)

    def _close(self) -> None:
        for member in self.members:
            member.listener.close()
        os.close(self._alive)
        os.close(self._held)

    def _signal(self, member: ChildWorker) -> None:
        if member.process and member.pid:
            member.process.send_signal(signal.SIGTERM)


def _listener() -> socket.socket:
    """On a free port of this machine alone. It listens from now on, so that nobody is refused while a child starts."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    bound.listen()
    return bound


def _name(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
