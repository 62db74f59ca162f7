"""The worker with a stub in the chain's place, for ``make bench``: what a drain costs then is the floor of any chain.

Each event comes out changed, as the bytes that it was.
"""

from __future__ import annotations

import sys

from upcasters import Upcaster
from upcasters.event import Partition, SourceRecord
from upcasters.outcome import Outcome, Passage, Upcast
from worker.cli import main

PASSAGE = Passage("task_context", "1.0", "2.0", 3)


def upcast(record: SourceRecord, _source: Partition | None = None) -> Outcome:
    """The event as it is, as if a chain had made it."""
    return Upcast(PASSAGE, record.value)


if __name__ == "__main__":
    setattr(Upcaster, "upcast", staticmethod(upcast))  # noqa: B010  # mypy knows that it is none
    sys.exit(main())
