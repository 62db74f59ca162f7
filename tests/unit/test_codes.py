"""Nothing that the worker says is without a code, and no code is without use or has two meanings."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.docs.metrics_table import declared
from upcasters.errors import DetectionError, EventError
from worker.cli import app
from worker.codes import FORM, KINDS, OF_OTHERS, add_code, codes, find

ROOT = Path(__file__).parents[2]
SOURCES = ("upcast_authoring", "worker", "upcast_demo")
REFUSALS = {
    "CommandError",
    "WorkerError",
    "AtRestError",
    "RowsFailedError",
    "NothingToDecideError",
    "TakenUpError",
    "WrongPlaceError",
    "Finding",
}
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
REPORTS = {"Problem", "problem", "report", "_problem"}
ALEMBIC = {"UPC4057", "UPC4058", "UPC4059", "UPC4060"}
"""Lines that Alembic logs as text, so that no code stands beside them."""
DEPRECATED = {"deprecated setting", "ignored variable"}
"""Lines whose text is in a variable where they are logged."""


def of(kind: str) -> dict[str, str]:
    return {code.number: code.name for code in codes().values() if code.kind == kind}


def calls(*folders: str) -> Iterator[tuple[str, ast.Call, str]]:
    """Each call in the sources: where it stands, the call, and the name of what is called."""
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", node, name


def test_each_refusal_has_a_code() -> None:
    without, used = [], {"UPC1012"}  # that one is said where no refusal was foreseen
    for place, call, name in calls(*SOURCES):
        if name not in REFUSALS:
            continue
        given = next((each.value for each in call.keywords if each.arg == "code"), None)
        if isinstance(given, ast.Constant) and given.value in of("refusals"):
            used.add(str(given.value))
        elif given is None or isinstance(given, ast.Constant):
            without.append(place)
    sources = "".join(file.read_text(encoding="utf-8") for each in SOURCES for file in (ROOT / each).rglob("*.py"))
    used |= set(re.findall(r"UPC1\d{3}|UPC2[12]\d\d", sources))
    assert not without, "give each a code of refusals.toml, in worker/codes/ or upcast_authoring/codes/"
    assert set(of("refusals")) - used == set()


def test_each_line_of_the_log_has_a_code() -> None:
    constants = {
        target.id: node.value.value
        for file in (ROOT / "worker").rglob("*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    said = {"lane"}  # its level is chosen before it is called
    for _, call, name in calls("worker"):
        of_log = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "log"
        if name in LEVELS and of_log:
            first = call.args[0]
            said.add(str(first.value if isinstance(first, ast.Constant) else constants[ast.unparse(first)]))
    known = {name for number, name in of("log").items() if number not in ALEMBIC}
    assert {text for text in said if "%s" not in text} | DEPRECATED | {OF_OTHERS} == known


@pytest.mark.parametrize(
    ("logger", "event", "code"),
    [
        ("worker.app", "stopped", "UPC4"),
        ("aiokafka.conn", "Unable connect to node", "UPC4070"),
        ("orders.steps", "of a chain", "UPC4070"),
        ("worker.app", "no line of ours", None),
    ],
)
def test_lines_of_libraries_have_a_code_too(logger: str, event: str, code: str | None) -> None:
    found = str(add_code(None, "", {"logger": logger, "event": event}).get("code"))
    assert found == "None" if code is None else found.startswith(code)


def test_each_metric_fault_and_problem_of_a_chain_has_a_code() -> None:
    described = {code.name: code.meaning for code in codes().values() if code.kind == "metrics"}
    assert described == {name: description for name, (_, _, description) in declared().items()}
    assert set(of("events").values()) == {kind.__name__ for kind in faults(EventError)} | {DetectionError.__name__}
    assert set(of("chains").values()) == set(chain_problems())


def faults(kind: type[EventError]) -> Iterator[type[EventError]]:
    for each in kind.__subclasses__():
        if each.__module__ == "upcasters.errors":
            yield each
            yield from faults(each)


def chain_problems() -> Iterator[str]:
    yield "step"  # of a StepError that says no other
    for _, call, name in calls("upcasters"):
        if name == "StepError" and len(call.args) > 2 and isinstance(call.args[2], ast.Constant):
            yield str(call.args[2].value)
        elif name in REPORTS or name.endswith("report"):
            first = call.args[0] if call.args else None
            if isinstance(first, ast.Constant) and len(call.args) > 1:
                yield str(first.value)


def test_each_status_of_a_problem_has_a_code() -> None:
    used = {200}
    for _, call, name in calls("worker/api", "worker/processes"):
        if name in ("problem", "HTTPException", "Refused"):
            status = re.search(r"HTTPStatus\.(\w+)", ast.unparse(call))
            used |= {HTTPStatus[status[1]].value} if status else set()
    assert {f"UPC6{status}" for status in used - {200} | {405}} == set(of("http"))


def test_a_code_has_one_meaning_in_whole_sentences() -> None:
    ranges = {"refusals": "UPC1|UPC21|UPC22", "chains": "UPC20", "events": "UPC3", "log": "UPC4", "metrics": "UPC5"}
    texts = [code for kind in KINDS for code in codes().values() if code.kind == kind]
    folders = [ROOT / each / "codes" for each in ("worker", "upcast_authoring")]
    files = [file.read_text(encoding="utf-8") for folder in folders for file in folder.glob("*.toml")]
    assert sum(text.count("\n[UPC") for text in files) == len(texts), "two files use the same code"
    for code in texts:
        assert FORM.fullmatch(code.number), code
        assert re.match(ranges.get(code.kind, "UPC6"), code.number), code
        for text in (code.meaning, code.cause, code.remedy):
            assert re.fullmatch(r".+\.", text), code
    names = [code.name.casefold() for code in texts if code.name]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        (["UPC1301"], "UPC1301"),
        (["(upc1301)"], "UPC1301"),
        (["MissingField"], "UPC3012"),
        (["waiting", "for", "kafka"], "UPC4055"),
        (["upcaster_consumer_lag"], "UPC5008"),
        (["no-such-path"], "UPC2015"),
    ],
)
def test_explain_answers_for_codes_and_names(asked: list[str], number: str) -> None:
    result = CliRunner().invoke(app, ["explain", *asked])
    assert result.exit_code == 0
    code = codes()[number]
    assert result.stdout.startswith(number)
    for text in (code.meaning, code.cause, code.remedy):
        assert text in result.stdout
    machines = CliRunner().invoke(app, ["explain", *asked, "--json"])
    assert json.loads(machines.stdout)["remedy"] == code.remedy


def test_a_refusal_is_printed_with_its_code(tmp_path: Path) -> None:
    """From the command line to the explanation, as a person goes it."""
    command = [sys.executable, "-m", "worker"]
    told = subprocess.run(
        [*command, "run", "-c", "none.yaml"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    number = re.findall(r"\((UPC\d{4})\)$", told.stderr.strip())
    assert number == ["UPC1101"]
    assert find(*number)
    unknown = CliRunner().invoke(app, ["explain", "upcaster_lag"])
    assert "did you mean upcaster_consumer_lag?" in str(unknown.exception)
