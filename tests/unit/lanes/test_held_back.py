"""What stands behind an open transaction: how much, for how long, and when it is worth a word."""

from __future__ import annotations

from aiokafka import TopicPartition
from structlog.testing import capture_logs

from worker.kafka.log_offsets import LogOffsets
from worker.kafka.open_transactions import OpenTransaction
from worker.lanes.lag import REPORT_AFTER, HeldBack

AT = TopicPartition("orders", 3)


def held(offset: int = 10) -> OpenTransaction:
    return OpenTransaction("orders", 3, offset, 20, producer_id=7)


def test_nothing_is_known_before_the_first_look_and_nothing_is_held_where_all_can_be_read() -> None:
    back = HeldBack(AT)
    assert (back.records, back.seconds(5.0)) == (None, None)
    back.note(10, 10, 1.0)
    assert (back.records, back.seconds(5.0), back.grows_for(5.0)) == (0, 0.0, 0.0)


def test_the_time_counts_from_when_the_last_stable_offset_stopped() -> None:
    back = HeldBack(AT)
    back.note(10, 12, 1.0)
    back.note(10, 30, 11.0)
    assert (back.records, back.seconds(21.0), back.grows_for(21.0)) == (20, 20.0, 20.0)


def test_ordinary_transactions_move_it_and_are_never_worth_a_word() -> None:
    back = HeldBack(AT)
    with capture_logs() as logs:
        for second in range(600):
            back.note(10 * second, 10 * second + 9, float(second))
            assert back.to_ask_about(float(second)) is None
            assert back.grows_for(float(second)) == 0.0
    assert logs == []


def test_an_open_transaction_behind_which_nobody_writes_holds_nobody_up() -> None:
    back = HeldBack(AT)
    for second in range(100):
        back.note(10, 12, float(second))
    assert back.seconds(100.0) == 100.0
    assert back.grows_for(100.0) == 0.0


def test_it_is_reported_once_and_once_more_when_it_is_over() -> None:
    back = HeldBack(AT)
    back.note(10, 30, 0.0)
    assert back.to_ask_about(REPORT_AFTER - 1) is None
    assert back.to_ask_about(REPORT_AFTER) == LogOffsets(0, 10, 30)
    with capture_logs() as logs:
        back.found(held())
        assert back.to_ask_about(REPORT_AFTER + 1) is None
        back.note(10, 40, 50.0)
        assert back.reason == "held back by an open transaction at offset 10 (producer id 7)"
        back.note(41, 41, 60.0)
        back.note(41, 41, 61.0)
    assert [each["event"] for each in logs] == [
        "held back by an open transaction",
        "no longer held back by an open transaction",
    ]
    assert logs[0]["fix"].endswith(" --bootstrap-server SERVER abort --topic orders --partition 3 --start-offset 10`")
    assert back.reason == ""


def test_an_answer_about_a_transaction_that_has_ended_meanwhile_says_nothing() -> None:
    back = HeldBack(AT)
    back.note(11, 30, 0.0)
    with capture_logs() as logs:
        back.found(held(offset=10))
    assert (back.reason, logs) == ("", [])
