"""A Docker engine for the checks: the one that is there, or one of our own in a network namespace of its own.

Our own sees nothing of this machine's ports, so that the published ports of deploy/compose.yaml are free whatever else
runs here, and it reaches the registries through slirp4netns.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PACKAGES = {
    "dockerd": "docker.io",
    "docker-compose": "docker-compose",
    "debootstrap": "debootstrap",
    "slirp4netns": "slirp4netns",
    "iptables": "iptables",
}
START_SECONDS = 60.0


class UnavailableError(Exception):
    """There is no engine to be had here; the message says why."""


@dataclass(frozen=True)
class Engine:
    """``inside`` is put before commands that are to see its published ports."""

    environment: dict[str, str] = field(default_factory=dict)
    inside: tuple[str, ...] = ()

    def run(self, command: Sequence[str], folder: Path | None = None, seconds: float = 900, check: bool = True) -> str:
        """Standard output and error together. Raises AssertionError with them where it fails."""
        done = subprocess.run(
            [*self.inside, *command],
            cwd=folder,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert not check or done.returncode == 0, f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}"
        return done.stdout

    def docker(self, *arguments: str, check: bool = True) -> str:
        return self.run(["docker", *arguments], check=check).strip()

    def inspect(self, name: str) -> Any:
        return json.loads(self.docker("inspect", name))[0]

    def compose(self, folder: Path, *arguments: str) -> str:
        return self.run([*self.compose_command(), *arguments], folder)

    def compose_command(self) -> tuple[str, ...]:
        """Compose 2 where it is there, else 1."""
        modern = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
        return ("docker", "compose") if modern else ("docker-compose",)

    def get(self, url: str) -> tuple[int, str]:
        """Status and body; 0 where nobody answers."""
        text = self.run(["curl", "-s", "-m", "5", "-w", "\n%{http_code}", url], check=False)
        body, _, status = text.rpartition("\n")
        return int(status or 0), body


@contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    """Raises UnavailableError. What is started is ended, and its data removed."""
    if _answers({}):
        yield Engine()
        return
    if os.geteuid() != 0:
        raise UnavailableError("no Docker engine answers, and only root can start one")
    _install()
    with _own_engine(folder) as ours:
        yield ours


def _answers(environment: dict[str, str]) -> bool:
    if shutil.which("docker") is None:
        return False
    asked = ["docker", "info", "--format", "{{.ServerVersion}}"]
    done = subprocess.run(asked, capture_output=True, check=False, env={**os.environ, **environment})
    return done.returncode == 0


def _install() -> None:
    missing = [package for command, package in PACKAGES.items() if shutil.which(command) is None]
    if missing and shutil.which("apt-get") is None:
        raise UnavailableError(f"no Docker engine answers, and these are missing: {' '.join(missing)}")
    if missing:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for step in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
            subprocess.run(["apt-get", "-qq", *step], check=True, stdout=subprocess.DEVNULL, env=quiet)


@contextmanager
def _own_engine(folder: Path) -> Iterator[Engine]:
    log = (folder / "dockerd.log").open("wb")
    socket = f"unix://{folder}/docker.sock"
    options = f"--data-root {folder}/data --exec-root {folder}/exec -H {socket} --pidfile {folder}/docker.pid"
    daemon = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", f"ip link set lo up && exec dockerd {options}"],
        stdout=log,
        stderr=log,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    network: subprocess.Popen[bytes] | None = None
    try:
        _wait_for(daemon, socket, folder)
        network = subprocess.Popen(
            ["slirp4netns", "--configure", "--mtu=65520", "--disable-host-loopback", str(daemon.pid), "tap0"],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        yield Engine({"DOCKER_HOST": socket, "DOCKER_BUILDKIT": "0"}, ("nsenter", f"--net=/proc/{daemon.pid}/ns/net"))
    finally:
        for process in (daemon, network):
            if process is not None:
                process.send_signal(signal.SIGTERM)
                process.wait(60)
        log.close()
        _unmount_below(folder)


def _unmount_below(folder: Path) -> None:
    """What the engine leaves mounted would stay for ever, and keep its folder."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for place in sorted(mounted, reverse=True):
        if Path(place).is_relative_to(folder):
            subprocess.run(["umount", "--lazy", place], check=False)


def _wait_for(daemon: subprocess.Popen[bytes], socket: str, folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers({"DOCKER_HOST": socket}):
        if daemon.poll() is not None or time.monotonic() > deadline:
            tail = (folder / "dockerd.log").read_text(errors="replace").splitlines()[-3:]
            raise UnavailableError(f"no Docker engine answers, and one of our own does not start: {' '.join(tail)}")
        time.sleep(0.2)  # it tells nobody when it is ready
