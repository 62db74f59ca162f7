"""Makes dead letters: the record as it came, with the reason in headers. Pure.

The headers are Kafka Connect's, which tools read already, and ours. Where the topic's limit leaves no room for all of
them they are dropped in steps: the trace, the message, all but fingerprint, origin and stage, at last all but the
fingerprint and what a redrive needs. ``worker.dlq.letters`` decodes them, by their order.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from upcasters.event import Header, Partition, SourceRecord
from upcasters.outcome import Fault
from worker.kafka.raw_headers import encode_headers, writable

CONNECT = "__connect.errors."
OURS = "upcaster.dlq."
MAX_MESSAGE = 4 * 1024
MAX_TRACE = 8 * 1024

TRACE = CONNECT + "exception.stacktrace"
MESSAGE = CONNECT + "exception.message"
FINGERPRINT = OURS + "fingerprint"
RAW_HEADERS = OURS + "raw_headers"
SCHEMA = OURS + "schema"
ORIGINAL_TIMESTAMP = OURS + "timestamp.original"
REPLAY_ID = "upcaster.replay.id"
REDRIVE_COUNT = OURS + "redrive.count"
LETTER_PARTITION = OURS + "partition"
LETTER_OFFSET = OURS + "offset"
ESSENTIAL = frozenset({FINGERPRINT, RAW_HEADERS, ORIGINAL_TIMESTAMP, REPLAY_ID})
ORIGIN = frozenset({CONNECT + "topic", CONNECT + "partition", CONNECT + "offset"})
WITH_ORIGIN = ESSENTIAL | ORIGIN | {CONNECT + "stage", REDRIVE_COUNT, LETTER_PARTITION, LETTER_OFFSET}

Fits = Callable[[Sequence[Header]], bool]


@dataclass(frozen=True)
class Reporter:
    """The worker that writes dead letters; ``replay_id`` where it is a replay."""

    group: str
    instance: str
    worker_version: str
    replay_id: str = ""


@dataclass(frozen=True)
class Redriven:
    """The dead letter from which a record was restored: how often it has been redriven, and its place."""

    count: int
    partition: int
    offset: int

    @property
    def place(self) -> list[Header]:
        """The headers with the letter's place, for the output of its record."""
        return [(LETTER_PARTITION, _text(self.partition)), (LETTER_OFFSET, _text(self.offset))]


@dataclass(frozen=True)
class DeadLetter:
    """Key and value are the record's own. ``fits`` is False where even the shortest form is too large."""

    headers: list[Header]
    trimmed: bool
    fits: bool


def dead_letter(
    record: SourceRecord,
    source: Partition,
    fault: Fault,
    reporter: Reporter,
    now: float,
    fits: Fits,
    *,
    restamped: bool = False,
    redriven: Redriven | None = None,
    schema: str = "",
) -> DeadLetter:
    """The dead letter with the most headers that ``fits``. ``restamped`` says that it will carry another timestamp,
    ``redriven`` that its record was a dead letter before; ``record`` and ``source`` are then the original ones.
    ``schema`` is the one that the frame of the record's value names."""
    own = [header for header in record.headers if writable(header)]
    reasons = _connect_headers(record, source, fault, reporter) + _our_headers(fault, reporter, now, redriven)
    if schema:
        reasons.append((SCHEMA, _text(schema)))
    if len(own) < len(record.headers):
        reasons.append((RAW_HEADERS, base64.b64encode(encode_headers(record.headers))))
    if restamped:
        reasons.append((ORIGINAL_TIMESTAMP, _text(record.timestamp)))
    headers: list[Header] = []
    for step, kept in enumerate(_shorter_and_shorter(reasons)):
        headers = own + kept
        if fits(headers):
            return DeadLetter(headers, trimmed=step > 0, fits=True)
    return DeadLetter(headers, trimmed=True, fits=False)


def _shorter_and_shorter(reasons: list[Header]) -> Iterator[list[Header]]:
    yield reasons
    without_trace = [header for header in reasons if header[0] != TRACE]
    yield without_trace
    yield [header for header in without_trace if header[0] != MESSAGE]
    yield [header for header in reasons if header[0] in WITH_ORIGIN]
    yield [header for header in reasons if header[0] in ESSENTIAL]


def _connect_headers(record: SourceRecord, source: Partition, fault: Fault, reporter: Reporter) -> list[Header]:
    return [
        (CONNECT + "topic", _text(source.topic)),
        (CONNECT + "partition", _text(source.partition)),
        (CONNECT + "offset", _text(record.offset)),
        (CONNECT + "connector.name", _text(reporter.group)),
        (CONNECT + "task.id", _text(reporter.instance)),
        (CONNECT + "stage", _text(fault.stage)),
        (CONNECT + "class.name", _text(fault.step or fault.stage)),
        (CONNECT + "exception.class.name", _text(fault.error_type)),
        (MESSAGE, _text(fault.message, MAX_MESSAGE)),
        (TRACE, _text(_trace(fault), MAX_TRACE)),
    ]


def _our_headers(fault: Fault, reporter: Reporter, now: float, redriven: Redriven | None) -> list[Header]:
    """In every form the fingerprint is the first of ours: by that the record's own headers are told from them."""
    replay = [(REPLAY_ID, _text(reporter.replay_id))] if reporter.replay_id else []
    return [
        (FINGERPRINT, _text(fault.fingerprint)),
        (REDRIVE_COUNT, _text(redriven.count if redriven else 0)),
        *replay,
        *(redriven.place if redriven else ()),
        (OURS + "timestamp", _text(round(now * 1000))),
        (OURS + "event.type", _text(fault.event_type)),
        (OURS + "schema.from", _text(fault.from_version)),
        (OURS + "schema.to", _text(fault.to_version)),
        (OURS + "failed.step", _text(fault.step)),
        (OURS + "worker.version", _text(reporter.worker_version)),
    ]


def _trace(fault: Fault) -> str:
    """Where in the chain it happened. A Python traceback would name our own lines and nothing of the event's way."""
    way = " -> ".join(filter(None, (fault.from_version, fault.to_version)))
    places = {"type": fault.event_type, "versions": way, "step": fault.step, "path": fault.path}
    lines = [f"  {name} {value}" for name, value in places.items() if value]
    return "\n".join([f"stage {fault.stage}", *lines, f"{fault.error_type}: {fault.message}"])


def _text(value: object, limit: int | None = None) -> bytes:
    """UTF-8, cut between two characters."""
    encoded = str(value).encode("utf-8", "replace")
    if limit is None or len(encoded) <= limit:
        return encoded
    return encoded[:limit].decode("utf-8", "ignore").encode()
