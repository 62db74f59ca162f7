"""Logs: JSON when piped, readable on a terminal, and one stream for our lines and the libraries'."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, ProducerClosed

from worker.log import set_up_logging


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_json_when_piped() -> None:
    stream = io.StringIO()
    set_up_logging(stream)
    structlog.get_logger("worker.test").warning("waiting for kafka", seconds=3)
    entry = json.loads(stream.getvalue())
    assert (entry["event"], entry["level"], entry["seconds"]) == ("waiting for kafka", "warning", 3)
    assert entry["logger"] == "worker.test"
    assert entry["timestamp"].endswith("Z")


def test_readable_on_a_terminal() -> None:
    stream = Terminal()
    set_up_logging(stream)
    structlog.get_logger("worker.test").info("running")
    assert "running" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_libraries_join_in_and_keep_their_small_talk() -> None:
    stream = io.StringIO()
    set_up_logging(stream)
    logging.getLogger("aiokafka.consumer").info("small talk")
    logging.getLogger("aiokafka.consumer").error("lost %s", "a node")
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["event"] == "lost a node"


def test_what_a_client_that_was_thrown_away_did_not_send_is_no_news() -> None:
    stream = io.StringIO()
    set_up_logging(stream)
    logging.getLogger("aiokafka.producer.sender").warning("Got error produce response: %s", ProducerClosed())
    logging.getLogger("aiokafka.producer.sender").warning("Could not send %r: %r", str, KafkaConnectionError())
    (line,) = stream.getvalue().splitlines()
    assert "KafkaConnectionError" in line


SILENT = [TimeoutError(), asyncio.CancelledError(), AssertionError(), KafkaError(), KafkaError(""), KafkaTimeoutError()]


@pytest.mark.parametrize("error", [*SILENT, KafkaConnectionError(TimeoutError())], ids=repr)
def test_an_error_that_says_nothing_gets_words(error: BaseException) -> None:
    """aiokafka ends the line where the reason should be: of a broker that is frozen, for one."""
    stream = io.StringIO()
    set_up_logging(stream)
    logger = logging.getLogger("aiokafka.client")
    logger.error("Unable connect to node with id %s: %s", 1, error)
    if isinstance(error, KafkaError):
        logger.error("Failed in the background", exc_info=error)
    for line in stream.getvalue().splitlines():
        said = json.loads(line)["event"]
        assert not said.rstrip().endswith((":", type(error).__name__)), said
        assert len(said.partition(": ")[2].split()) >= 2, said


def test_debug_lets_them_talk() -> None:
    stream = io.StringIO()
    set_up_logging(stream, debug=True)
    logging.getLogger("aiokafka.consumer").info("small talk")
    logging.getLogger("aiokafka.consumer").debug("whole batches")
    assert len(stream.getvalue().splitlines()) == 1


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("error", [KafkaConnectionError("broker:9092 is closed"), KeyError("batch")])
def test_a_broker_that_is_away_is_one_line_and_a_fault_of_the_library_is_not(error: Exception, debug: bool) -> None:
    stream = io.StringIO()
    set_up_logging(stream, debug)
    try:
        raise error
    except type(error):
        logging.getLogger("aiokafka.producer.sender").exception("Unexpected error in %s", "sender routine")
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    short = isinstance(error, KafkaConnectionError) and not debug
    assert ("exception" not in entry) is short
    assert entry["event"].startswith("Unexpected error in sender routine")
    assert ("broker:9092 is closed" in entry["event"]) is short
