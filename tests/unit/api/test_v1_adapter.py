"""`/v1` is `/v2` in its older spelling: requests go up, answers come down, by the engine."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.http import request_blocking
from tests.served_api import AUTHORISED, FakeWorker, served
from upcasters import Event, Passed, Policy, Upcast
from worker.api.documents import DOCUMENTS
from worker.api.history import TYPE, VERSION, chain
from worker.api.v1_adapter import ONLY_CURRENT, REQUESTS

EVENT: dict[str, Any] = {"metadata": {"taskId": "1", "projectId": "p", "fax_number": 1}, "nodes": {}}


def test_answers_are_those_of_v2_in_camel_case(shared: str) -> None:
    newer = request_blocking(shared, "/v2/status").json
    older = request_blocking(shared, "/v1/status").json
    assert newer["routes"][0]["dead_letter"] == older["routes"][0]["deadLetter"] == "legacy-dlt"
    assert newer["routes"][0]["lanes"][0]["in_flight_bytes"] == older["routes"][0]["lanes"][0]["inFlightBytes"]
    assert "_" not in "".join(_keys(older))


def _keys(document: Any) -> list[str]:
    if isinstance(document, list):
        return [key for each in document for key in _keys(each)]
    if isinstance(document, dict):
        return [*document, *(key for each in document.values() for key in _keys(each))]
    return []


def test_requests_are_upcast() -> None:
    worker = FakeWorker()
    with served(worker) as address:
        body = {"recordsPerSecond": 50}
        answer = request_blocking(address, "/v1/routes/legacy/rate", "POST", AUTHORISED, body)
    assert answer.json["recordsPerSecond"] == worker.route.records_per_second == 50
    assert worker.requests == [("v1", "/v1/routes/{source}/rate", 200)]


def test_documents_of_the_caller_are_not_respelled(shared: str) -> None:
    answer = request_blocking(shared, "/v1/upcast", "POST", {}, {"events": [{"value": EVENT}], "trace": True})
    (event,) = answer.json["events"]
    assert event["toVersion"] == "2.0"
    assert event["trace"][0]["before"] == EVENT
    assert event["records"][0]["value"]["metadata"]["task_id"] == "1"


@pytest.mark.parametrize(
    ("path", "method", "body", "status"),
    [
        ("/v1/nothing", "GET", None, 404),
        ("/v1/stream", "GET", None, 404),
        ("/v1/status", "POST", None, 405),
        ("/v1/routes/legacy/pause", "GET", None, 405),
        ("/v1/runs/none", "GET", None, 404),
        ("/v1/routes/legacy/rate", "POST", {"recordsPerSecond": -1}, 422),
        ("/v1/routes/legacy/rate", "POST", {"recordsPerSecond": 1, "records_per_second": 2}, 422),
        ("/v1/routes/legacy/rate", "POST", [1], 422),
    ],
)
def test_errors_and_notices(shared: str, path: str, method: str, body: Any, status: int) -> None:
    answer = request_blocking(shared, path, method, AUTHORISED, body)
    assert (answer.status, answer.json["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["deprecation"].startswith("@")
    assert answer.headers["sunset"].endswith("GMT")
    assert '</v2/deprecations>; rel="deprecation"' in answer.headers["link"]


def test_a_problem_names_fields_in_the_callers_spelling(shared: str) -> None:
    answer = request_blocking(shared, "/v1/routes/legacy/rate", "POST", AUTHORISED, {"recordsPerSecond": -1})
    assert answer.json["errors"][0]["pointer"] == "/body/recordsPerSecond"


def test_changes_need_the_token_there_too(shared: str) -> None:
    assert request_blocking(shared, "/v1/routes/legacy/pause", "POST").status == 401


def test_the_link_leads_to_the_same_thing(shared: str) -> None:
    link = request_blocking(shared, "/v1/chain/graph").headers["link"]
    assert link.startswith('</v2/chain/graph>; rel="successor-version"')


def test_the_documents_of_both_versions(shared: str) -> None:
    newer = request_blocking(shared, "/v2/openapi.json").json
    older = request_blocking(shared, "/v1/openapi.json").json
    assert {path.replace("/v1/", "/v2/") for path in older["paths"]} == set(newer["paths"]) - ONLY_CURRENT
    assert all(operation["deprecated"] for path in older["paths"].values() for operation in path.values())
    assert "deadLetter" in older["components"]["schemas"]["RouteStatus"]["required"]
    assert "dead_letter" in newer["components"]["schemas"]["RouteStatus"]["required"]
    assert set(newer["components"]["schemas"]) == set(older["components"]["schemas"])


def test_every_document_has_a_version(shared: str) -> None:
    document = request_blocking(shared, "/v2/openapi.json").json
    paths = {path: each for path, each in document["paths"].items() if path not in ONLY_CURRENT}
    operations = [operation for path in paths.values() for operation in path.values()]
    named = {_name(one["responses"]["200"]["content"]["application/json"]["schema"]) for one in operations}
    asked = {_name(one["requestBody"]["content"]["application/json"]["schema"]) for one in operations if _asks(one)}
    assert named | asked | {"Problem"} == set(DOCUMENTS)
    assert asked == set(REQUESTS.values())


def _asks(operation: dict[str, Any]) -> bool:
    return "requestBody" in operation


def _name(schema: dict[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_document_comes_back_from_its_older_version(name: str) -> None:
    """Whatever fields a model has: each of them has an older spelling of its own."""
    document = _made(DOCUMENTS[name].model_json_schema())
    down = _brought(name, document, "2", Policy(target=dict.fromkeys(chain.types, "1")))
    assert "_" not in "".join(_keys(down))
    assert _brought(name, down, "1", Policy()) == document


def _brought(name: str, document: Any, version: str, policy: Policy) -> Any:
    event = Event(json.dumps(document).encode(), None, [(TYPE, name.encode()), (VERSION, version.encode())])
    outcome = chain.upcaster(policy).upcast(event)
    assert isinstance(outcome, Upcast | Passed), outcome
    return document if isinstance(outcome, Passed) else json.loads(outcome.output(event)[0].value or b"")


def _made(schema: dict[str, Any]) -> dict[str, Any]:
    """A document with every field of ours; a caller's own are left out."""

    def make(part: dict[str, Any]) -> Any:
        if "$ref" in part:
            return make(schema["$defs"][part["$ref"].rpartition("/")[2]])
        if "anyOf" in part:
            return make(part["anyOf"][0])
        if part.get("type") == "object":
            return {name: make(each) for name, each in part.get("properties", {}).items()}
        return [make(part["items"])] if "items" in part else "text"

    made = make(schema)
    assert isinstance(made, dict)
    return made
