"""Released steps: `upcast lock` writes them down, `upcast check` refuses a change, `--against` says what it does."""

from __future__ import annotations

import importlib
import json
import linecache
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from upcast_authoring.errors import CommandError
from worker.cli import app

PACKAGE = {
    "__init__.py": """
from upcasters import Chain
from orders import steps

chain = Chain(steps.STEPS, steps.BASELINES)
""",
    "steps.py": """
from pydantic import BaseModel
from upcasters import Baseline, Step, convert, default, present, rename


def amount(value):
    if isinstance(value, str):
        raise ValueError("no number")
    return value


class Order(BaseModel):
    customer_id: int
    currency: str
    total: float


STEPS = [
    Step(
        "order", "1", "2", [rename("custId", "customer_id"), default("currency", "EUR"), convert("total", amount)],
        model=Order, shape=present("customer_id"), lossy="numbers stay numbers",
    ),
    Step("order", "2", "3", [default("channel", "web")], shape=present("channel"), preview=True),
]
BASELINES = [Baseline("order", "1", shape=present("custId"))]
""",
    "golden/order/1-to-2/plain.before.json": '{"custId": 7, "total": 1.10}\n',
    "golden/order/1-to-2/plain.after.json": '{"customer_id": 7, "total": 1.10,"currency":"EUR"}\n',
}


@dataclass
class Done:
    """How the command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, text in PACKAGE.items():
        file = tmp_path / "orders" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    # Two edits in one second would have the same compiled file.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    yield tmp_path
    _forget()


def _forget() -> None:
    for name in [each for each in sys.modules if each.partition(".")[0] == "orders"]:
        del sys.modules[name]


def upcast(*arguments: str) -> Done:
    """The command, to which the chain's modules are new."""
    _forget()
    importlib.invalidate_caches()
    linecache.clearcache()
    result = CliRunner().invoke(app, [*arguments, "--chain", "orders:chain"])
    if isinstance(result.exception, CommandError):
        return Done(result.exception.exit_code, result.stdout, str(result.exception))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def change(folder: Path, file: str, before: str, after: str) -> None:
    path = folder / "orders" / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def locked() -> None:
    done = upcast("lock")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("locked: chain.lock.json: 6 parts, 6 of them new")


