"""The jars of the Apache Kafka broker that the demo and the tests run: pinned, fetched once, checked, kept.

`jars.txt` names every jar with its hash. A resolver that works them out anew each time once mixed
the client library of 3.9 into a 4.3 broker, because another package's parent said so. jgo only fetches.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from worker.progress import OnProgress

PINNED = Path(__file__).with_name("jars.txt")
DOWNLOADS_AT_ONCE = 6


class JarsUnavailableError(Exception):
    """The broker's jars cannot be had; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Jar:
    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"


def pinned_jars(pinned: Path = PINNED) -> list[Jar]:
    lines = pinned.read_text(encoding="utf-8").splitlines()
    return [_parse(line) for line in lines if line and not line.startswith("#")]


def cache_directory() -> Path:
    """Where fetched jars stay, so that the second start is quick and needs no network."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "upcast" / "kafka"


def fetch_jars(progress: OnProgress | None = None, jars: Sequence[Jar] | None = None) -> list[Path]:
    """The pinned jars as files; those not kept yet are fetched, with `progress(done, total)` after each."""
    jars = pinned_jars() if jars is None else jars
    directory = cache_directory()
    paths = [directory / jar.file_name for jar in jars]
    if not all(path.exists() for path in paths):
        _make(directory)
        with _one_process_at_a_time(directory / ".lock"):
            _fetch_missing([jar for jar in jars if not (directory / jar.file_name).exists()], directory, progress)
    return paths


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JarsUnavailableError(
            f"{directory} cannot be made to keep Kafka in: {error.strerror}. "
            "Set XDG_CACHE_HOME to a folder that can be written."
        ) from error


def _parse(line: str) -> Jar:
    coordinates, sha256 = line.split()
    group, artifact, version = coordinates.split(":")
    return Jar(group, artifact, version, sha256)


@contextmanager
def _one_process_at_a_time(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch_missing(jars: list[Jar], directory: Path, progress: OnProgress | None) -> None:
    with (
        tempfile.TemporaryDirectory(dir=directory, prefix=".fetching-") as scratch,
        ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool,
    ):
        fetches = [pool.submit(_fetch, jar, Path(scratch), directory) for jar in jars]
        try:
            for done, fetch in enumerate(fetches, start=1):
                fetch.result()
                if progress is not None:
                    progress(done, len(jars))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _fetch(jar: Jar, scratch: Path, directory: Path) -> None:
    downloaded = _download(jar, scratch)
    found = hashlib.sha256(downloaded.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise JarsUnavailableError(
            f"{jar} was fetched but is not the file that {PINNED.name} pins: its SHA-256 is {found}. "
            "Somebody on the way (a proxy, a mirror) changed it; nothing was kept."
        )
    # Only whole, checked files ever carry the final name.
    downloaded.replace(directory / jar.file_name)


def _download(jar: Jar, scratch: Path) -> Path:
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    maven = MavenContext(repo_cache=scratch, remote_repos={"central": MAVEN_CENTRAL_URL})
    try:
        return maven.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    except (OSError, RuntimeError) as error:
        raise JarsUnavailableError(
            f"{jar} could not be fetched from {urlsplit(MAVEN_CENTRAL_URL).hostname}: {_why(error)}. "
            "Or set KAFKA_BOOTSTRAP_SERVERS to a broker that is there."
        ) from error


def _why(error: BaseException) -> str:
    """The first cause in one line, and what helps: what stands around it names each layer of the HTTP client."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted here ({error.verify_message}). Set REQUESTS_CA_BUNDLE to the file of "
            "certificates that your network trusts (on Debian /etc/ssl/certs/ca-certificates.crt)"
        )
    return f"{error}. The first start needs the network (behind a proxy: HTTPS_PROXY)"
