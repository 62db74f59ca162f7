"""Logs: one line an incident; JSON when piped, coloured on a terminal. Other libraries' loggers join in."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import stamina.instrumentation
import structlog
from structlog.typing import Processor

# Their INFO lines are about themselves; at DEBUG aiokafka would format whole batches.
QUIET = dict.fromkeys(("aiokafka", "alembic", "asyncio", "uvicorn"), logging.WARNING)


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
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderer(stream)],
            foreign_pre_chain=_shared(),
        )
    )
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
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _renderer(stream: TextIO) -> list[Processor]:
    if stream.isatty():
        return [structlog.dev.ConsoleRenderer()]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
