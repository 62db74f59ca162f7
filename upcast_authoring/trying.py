"""Upcasts events for `upcast try`: each hop with its difference, and the outcome."""

from __future__ import annotations

import difflib
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from upcast_authoring.codes import chain_error
from upcast_authoring.counted import counted
from upcast_authoring.errors import CommandError
from upcasters import (
    Chain,
    ChainError,
    DeadLettered,
    Event,
    Passed,
    Policy,
    Record,
    Skipped,
    SourcePartition,
    SourceRecord,
    Upcast,
    Upcaster,
)
from upcasters.document import is_json
from upcasters.outcome import Outcome
from upcasters.readers import ValueReader, utf_16_of
from upcasters.reading import Read
from upcasters.reference import HopTrace, Trace
from upcasters.testing.law import told_outcome

# Where the ids of a split come from here: nothing was read from a topic.
COORDINATES = SourcePartition("stdin", 0)
CONTEXT = 2


@dataclass(frozen=True)
class TriedHop:
    """One hop: a title, and the lines that differ, each starting with ``+``, ``-`` or a blank."""

    title: str
    diff: tuple[str, ...]


@dataclass(frozen=True)
class Tried:
    """One event. ``summary`` is the outcome in one line."""

    number: int
    event: Event
    trace: Trace

    @property
    def dead(self) -> bool:
        return isinstance(self.trace.outcome, DeadLettered)

    @property
    def summary(self) -> str:
        return told_outcome(self.trace.outcome, self.event)

    @property
    def read(self) -> str:
        """What the readers did, in one line; empty where they did nothing."""
        return "" if self.trace.read is None else _told_reading(self.trace.read)

    @property
    def around(self) -> list[str]:
        """What changes around the document, key and headers, as lines of a diff; nothing where only the value does."""
        outcome = self.trace.outcome
        records = outcome.output(self.event) if isinstance(outcome, Upcast) else ()
        before = _around(self.event)
        lines = [difflib.ndiff(before, _around(record)) for record in records]
        return [line for diff in lines for line in diff if line.startswith(("+", "-"))]

    @property
    def hops(self) -> list[TriedHop]:
        return [tried_hop(hop) for hop in self.trace.hops]


def documents(data: bytes, readers: Sequence[ValueReader] = ()) -> list[bytes]:
    """The events in ``data``: one a line, or a single one where the first line is no document by itself.

    UTF-16, as PowerShell writes it, and a byte order mark are the file's, and not its events'. A line that ``readers``
    make JSON of is one, too.
    """
    encoding = utf_16_of(data)
    # What Windows puts before a file is no part of its first event, and how it writes files is not how events are.
    data = data.decode(encoding, "replace").removeprefix("\ufeff").encode() if encoding else data.removeprefix(BOM_UTF8)
    lines = [line.strip() for line in data.splitlines() if line.strip()]
    if not lines or not _is_document(lines[0], readers):
        return [data.strip()] if lines else []
    return lines


def _is_document(line: bytes, readers: Sequence[ValueReader]) -> bool:
    values = [line]
    try:
        for reader in readers:
            made = reader.read(values[0], lambda: "")
            values = [made] if isinstance(made, bytes) else [*made, b"null"]
    except Exception:  # noqa: BLE001  # a reader may be the author's own; what it says is told when the event is tried
        return False
    return is_json(values[0])


def upcaster_of(chain: Chain, policy: Policy, to: str | None) -> Upcaster:
    """The chain by a policy, to the version ``to`` where that is named.

    Raises CommandError where the chain needs a route's rules of detection, or has no such version.
    """
    targets = policy.target if to is None else targets_of(chain, to)
    try:
        return chain.upcaster(replace(policy, target=targets, validate_source="never"))
    except ChainError as error:
        raise chain_error(error) from error


def try_all(
    upcaster: Upcaster, values: Sequence[bytes], headers: Sequence[tuple[str, bytes]], key: str | None
) -> list[Tried]:
    """Upcast each value."""
    events = events_of(values, headers, key)
    return [Tried(number, event, upcaster.trace(event, COORDINATES)) for number, event in enumerate(events, start=1)]


def events_of(values: Sequence[bytes], headers: Sequence[tuple[str, bytes]], key: str | None) -> list[Event]:
    """The values as events of one key and the same headers."""
    key_bytes = None if key is None else key.encode()
    return [Event(value, key_bytes, headers, offset=offset) for offset, value in enumerate(values)]


