"""Readers as all beside the lanes sees them: settings, plans, census, loss reports, locks, rows and commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner, Result

from tests.unit.replay.chains import SOURCE
from upcast_authoring.lock import changed, parts_of
from upcasters import Baseline, Chain, Event, Policy, Step, Upcast, function, present, read_with, rename
from worker.cli import app
from worker.database.document_upcaster import Changed, DocumentUpcaster
from worker.replay.census.counting import Census, EventKind, Identifier
from worker.replay.plan.data_loss import Loss
from worker.replay.plan.identity import config_fingerprint, deciding
from worker.replay.plan.samples import Sample
from worker.routes.chains import load_route_chain
from worker.settings import RouteSettings

OPERATIONS = [rename("a", "b")]


def chain(*readers: Any, operations: Any = OPERATIONS) -> Chain:
    steps = [Step("o", "1", "2", operations, shape=present("b"), lossy="tried here")]
    return Chain(steps, [Baseline("o", "1", shape=present("a"))], readers=readers)


# Settings and plans.


def route(**given: Any) -> RouteSettings:
    return RouteSettings.model_validate({"source": "old", "destination": "new", **given})


def test_a_route_names_its_readers() -> None:
    assert route().policy().readers is None
    assert [each.name for each in _named(route(readers=["utf-16", "array"]))] == ["utf-16", "array"]
    assert [each.name for each in _named(route(readers="array"))] == ["array"]
    assert [each.name for each in _named(route(readers='["array"]'))] == ["array"]
    assert _named(route(readers=[])) == []


def _named(given: RouteSettings) -> list[Any]:
    return list(given.policy().readers or ())


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="byte-order-mark"):
        route(readers=["bom"])


def test_a_plan_knows_its_route_by_the_readers_and_as_before_without_any() -> None:
    assert "readers" not in deciding(route())
    prints = {config_fingerprint(route(readers=each)) for each in (None, [], ["array"], ["array", "json-text"])}
    assert len(prints) == 4


def test_a_route_that_reads_arrays_splits() -> None:
    assert not load_route_chain(route()).traits.splits
    assert load_route_chain(route(readers=["array"])).traits.splits


# Census and loss report.


def test_each_event_of_an_array_is_counted() -> None:
    census = Census(Identifier(chain("utf-16", "array"), Policy()), "old")
    for value in (b'[{"a":1},{"b":1},{"a":2}]', b'{"a":1}', b"[]", b"[1]", '{"b":1}'.encode("utf-16"), b"[", None):
        census.add(0, [Event(value, b"k", [], 5, 1)])
    found = {(kind.version, kind.problem): line.seen.records for kind, line in census.lines.items()}
    assert found == {
        ("1", ""): 3,
        ("2", ""): 2,
        ("", "decode DecodeError"): 1,
        ("", "decode ReaderError"): 1,
        ("", "tombstone"): 1,
    }
    assert (census.records, census.events) == (7, 8)
    assert census.lines[EventKind("o", "1", "1")].seen.bytes == 3 * len(b'k{"a":1}')


def test_what_a_reader_changes_is_not_called_lost() -> None:
    def forgets(view: dict[str, Any]) -> None:
        view.pop("gone", None)

    operations = [*OPERATIONS, function(forgets, reads=["gone"], writes=["gone"])]
    found = chain("byte-order-mark", "array", operations=operations)
    samples = []
    for offset, value in enumerate([b'\xef\xbb\xbf{"a":1}', b'[{"a":1},{"a":2,"gone":"x"},{"b":3}]']):
        event = Event(value, b"k", [], 5, offset)
        outcome = found.upcaster().upcast(event, SOURCE)
        assert isinstance(outcome, Upcast)
        samples.append(Sample(event, SOURCE, outcome))
    report = Loss(found, Policy(), 2).look(samples)
    (lost,) = report.lost
    assert (lost.path, lost.from_version, lost.events, report.compared) == ("gone", "1", 1, 3)
    assert lost.samples[0].offset == 1


# Locks and rows.


def unframed(value: bytes) -> bytes:
    return value.removeprefix(b"\0")


def test_released_readers_are_locked() -> None:
    before = parts_of("chain", chain("array"))
    assert "readers" not in parts_of("chain", chain())
    assert changed(before, parts_of("chain", chain("array"))) == {}
    assert changed(before, parts_of("chain", chain("array", read_with(unframed)))) == {"readers": "changed"}
    assert changed(before, parts_of("chain", chain())) == {"readers": "removed"}
    assert changed(parts_of("chain", chain()), before) == {}, "what no reader read was a dead letter"


def test_a_row_is_read_and_stays_one_row() -> None:
    upcaster = DocumentUpcaster(chain("byte-order-mark", "array"), "o", "2")
    assert upcaster.bring(b'\xef\xbb\xbf{"a":1}') == Changed(b'{"b":1}', "1", "2")
    fault = upcaster.bring(b'[{"a":1}]')
    assert getattr(fault, "stage", "") == "decode"


# The commands.

MODULE = """
from upcasters import Baseline, Chain, Step, present, rename

