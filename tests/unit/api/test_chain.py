"""The chain, the ledger and the list of deprecations, over HTTP."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NoReturn, cast

import pytest

from tests.http import request_blocking
from tests.served_api import FakeWorker, served
from tests.unit.replay.apply.test_receipt import RECEIPT
from worker.checklist.evidence import ITEMS, ChecklistLine
from worker.dlq.listing import Group, LetterFault, Listing
from worker.dlq.selection import Selection
from worker.errors import WorkerError
from worker.ledger import DeadLetterSummary, PartitionProgress, Run, open_existing_ledger, open_ledger
from worker.replay.plan.file import Coordinates
from worker.routes.chains import RouteChain
from worker.settings import KafkaSettings, LedgerSettings, RouteSettings, Settings


def test_types_and_versions(shared: str) -> None:
    told = request_blocking(shared, "/v2/chain").json
    first = told["types"][0]
    assert (first["event_type"], first["current"]) == ("task_context", "2.0")
    assert [version["version"] for version in first["versions"]] == ["1.0", "1.1", "2.0"]
    assert told["routes"] == ["legacy"]


def test_the_mapping_table(shared: str) -> None:
    hops = request_blocking(shared, "/v2/chain/mapping").json["hops"]
    hop = next(hop for hop in hops if hop["to_version"] == "2.0")
    assert any(change["text"].startswith("default metadata.branch") for change in hop["changes"])
    assert {"path": "metadata.repoPath", "before": "string | null?", "after": ""} in hop["fields"]


@pytest.mark.parametrize(("query", "rows"), [("", 4), ("?all=true", 6)])
def test_the_matrix(shared: str, query: str, rows: int) -> None:
    found = request_blocking(shared, f"/v2/chain/matrix{query}").json["rows"]
    assert len(found) == rows
    assert {"Direct", "Guided", "Complex"} == {row["path"] for row in found}


def test_the_graph_has_no_loose_ends(shared: str) -> None:
    graph = request_blocking(shared, "/v2/chain/graph").json
    nodes = {node["id"] for node in graph["nodes"]}
    assert nodes == {end for edge in graph["edges"] for end in (edge["source"], edge["target"])}
    assert [edge["preview"] for edge in graph["edges"]] == [False, False, True]


@pytest.mark.parametrize("path", ["/v2/chain", "/v2/chain/mapping", "/v2/chain/matrix", "/v2/chain/graph"])
def test_a_route_that_is_not_there(shared: str, path: str) -> None:
    assert request_blocking(shared, f"{path}?route=other").status == 404


def test_deprecations(shared: str) -> None:
    listed = request_blocking(shared, "/v2/deprecations").json["deprecations"]
    assert {"endpoint", "setting", "schema"} == {each["kind"] for each in listed}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        kafka=KafkaSettings(bootstrap_servers="b:1", group_id="g"),
        ledger=LedgerSettings(url=f"sqlite:///{tmp_path}/ledger.db"),
        routes=(RouteSettings(source="legacy", destination="current"),),
    )


def test_asking_makes_no_ledger(settings: Settings, tmp_path: Path) -> None:
    with served(FakeWorker(), open_ledger=partial(open_existing_ledger, settings)) as address:
        assert request_blocking(address, "/v2/runs").json == {"runs": [], "truncated": False}
        assert request_blocking(address, "/v2/runs/r1").status == 404
        assert request_blocking(address, "/v2/runs/r1/receipt").status == 404
    assert not list(tmp_path.iterdir())


def test_runs_with_their_progress_and_dead_letters(settings: Settings) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    ledger = open_ledger(settings.ledger.url.get_secret_value())
    for name in ("r1", "r2"):
        ledger.start_run(Run(name, "digest", "cluster", "legacy", now, "0.1"))
    ledger.note_progress(PartitionProgress("r1", "legacy", 0, 10, 20, 15))
    ledger.save_dead_letters("r1", [DeadLetterSummary("r1", "f", 3, "upcast", "MissingField")])
    ledger.close()
    with served(FakeWorker(), open_ledger=partial(open_existing_ledger, settings)) as address:
        listed = request_blocking(address, "/v2/runs?limit=1").json
        one = request_blocking(address, "/v2/runs/r1").json
        receipt = request_blocking(address, "/v2/runs/r1/receipt")
    assert (len(listed["runs"]), listed["truncated"]) == (1, True)
    assert one["progress"][0]["committed"] == 15
    assert one["dead_letters"][0]["count"] == 3
    assert receipt.status == 404


def test_the_receipt_of_a_finished_run(settings: Settings) -> None:
    """As a replay keeps it: with its digest."""
    with closing(open_ledger(settings.ledger.url.get_secret_value())) as ledger:
        ledger.start_run(Run("r1", "digest", "cluster", "legacy", datetime(2026, 1, 2, tzinfo=UTC), "0.1"))
        ledger.save_receipt("r1", {**RECEIPT.content(), "digest": RECEIPT.digest()})
    with served(FakeWorker(), open_ledger=partial(open_existing_ledger, settings)) as address:
        newer, older = (request_blocking(address, f"/{version}/runs/r1/receipt") for version in ("v2", "v1"))
    assert newer.status == older.status == 200
    assert newer.json == RECEIPT.content()
    assert older.json["planDigest"] == RECEIPT.plan_digest


def test_the_checklist() -> None:
    lines = [ChecklistLine(ITEMS[0], "fail", ("nobody has read them",)), ChecklistLine(ITEMS[1], "pass", ())]
    with served(FakeWorker(), ask_checklist=lambda: lines) as address:
        newer, older = (request_blocking(address, f"/{version}/checklist").json for version in ("v2", "v1"))
    assert newer["failed"] == ["release-notes"]
    assert newer["lines"] == older["lines"]
    assert newer["lines"][0]["evidence"] == ["nobody has read them"]


@pytest.mark.parametrize("path", ["checklist", "dead-letters"])
def test_there_may_be_none(shared: str, path: str) -> None:
    assert request_blocking(shared, f"/v2/{path}").status == 404


def test_dead_letters_by_fault_are_read_once_in_a_while() -> None:
    read = []

    def listing(given: RouteChain) -> Listing:
        read.append(given.route.source)
        found = Listing(cast("Selection", None))
        found.records = 3
        found.groups[LetterFault("f", "legacy", "upcast", "MissingField")] = Group(
            3, 2, 1, 10, 20, [Coordinates(partition=0, offset=7)]
        )
        return found

    with served(FakeWorker(), list_dead_letters=listing) as address:
        newer = request_blocking(address, "/v2/dead-letters").json
        older = request_blocking(address, "/v1/dead-letters?route=legacy").json
    assert read == ["legacy"]
    assert (newer["topic"], newer["records"]) == ("legacy-dlt", 3)
    assert newer["groups"][0]["samples"] == [{"partition": 0, "offset": 7}]
    assert older["groups"][0]["errorType"] == "MissingField"


def test_a_ledger_that_cannot_be_read() -> None:
    def fail() -> NoReturn:
        raise WorkerError("ledger: the database does not answer")

    with served(FakeWorker(), open_ledger=fail, ask_checklist=fail, list_dead_letters=lambda _: fail()) as address:
        answers = [request_blocking(address, f"/v2/{path}") for path in ("runs", "checklist", "dead-letters")]
    for answer in answers:
        assert (answer.status, answer.json["detail"]) == (503, "ledger: the database does not answer")
