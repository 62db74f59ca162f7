"""The broker's jars: only whole files with the pinned hash are kept."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from worker.local_kafka import jars
from worker.local_kafka.jars import Jar, JarsUnavailableError, fetch_jars, pinned_jars

CONTENT = b"a jar"


def downloaded(jar: Jar, scratch: Path) -> Path:
    path = scratch / jar.file_name
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(jars, "_download", downloaded)
    return tmp_path / "upcast" / "kafka"


def test_the_broker_and_its_client_library_are_pinned_to_one_version() -> None:
    versions = {jar.version for jar in pinned_jars() if jar.group == "org.apache.kafka"}
    assert len(versions) == 1


def test_fetched_jars_are_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = Jar("org.example", "thing", "1.0", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(jars, "pinned_jars", lambda: [jar])
    seen: list[tuple[int, int]] = []
    assert fetch_jars(lambda done, total: seen.append((done, total))) == [cache / "thing-1.0.jar"]
    assert fetch_jars(lambda done, total: seen.append((done, total))) == [cache / "thing-1.0.jar"]
    assert seen == [(1, 1)]
    assert (cache / "thing-1.0.jar").read_bytes() == CONTENT


def test_a_jar_with_another_hash_is_refused_and_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "pinned_jars", lambda: [Jar("org.example", "thing", "1.0", "0" * 64)])
    with pytest.raises(JarsUnavailableError, match=r"org\.example:thing:1\.0 was fetched but is not the file"):
        fetch_jars()
    assert list(cache.glob("*.jar")) == []
