"""The page's files are served as they are, and ask nothing of any other address."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from tests.http import request_blocking
from tests.served_api import FakeWorker, served
from worker.api.page import FILES

FOLDER = files("worker.api.page")
OURS = [name for name in ("index.html", *FILES) if not name.startswith("uPlot")]


def test_every_file_is_served_and_no_other() -> None:
    with served(FakeWorker("legacy")) as address:
        answer = request_blocking(address, "/")
        assert answer.status == 200
        assert answer.text == (FOLDER / "index.html").read_text(encoding="utf-8")
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        for name in FILES:
            answer = request_blocking(address, f"/page/{name}")
            assert (answer.status, answer.text) == (200, (FOLDER / name).read_text(encoding="utf-8"))
            assert answer.headers["content-type"].startswith(("text/javascript", "text/css"))
        for name in ("__init__.py", "..%2f__init__.py", "nothing.js"):
            assert request_blocking(address, f"/page/{name}").status == 404


def test_every_file_that_is_there_is_named() -> None:
    there = {file.name for file in FOLDER.iterdir() if file.name.rpartition(".")[2] in {"js", "css"}}
    assert there == set(FILES)


@pytest.mark.parametrize("name", OURS)
def test_no_other_address_stands_in_it(name: str) -> None:
    addresses = re.findall(r"https?://[^\s\"'`)]+", (FOLDER / name).read_text(encoding="utf-8"))
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}


def test_names_of_metrics_are_those_of_the_worker() -> None:
    from prometheus_client import CollectorRegistry

    from worker.metrics import WorkerMetrics

    registry = CollectorRegistry()
    WorkerMetrics(registry, "group")
    known = {family.name for family in registry.collect()}
    text = (FOLDER / "page.js").read_text(encoding="utf-8")
    for name in re.findall(r"upcaster_\w+", text):
        if not name.endswith("records_"):  # put together with what became of the records
            assert re.sub(r"_(total|bucket)$", "", name) in known