chain = Chain(
    [Step("o", "1", "2", [rename("a", "b")], shape=present("b"))],
    [Baseline("o", "1", shape=present("a"))],
    readers=["byte-order-mark", "nan-as-null", "array"],
)
"""


@pytest.fixture
def reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "reading_chain.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "160")
    yield "reading_chain:chain"
    sys.modules.pop("reading_chain", None)


def upcast(*arguments: str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(app, arguments, input=stdin)


def test_try_says_what_the_readers_made_of_an_event(reading: str) -> None:
    result = upcast("try", "--chain", reading, stdin=b'[{"a":1},{"a":2}]\n{"a":NaN}\n')
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert "read by array, which makes 2 events of it" in lines
    assert [line[:3] for line in lines if "1 -> 2" in line] == ["[0]", "[1]", "1 -"]
    assert "read by nan-as-null" in lines
    told = json.loads(upcast("try", "--chain", reading, "--json", stdin=b'[{"a":1},{"a":2}]').stdout)
    assert told[0]["read_by"] == ["array"]
    assert [hop["position"] for hop in told[0]["trace"]] == [0, 1]
    assert [record["value"] for record in told[0]["records"]] == [{"b": 1}, {"b": 2}]


def test_try_takes_a_whole_value_byte_for_byte(reading: str) -> None:
    value = b'\xef\xbb\xbf{\n"a":1}\n'
    assert "read by byte-order-mark" in upcast("try", "--chain", reading, "--whole", stdin=value).stdout
    assert "read by" not in upcast("try", "--chain", reading, stdin=value).stdout
    cut = upcast("try", "--chain", reading, "--whole", stdin=b'{"a":1}\n{"a":2}')
    assert (cut.exit_code, "stage decode" in cut.stdout) == (1, True)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_try_reads_files_as_windows_writes_them(reading: str, encoding: str) -> None:
    result = upcast("try", "--chain", reading, stdin='{"a":"é"}\r\n{"a":2}\r\n'.encode(encoding))
    assert (result.exit_code, result.stdout.count("event ")) == (0, 2)
    assert '{"b":"é"}' in result.stdout


def test_try_reads_a_file(reading: str, tmp_path: Path) -> None:
    file = tmp_path / "events.json"
    file.write_bytes(b'{"a":1}\n{"b":2}\n')
    assert upcast("try", str(file), "--chain", reading).stdout.count("event ") == 2
    for given, told in ((tmp_path, "cannot be read"), (file, "there is no event in")):
        file.write_bytes(b" ")
        assert told in str(upcast("try", str(given), "--chain", reading).exception)


def test_try_does_as_a_route_does(reading: str, tmp_path: Path) -> None:
    config = tmp_path / "upcast.yaml"
    config.write_text(
        "kafka: {bootstrap_servers: 'localhost:9', group_id: g}\n"
        f"routes: [{{source: old, destination: new, chain: '{reading}', readers: [json-text]}}]\n"
    )
    routed = ("try", "--config", str(config), "--route", "old")
    assert "read by json-text" in upcast(*routed, stdin=rb'"{\"a\":1}"').stdout
    assert "stage decode" in upcast(*routed, stdin=b'[{"a":1}]').stdout
    wrong = {("--at", "3"): "is not PARTITION:OFFSET", ("--at", "3:1", "--key", "k"): "leave out FILE"}
    for options, told in wrong.items():
        assert told in str(upcast(*routed, *options).exception)


RENAMING = """
from upcasters import Always, Baseline, Chain, Detection, FromHeader, Step, rename_type, set_header, set_key

chain = Chain(
    [Step("old", "1", "2", [rename_type("new"), set_header("h", "x"), set_key("id")], lossy="the key")],
    [Baseline("old", "1")],
    detection=Detection((FromHeader("type"), Always("old")), (FromHeader("v"), Always("1"))),
)
"""


def test_try_shows_what_changes_around_an_event(reading: str, tmp_path: Path) -> None:
    (tmp_path / "reading_chain.py").write_text(RENAMING)
    headers = ("-H", "type=old", "-H", "v=1", "-H", "kept=1")
    lines = upcast("try", "--chain", reading, "--key", "k", *headers, stdin=b'{"id":"i"}').stdout.splitlines()
    assert lines[1].startswith("old 1 -> new 2 (")
    changed_lines = [line for line in lines if line.startswith(("+", "-"))]
    assert sorted(changed_lines) == [
        "+ header h: x",
        "+ header type: new",
        "+ header v: 2",
        "+ key: i",
        "- header type: old",
        "- header v: 1",
        "- key: k",
    ]


def test_show_names_the_readers(reading: str) -> None:
    told = "readers in front of the decoder: byte-order-mark, nan-as-null, array"
    assert told in upcast("show", "--chain", reading).stdout
    assert f"# {told}" in upcast("show", "--chain", reading, "--code").stdout
    assert "readers in front" not in upcast("show").stdout
