"""What errors mean, and how long to wait after them."""

from __future__ import annotations

from aiokafka import errors

from worker.kafka.aiokafka_internals.patches import apply_patches
from worker.kafka.codes import InvalidRecordError
from worker.lanes.faults import RefusedError, is_too_large, kind, pause_before_retry, refusal


def test_pauses_double_up_to_a_bound_with_jitter() -> None:
    for attempt, longest in enumerate((0.1, 0.2, 0.4, 0.8, 1.0, 1.0)):
        pauses = {pause_before_retry(attempt, 0.1, 1.0) for _ in range(50)}
        assert longest / 2 <= min(pauses) < max(pauses) <= longest
    assert pause_before_retry(10_000, 0.1, 1.0) <= 1.0


def test_a_refusal_is_reported_by_the_topic_and_the_brokers_own_words() -> None:
    error = RefusedError("new", InvalidRecordError())
    assert kind(error) == "InvalidRecordError"
    assert refusal(error).message == "new refuses the record: The broker refused a record's content"
    assert refusal(error).stage == "produce"


def test_only_a_size_that_is_refused_is_too_large() -> None:
    assert is_too_large(RefusedError("new", errors.MessageSizeTooLargeError()))
    assert not is_too_large(RefusedError("new", InvalidRecordError()))
    assert not is_too_large(errors.MessageSizeTooLargeError())


def test_answers_of_newer_brokers_have_their_names() -> None:
    apply_patches()
    assert errors.for_code(87) is InvalidRecordError
    assert errors.for_code(90) is errors.ProducerFenced
