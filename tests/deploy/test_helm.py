"""What can be said of the Helm chart without Helm; the rest is in check_helm.py."""

from __future__ import annotations

import tomllib

import yaml

from tests.deploy import DEPLOY, ROOT

CHART = DEPLOY / "helm" / "upcast"


def test_its_version_is_the_workers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert {chart["version"], chart["appVersion"]} == {project["version"]}


def test_its_settings_are_those_of_kustomize() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert values["config"] == yaml.safe_load(
        (DEPLOY / "kubernetes" / "base" / "upcast.yaml").read_text(encoding="utf-8")
    )


def test_the_files_that_it_shares_are_there() -> None:
    for file in (CHART / "files").iterdir():
        assert file.is_symlink()
        assert file.resolve(strict=True).is_relative_to(DEPLOY)
