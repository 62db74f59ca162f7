"""Mistakes that operators make: each ends in one line with a code, which says what is wrong and what to do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from upcast_authoring.errors import CommandError
from worker.cli import app
from worker.codes import find

RIGHT = """\
kafka: {bootstrap_servers: "127.0.0.1:1", group_id: g, start_timeout: 0.2}
routes: [{source: legacy, destination: current}]
"""
CONFIGS = {
    "right.yaml": RIGHT,
    "list.yaml": "- kafka\n",
    "broken.yaml": "kafka: {bootstrap_servers: [\n",
    "twice.yaml": f"{RIGHT}routes: []\n",
    "unknown.yaml": RIGHT.replace("start_timeout", "start_timout"),
    "no-routes.yaml": 'kafka: {bootstrap_servers: "127.0.0.1:1", group_id: g}\n',
    "no-chain.yaml": RIGHT.replace("destination: current", 'destination: current, chain: "ordres:chain"'),
    "newer.yaml": f"version: 99\n{RIGHT}",
    "loop.yaml": RIGHT.replace("current", "legacy"),
    "text.json": "{}",
}
MISTAKES = {
    "no configuration file": (["run", "-c", "none.yaml"], "UPC1101", "name it with --config FILE"),
    "a folder for a file": (["run", "-c", "folder"], "UPC1101", "it is a folder"),
    "a list for settings": (["run", "-c", "list.yaml"], "UPC1102", "write `key: value` lines"),
    "YAML that is none": (["run", "-c", "broken.yaml"], "UPC1102", "broken.yaml"),
    "a section twice": (["run", "-c", "twice.yaml"], "UPC1103", "is given twice (first in line 2): remove one"),
    "a misspelt setting": (["run", "-c", "unknown.yaml"], "UPC1104", "did you mean start_timeout?"),
    "no routes": (["run", "-c", "no-routes.yaml"], "UPC1104", "routes is missing"),
    "a topic into itself": (["run", "-c", "loop.yaml"], "UPC1104", "legacy"),
    "a chain that is not there": (["plan", "-c", "no-chain.yaml"], "UPC2012", "ordres"),
    "a file of a newer worker": (["run", "-c", "newer.yaml"], "UPC1105", "use a newer worker"),
    "a broker that is away": (["lanes", "list", "-c", "right.yaml"], "UPC1201", "start the broker"),
    "a route that is none": (["plan", "-c", "right.yaml", "-r", "legcay"], "UPC1003", "sources are legacy"),
    "no plan": (["replay", "none.json", "-c", "right.yaml"], "UPC1605", "cannot read the plan"),
    "the configuration for a plan": (["replay", "right.yaml", "-c", "right.yaml"], "UPC1605", "is no plan"),
    "another file for a receipt": (["verify", "text.json", "-c", "right.yaml"], "UPC1605", "is no receipt"),
    "neither place nor fault": (["dlq", "show", "0-42", "-c", "right.yaml"], "UPC1001", "such as 0:42"),
    "a redrive of nothing": (["dlq", "redrive", "-c", "right.yaml"], "UPC1002", "--fingerprint"),
    "a fingerprint cut off": (["dlq", "redrive", "-f", "ab", "-c", "right.yaml"], "UPC1001", "16 hex digits"),
    "a rate in words": (["dlq", "redrive", "--all", "--rate", "fast", "-c", "right.yaml"], "UPC1001", "500"),
    "a decision without a place": (["lanes", "decide", "legacy:0", "-c", "right.yaml"], "UPC1002", "--begin-at-end"),
    "an offset in words": (["lanes", "decide", "legacy:0", "--go-on-at", "soon"], "UPC1001", "give a number"),
    "a worker without a port": (["checklist", "--worker", "here", "-c", "right.yaml"], "UPC1001", "HOST:PORT"),
    "a statement without a name": (["checklist", "--attest", "yes", "-c", "right.yaml"], "UPC1001", "NAME=TEXT"),
    "a tool that Kafka has not": (["kafka", "tropics"], "UPC1003", "it is one of"),
    "a topic without a name": (["broker", "--create", ":3"], "UPC1001", "TOPIC:PARTITIONS"),
    "no Alembic": (["db", "upgrade", "--alembic", "none.ini"], "UPC1901", "--alembic FILE"),
    "a code that is none": (["explain", "xyzzy"], "UPC1003", "docs/codes.md"),
}


@pytest.fixture
def _own_log() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("_own_log")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_with_code_and_remedy(
    mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, code, told = MISTAKES[mistake]
    for name, text in CONFIGS.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "upcast.yaml").write_text(RIGHT)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, CommandError), (result.exception, result.output)
    ((line, found),) = result.exception.lines
    assert (found, told in line) == (code, True), result.exception.lines
    explained = find(found)
    assert explained
    assert explained.remedy