def try_record(upcaster: Upcaster, record: SourceRecord, source: SourcePartition) -> Tried:
    """A record of a topic through a chain, with what is made of where it stands."""
    event = Event(record.value, record.key, list(record.headers), record.timestamp, record.offset)
    return Tried(1, event, upcaster.trace(event, source))


def targets_of(chain: Chain, to: str) -> dict[str, str]:
    """Every type that has the version ``to``, with it. Raises CommandError where none has."""
    reached = {*chain.versions, *((hop.source[0], hop.target[1]) for hop in chain.hops.values())}
    targets = {event_type: version for event_type, version in sorted(reached) if version == to}
    if not targets:
        raise CommandError(f"the chain has no version {to}", code="UPC1003")
    return targets


def tried_hop(trace: HopTrace) -> TriedHop:
    before, after = (_lines(value) for value in (trace.before, trace.after))
    diff = tuple(difflib.unified_diff(before, after, n=CONTEXT, lineterm=""))[2:]
    which = "" if trace.position is None else f"[{trace.position}] "
    (old_type, old), (new_type, new) = trace.hop.source, trace.hop.target
    way = f"{old} -> {new}" if old_type == new_type else f"{old_type} {old} -> {new_type} {new}"
    return TriedHop(
        f"{which}{way} ({trace.hop.id})",
        tuple(line for line in diff if not line.startswith("@@")),
    )


def _around(record: Event | Record) -> list[str]:
    key = [] if record.key is None else [f"key: {_text(record.key)}"]
    return [*key, *(f"header {name}: {'null' if value is None else _text(value)}" for name, value in record.headers)]


def _told_reading(read: Read) -> str:
    number = len(read.parts)
    many = f", which makes {counted(number, 'event')} of it" if read.splits else ""
    return f"read by {', '.join(read.by)}{many}"


def _lines(value: bytes) -> list[str]:
    """A document with a field a line; numbers stay as they are written."""
    return msgspec.json.format(value, indent=2).decode().splitlines()


def as_json(tried: Sequence[Tried]) -> str:
    """For machines; documents stand in it as they are, digit for digit."""
    return msgspec.json.format(msgspec.json.encode([shown(one) for one in tried]), indent=2).decode()


def shown(one: Tried, *, trace: bool = True) -> dict[str, Any]:
    """One event as JSON values; documents in it are ``msgspec.Raw``, so ``msgspec.json`` has to write it."""
    outcome = one.trace.outcome
    content: dict[str, Any] = {"event": one.number, "outcome": KINDS[type(outcome)]}
    if isinstance(outcome, DeadLettered):
        content["fault"] = {"fingerprint": outcome.fault.fingerprint, **msgspec.structs.asdict(outcome.fault)}
    else:
        content |= msgspec.structs.asdict(outcome.passage)
        content |= {"reason": outcome.reason} if isinstance(outcome, (Passed, Skipped)) else {}
        content["records"] = list(_records(one.event, outcome))
    if one.trace.read is not None:
        content["read_by"] = list(one.trace.read.by)
    if trace:
        content["trace"] = [_hop(hop) for hop in one.trace.hops]
    return content


def _hop(taken: HopTrace) -> dict[str, Any]:
    return {
        "step": taken.hop.id,
        "from_version": taken.hop.source[1],
        "to_version": taken.hop.target[1],
        "before": msgspec.Raw(taken.before),
        "after": msgspec.Raw(taken.after),
        **({} if taken.position is None else {"position": taken.position}),
    }


KINDS: Mapping[type[Outcome], str] = {
    DeadLettered: "dead-lettered",
    Passed: "passed",
    Skipped: "skipped",
    Upcast: "upcast",
}


def _records(event: Event, outcome: Outcome) -> Iterator[dict[str, Any]]:
    for record in outcome.output(event):
        value = msgspec.Raw(record.value or b"null")
        yield {"key": _text(record.key), "headers": _headers(record.headers), "value": value}


def _headers(headers: Sequence[tuple[str, bytes | None]]) -> list[dict[str, str | None]]:
    return [{"name": name, "value": _text(value)} for name, value in headers]


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="backslashreplace")
