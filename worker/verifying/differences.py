"""In what a record differs from what it should be: names of its parts, never their content."""

from __future__ import annotations

from collections.abc import Sequence

from upcasters.event import Header, SourceRecord
from upcasters.outcome import Fault, Passage
from worker.kafka.fetched import timestamp_of
from worker.kafka.raw_headers import writable
from worker.replay.digest import Content
from worker.verifying.streams import last_header

RESTAMPED = "upcaster.dlq.timestamp.original"


REFUSALS = ("MessageSizeTooLargeError", "RecordListTooLargeError", "InvalidTimestampError", "InvalidRecordError")


def is_refusal(letter: SourceRecord, passage: Passage | None) -> bool:
    """The brokers did not take the result; the chain cannot know that. A letter without room for its stage is known by
    the fingerprints that such faults have."""
    stage = last_header(letter, "__connect.errors.stage")
    if stage is not None or passage is None:
        return stage == b"produce"
    ways = ((), (passage.event_type, passage.from_version, passage.to_version))
    fingerprints = {Fault("produce", error, "", *way).fingerprint.encode() for error in REFUSALS for way in ways}
    return last_header(letter, "upcaster.dlq.fingerprint") in fingerprints


def differences(expected: Content, lineage: Sequence[Header], actual: SourceRecord) -> list[str]:
    """``lineage`` is what must stand behind the record's own headers."""
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
    restamped = last_header(letter, RESTAMPED)
    timestamp = b"%d" % timestamp_of(letter.timestamp) if restamped is None else restamped
    pairs = {
        "key": (record.key, letter.key),
        "value": (record.value, letter.value),
        "headers": (own, list(letter.headers[: len(own)])),
        "timestamp": (b"%d" % timestamp_of(record.timestamp), timestamp),
    }
    return [name for name, (wanted, found) in pairs.items() if wanted != found]
