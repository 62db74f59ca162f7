"""The Prometheus rules: right in themselves, tried on made-up series, and about metrics that the worker exports."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from tests.deploy import DEPLOY, ROOT, RUNBOOK
from tests.deploy.tools import from_debian, run
from worker.runtime import new_metrics

RULES = sorted((DEPLOY / "prometheus").glob("*.rules.yaml"))
TESTS = sorted((DEPLOY / "prometheus").glob("*.test.yaml"))
OF_THE_SCRAPE = {"job", "instance", "namespace", "pod", "container", "job_name", "le", "__name__"}


def rules(kind: str) -> list[dict[str, Any]]:
    groups = [group for file in RULES for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


ALERTS = {rule["alert"]: rule for rule in rules("alert")}
RECORDS = {rule["record"] for rule in rules("record")}


def exported() -> tuple[set[str], set[str]]:
    """Names of samples, and of labels."""
    names: set[str] = set()
    labels: set[str] = set()
    registry = CollectorRegistry()
    metrics = new_metrics(registry, "g")
    for family in registry.collect():
        names |= {family.name, *(f"{family.name}_{end}" for end in ("total", "bucket", "sum", "count"))}
    for metric in vars(metrics).values():
        labels |= set(getattr(metric, "_labelnames", ()))
    for _, of_lane in metrics.lanes.FAMILIES.values():
        labels |= set(of_lane)
    return names, labels


def test_the_rules_are_right_in_themselves() -> None:
    run([from_debian("promtool", "prometheus"), "check", "rules", *map(str, RULES)], DEPLOY)


@pytest.mark.long
@pytest.mark.parametrize("file", TESTS, ids=lambda file: str(file.name))
def test_the_rules_do_what_their_tests_say(file: Any) -> None:
    run([from_debian("promtool", "prometheus"), "test", "rules", file.name], file.parent)


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_is_seen_firing_and_silent(name: str) -> None:
    tried = [
        case
        for file in TESTS
        for test in yaml.safe_load(file.read_text())["tests"]
        for case in test.get("alert_rule_test", ())
        if case["alertname"] == name
    ]
    assert any(case["exp_alerts"] for case in tried)
    assert any(not case["exp_alerts"] for case in tried)


@pytest.mark.parametrize("rule", rules("expr"), ids=lambda rule: str(rule.get("alert") or rule.get("record")))
def test_the_worker_exports_what_a_rule_asks_for(rule: dict[str, Any]) -> None:
    names, labels = exported()
    expression = rule["expr"]
    asked = set(re.findall(r"\b(?:\w+:)?(?:upcaster|process)_\w+(?::\w+)?", expression))
    assert {name for name in asked if name not in RECORDS} <= names
    grouped = ",".join(re.findall(r"\b(?:by|on) \(([^)]*)\)", expression))
    matched = re.findall(r"(\w+)(?:=|!=|=~|!~)\"", expression)
    used = {label.strip() for label in [*grouped.split(","), *matched]} - {""}
    assert used <= labels | OF_THE_SCRAPE


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_has_a_page(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    page = ROOT / alert["annotations"]["runbook_url"]
    assert page == RUNBOOK / f"{name}.md"
    headings = re.findall(r"^#+ (.*)", page.read_text(), re.MULTILINE)
    assert headings == [name, "Meaning", "Impact", "Diagnosis", "Mitigation"]


def test_the_list_of_pages_is_the_list_of_alerts() -> None:
    listed = re.findall(r"\| \[(\w+)\]\(\1\.md\) \| (\w+) \|", (RUNBOOK / "README.md").read_text())
    assert dict(listed) == {name: alert["labels"]["severity"] for name, alert in ALERTS.items()}
