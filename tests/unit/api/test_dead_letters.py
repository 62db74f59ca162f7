"""One dead letter, and a redrive that is started, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import structlog

from tests.http import request_blocking
from tests.served_api import AUTHORISED, FakeWorker, served
from worker.api.view import CannotRedriveError, LetterAsked, RedriveWish
from worker.errors import WorkerError
from worker.routes.chains import RouteChain

FAULT = "0123456789abcdef"
LETTER: dict[str, Any] = {
    "route": "legacy",
    "topic": "legacy-dlt",
    "place": {"partition": 0, "offset": 7},
    "ours": True,
    "fingerprint": FAULT,
    "stage": "upcast",
    "error_type": "MissingField",
    "event_type": "task",
    "from_version": "1.0",
    "to_version": "2.0",
    "step": "task_0002",
    "from_topic": "legacy",
    "from_partition": 0,
    "from_offset": 42,
    "buried": 1_700_000_000_500,
    "timestamp": -1,
    "rounds": 0,
    "value_bytes": 12,
    "recorded": None,
    "content": None,
    "now": None,
    "withheld": "the value",
}
PATH = "/v2/dead-letters/0/7"
REDRIVE = "/v2/dead-letters/redrive"


def test_only_who_sends_the_token_is_trusted_with_what_a_letter_says() -> None:
    asked: list[LetterAsked] = []

    def look(_: RouteChain, wanted: LetterAsked) -> Mapping[str, Any]:
        asked.append(wanted)
        return LETTER

    with served(FakeWorker(), look_at_letter=look) as address:
        shown = request_blocking(address, PATH)
        request_blocking(address, PATH, headers=AUTHORISED)
        refused = request_blocking(address, PATH, headers={"authorization": "Bearer another"})
        older = request_blocking(address, "/v1/dead-letters/0/7")
    assert (shown.status, shown.json) == (200, LETTER)
    assert asked == [LetterAsked(0, 7, trusted=False), LetterAsked(0, 7, trusted=True)]
    assert (refused.status, older.status) == (401, 404)


@pytest.mark.parametrize(("code", "status"), [("UPC1619", 404), ("UPC1802", 503)])
def test_a_letter_that_is_not_there_is_told_from_one_that_cannot_be_read_yet(code: str, status: int) -> None:
    def look(*_: object) -> Mapping[str, Any]:
        raise WorkerError("legacy-dlt: there is none", code=code)

    with served(FakeWorker(), look_at_letter=look) as address:
        answer = request_blocking(address, PATH)
    assert (answer.status, answer.json["detail"]) == (status, "legacy-dlt: there is none")


def test_a_redrive_that_begins_stands_in_the_log_with_who_and_why() -> None:
    wishes: list[RedriveWish] = []

    def start(_: RouteChain, wish: RedriveWish) -> Mapping[str, Any]:
        wishes.append(wish)
        return {"replay_id": "r1", "letters": 12, "destination": "current", "warnings": []}

    with served(FakeWorker(), start_redrive=start) as address, structlog.testing.capture_logs() as logged:
        body = {"fingerprint": FAULT, "records_per_second": 5}
        without = request_blocking(address, REDRIVE, "POST", body=body)
        wrong = request_blocking(address, REDRIVE, "POST", AUTHORISED, {"fingerprint": "*"})
        begun = request_blocking(address, f"{REDRIVE}?by=Ada&why=CHG-17", "POST", AUTHORISED, body)
    assert (without.status, wrong.status, begun.status) == (401, 422, 202)
    assert wishes == [RedriveWish(FAULT, 5, "Ada: CHG-17")]
    assert begun.json == {"replay_id": "r1", "letters": 12, "destination": "current", "warnings": []}
    (line,) = [line for line in logged if line["event"] == "changed by request"]
    assert (line["change"], line["by"], line["why"], line["replay"]) == ("redrive", "Ada", "CHG-17", "r1")


def test_a_redrive_that_cannot_begin_says_why() -> None:
    def start(*_: object) -> Mapping[str, Any]:
        raise CannotRedriveError("no letter of this fault is left")

    with served(FakeWorker(), start_redrive=start) as address, structlog.testing.capture_logs() as logged:
        answer = request_blocking(address, REDRIVE, "POST", AUTHORISED, {"fingerprint": FAULT})
    assert (answer.status, answer.json["detail"]) == (409, "no letter of this fault is left")
    assert [line for line in logged if line["event"] == "changed by request"] == []


def test_a_process_without_them_says_so() -> None:
    with served(FakeWorker()) as address:
        letter = request_blocking(address, PATH)
        redrive = request_blocking(address, REDRIVE, "POST", AUTHORISED, {"fingerprint": FAULT})
    assert (letter.status, redrive.status) == (404, 404)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (f"MissingField?fingerprint={FAULT}", f"upcast dlq redrive --fingerprint {FAULT} --plan"),
        ("MissingField", "UPC3012"),
        ("any", "upcast dlq redrive --all --plan"),
        ("%3Cscript%3E?fingerprint=%3Cscript%3E", "upcast dlq redrive --all --plan"),
    ],
)
def test_a_fault_has_a_runbook_at_the_worker(name: str, told: str) -> None:
    with served(FakeWorker()) as address:
        page = request_blocking(address, f"/runbook/{name}")
    assert page.status == 200
    assert told in page.text
    assert "<script>" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
