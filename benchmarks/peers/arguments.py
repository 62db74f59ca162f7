"""What every peer is told on its command line."""

import sys
from typing import NamedTuple


class Arguments(NamedTuple):
    bootstrap: str
    source: str
    destination: str
    group: str
    exactly_once: bool
    compression: str | None


def arguments() -> Arguments:
    bootstrap, source, destination, group, delivery, compression = sys.argv[1:7]
    codec = None if compression == "none" else compression
    return Arguments(bootstrap, source, destination, group, delivery == "exactly-once", codec)
