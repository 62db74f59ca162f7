"""Old names and old values of settings go on working, with one warning each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from upcasters.operations.choice import walk
from upcasters.operations.fields import Move, Rename
from upcasters.operations.values import MapValues
from worker.errors import WorkerError
from worker.settings import load_settings
from worker.settings.environment import location_of, variable_name
from worker.settings.history import chain
from worker.settings.load import load
from worker.settings.upgrade import CURRENT, alone, leaves

pytestmark = pytest.mark.usefixtures("clean_environment")

FLAT = """\
brokers: broker:9092
group: g
input_topic: legacy
output_topic: current
mode: at_least_once
compression: uncompressed
"""
SECTIONS = """\
version: 2
kafka: {brokers: "broker:9092", group: g}
pipelines:
  - {input: legacy, output: current, mode: exactly_once}
  - {input: other, output: current, on_unknown: dlq}
"""
TODAY = """\
version: 3
kafka: {bootstrap_servers: "broker:9092", group_id: g}
routes: [{source: legacy, destination: current}]
"""


def warnings_of(config: Path, text: str) -> list[str]:
    config.write_text(text)
    return [line.replace(str(config), "FILE") for line in load(config).warnings]


def test_the_first_format(config: Path) -> None:
    assert warnings_of(config, FLAT) == [
        "FILE:1: brokers is deprecated: write kafka.bootstrap_servers; version 0.3 removes it",
        "FILE:2: group is deprecated: write kafka.group_id; version 0.3 removes it",
        "FILE:3: input_topic is deprecated: write routes.source; version 0.3 removes it",
        "FILE:4: output_topic is deprecated: write routes.destination; version 0.3 removes it",
        "FILE:5: mode is deprecated: write routes.delivery; version 0.3 removes it",
        "FILE:6: compression is deprecated: write kafka.compression; version 0.3 removes it",
    ]
    settings = load_settings(config, warn=lambda _: None)
    assert settings.kafka.bootstrap_servers == "broker:9092"
    assert settings.kafka.compression == "none"
    assert settings.routes[0].delivery == "at-least-once"


def test_the_second_format_warns_once_a_name(config: Path) -> None:
    lines = warnings_of(config, SECTIONS)
    assert [line.partition(" is deprecated")[0] for line in lines] == [
        *("FILE:2: kafka.brokers", "FILE:2: kafka.group"),
        *("FILE:4: pipelines.input", "FILE:4: pipelines.output", "FILE:4: pipelines.mode"),
        "FILE:5: pipelines.on_unknown",
    ]
    assert [route.unknown_type for route in load(config).settings.routes] == ["dead-letter", "dead-letter"]


def test_a_file_of_today_has_no_warnings(config: Path) -> None:
    assert not warnings_of(config, TODAY)
    assert not warnings_of(config, TODAY.partition("\n")[2])


def test_old_and_new_names_side_by_side(config: Path) -> None:
    text = TODAY.partition("\n")[2].replace("group_id", "group")
    assert len(warnings_of(config, text)) == 1


def test_an_old_value_under_a_name_of_today(config: Path) -> None:
    text = TODAY.partition("\n")[2].replace("current}", "current, delivery: exactly_once}")
    (line,) = warnings_of(config, text)
    assert line.startswith("FILE:2: routes.delivery: the value exactly_once is deprecated: write exactly-once; ")


def test_the_warning_goes_to_stderr(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(FLAT)
    load_settings(config)
    written = capsys.readouterr()
    assert not written.out
    assert written.err.count("upcast: warning: ") == 6


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TODAY.replace("group_id", "group"), "unknown key; did you mean group_id?"),
        ("version: 2\n" + FLAT, "unknown key"),
        (TODAY.replace("3", "4"), "FILE:1: it has format 4, this worker reads formats up to 3: use a newer worker"),
        (TODAY.replace("3", "0"), "there is no format 0"),
        (TODAY.replace("3", "today"), "FILE:1: version is not a number: write version: 3"),
        (FLAT + "kafka: {brokers: b}", "kafka.brokers is given under its old and its new name: remove the old one"),
        (FLAT + "http: {port: many}", "FILE:7: http.port"),
        (FLAT.replace("legacy", "no spaces"), "FILE:3: routes.0.source: must be a topic name"),
        ("a: &a [*a]\n" + FLAT, "an alias contains itself"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(config: Path, text: str, expected: str) -> None:
    config.write_text(text)
    with pytest.raises(WorkerError) as caught:
        load(config)
    assert expected in str(caught.value).replace(str(config), "FILE")


def test_variables_of_older_formats(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(TODAY)
    monkeypatch.setenv("UPCAST_BROKERS", "other:9092")
    monkeypatch.setenv("UPCAST_PIPELINES__0__OUTPUT", "elsewhere")
    monkeypatch.setenv("UPCAST_KAFKA__COMPRESSION", "uncompressed")
    loaded = load(config)
    assert loaded.settings.kafka.bootstrap_servers == "other:9092"
    assert (loaded.settings.routes[0].source, loaded.settings.routes[0].destination) == ("legacy", "elsewhere")
    assert sorted(line.removesuffix("; version 0.3 removes it") for line in loaded.warnings) == [
        "environment variable UPCAST_BROKERS is deprecated: write UPCAST_KAFKA__BOOTSTRAP_SERVERS",
        "environment variable UPCAST_KAFKA__COMPRESSION: the value uncompressed is deprecated: write none",
        "environment variable UPCAST_PIPELINES__0__OUTPUT is deprecated: write UPCAST_ROUTES__0__DESTINATION",
    ]


def test_a_variable_that_holds_older_names(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(TODAY)
    monkeypatch.setenv("UPCAST_PIPELINES", json.dumps([{"input": "a", "output": "b"}, {"input": "c", "output": "d"}]))
    loaded = load(config)
    assert [route.source for route in loaded.settings.routes] == ["a", "c"]
    assert len(loaded.warnings) == 2


def test_an_old_and_a_new_variable(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(TODAY)
    monkeypatch.setenv("UPCAST_BROKERS", "a:1")
    monkeypatch.setenv("UPCAST_KAFKA__BOOTSTRAP_SERVERS", "a:1")
    assert load(config).settings.kafka.bootstrap_servers == "a:1"
    monkeypatch.setenv("UPCAST_KAFKA__BOOTSTRAP_SERVERS", "b:1")
    with pytest.raises(WorkerError, match="UPCAST_BROKERS: UPCAST_KAFKA__BOOTSTRAP_SERVERS has another value"):
        load(config)


def test_the_legacy_port_itself_will_go(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(TODAY)
    monkeypatch.setenv("LEGACY_RUNNER_PORT", "8080")
    (line,) = load(config).warnings
    assert line.startswith("environment variable LEGACY_RUNNER_PORT: http.legacy_port is deprecated: use http.port; ")


def old_names() -> list[str]:
    """Every name that some format had, as the chain knows them."""
    found = []
    for operation in walk(operation for step in chain.steps for operation in step.operations):
        if isinstance(operation, Move):
            found.append(".".join(map(str, operation.source)))
        elif isinstance(operation, Rename):
            found += [".".join(map(str, (*operation.at, name))) for name in operation.names]
        else:
            assert isinstance(operation, MapValues) or not operation.reads() or operation.writes()
    return found


def test_no_old_name_is_one_of_today() -> None:
    """Else a file that does not say its format could be read in two ways."""
    today = {location for location, _ in leaves(yaml.safe_load(TODAY))}
    assert not {tuple(name.split(".")) for name in old_names()} & today
    assert alone(("kafka", "bootstrap_servers"), "a") == (("kafka", "bootstrap_servers"), "a")


def test_the_formats_are_those_of_the_chain() -> None:
    assert chain.newest("config") == str(CURRENT)


@pytest.mark.parametrize("location", [("kafka", "group_id"), ("routes", 0, "source")])
def test_variables_and_locations(location: tuple[str | int, ...]) -> None:
    assert location_of(variable_name(location)) == location
