"""The command line: one line an error, exit codes, JSON, and a quick start."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import worker.cli
from tests.limits import HANG
from worker.cli import app
from worker.errors import MAY_PASS, WorkerError

ROUTE = {"source": "legacy", "destination": "current", "event_type": "task_context"}
CONFIG: dict[str, Any] = {"kafka": {"bootstrap_servers": "b:9092", "group_id": "g"}, "routes": [ROUTE]}


@pytest.fixture(autouse=True)
def _path_as_it_was() -> Iterator[None]:
    before = sys.path.copy()
    yield
    sys.path[:] = before


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "upcast.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    return path


def upcast(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r}); from worker.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=HANG
    )


def test_check_says_what_is_right(config: Path) -> None:
    result = upcast("check", "--config", str(config))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("ok: legacy -> current (chain upcasters.devteam_runner:chain, fingerprint ")
    assert result.stdout.splitlines()[-1].startswith("not checked: topics, rights and limits at the brokers")


def test_check_for_machines(config: Path) -> None:
    result = upcast("check", "-c", str(config), "--json")
    route, deprecations = json.loads(result.stdout)
    assert deprecations["ok"]
    assert route["ok"] is True
    assert re.fullmatch(r"3-[0-9a-f]{16}", route["fingerprint"])


def test_check_of_a_wrong_chain_found_something(config: Path) -> None:
    config.write_text(yaml.safe_dump(CONFIG | {"routes": [ROUTE | {"chain": "no.such:chain"}]}))
    result = upcast("check", "--config", str(config))
    assert result.returncode == 1
    assert result.stdout.startswith("wrong: legacy -> current\n  chain no.such:chain cannot be imported")


def test_check_of_two_files_finds_routes_that_lead_back_over_both(config: Path) -> None:
    other = config.with_name("other.yaml")
    other.write_text(yaml.safe_dump(CONFIG | {"routes": [ROUTE | {"source": "current", "destination": "legacy"}]}))
    assert upcast("check", "-c", str(other)).returncode == 0
    together = upcast("check", "-c", str(config), "-c", str(other))
    assert together.returncode == 1
    assert f"wrong: {config} with {other}\n  the routes legacy -> current -> legacy lead back" in together.stdout


def test_a_step_that_does_not_lead_to_its_model_is_refused_by_check_and_at_start(config: Path) -> None:
    (config.parent / "mistaken.py").write_text(MISTAKEN)
    of_chain = upcast("check", "--chain", "mistaken:chain", cwd=config.parent)
    config.write_text(yaml.safe_dump(CONFIG | {"routes": [ROUTE | {"chain": "mistaken:chain"}]}))
    of_route = upcast("check", "--config", str(config), cwd=config.parent)
    run = upcast("run", "--config", str(config), cwd=config.parent)
    assert (of_chain.returncode, of_route.returncode, run.returncode) == (1, 1, 2)
    for told in (of_chain.stdout, of_route.stdout, run.stderr):
        assert "step task_context:1->2: branch, which the model requires, is missing" in told


MISTAKEN = """
from pydantic import BaseModel
from upcasters import Baseline, Chain, Step, anything, present, rename

class Old(BaseModel):
    banch: str

class New(BaseModel):
    branch: str

chain = Chain(
    [Step("task_context", "1", "2", [rename("banch", "brunch")], model=New, shape=present("branch"))],
    [Baseline("task_context", "1", model=Old, shape=anything())],
)
"""


def test_a_chain_beside_the_command_is_found(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from upcasters.devteam_runner import chain\n")
    result = upcast("check", "--chain", "mine:chain", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("ok: mine:chain")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["check", "--config", "none.yaml"], "upcast: none.yaml: there is no such configuration file"),
        (["run", "--config", "none.yaml"], "upcast: none.yaml: there is no such configuration file"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, arguments: list[str], expected: str) -> None:
    result = upcast(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith(expected)
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["check", "--unknown"], ["unknown"], ["run", "too", "many"]])
def test_wrong_use_is_2_and_no_traceback(arguments: list[str]) -> None:
    result = upcast(*arguments)
    assert result.returncode == 2
    assert "Usage: upcast" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_configuration_that_may_not_be_read_is_one_line(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a container the user is another one than the file's owner. Root may read everything, so this is acted."""

    def refuse(*_args: Any, **_options: Any) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "access", lambda *_args: False)
    monkeypatch.setattr(Path, "read_text", refuse)
    monkeypatch.setattr(sys, "argv", ["upcast", "check", "--config", str(config)])
    with pytest.raises(SystemExit) as ended:
        worker.cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"upcast: {config}: cannot read the configuration: Permission denied (UPC1005)\n"


