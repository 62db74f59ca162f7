"""docs/deploy.md: its links, files and targets are there. `make deploy-check` runs its commands for containers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.deploy.tools import from_debian, run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


def test_files_are_there() -> None:
    for name in re.findall(r"\bdeploy/[\w./-]+\w", PAGE):
        assert (ROOT / name).exists(), name


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"`make ([a-z-]+)`|^make ([a-z-]+)$", PAGE, re.MULTILINE)
    assert len(targets) >= 3
    for target in map("".join, targets):
        assert f"\n{target}:" in makefile, target


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("promtool ")])
def test_promtool_lines_work(line: str) -> None:
    run([from_debian("promtool", "prometheus"), *line.split()[1:]], ROOT)


def test_what_the_cluster_is_asked_for_is_what_the_manifests_make() -> None:
    made = {"deployment/upcast": "standalone/deployment.yaml", "job/upcast-replay": "replay/job.yaml"}
    asked = {
        name for line in LINES for name in re.findall(r"\b(?:deployment|job)/[a-z-]+", line) if "kustom" not in name
    }
    assert asked == set(made)
    for name, file in made.items():
        kind, _, called = name.partition("/")
        content = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "overlays" / file).read_text())
        assert (content["kind"].lower(), content["metadata"]["name"]) == (kind, called)


def test_one_version_everywhere() -> None:
    """`docker compose up` builds what is there no image of: a release has to change the tag."""
    (version,) = re.findall(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    compose = (ROOT / "deploy" / "compose.yaml").read_text()
    assert set(re.findall(r"upcast-worker:([\d.]+)", PAGE + compose)) == {version}
    kustomizations = "".join(file.read_text() for file in (ROOT / "deploy").rglob("kustomization.yaml"))
    assert re.findall(r"newTag: ([\d.]+)", kustomizations) == [version] * 3
    assert re.findall(r"ARG VERSION=(.*)", (ROOT / "deploy" / "Dockerfile").read_text()) == [version]
