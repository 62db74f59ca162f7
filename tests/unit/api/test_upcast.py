"""Events through a route's chain, over HTTP."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

from tests.http import request_blocking
from tests.limits import HANG

EVENT = '{"metadata": {"taskId": "1", "projectId": "p"}, "nodes": {}, "cost": %s}'


def post(address: str, body: str) -> tuple[int, str]:
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=HANG)
    try:
        connection.request("POST", "/v2/upcast", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("number", ["1.10", "1e400", "9223372036854775808", "1" * 5000, "-0.0"])
def test_numbers_come_out_as_they_are_written(shared: str, number: str) -> None:
    status, told = post(shared, '{"trace": true, "events": [{"value": %s}]}' % (EVENT % number))
    assert status == 200
    assert told.count(f'"cost":{number}') + told.count(f'"cost": {number}') == 5


def test_many_events_each_with_its_outcome(shared: str) -> None:
    events = [
        {"value": json.loads(EVENT % 1), "key": "k", "headers": [{"name": "h", "value": "v"}, {"name": "none"}]},
        {"value": None, "key": "gone"},
        {"value": [1]},
        {"value": json.loads(EVENT % 1), "headers": [{"name": "schema-version", "value": "9.0"}]},
    ]
    answer = request_blocking(shared, "/v2/upcast", "POST", {}, {"events": events})
    first, tombstone, array, future = answer.json["events"]
    assert [each["event"] for each in answer.json["events"]] == [1, 2, 3, 4]
    assert first["records"][0]["headers"] == [{"name": "h", "value": "v"}, {"name": "none", "value": None}]
    assert (tombstone["outcome"], tombstone["reason"]) == ("passed", "tombstone")
    assert (array["outcome"], array["fault"]["stage"]) == ("dead-lettered", "decode")
    assert future["fault"]["error_type"] == "FutureVersion"
    assert future["fault"]["fingerprint"]
    assert "trace" not in first


def test_a_split_needs_the_events_coordinates(shared: str) -> None:
    value = {**json.loads(EVENT % 1), "nodes": {"select": {"status": "completed"}}}
    body: dict[str, Any] = {"events": [{"value": value}], "target": "3.0"}
    bare = request_blocking(shared, "/v2/upcast", "POST", {}, body).json["events"][0]
    assert bare["fault"]["error_type"] == "NoCoordinates"
    body["events"][0].update(partition=3, offset=7)
    split = request_blocking(shared, "/v2/upcast", "POST", {}, body).json["events"][0]
    assert [record["value"]["node_name"] for record in split["records"]] == ["select", "prep"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ("not json", "/body"),
        ("[]", "/body"),
        ("{}", "/body/events"),
        ('{"events": []}', "/body/events"),
        ('{"events": 1}', "/body/events"),
        ('{"events": [1]}', "/body/events/0"),
        ('{"events": [{}]}', "/body/events/0/value"),
        ('{"events": [{"value": 1, "valeu": 2}]}', "/body/events/0/valeu"),
        ('{"events": [{"value": 1, "offset": 9223372036854775808}]}', "/body/events/0/offset"),
        ('{"events": [{"value": 1, "key": "\\ud800"}]}', "/body"),
        (json.dumps({"events": [{"value": 1}] * 101}), "/body/events"),
    ],
)
def test_requests_that_are_wrong(shared: str, body: str, pointer: str) -> None:
    status, told = post(shared, body)
    assert (status, json.loads(told)["errors"][0]["pointer"]) == (422, pointer)


@pytest.mark.parametrize(
    ("changes", "status", "detail"),
    [
        ({"route": "other"}, 404, "no route of this worker reads that topic"),
        ({"target": "9.9"}, 404, "the chain cannot upcast events to that target"),
        ({"events": [{"value": "a" * 20_000}]}, 422, "the chain splits events"),
    ],
)
def test_what_cannot_be_asked_for(shared: str, changes: dict[str, Any], status: int, detail: str) -> None:
    answer = request_blocking(shared, "/v2/upcast", "POST", {}, {"events": [{"value": 1}], **changes})
    assert answer.status == status
    assert detail in answer.json["detail"]
