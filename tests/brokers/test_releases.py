"""The pinned releases: whole, of one version each, and found by the names that people give them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.brokers import releases
from tests.brokers.matrix import Outcome, try_release
from tests.brokers.page import rows, written
from tests.brokers.releases import HERE, RELEASES, OnOlderJava, WithZooKeeper, named
from upcast_demo.local_kafka.jars import pinned_jars
from upcast_demo.local_kafka.release import NEWEST

PAGE = "before\n<!-- brokers: made -->\n<!-- end of brokers -->\nbehind\n"


@pytest.mark.parametrize("file", sorted(HERE.glob("*.txt")), ids=lambda file: file.stem)
def test_all_of_a_release_is_of_its_version(file: Path) -> None:
    assert {jar.version for jar in pinned_jars(file) if jar.group == "org.apache.kafka"} == {file.stem}


def test_jars_that_share_a_name_are_the_same() -> None:
    """They are kept in one folder."""
    jars = {jar for release in RELEASES.values() for jar in pinned_jars(release.pinned)}
    assert len({jar.file_name for jar in jars}) == len({(jar.file_name, jar.sha256) for jar in jars}) == len(jars)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("3.7", ["3.7.2"]),
        ("3.9", ["3.9.0", "3.9.1"]),
        ("3.9.0", ["3.9.0"]),
        ("4.0.0:1", ["4.0.0:1"]),
        (NEWEST.version, [f"{NEWEST.version}:{number}" for number in range(3)]),
    ],
)
def test_a_release_is_found_by_as_much_of_its_name_as_is_given(name: str, found: list[str]) -> None:
    assert list(named(name)) == found


@pytest.mark.parametrize("name", ["1.0", "4.4.0:7", "3.", "newest"])
def test_a_release_that_is_not_there_is_reported_with_those_that_are(name: str) -> None:
    with pytest.raises(SystemExit, match=r"none of those that are pinned: 2\.8\.2, 3\.4\.1, "):
        named(name)


def test_without_a_java_of_its_time_a_release_is_skipped_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releases, "older_java", lambda: None)
    monkeypatch.setattr("upcast_demo.local_kafka.release.fetch_jars", lambda **_: [])
    assert (
        try_release("3.4.1", RELEASES["3.4.1"], tmp_path).skipped == "Kafka 3.4.1 needs a Java from 11 to 23, e.g. 17"
    )
    assert isinstance(RELEASES["3.6.2"], OnOlderJava)
    assert not isinstance(RELEASES["3.7.2"], OnOlderJava)


def test_with_zookeeper_nothing_is_said_of_controllers(tmp_path: Path) -> None:
    made = WithZooKeeper().properties(tmp_path, {"zookeeper.connect": "127.0.0.1:1", "node.id": "2"})
    assert "CONTROLLER" not in "".join(made.values())
    assert made["broker.id"] == "2"


def test_the_page_keeps_the_rows_of_releases_that_were_not_tried() -> None:
    page = written(PAGE, [Outcome("4.0.0:1", records=14_000), Outcome("3.9.0", doubled=3)])
    page = written(page, [Outcome("3.9.0", records=1), Outcome("3.4.1", skipped="no Java")])
    assert list(rows(page)) == ["3.9.0", "4.0.0, `transaction.version` 1"]
    assert rows(page)["3.9.0"][1:5] == ["1", "0", "0", "0"]
    assert page.startswith("before\n")
    assert page.endswith("behind\n")
