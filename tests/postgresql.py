"""A throw-away PostgreSQL server of one's own, from the programs that are installed (Debian: `postgresql`)."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port

GIVEN = "UPCAST_TEST_POSTGRESQL"
"""Names a server that is there, as `postgresql://USER@HOST:PORT`; its user may make databases."""

PROGRAMS = Path("/usr/lib/postgresql")
SERVANTS = ("postgres", "nobody")
"""The server refuses to run as root: it then runs as the first of these that there is."""


def programs() -> Path | None:
    """The folder of `initdb` and the others, the newest version's; None where PostgreSQL is not installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    versions = sorted(PROGRAMS.glob("*/bin/initdb"), key=lambda file: float(file.parts[-3]))
    return versions[-1].parent if versions else None


@contextmanager
def running_server(bin_folder: Path) -> Iterator[str]:
    """The URL of a new server, without a database name."""
    user = _servant()
    folder = Path(tempfile.mkdtemp(prefix="upcast-postgresql-"))
    if user:
        shutil.chown(folder, user)
    data, port = folder / "data", free_port()
    options = f"-c listen_addresses=127.0.0.1 -p {port} -c fsync=off -c unix_socket_directories={folder}"
    control = [str(bin_folder / "pg_ctl"), "-D", str(data), "-w", "-s", "-l", str(folder / "log")]
    try:
        _run(
            [str(bin_folder / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8"],
            user,
        )
        _run([*control, "-o", options, "start"], user)
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}"
        finally:
            _run([*control, "-m", "immediate", "stop"], user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _servant() -> str | None:
    if os.geteuid() != 0:
        return None
    import pwd

    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in SERVANTS if name in known)


def _run(command: list[str], user: str | None) -> None:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    subprocess.run(
        command, check=True, user=user, cwd="/", env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
