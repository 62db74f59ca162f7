"""Every refusal has words: what is wrong, what mends it, and whether anybody waits."""

from __future__ import annotations

import asyncio
import builtins
import re
import socket
from collections.abc import Iterator

import pytest
from aiokafka import errors
from aiokafka.errors import KafkaError

from worker.errors import MAY_PASS, NEEDS_A_PERSON
from worker.kafka import codes
from worker.kafka.refusals import TABLE, Mends, ending, hidden_cause, in_words, unanswered, waits_for_somebody
from worker.lanes.faults import MissingTopicError, kind

VALUE = "4111-1111-1111-1111"
"""Stands for a value of an event: an exception of Python's own may quote one."""


codes.register_error_codes()


def kafkas(base: type[KafkaError] = KafkaError) -> Iterator[type[KafkaError]]:
    for each in base.__subclasses__():
        yield each
        yield from kafkas(each)


THEIRS = {"aiokafka.errors", "worker.kafka.codes"}
KAFKAS = sorted((each for each in {KafkaError, *kafkas()} if each.__module__ in THEIRS), key=lambda each: each.__name__)
PYTHONS = [
    each
    for each in vars(builtins).values()
    if isinstance(each, type) and issubclass(each, Exception) and not issubclass(each, Warning)
]


def made(kind: type[BaseException], *arguments: object) -> BaseException:
    """As whoever raises it would make it; groups and Unicode errors take arguments of their own."""
    own: dict[type[BaseException], tuple[object, ...]] = {
        UnicodeDecodeError: ("utf-8", VALUE.encode(), 0, 1, VALUE),
        UnicodeEncodeError: ("utf-8", VALUE, 0, 1, VALUE),
        UnicodeTranslateError: (VALUE, 0, 1, VALUE),
        ExceptionGroup: (VALUE, [ValueError(VALUE)]),
        BaseExceptionGroup: (VALUE, [ValueError(VALUE)]),
    }
    return kind(*own.get(kind, arguments))


@pytest.mark.parametrize("doing", ["", "committing"])
@pytest.mark.parametrize("error", KAFKAS, ids=lambda each: each.__name__)
def test_each_error_of_kafka_has_words(error: type[KafkaError], doing: str) -> None:
    for told in (
        in_words(error(), doing, 30),
        in_words(hidden(error()), doing, 30),
        in_words(shown(error()), doing, 30),
    ):
        assert len(told.split()) >= 4, told
        assert not told.startswith("KafkaError: Unexpected error"), told
        assert ("while committing" in told) == bool(doing), told


@pytest.mark.parametrize("doing", ["", "committing"])
@pytest.mark.parametrize("error", [*PYTHONS, asyncio.InvalidStateError], ids=lambda each: each.__name__)
def test_each_error_of_python_has_words_and_none_of_its_own(error: type[BaseException], doing: str) -> None:
    for one in (made(error), *([] if issubclass(error, OSError) else [made(error, VALUE)])):
        told = in_words(one, doing, 30)
        assert len(told.split()) >= 4 or told.startswith("no answer for 30 s"), told
        assert "AssertionError" not in told
        assert VALUE not in told, told


def hidden(error: KafkaError) -> KafkaError:
    """As aiokafka's sender hides it."""
    outer = KafkaError("Unexpected error during batch delivery")
    outer.__cause__ = error
    return outer


def shown(error: KafkaError) -> KafkaError:
    """As aiokafka's coordinator does."""
    return KafkaError(repr(error))


def test_what_the_client_hides_is_found() -> None:
    refused = errors.for_code(81)()
    for told in (hidden(refused), shown(refused), hidden(shown(refused)), KafkaError(f"Unexpected … {refused!r}")):
        assert type(hidden_cause(told)) is errors.for_code(81)
        assert kind(told) == "GroupMaxSizeReachedError"
    assert (
        in_words(KafkaError(f"Unexpected error during coordination {TimeoutError()!r}"), seconds=30)
        == "no answer for 30 s"
    )
    plain = KafkaError("a plain one")
    assert hidden_cause(plain) is plain


