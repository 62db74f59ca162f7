"""Logging: one line for each event; JSON when piped, coloured on a terminal. Also formats the logs of other
libraries."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import TextIO

import stamina.instrumentation
import structlog
from structlog.typing import Processor

from worker.codes import add_code

# Their INFO lines are about themselves; at DEBUG aiokafka would format whole batches.
QUIET = dict.fromkeys(("aiokafka", "alembic", "asyncio", "uvicorn"), logging.WARNING)

ONCE = {"Sending username and password in the clear"}
"""Texts that a library logs at each connection, though they are true all the time: logged once."""
REPEATED_AFTER = 10.0
"""Seconds between two lines of the same kind. While a broker does not answer aiokafka logs it some hundred times a
second."""


class Repetitions(logging.Filter):
    """Lets each kind of line of a chatty library through once in a while, with the number that was left out.

    A kind is the text before values are put into it, so there are not many.
    """

    def __init__(self, library: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._library = library
        self._clock = clock
        self._said: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] != self._library:
            return True
        kind, now = str(record.msg), self._clock()
        if kind in ONCE and kind in self._said:
            return False
        if now - self._said.get(kind, now - REPEATED_AFTER) < REPEATED_AFTER:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return False
        self._said[kind] = now
        if left_out := self._left_out.pop(kind, 0):
            record.msg = f"{record.getMessage()} (and {left_out} more like it)"
            record.args = ()
        return True


def without_trace(record: logging.LogRecord) -> bool:
    """A filter that removes tracebacks which aiokafka logs when a broker does not answer or refuses a request: the
    error says it all, and the lane logs its own line. Other errors keep theirs."""
    if not record.exc_info or not record.name.startswith("aiokafka."):
        return True
    from aiokafka.errors import KafkaError  # whoever logs has imported it; commands that need no Kafka do not

    error = record.exc_info[1]
    if isinstance(error, KafkaError):
        record.msg, record.args = f"{record.getMessage()}: %s", (error,)
        record.exc_info = None
    return True


def in_words(record: logging.LogRecord) -> bool:
    """A filter that adds words to errors which aiokafka logs without any: a timeout is an empty text, others only a
    name."""
    if record.name.startswith("aiokafka.") and isinstance(record.args, tuple):
        record.args = tuple(_in_words(given) for given in record.args)
    return True


def _in_words(given: object) -> object:
    if not isinstance(given, BaseException) or _says_something(given):
        return given
    from worker.kafka.refusals import in_words  # as above

    return in_words(given)


def _says_something(error: BaseException) -> bool:
    text = str(error).rstrip(": ")
    return bool(text) and not text.endswith(type(error).__name__)


def of_no_discarded_client(record: logging.LogRecord) -> bool:
    """A filter that drops aiokafka's lines about requests of a client that was closed meanwhile: the lane has logged
    why."""
    if not record.name.startswith("aiokafka.") or not isinstance(record.args, tuple):
        return True
    return not any(type(given).__name__ == "ProducerClosed" for given in record.args)


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what stderr is at that moment: while bars are drawn, they put something before it that keeps lines
    above them."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # an attribute there
        return sys.stderr


def set_up_logging(stream: TextIO | None = None, debug: bool = False) -> None:
    """Send structlog's and the standard library's logs to ``stream``, by default standard output."""
    stream = stream or sys.stdout
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = _Stderr() if stream is sys.stderr else logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderer(stream)],
            foreign_pre_chain=_shared(),
        )
    )
    if not debug:
        handler.addFilter(of_no_discarded_client)
        handler.addFilter(Repetitions("aiokafka"))
        handler.addFilter(without_trace)
    handler.addFilter(in_words)
    logging.basicConfig(handlers=[handler], level=logging.DEBUG if debug else logging.INFO, force=True)
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(logging.INFO if debug else level)
    # stamina would log every retry; whoever retries says so once.
    stamina.instrumentation.set_on_retry_hooks([])


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        add_code,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _renderer(stream: TextIO) -> list[Processor]:
    if stream.isatty():
        return [structlog.dev.ConsoleRenderer()]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
