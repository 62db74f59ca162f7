"""The command takes a while to load; a signal in that while ends it without a word."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_while_loading() -> Iterator[None]:
    """From here on SIGTERM ends the process at once; so does Ctrl-C until the end of the block."""
    # As process 1 of a container nothing but a handler ends us.
    signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))
    # A shell that has Ctrl-C ignored is left its way.
    interrupted = signal.getsignal(signal.SIGINT)
    if interrupted is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda number, _: os._exit(128 + number))
    yield
    signal.signal(signal.SIGINT, interrupted)
