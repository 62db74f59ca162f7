"""Dead letters are read as they were written, in every form, whatever headers the record had of its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.dlq.letters import FAULT, RECORD, ROOMS, written
from upcasters.event import Event, Header
from worker.dead_letters import FINGERPRINT, Redriven
from worker.dlq.letters import _SIGNS, Letter, read_letter


def read(record: Event) -> Letter:
    letter = read_letter(record)
    assert letter is not None
    return letter


def test_a_letter_tells_where_it_came_from_and_why() -> None:
    letter = read(written(RECORD, redriven=Redriven(2, 0, 5)))
    assert (letter.topic, letter.partition, letter.offset) == ("legacy", 1, 42)
    assert (letter.fingerprint, letter.rounds, letter.buried) == (FAULT.fingerprint, 2, 1_700_000_000_500)
    assert letter.text("__connect.errors.stage") == "upcast"
    assert letter.restored() == RECORD


def test_without_room_for_the_origin_the_letters_own_place_counts() -> None:
    letter = read(written(RECORD, room=0))
    assert (letter.topic, letter.partition, letter.offset, letter.rounds, letter.buried) == (None, None, None, 0, -1)
    assert letter.restored().offset == 7
    assert read(written(RECORD, room=300)).offset == 42


# Anything that stands in a letter of ours, and something else.
NAMES = st.sampled_from([*sorted(_SIGNS), "own"])
HEADERS = st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=3)), max_size=25)


@given(HEADERS, st.sampled_from(ROOMS), st.sampled_from(["", "0123456789ab"]), st.booleans(), st.booleans())
def test_the_record_comes_back_whatever_headers_it_had(
    headers: list[Header], room: int, replay_id: str, redriven: bool, restamped: bool
) -> None:
    record = Event(b"value", None, headers, 1_600_000_000_000, 42)
    mark = Redriven(1, 0, 5) if redriven else None
    letter = read(written(record, room=room, replay_id=replay_id, redriven=mark, restamped=restamped))
    restored = letter.restored()
    assert (restored.value, restored.key, list(restored.headers)) == (b"value", None, headers)
    assert restored.timestamp == 1_600_000_000_000


def test_a_letter_of_a_letter_is_only_opened_once() -> None:
    first = written(RECORD)
    assert read(written(first)).restored().headers == first.headers


@pytest.mark.parametrize("room", ROOMS)
def test_names_that_are_not_utf_8_come_back(room: int) -> None:
    record = Event(b"v", b"k", [("ok", b"1"), ("\udcff", b"2"), ("ok", None)], 1, 42)
    assert read(written(record, room=room)).restored().headers == record.headers


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("own", b"1")],
        [("__connect.errors.topic", b"t"), ("__connect.errors.exception.message", b"of Kafka Connect")],
        [(FINGERPRINT, b"f"), ("behind", b"it")],
        [(FINGERPRINT, b"f"), ("upcaster.dlq.raw_headers", b"no base64!")],
        [(FINGERPRINT, b"f"), ("upcaster.dlq.raw_headers", b"/////w==")],
        [(FINGERPRINT, b"f"), ("upcaster.dlq.timestamp.original", b"soon")],
    ],
)
def test_what_is_not_ours_is_not_taken_for_it(headers: list[Header]) -> None:
    assert read_letter(Event(b"v", b"k", headers, 1, 7)) is None