def test_each_code_of_kafka_is_known_and_has_a_sentence() -> None:
    codes = {code for code in range(-1, 134) if code != 0}
    assert {code for code in codes if errors.for_code(code) is errors.UnknownError} == {-1}
    for code in codes:
        row, told = TABLE.get(code), in_words(errors.for_code(code)())
        assert (row is None) or (row.found in told and row.fix in told)
        assert len(told.split()) >= 4


def test_what_mends_decides_who_waits() -> None:
    for code, row in TABLE.items():
        error = errors.for_code(code)()
        at_start, at_work = ending(error, at_work=False), ending(error, at_work=True)
        assert (at_start is not None) == (row.mends is not Mends.IN_TIME)
        assert (at_work is not None) == (row.mends is Mends.NEVER)
        assert at_start is None or at_start.exit_code == NEEDS_A_PERSON
        assert waits_for_somebody(error) == (row.mends is not Mends.IN_TIME)


@pytest.mark.parametrize(
    ("code", "mends", "settings"),
    [
        (12, Mends.BY_HAND, ["offset.metadata.max.bytes"]),
        (23, Mends.BY_HAND, ["partition.assignment.strategy", "kafka.group_id"]),
        (26, Mends.NEVER, ["kafka.session_timeout", "group.max.session.timeout.ms", "group.min.session.timeout.ms"]),
        (50, Mends.NEVER, ["kafka.transaction_timeout", "transaction.max.timeout.ms"]),
        (58, Mends.BY_HAND, ["kafka.sasl_username", "kafka.sasl_password"]),
        (81, Mends.IN_TIME, ["group.max.size"]),
    ],
)
def test_rows_name_the_settings(code: int, mends: Mends, settings: list[str]) -> None:
    assert TABLE[code].mends is mends
    told = in_words(shown(errors.for_code(code)()))
    assert not [each for each in settings if each not in told]


def test_what_a_right_is_missing_for_is_named() -> None:
    told = in_words(errors.TopicAuthorizationFailedError({"orders", "bills"}))
    assert told.startswith(
        "TopicAuthorizationFailedError: bills, orders: the brokers deny access to a topic: grant the worker's"
    )


def test_servers_that_do_not_answer_are_told_by_their_addresses() -> None:
    hosts = [("localhost", 9999, socket.AddressFamily.AF_UNSPEC), ("::1", 9092, socket.AddressFamily.AF_INET6)]
    told = in_words(errors.KafkaConnectionError(f"Unable to bootstrap from {hosts}"))
    assert told == "KafkaConnectionError: cannot connect to localhost:9999, ::1:9092"


@pytest.mark.parametrize("wrapped", [KafkaError, errors.KafkaConnectionError, errors.IllegalStateError])
@pytest.mark.parametrize("inside", ["", TimeoutError(), "Connection at broker:9092 broken: ", AssertionError()])
def test_words_do_not_end_where_the_reason_should_be(wrapped: type[KafkaError], inside: str | Exception) -> None:
    told = in_words(wrapped(inside))
    assert len(told.split()) >= 4
    assert not re.search(r":\s*($|\)|,)|\(\)", told), told


def test_our_own_words_stay() -> None:
    error = MissingTopicError("orders")
    assert in_words(error, "starting", 30) == str(error)


def test_where_it_was_is_reported_of_what_nobody_expected() -> None:
    with pytest.raises(KeyError) as caught:
        dict[str, int]()[VALUE]
    told = in_words(caught.value, "committing")
    assert "an unexpected KeyError (test_refusals.py:" in told


def test_a_question_without_an_answer() -> None:
    slow = unanswered(TimeoutError(), "questions about topics", 60)
    assert (slow.exit_code, str(slow)) == (
        MAY_PASS,
        "kafka: questions about topics: no answer for 60 s: try again once the cluster is healthy",
    )
    assert unanswered(errors.for_code(50)(), "questions about topics").exit_code == NEEDS_A_PERSON
