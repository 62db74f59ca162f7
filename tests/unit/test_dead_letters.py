"""Dead letters: the record as it came, every reason beside it, and less of them where there is no room."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from upcasters.event import Event, Header, SourcePartition
from upcasters.outcome import Fault
from worker.dead_letters import FINGERPRINT, MESSAGE, RAW_HEADERS, TRACE, DeadLetter, Reporter, dead_letter
from worker.kafka.raw_headers import decode_headers, encode_headers, writable

FAULT = Fault("upcast", "MissingField", "no such field", "task", "1.0", "2.0", "task_0002", "metadata.taskId")
SOURCE = SourcePartition("legacy", 3)
REPORTER = Reporter("group", "worker-1", "0.1.0")


def letter(fault: Fault = FAULT, room: int = 100_000, headers: tuple[Header, ...] = (), **more: Any) -> DeadLetter:
    record = Event(b"value", b"key", headers, timestamp=1_600_000_000_000, offset=42)

    def fits(candidate: object) -> bool:
        return len(encode_headers(list(candidate))) <= room  # type: ignore[call-overload]  # mypy sees wider headers than a candidate has

    return dead_letter(record, SOURCE, fault, REPORTER, 1_700_000_000.5, fits, **more)


def test_all_headers_are_there_after_the_records_own() -> None:
    mine: tuple[Header, ...] = (("b", None), ("a", b"\xff"), ("upcaster.dlq.fingerprint", b"mine"))
    made = letter(headers=mine)
    assert made.headers[:3] == list(mine)
    assert dict(made.headers[3:]) == {
        "__connect.errors.topic": b"legacy",
        "__connect.errors.partition": b"3",
        "__connect.errors.offset": b"42",
        "__connect.errors.connector.name": b"group",
        "__connect.errors.task.id": b"worker-1",
        "__connect.errors.stage": b"upcast",
        "__connect.errors.class.name": b"task_0002",
        "__connect.errors.exception.class.name": b"MissingField",
        "__connect.errors.exception.message": b"no such field",
        "__connect.errors.exception.stacktrace": b"stage upcast\n  type task\n  versions 1.0 -> 2.0\n"
        b"  step task_0002\n  path metadata.taskId\nMissingField: no such field",
        "upcaster.dlq.timestamp": b"1700000000500",
        "upcaster.dlq.event.type": b"task",
        "upcaster.dlq.schema.from": b"1.0",
        "upcaster.dlq.schema.to": b"2.0",
        "upcaster.dlq.failed.step": b"task_0002",
        "upcaster.dlq.fingerprint": FAULT.fingerprint.encode(),
        "upcaster.dlq.redrive.count": b"0",
        "upcaster.dlq.worker.version": b"0.1.0",
    }
    assert (made.trimmed, made.fits) == (False, True)


@pytest.mark.parametrize(
    ("room", "trace", "message", "others", "fits"),
    [
        (10_000, True, True, True, True),
        (6_500, False, True, True, True),
        (2_000, False, False, True, True),
        (260, False, False, True, True),
        (60, False, False, False, True),
        (20, False, False, False, False),
    ],
)
def test_headers_are_given_up_in_steps(room: int, trace: bool, message: bool, others: bool, fits: bool) -> None:
    fault = Fault("decode", "DecodeError", "m" * 4_000)
    made = letter(fault, room)
    names = [name for name, _ in made.headers]
    assert (TRACE in names, MESSAGE in names, "__connect.errors.topic" in names) == (trace, message, others)
    assert FINGERPRINT in names
    assert (made.fits, made.trimmed) == (fits, room < 10_000)


def test_texts_are_cut_between_characters() -> None:
    headers = dict(letter(Fault("decode", "E", "é" * 5_000 + "\udc80")).headers)
    assert headers[MESSAGE] == ("é" * 2_048).encode()
    assert len(headers[TRACE] or b"") <= 8_192
    (headers[TRACE] or b"").decode()
    assert letter(Fault("decode", "E", "x" * 4_095 + "é")).headers[8] == (MESSAGE, b"x" * 4_095)


def test_headers_that_cannot_be_written_are_kept_in_their_wire_form() -> None:
    mine: tuple[Header, ...] = (("ok", b"1"), ("\udcff", b"2"), ("null", None))
    made = letter(headers=mine, room=130)
    assert made.headers[:2] == [("ok", b"1"), ("null", None)]
    assert {name for name, _ in made.headers[2:]} == {FINGERPRINT, RAW_HEADERS}, "kept even where there is no room"
    assert decode_headers(base64.b64decode(dict(made.headers)[RAW_HEADERS] or b"")) == list(mine)


def test_a_new_timestamp_is_confessed() -> None:
    assert dict(letter(restamped=True).headers)["upcaster.dlq.timestamp.original"] == b"1600000000000"


@pytest.mark.parametrize("length", [0, 1, 63, 64, 8_191, 8_192, 70_000])
def test_wire_form_goes_both_ways(length: int) -> None:
    headers: list[Header] = [("n" * length, b"v" * length), ("é", None), ("\udcfe", b"")]
    assert decode_headers(encode_headers(headers)) == headers
    assert [writable(header) for header in headers] == [True, True, False]
    with pytest.raises(ValueError, match="end in the middle"):
        decode_headers(encode_headers(headers)[:-2])
