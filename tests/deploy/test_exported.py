"""Every metric and label that the dashboard, the rules and the docs name is one that a running worker exports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy import DEPLOY, ROOT
from tests.deploy.promql import grouped, selectors
from tests.deploy.tools import from_debian, run
from tests.docs.metrics_table import declared
from tests.http import request
from tests.kafka import Record, Topics, produce
from tests.worker_process import running_worker, write_config
from worker.runtime import new_metrics

OF_THE_SCRAPE = {"job", "instance", "namespace", "pod", "container", "le"}
EVENTS = (
    b'{"metadata": {"taskId": "1", "projectId": "p"}, "nodes": {}}',
    b"{",
    None,
)


def expressions() -> Iterator[tuple[str, str]]:
    """Where it stands, and what."""
    for file in sorted((DEPLOY / "prometheus").glob("*.rules.yaml")):
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                yield f"{file.name}: {rule.get('alert') or rule.get('record')}", rule["expr"]
    for panel in json.loads((DEPLOY / "grafana" / "upcast.json").read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield f"upcast.json: {panel['title']}", target["expr"]


def pages() -> Iterator[tuple[str, str]]:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        yield str(page.relative_to(ROOT)), page.read_text(encoding="utf-8")


def recorded() -> dict[str, set[str]]:
    """Labels of the series that rules make; of one that is made of another, that one's."""
    labels: dict[str, set[str]] = {}
    for file in sorted((DEPLOY / "prometheus").glob("*.rules.yaml")):
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                if name := rule.get("record"):
                    made_of = set[str]().union(*(labels.get(each, set()) for each, _ in selectors(rule["expr"])))
                    labels[name] = grouped(rule["expr"]) | set(rule.get("labels", ())) | made_of
    return labels


@pytest.fixture
async def exported(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> dict[str, set[str]]:
    """Labels by the name of the samples. Where a healthy worker has no sample, as they are declared."""
    keep = {"retention.ms": "-1"}
    route = {
        "source": await topics.create("legacy", configs=keep),
        "destination": await topics.create("current", configs=keep),
        "dead_letter": await topics.create("dlt", configs=keep),
    }
    records = [Record(b"k", value, [], 1_700_000_000_000) for value in EVENTS]
    await produce(kafka_bootstrap, route["source"], records)
    config = write_config(tmp_path / "upcast.yaml", kafka_bootstrap, topics.name("group"), route)
    async with running_worker(config) as worker:
        await worker.caught_up(len(records), seconds=90)
        text = (await request(worker.address, "/metrics")).text
    return read(text)


def read(text: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        seen = {sample.name: set(sample.labels) - {"le"} for sample in family.samples}
        if name in (all_declared := declared()):
            labels = set(all_declared[name][1])
            assert all(each == labels for each in seen.values()), name
            ends = ("_bucket", "_sum", "_count") if family.type == "histogram" else ("",)
            seen |= {name + end: labels for end in ends}
        found |= seen
    return found


async def test_all_that_is_asked_for_is_exported(exported: dict[str, set[str]]) -> None:
    assert exported.keys() >= {name for name, (kind, *_) in declared().items() if kind != "histogram"}
    known = exported | recorded()
    known["upcast_sunset_timestamp_seconds"] = {"event_type", "from_version"}
    wrong = []
    for where, text in [*expressions(), *pages()]:
        for name, labels in selectors(text):
            if is_cut_short(name, known):
                continue
            if name not in known and name not in declared():
                wrong.append(f"{where}: nothing exports {name}")
            elif strange := labels - known.get(name, set()) - OF_THE_SCRAPE:
                wrong.append(f"{where}: {name} has no label {strange}")
    for where, text in expressions():
        asked = [known.get(name, set()) for name, _ in selectors(text)]
        if strange := grouped(text) - set().union(*asked) - OF_THE_SCRAPE:
            wrong.append(f"{where}: groups by {strange}, which nothing there has")
    assert not wrong, "\n".join(wrong)


def is_cut_short(name: str, known: dict[str, Any]) -> bool:
    """`upcaster_replay_` in a grep, say."""
    return name.endswith("_") and any(each.startswith(name) for each in known)


def test_names_and_types_are_as_prometheus_advises() -> None:
    registry = CollectorRegistry()
    new_metrics(registry, "g")
    run([from_debian("promtool", "prometheus"), "check", "metrics"], ROOT, generate_latest(registry).decode())


def test_it_would_see_what_is_wrong() -> None:
    assert list(selectors('rate(upcaster_x_total{a="1", b=~"2"}[5m])')) == [("upcaster_x_total", {"a", "b"})]
    assert list(selectors("topic:upcaster_y:sum > `process_z`")) == [
        ("topic:upcaster_y:sum", set()),
        ("process_z", set()),
    ]
    assert grouped("sum by (a, b) (x) and on (c) y") == {"a", "b", "c"}
