"""A library that says the same all the time is heard once in a while."""

from __future__ import annotations

import logging

from worker.log import REPEATED_AFTER, Repetitions


class Said:
    """What came through a filter, by a clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lines: list[str] = []
        self._filter = Repetitions("aiokafka", lambda: self.now)

    def say(self, text: str, *values: object, logger: str = "aiokafka.client") -> None:
        record = logging.LogRecord(logger, logging.ERROR, "", 0, text, values, None)
        if self._filter.filter(record):
            self.lines.append(record.getMessage())


def test_repetitions_are_counted_and_reported_with_the_next_line() -> None:
    said = Said()
    for port in range(100):
        said.say("Unable connect to %s", port)
    assert said.lines == ["Unable connect to 0"]
    said.now = REPEATED_AFTER
    said.say("Unable connect to %s", 7)
    said.now = 2 * REPEATED_AFTER
    said.say("Unable connect to %s", 8)
    assert said.lines[1:] == ["Unable connect to 7 (and 99 more like it)", "Unable connect to 8"]


def test_other_lines_and_other_loggers_pass() -> None:
    said = Said()
    for _ in range(2):
        said.say("lane", logger="worker.lanes.lane")
        said.say("at 100 %", logger="aiokafkaesque")
    said.say("one thing")
    said.say("another thing")
    assert said.lines == ["lane", "at 100 %"] * 2 + ["one thing", "another thing"]
