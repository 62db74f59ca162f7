"""`python -m worker` is `upcast`."""

import os
import signal

# As process 1 of a container nothing but a handler ends us, and the command takes a while to load.
signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))

from worker.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
