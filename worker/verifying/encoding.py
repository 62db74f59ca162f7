"""Records as they must stand in a batch of the log, byte for byte.

Comparing a whole batch at once costs a fraction of decoding it and looking at each of its records.
"""

from __future__ import annotations

from collections.abc import Sequence

from upcasters.event import Header
from upcasters.outcome import Passage
from worker.kafka.record_format import NONE, SMALL, SMALL_SIGNED, ZIGZAG, encoded_headers, sized, varint
from worker.verifying.oracle import ExpectedLineage, Output


class Encoder:
    """For the output of one source partition."""

    def __init__(self, lineage: ExpectedLineage) -> None:
        self._lineage = lineage
        self._count = lineage.count
        self._alone = varint(self._count)
        self.before = encoded_headers(lineage.before) + sized(lineage.offset.encode())
        self._behind: dict[int, tuple[Passage, bytes]] = {}

    def records(self, outputs: Sequence[Output], first_timestamp: int) -> bytes:
        """All records of a batch whose first timestamp this is, with the lineage behind each one's own headers."""
        numbers, known, before, alone = ZIGZAG, self._behind, self.before, self._alone
        parts: list[bytes] = []
        for place, output in enumerate(outputs):
            offset, timestamp, key, value, headers = output.content
            late, digits = timestamp - first_timestamp, b"%d" % offset
            found = known.get(id(output.passage))
            body = b"".join(
                (
                    b"\0",
                    numbers[late] if 0 <= late < SMALL_SIGNED else varint(late),
                    numbers[place] if place < SMALL_SIGNED else varint(place),
                    NONE if key is None else numbers[len(key)] if len(key) < SMALL_SIGNED else varint(len(key)),
                    key or b"",
                    NONE if value is None else numbers[len(value)] if len(value) < SMALL_SIGNED else varint(len(value)),
                    value or b"",
                    self._own(headers) if headers else alone,
                    before,
                    numbers[len(digits)],
                    digits,
                    self._remember(output.passage) if found is None else found[1],
                )
            )
            size = len(body)
            parts += (numbers[size] if size < SMALL_SIGNED else varint(size), body)
        return b"".join(parts)

    def _own(self, headers: Sequence[Header]) -> bytes:
        return varint(len(headers) + self._count) + encoded_headers(headers)

    def _remember(self, passage: Passage) -> bytes:
        """By identity, which is cheaper than a hash; bounded, for an event of an unknown version has its own."""
        if len(self._behind) >= SMALL:
            self._behind.clear()
        made = encoded_headers(self._lineage.behind(passage))
        self._behind[id(passage)] = (passage, made)
        return made
