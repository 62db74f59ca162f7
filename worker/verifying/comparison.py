"""Encodes records as they must stand in the log, byte for byte, and names the parts in which an actual record differs,
never their content."""

from __future__ import annotations

from collections.abc import Sequence

from upcasters.context import last_header
from upcasters.event import Header, SourceRecord
from upcasters.outcome import Fault, Passage
from worker.kafka.fetched import timestamp_of
from worker.kafka.raw_headers import writable
from worker.kafka.record_format import NONE, SMALL, SMALL_SIGNED, ZIGZAG, encoded_headers, sized, varint
from worker.replay.digest import Content
from worker.verifying.oracle import ExpectedLineage, Output


class Encoder:
    """Encodes the output of one source partition."""

    def __init__(self, lineage: ExpectedLineage) -> None:
        self._lineage = lineage
        self._count = lineage.count
        self._alone = varint(self._count)
        self.before = encoded_headers(lineage.before) + sized(lineage.offset.encode())
        self._behind: dict[int, tuple[Passage, bytes]] = {}

    def records(self, outputs: Sequence[Output], first_timestamp: int) -> bytes:
        """The records of a batch with this ``first_timestamp`` (ms), each with the lineage after its own headers."""
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
        """Cached by identity, which is cheaper than a hash; bounded, since each event of an unknown version has a
        passage of its own."""
        if len(self._behind) >= SMALL:
            self._behind.clear()
        made = encoded_headers(self._lineage.behind(passage))
        self._behind[id(passage)] = (passage, made)
        return made


RESTAMPED = "upcaster.dlq.timestamp.original"


REFUSALS = ("MessageSizeTooLargeError", "RecordListTooLargeError", "InvalidTimestampError", "InvalidRecordError")


def is_refusal(letter: SourceRecord, passage: Passage | None) -> bool:
    """Whether the letter says that the brokers refused the result, which the chain cannot know. A letter without room
    for its stage is recognised by the fingerprints of such faults."""
    stage = last_header(letter.headers, "__connect.errors.stage")
    if stage is not None or passage is None:
        return stage == b"produce"
    ways = ((), (passage.event_type, passage.from_version, passage.to_version))
    fingerprints = {Fault("produce", error, "", *way).fingerprint.encode() for error in REFUSALS for way in ways}
    return last_header(letter.headers, "upcaster.dlq.fingerprint") in fingerprints


def differences(expected: Content, lineage: Sequence[Header], actual: SourceRecord) -> list[str]:
    """The parts in which ``actual`` differs; ``lineage`` must stand after the record's own headers."""
    _, timestamp, key, value, headers = expected
    pairs = {
        "key": (key, actual.key),
        "value": (value, actual.value),
        "headers": ([*headers, *lineage], list(actual.headers)),
        "timestamp": (timestamp, timestamp_of(actual.timestamp)),
    }
    return [name for name, (wanted, found) in pairs.items() if wanted != found]


def letter_differences(record: SourceRecord, letter: SourceRecord) -> list[str]:
    own = [header for header in record.headers if writable(header)]
    restamped = last_header(letter.headers, RESTAMPED)
    timestamp = b"%d" % timestamp_of(letter.timestamp) if restamped is None else restamped
    pairs = {
        "key": (record.key, letter.key),
        "value": (record.value, letter.value),
        "headers": (own, list(letter.headers[: len(own)])),
        "timestamp": (b"%d" % timestamp_of(record.timestamp), timestamp),
    }
    return [name for name, (wanted, found) in pairs.items() if wanted != found]
