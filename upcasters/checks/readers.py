"""What is wrong with the readers of a chain or route."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from upcasters.errors import Problem
from upcasters.operations.choice import walk
from upcasters.operations.events import EventOperation
from upcasters.readers import UpcastEnvelope, ValueReader


def reader_problems(readers: Sequence[ValueReader]) -> Iterator[Problem]:
    """Everything that keeps readers from working; nothing where they fit together."""
    splitting = [reader.name for reader in readers if reader.splits]
    if len(splitting) > 1:
        what = f"the readers {' and '.join(splitting)} both make several events of one value"
        yield Problem("reader", what, "Leave one of them, and split again in a step: split_each.")
    names = [reader.name for reader in readers]
    if "utf-16" in names:
        for reader in readers[: names.index("utf-16")]:
            if not reader.for_bytes:
                what = f"the reader {reader.name} stands before utf-16, and so finds nothing in UTF-16"
                yield Problem("reader", what, "Put utf-16 before it.")
    for reader in readers:
        if isinstance(reader, UpcastEnvelope):
            yield from _of_envelope(reader)


def _of_envelope(reader: UpcastEnvelope) -> Iterator[Problem]:
    for step in reader.chain.steps:
        if any(isinstance(operation, EventOperation) for operation in walk(step.operations)):
            what = "a chain of envelopes splits or drops events, or changes type, key or headers"
            yield Problem("reader", what, "Do that in a step of the events.", step.file, step.id)
