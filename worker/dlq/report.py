"""Dead letters as text for the terminal and as JSON."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import msgspec

from upcast_authoring.counted import counted
from upcast_authoring.trying import Tried
from upcast_authoring.trying import shown as shown_event
from upcasters.event import Header
from upcasters.outcome import Fault
from worker.dead_letters import CONNECT, MESSAGE, OURS, SCHEMA, TRACE
from worker.dlq.letters import Letter
from worker.dlq.listing import FoundLetter, Group, LetterFault, Listing, fault_of
from worker.dlq.selection import Selection
from worker.replay.plan.file import Coordinates
from worker.routes.chains import RouteChain
from worker.times import time_text

COLUMNS = ("fingerprint", "letters", "left", "error", "of", "step", "from topic", "first seen", "last seen", "first at")
SPARE = ("first seen", "from topic", "last seen", "of", "step", "first at")
"""What a narrow screen leaves out, in this order."""


def place_text(place: Coordinates) -> str:
    return f"{place.partition}:{place.offset}"


def summary(found: Listing, topic: str) -> Iterator[str]:
    """The number of dead letters, in a line, and what could not be read."""
    yield _counted(found, topic)
    for each in found.hidden:
        yield f"not counted: {each}: {each.fix}, then list again"


def _counted(found: Listing, topic: str) -> str:
    left = sum(group.left for fault, group in found.groups.items() if fault.fingerprint)
    others = sum(group.records for fault, group in found.groups.items() if not fault.fingerprint)
    foreign = f", {counted(others, 'record')} that this worker did not write" if others else ""
    return f"{topic}: {counted(found.records - others, 'dead letter')}, {left:,} of them not redriven yet{foreign}"


def as_cells(found: Listing) -> Iterator[tuple[str, ...]]:
    for fault, group in found.ordered():
        yield (
            fault.fingerprint or "(not ours)",
            f"{group.records:,}",
            _left(fault, group),
            " ".join(part for part in (fault.stage, fault.error_type) if part) or "-",
            _versions(fault),
            fault.step or "-",
            fault.topic or "-",
            time_text(group.first_seen),
            time_text(group.last_seen),
            place_text(group.samples[0]),
        )


def _left(fault: LetterFault, group: Group) -> str:
    if not fault.fingerprint:
        return "-"
    rounds = f" (redriven {group.rounds} x)" if group.rounds else ""
    return f"{group.left:,}{rounds}"


def _versions(fault: LetterFault) -> str:
    way = " -> ".join(part for part in (fault.from_version, fault.to_version) if part)
    return " ".join(part for part in (fault.event_type, way) if part) or "-"


def listing_content(found: Listing, given: RouteChain) -> dict[str, Any]:
    return {
        "topic": given.route.dead_letter,
        "records": found.records,
        "hidden": [each.content() for each in found.hidden],
        "faults": [_group(fault, group) for fault, group in found.ordered()],
    }


def _group(fault: LetterFault, group: Group) -> dict[str, Any]:
    return {
        **fault._asdict(),
        "ours": bool(fault.fingerprint),
        "letters": group.records,
        "left": group.left,
        "redrive_count": group.rounds,
        "first_seen": time_text(group.first_seen),
        "last_seen": time_text(group.last_seen),
        "samples": [each.model_dump() for each in group.samples],
    }


# One of them.


def tried(found: FoundLetter, given: RouteChain) -> Tried | None:
    """The outcome of the letter's original record with the current chain; None where this worker did not write the
    letter."""
    if found.letter is None:
        return None
    selection = Selection(given.route.source, given.route.dead_letter, frozenset(), 1, aligned=True)
    event = found.letter.restored()
    source = selection.origin(found.place.partition, found.letter)
    bare, trace = given.trace(event, source)
    return Tried(1, bare, trace)


def facts(found: FoundLetter, given: RouteChain) -> Iterator[tuple[str, str]]:
    """Names and values of what a letter says, without its content."""
    yield "dead letter", f"{given.route.dead_letter} partition {found.place.partition}, offset {found.place.offset}"
    letter = found.letter
    if letter is None:
        yield "", "unknown: this worker did not write the record, and never redrives it"
        yield "headers", _headers(found.record.headers)
        yield "key", as_text(found.record.key)
        return
    yield "came from", _origin(letter)
    yield (
        "dead since",
        f"{time_text(letter.buried)} by {letter.text(CONNECT + 'connector.name') or '-'}, worker "
        + (letter.text(OURS + "worker.version") or "-"),
    )
    yield "redriven", f"{letter.rounds} times"
    yield "fingerprint", letter.fingerprint
    fault = fault_of(letter)
    yield "reason", f"{fault.stage or '-'}: {fault.error_type or '-'}: {letter.text(MESSAGE) or '-'}"
    yield "of", _versions(fault) + (f", step {fault.step}" if fault.step else "")
    if schema := letter.text(SCHEMA):
        yield "schema", schema
    yield "timestamp", time_text(-1 if letter.timestamp is None else letter.timestamp)
    yield "headers", _headers(letter.headers)
    yield "key", as_text(letter.record.key)


def _origin(letter: Letter) -> str:
    if letter.topic is None:
        return "unknown: there was no room for it"
    return f"{letter.topic} partition {letter.partition}, offset {letter.offset}"


def value_text(found: FoundLetter, given: RouteChain) -> str:
    """Without its frame, where that can be taken off, and as JSON where it can be read."""
    bare = given.readable(found.record)
    value = found.record.value if isinstance(bare, Fault) else bare.value
    return "null (a tombstone)" if value is None else as_text(value)


def _headers(headers: Any) -> str:
    return ", ".join(f"{name_text(name)}={as_text(value)}" for name, value in headers) or "none"


def name_text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def as_text(value: bytes | None) -> str:
    return "null" if value is None else value.decode("utf-8", "backslashreplace")


def letter_content(found: FoundLetter, given: RouteChain) -> str:
    """JSON; bytes as base64, and as text where they are UTF-8."""
    letter, tried_now = found.letter, tried(found, given)
    shown: dict[str, Any] = {
        "dead_letter": {"topic": given.route.dead_letter, **found.place.model_dump()},
        "ours": letter is not None,
        "key": _bytes(found.record.key),
        "value": _bytes(found.record.value),
        "headers": [_header(each) for each in (found.record.headers if letter is None else letter.headers)],
    }
    if letter is not None:
        shown |= {
            **fault_of(letter)._asdict(),
            "partition": letter.partition,
            "offset": letter.offset,
            "timestamp": letter.timestamp,
            "buried": time_text(letter.buried),
            "redrive_count": letter.rounds,
            "message": letter.text(MESSAGE),
            "schema": letter.text(SCHEMA),
            "trace_of_then": letter.text(TRACE),
        }
    if tried_now is not None:
        shown["now"] = shown_event(tried_now)
    return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()


def _bytes(value: bytes | None) -> dict[str, str | None] | None:
    if value is None:
        return None
    try:
        text: str | None = value.decode()
    except UnicodeDecodeError:
        text = None
    return {"base64": base64.b64encode(value).decode(), "text": text}


def _header(header: Header) -> dict[str, Any]:
    return {"name": name_text(header[0]), "value": _bytes(header[1])}