def test_a_terminal_without_unicode_gets_escapes(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    made = upcast("new", "first", "--type", "order", "--dir", "orders", cwd=config.parent)
    assert (made.returncode, made.stderr) == (0, "")
    assert 'then: upcast new "\\u2026" --type order' in made.stdout
    config.write_text(yaml.safe_dump(CONFIG | {"routes": [ROUTE | {"source": "s", "chain": "größe…:chain"}]}))
    told = json.loads(upcast("check", "-c", str(config), "--json").stdout)
    assert told[0]["chain"] == "größe…:chain"


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    result = upcast("--debug", "run", "--config", "none.yaml", cwd=tmp_path)
    assert result.returncode == 2
    assert "Traceback" in result.stderr


def test_version_and_which_path_runs(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    assert upcast("--version").stdout.startswith("upcast 0.")
    monkeypatch.setenv("UPCAST_NATIVE", "0")
    assert upcast("--version").stdout.endswith(", pure (UPCAST_NATIVE=0 turns it off)\n")
    assert upcast("check", "--config", str(config)).returncode == 0, "it is no setting"


@pytest.mark.parametrize("command", [command.name for command in app.registered_commands])
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"upcast {command}" in result.output.split("Example", 1)[1]


def test_errors_of_the_worker_end_with_their_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, WorkerError("one\ntwo", MAY_PASS, code="UPC1205")) == 1
    assert capsys.readouterr().err == "upcast: one (UPC1205)\nupcast: two (UPC1205)\n"


def test_a_bug_shows_its_class_and_no_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, ValueError("payload-value")) == 1
    text = capsys.readouterr().err
    assert "unexpected ValueError" in text
    assert "payload-value" not in text


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_main(monkeypatch, KeyboardInterrupt()) == 130


def run_main(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> Any:
    def fail(prog_name: str) -> None:
        raise error

    monkeypatch.setattr(worker.cli, "app", fail)
    with pytest.raises(SystemExit) as caught:
        worker.cli.main()
    return caught.value.code


def test_help_does_not_import_what_it_does_not_need() -> None:
    help_of = [sys.executable, "-X", "importtime", "-c", "from worker.cli import main; main()", "run", "--help"]
    told = subprocess.run(help_of, check=True, capture_output=True, text=True).stderr
    imported = {line.rpartition("|")[2].strip() for line in told.splitlines()}
    assert "typer" in imported
    assert not imported & {
        *(
            "aiokafka",
            "alembic",
            "asyncio",
            "fastapi",
            "msgspec",
            "prometheus_client",
            "pydantic_settings",
            "sqlalchemy",
        ),
        *("starlette", "structlog", "upcasters", "uvicorn", "uvloop", "worker.app", "worker.settings", "yaml"),
    }


def test_ctrl_c_while_the_command_loads_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    script = str(Path(sys.executable).with_name("upcast"))
    # A shell that starts these tests in the background has it ignored, which the command would respect.
    listening = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = [sys.executable, "-c", listening, script, "check"]
    stopped = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (stopped.returncode, stopped.stderr) == (130, "")


def test_the_mark_that_windows_begins_a_file_with_is_no_part_of_an_event() -> None:
    data = b'\xef\xbb\xbf{"metadata": {"taskId": "1", "projectId": "p"}, "nodes": {}}\r\n'
    assert CliRunner().invoke(app, ["try"], input=data).exit_code == 0


def test_a_shell_completes_commands() -> None:
    script = str(Path(sys.executable).with_name("upcast"))
    asked = {"COMP_WORDS": "upcast che", "COMP_CWORD": "1", "_UPCAST_COMPLETE": "complete_bash"}
    done = subprocess.run([script], capture_output=True, text=True, check=True, env={**os.environ, **asked})
    assert done.stdout.split() == ["check", "checklist"]
