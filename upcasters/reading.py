"""What the readers of a route make of a record: one event or several, and what becomes of the record then.

Whatever a reader had to change is written anew: such a record is upcast, and never passed. A record of several events
is a dead letter if one of them is: nothing of it goes out by halves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import msgspec

from upcasters.context import CLOUD_EVENTS_PREFIX, last_header, origin_of
from upcasters.duplicates import duplicate_keys
from upcasters.errors import EventError, ReaderError, TooManyEvents
from upcasters.event import Event, Header, Item, Partition, SourceRecord
from upcasters.outcome import DeadLettered, Fault, Outcome, Passage, Passed, Skipped, Upcast
from upcasters.readers import MOST_BYTES, Origin, ValueReader

UpcastOne = Callable[[SourceRecord, Partition | None], Outcome]
"""What becomes of one event that was read. Never raises."""


class Asked(Protocol):
    """Says of a record whether its value is for the readers at all."""

    def __call__(self, record: SourceRecord, /) -> bool: ...


@dataclass(frozen=True)
class Read:
    """What a record holds: one Event, or any number of Items; and the readers that had something to do with it."""

    parts: Sequence[SourceRecord]
    splits: bool
    by: tuple[str, ...]


class Reading:
    """The readers of one route. ``asked`` leaves out records whose values are none of theirs."""

    def __init__(self, readers: Sequence[ValueReader], keys: str, asked: Asked) -> None:
        self.readers = tuple(readers)
        self.splits = any(reader.splits for reader in readers)
        self._keys = keys
        self._asked = asked

    def read(self, record: SourceRecord, source: Partition | None) -> Read | None:
        """What the record holds; None where it goes on as it is. Raises EventError where it cannot be read."""
        value = record.value
        if value is None or not self._asked(record):
            return None
        origin = partial(origin_of, record, source)
        by: list[str] = []
        values: list[bytes] | None = None
        with duplicate_keys(self._keys) if self._keys != _USUAL else nullcontext():
            for reader in self.readers:
                if values is not None:
                    again = [_one(reader, each, origin) for each in values]
                    changed = any(new is not old for new, old in zip(again, values, strict=True))
                    values = again
                else:
                    made = _made(reader, value, origin)
                    changed = made is not value
                    if isinstance(made, bytes):
                        value = made
                    else:
                        values = list(made)
                if changed:
                    by.append(reader.name)
        if not by:
            return None
        if values is None:
            one = Event(value, record.key, record.headers, record.timestamp, record.offset)
            return Read((one,), splits=False, by=tuple(by))
        return Read(_items(record, values, origin), splits=True, by=tuple(by))

    def outcome(self, record: SourceRecord, source: Partition | None, upcast: UpcastOne) -> Outcome:
        """What becomes of a record. Raises EventError where it cannot be read, or makes too much."""
        read = self.read(record, source)
        return upcast(record, source) if read is None else self.outcome_of(read, source, upcast)

    def outcome_of(self, read: Read, source: Partition | None, upcast: UpcastOne) -> Outcome:
        """What becomes of a record that was read. Raises TooManyEvents."""
        if read.splits:
            return _together(read, source, upcast)
        (event,) = read.parts
        outcome = upcast(event, source)
        if isinstance(outcome, Passed):
            return Upcast(outcome.passage, event.value)
        return DeadLettered(_told(outcome.fault, read)) if isinstance(outcome, DeadLettered) else outcome


_USUAL = "refuse-opened"


def _made(reader: ValueReader, value: bytes, origin: Origin) -> bytes | Sequence[bytes]:
    try:
        return reader.read(value, origin)
    except EventError:
        raise
    except Exception as error:
        raise ReaderError(f"the reader {reader.name} raised {type(error).__name__}") from error


def _one(reader: ValueReader, value: bytes, origin: Origin) -> bytes:
    """One of several; only one reader of a route splits."""
    made = _made(reader, value, origin)
    assert isinstance(made, bytes)  # checked when the route starts
    return made


def _items(record: SourceRecord, values: Sequence[bytes], origin: Origin) -> list[Item]:
    """The events of one record. What says who an event is, in CloudEvents' binary mode, must not be said of several."""
    place = origin()  # as for every split: without it, what comes out could not be told apart
    headers: Sequence[Header] = record.headers or ()
    weight = sum(len(name) + len(content or b"") for name, content in headers) + len(record.key or b"")
    if weight * len(values) > MOST_BYTES:
        raise TooManyEvents(f"{len(values)} events with the record's headers would be more than {MOST_BYTES} bytes")
    name = CLOUD_EVENTS_PREFIX + "id"
    named = last_header(headers, name) is not None
    others = [pair for pair in headers if pair[0] != name]
    return [
        Item(
            value,
            record.key,
            [*others, (name, f"{place}/{number}".encode())] if named else headers,
            record.timestamp,
            record.offset,
            number,
        )
        for number, value in enumerate(values)
    ]


def _together(read: Read, source: Partition | None, upcast: UpcastOne) -> Outcome:
    """What becomes of a record that holds several events: of all of them, or of none."""
    records, passages, reasons = [], [], set()
    size = 0
    for number, item in enumerate(read.parts):
        outcome = upcast(item, source)
        if isinstance(outcome, DeadLettered):
            return DeadLettered(_told(outcome.fault, read, number))
        passages.append(outcome.passage)
        if isinstance(outcome, Skipped):
            reasons.add(outcome.reason)
        for made in outcome.output(item):
            size += len(made.value or b"")
            records.append(made)
        if size > MOST_BYTES:
            raise TooManyEvents(f"the events of one record would be more than {MOST_BYTES} bytes together")
    passage = common(passages)
    if not records:
        return Skipped(passage, "policy" if "policy" in reasons else "dropped")
    return Upcast(passage, None, tuple(records))


def common(passages: Sequence[Passage]) -> Passage:
    """What several ways have in common; empty where they differ."""
    if not passages:
        return Passage("", "", "")
    first = passages[0]
    if all(each is first or each == first for each in passages):
        return first
    return Passage(
        _same(each.event_type for each in passages),
        _same(each.from_version for each in passages),
        _same(each.to_version for each in passages),
        max(each.hops for each in passages),
    )


def _same(names: Iterable[str]) -> str:
    found = set(names)
    return found.pop() if len(found) == 1 else ""


def _told(fault: Fault, read: Read, number: int | None = None) -> Fault:
    """A fault as that of the record: which of its events it is, and what read it where that may be why."""
    path, message = fault.path, fault.message
    if number is not None:
        path = f"[{number}]{'' if not path or path.startswith('[') else '.'}{path}"
    if fault.stage == "decode":
        message += f" (as read by {', '.join(read.by)})"
    return msgspec.structs.replace(fault, path=path, message=message)
