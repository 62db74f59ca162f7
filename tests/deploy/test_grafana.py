"""The dashboard: made by its generator, whole, and in PromQL that Prometheus reads."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy import DEPLOY, ROOT
from tests.deploy.tools import from_debian, run

FILE = DEPLOY / "grafana" / "upcast.json"
DASHBOARD = json.loads(FILE.read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def test_it_is_what_the_generator_makes() -> None:
    pytest.importorskip("grafana_foundation_sdk", reason="not installed (make tools)")
    made = run([sys.executable, str(DEPLOY / "grafana" / "dashboard.py")], ROOT)
    assert FILE.read_text() == made, "run `make generate`"


def test_rows_answer_an_operators_questions() -> None:
    rows = [panel["title"].partition(":")[0] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert rows == ["Overview", "Per partition", "Replay", "Faults"]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: f"{panel['id']} {panel['title']}")
def test_each_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])


def test_panels_have_places_and_numbers_of_their_own() -> None:
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_compose_provisions_it_and_the_prometheus_that_is_there() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    mounted = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"])
    by_place = {place: DEPLOY / source for source, place in mounted.items()}
    folder = by_place["/etc/grafana/provisioning"]
    (provider,) = yaml.safe_load((folder / "dashboards" / "upcast.yaml").read_text())["providers"]
    assert by_place[f"{provider['options']['path']}/upcast.json"].resolve() == FILE.resolve()
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert source["type"] == DASHBOARD["templating"]["list"][0]["query"] == "prometheus"
    name, port = source["url"].removeprefix("http://").split(":")
    assert any(published.endswith(f":{port}") for published in services[name]["ports"])


def test_prometheus_reads_every_query(tmp_path: Path) -> None:
    queries = [target["expr"] for panel in PANELS for target in panel["targets"]]
    assert len(queries) > 40
    filled = [query.replace("$namespace", ".*").replace("$topic", "a|b") for query in queries]
    rules = [
        {"record": f"panel:query:{number}".replace("-", "_"), "expr": query} for number, query in enumerate(filled)
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    run([from_debian("promtool", "prometheus"), "check", "rules", str(file)], tmp_path)
