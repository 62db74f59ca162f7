"""The workflows in .github/: right in themselves, and of one mind with the Makefile and pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.brokers.releases import RELEASES
from tests.deploy import ROOT
from tests.deploy.tools import from_go, from_python, run

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINNED = re.compile(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((GITHUB / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))
    return found


def commands(file: Path) -> Iterator[str]:
    for job in yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].values():
        yield from (step["run"] for step in job.get("steps", ()) if "run" in step)


def by_name(file: Path) -> str:
    return file.stem


def test_actionlint_has_nothing_to_say() -> None:
    """Its own way of finding shellcheck would make it say more on one machine than on another."""
    command = [from_go("actionlint"), "-shellcheck", from_python("shellcheck"), "-pyflakes", ""]
    run([*command, *map(str, WORKFLOWS)], ROOT)


@pytest.mark.parametrize("script", [".ci/run"])
def test_shellcheck_has_nothing_to_say(script: str) -> None:
    run([from_python("shellcheck"), script], ROOT)


@pytest.mark.parametrize("file", WORKFLOWS, ids=by_name)
def test_actions_are_pinned_by_commit(file: Path) -> None:
    """A tag can be moved by whoever owns the action, a commit cannot. What it is stands behind it, for people."""
    used = re.findall(r"uses: (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert [each for each in used if not each.startswith("./") and not PINNED.match(each)] == []


def test_an_action_has_one_version_in_all_workflows() -> None:
    texts = "\n".join(file.read_text(encoding="utf-8") for file in WORKFLOWS)
    pins = set(re.findall(r"uses: ([^@\s]+)@(\w+)", texts))
    assert len(pins) == len({action for action, _ in pins})


@pytest.mark.parametrize("file", WORKFLOWS, ids=by_name)
def test_a_workflow_may_only_read_and_needs_no_secret(file: Path) -> None:
    """A job that may do more says so itself."""
    text = file.read_text(encoding="utf-8")
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    assert "secrets." not in text


@pytest.mark.parametrize("file", WORKFLOWS, ids=by_name)
def test_what_is_made_is_in_the_makefile(file: Path) -> None:
    targets = {name for command in commands(file) for name in re.findall(r"\bmake ([a-z-]+)", command)}
    assert {name for name in targets if not re.search(rf"^{name}:.* ## ", MAKEFILE, re.MULTILINE)} == set()


def test_tests_run_on_every_python_that_is_promised() -> None:
    promised = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if "Python :: 3." in line]
    assert workflow("ci")["jobs"]["test"]["strategy"]["matrix"]["python"] == promised
    assert f">={promised[0]},<3.{int(promised[-1].removeprefix('3.')) + 1}" == PROJECT["requires-python"]


@pytest.mark.parametrize("file", WORKFLOWS, ids=by_name)
def test_every_other_job_runs_on_one_of_them(file: Path) -> None:
    set_up = re.findall(r'python-version: "([^"]*)"', file.read_text(encoding="utf-8"))
    assert all(f"Programming Language :: Python :: {version}" in PROJECT["classifiers"] for version in set_up)


def test_each_broker_that_is_promised_is_tried_every_week() -> None:
    tried = workflow("brokers")["jobs"]["kafka"]["strategy"]["matrix"]["version"]
    assert tried == list(dict.fromkeys(name.partition(":")[0] for name in RELEASES))


def test_a_commit_is_checked_by_the_tools_of_make_lint() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = [hook["entry"].replace(".venv/bin", "$(BIN)") for repo in config["repos"] for hook in repo["hooks"]]
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert recipe is not None
    assert entries == recipe[1].replace("\t", "").splitlines()


@pytest.mark.parametrize("file", sorted((GITHUB / "ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=by_name)
def test_a_form_asks_what_the_host_can_show(file: Path) -> None:
    form = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)
    asked = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in asked}) == len(asked)
    assert all(field["attributes"]["label"] for field in asked)


def test_what_is_kept_up_to_date_is_there() -> None:
    config = yaml.safe_load((GITHUB / "dependabot.yml").read_text(encoding="utf-8"))
    where = {each["package-ecosystem"]: ROOT / each["directory"].lstrip("/") for each in config["updates"]}
    files = {
        "pip": "*.txt",
        "github-actions": ".github/workflows/*.yml",
        "docker": "Dockerfile",
        "docker-compose": "compose.yaml",
        "gomod": "go.mod",
    }
    assert {kind for kind, folder in where.items() if any(folder.glob(files[kind]))} == set(files)
