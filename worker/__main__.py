"""`python -m worker` is `upcast`."""

import os
import signal

# As process 1 of a container nothing but a handler ends us, and the command takes a while to load.
signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))

# Ctrl-C in that while ends us as quietly as later; a shell that has it ignored is left its way.
interrupted = signal.getsignal(signal.SIGINT)
if interrupted is signal.default_int_handler:
    signal.signal(signal.SIGINT, lambda number, _: os._exit(128 + number))

from worker.cli import main  # noqa: E402

signal.signal(signal.SIGINT, interrupted)

if __name__ == "__main__":
    main()