BASELINE = 'Baseline("order", "1", shape=present("custId"))'
GOLDEN = "golden/order/1-to-2/plain.before.json"
CHANGES = {
    "a step": ("steps.py", '"EUR"', '"USD"', "step order 1 -> 2"),
    "its function": ("steps.py", "    return value", "    return -value", "step order 1 -> 2"),
    "a model": ("steps.py", "    total: float\n", "    total: float\n    note: str = ''\n", "model order 2"),
    "a baseline": ("steps.py", BASELINE, BASELINE.replace('"custId"', '"custId", "total"'), "baseline order 1"),
    "a golden pair": (GOLDEN, "7", "8", f"golden {GOLDEN.removeprefix('golden/')}"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_released_part_that_changed_is_refused_until_it_is_accepted_by_name(orders: Path, what: str) -> None:
    file, before, after, part = CHANGES[what]
    locked()
    assert upcast("check").returncode == 0
    change(orders, file, before, after)
    refused = upcast("check")
    assert refused.returncode == 1
    (line,) = [each.strip() for each in refused.stdout.splitlines() if "is released" in each]
    assert line.startswith(f"{part}: is released, but was changed since it was locked: ")
    assert upcast("lock").returncode == 2, "a lock is not renewed over a change"
    assert f"`upcast lock --chain orders:chain --accept {part!r} --reason WHY`" in line
    assert "--accept needs --reason" in upcast("lock", "--accept", part).stderr
    assert upcast("lock", "--accept", part, "--reason", "a mistake").returncode == 0
    assert upcast("check").returncode == 0
    (kept,) = json.loads((orders / "orders" / "chain.lock.json").read_text())["accepted"]
    assert (kept["what"], kept["reason"]) == (part, "a mistake")


def test_what_check_calls_wrong_cannot_be_released(orders: Path) -> None:
    change(orders, "steps.py", 'rename("custId", "customer_id")', 'rename("nothing", "customer_id")')
    change(
        orders,
        "steps.py",
        "BASELINES = [",
        "class Old(BaseModel):\n    custId: int\n    total: float\n\n\nBASELINES = [",
    )
    change(orders, "steps.py", 'shape=present("custId"))]', 'model=Old, shape=present("custId"))]')
    done = upcast("lock")
    assert (done.returncode, "nothing does not exist at this point" in done.stderr) == (2, True)
    assert not (orders / "orders" / "chain.lock.json").exists()


def test_a_golden_file_that_went_is_named(orders: Path) -> None:
    locked()
    for file in (orders / "orders" / "golden" / "order" / "1-to-2").iterdir():
        file.unlink()
    told = upcast("check").stdout
    assert told.count("is released, but was removed since it was locked") == 2


def test_what_is_new_and_a_preview_may_change(orders: Path) -> None:
    locked()
    change(orders, "steps.py", '"web"', '"shop"')
    assert upcast("check").returncode == 0
    change(orders, "steps.py", ", preview=True", "")
    assert upcast("check").returncode == 0
    assert "7 parts, 1 of them new" in upcast("lock").stdout
    change(orders, "steps.py", '"shop"', '"web"')
    assert "step order 2 -> 3: is released, but was changed" in upcast("check").stdout


def test_where_files_lie_and_what_they_say_in_comments_is_no_change(orders: Path) -> None:
    locked()
    change(orders, "steps.py", "STEPS = [", "# The history.\nSTEPS = [")
    assert upcast("check").returncode == 0


@pytest.mark.usefixtures("orders")
def test_what_has_not_changed_cannot_be_accepted() -> None:
    locked()
    done = upcast("lock", "--accept", "step order 1 -> 2", "--reason", "why not")
    assert (done.returncode, done.stderr) == (
        2,
        "step order 1 -> 2: is not a released part that was changed or removed: nothing to accept",
    )


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1}', '{"format": 9, "chain": "", "kind": "2", "parts": {}}'])
def test_a_lock_file_that_is_none_is_one_line(orders: Path, text: str) -> None:
    (orders / "orders" / "chain.lock.json").write_text(text)
    done = upcast("check")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "chain.lock.json" in line


def test_a_lock_of_another_kind_says_that_it_cannot_tell(orders: Path) -> None:
    locked()
    file = orders / "orders" / "chain.lock.json"
    file.write_text(re.sub('"kind": "[^"]*"', '"kind": "0"', file.read_text()))
    told = upcast("check")
    assert told.returncode == 1
    assert "cannot show whether a released step has changed" in told.stdout
    compared = upcast("check", "--against", "orders/chain.lock.json")
    assert compared.returncode == 2
    assert "compare with the reference" in compared.stderr, "every part would look changed"
    assert upcast("lock", "--accept", "everything", "--reason", "the same as before").returncode == 0
    assert upcast("check").returncode == 0


@pytest.mark.usefixtures("orders")
def test_history_and_heads_mark_what_is_locked() -> None:
    locked()
    versions = json.loads(upcast("history", "--json").stdout)
    assert [(each["version"], each["marks"]) for each in versions] == [
        ("1", ["baseline", "locked"]),
        ("2", ["current", "locked"]),
        ("3", ["preview"]),
    ]
    (head,) = json.loads(upcast("heads", "--json").stdout)
    assert (head["current"], head["newest"]) == ("2", "3")
    assert "current, locked" in upcast("history").stdout


# What old events would become.


@pytest.fixture
def released(orders: Path) -> Path:
    """The same, committed."""
    author = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "one"]):
        subprocess.run(["git", *command], cwd=orders, check=True)
    return orders


@pytest.mark.long
def test_events_that_would_come_out_otherwise_are_counted_and_shown(released: Path) -> None:
    same = upcast("check", "--against", "HEAD")
    assert same.returncode == 0, same.stdout + same.stderr
    assert re.search(r"ok: orders:chain against HEAD .*: \d\d+ events", same.stdout)
    change(released, "steps.py", '"EUR"', '"USD"')
    otherwise = upcast("check", "--against", "HEAD")
    assert otherwise.returncode == 1
    assert re.search(r"order 1 -> 2: \d+ of \d+ events have another result, such as .*EUR.*USD", otherwise.stdout)


@pytest.mark.long
def test_a_step_that_lets_more_events_through_is_no_change_of_what_came_out(released: Path) -> None:
    change(released, "steps.py", 'raise ValueError("no number")', "return len(value)")
    done = upcast("check", "--against", "HEAD")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "that were dead letters are upcast now" in done.stdout


@pytest.mark.long
def test_a_further_step_changes_nothing_about_the_way_before_it(released: Path) -> None:
    change(released, "steps.py", ", preview=True", "")
    assert upcast("check", "--against", "HEAD").returncode == 0


@pytest.mark.long
def test_a_wheel_and_a_lock_file_are_releases_too(released: Path) -> None:
    locked()
    project = '[project]\nname = "orders"\nversion = "1.0"\n[tool.setuptools]\npackages = ["orders"]\n'
    (released / "pyproject.toml").write_text(project)
    make = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", "dist", "."]
    subprocess.run(make, cwd=released, check=True, timeout=600)
    change(released, "steps.py", '"EUR"', '"USD"')
    by_wheel = upcast("check", "--against", "dist/orders-1.0-py3-none-any.whl")
    assert "events have another result" in by_wheel.stdout
    by_lock = upcast("check", "--against", "orders/chain.lock.json")
    assert "step order 1 -> 2: changed" in by_lock.stdout


@pytest.mark.parametrize("release", ["v9", "--help", "missing.whl", "missing.lock.json"])
@pytest.mark.usefixtures("released")
def test_a_release_that_is_not_there_is_one_line(release: str) -> None:
    done = upcast("check", f"--against={release}")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert release in line
