"""What a lane keeps beside the group's offset, as one text that moves with it: whoever works on the partition next
reads it there; and how somebody reads it who is no member of the group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec
from aiokafka import TopicPartition

from worker.kafka.clients import started
from worker.kafka.stable_offsets import committed_by_group
from worker.lanes.breaker import OPEN
from worker.lanes.delivery import ClientFactory

MOST_BYTES = 4096
"""The brokers' own bound (``offset.metadata.max.bytes``), unless somebody has lowered it."""
DROPPED_FIRST = ("chain", "dead_letter", "destination", "epoch", "decision", "breaker", "finding")
"""In this order, where a text would be too long: first what is told elsewhere, too. A journal has a bound of its own,
and is never dropped."""

What = Literal["source", "destination", "dead-letter"]


class LastWritten(msgspec.Struct, frozen=True, array_like=True):
    """The last record of ours that the brokers have taken in a topic."""

    topic: str
    partition: int
    offset: int


class Truncation(msgspec.Struct, frozen=True, omit_defaults=True):
    """A partition ends before an offset that was there once: ``known`` is the group's offset for a source, and the one
    behind what we wrote for an output. ``at`` is when that was found (seconds)."""

    what: What
    topic: str
    partition: int
    known: int
    end: int
    at: int


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a person said to a finding: the group went from offset ``before`` to ``to``, and left out ``left_out``
    offsets that nobody has read, the first of which is ``first``. ``told`` is set by the worker that has named and
    counted them."""

    before: int
    to: int
    at: int
    first: int = 0
    left_out: int = 0
    told: bool = False


class OffsetNote(msgspec.Struct, frozen=True, omit_defaults=True):
    """``breaker`` and ``journal`` are texts of their owners. ``chain`` is the fingerprint of the chain that the records
    before the offset went through, ``epoch`` the leader epoch under which the last of them was written."""

    breaker: str = ""
    journal: str = ""
    chain: str = ""
    destination: LastWritten | None = None
    dead_letter: LastWritten | None = None
    epoch: int | None = None
    finding: Truncation | None = None
    decision: Decision | None = None

    @property
    def text(self) -> str:
        note, text = self, _text(self)
        for name in DROPPED_FIRST:
            if len(text.encode()) <= MOST_BYTES:
                break
            note = msgspec.structs.replace(note, **{name: _DEFAULTS[name]})
            text = _text(note)
        return text


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(OffsetNote).decode
_DEFAULTS = msgspec.structs.asdict(OffsetNote())


def _text(note: OffsetNote) -> str:
    first = note.journal or note.breaker
    breaker = note.breaker if note.journal else ""
    rest = _encode(msgspec.structs.replace(note, journal="", breaker=breaker)).decode()
    return first if rest == "{}" else f"{first}\n{rest}"


def read_note(text: str | None) -> OffsetNote:
    """Also of texts of earlier versions. What somebody else has written there is no note of ours, and no error."""
    first, _, rest = (text or "").partition("\n")
    try:
        note = _decode(rest) if rest else OffsetNote()
    except ValueError:
        note = OffsetNote()
    if first.startswith(OPEN):
        return msgspec.structs.replace(note, breaker=first)
    if first.startswith("{"):
        return msgspec.structs.replace(note, journal=first)
    return note


class Committed(NamedTuple):
    """What a group has committed for a partition."""

    offset: int
    note: OffsetNote


async def committed_of_group(
    clients: ClientFactory, group: str, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, Committed]:
    """A partition without an offset is not in it. Raises KafkaError."""
    async with started(clients.admin()) as admin:
        found = await committed_by_group(admin, group, partitions)
    return {at: Committed(each.offset, read_note(each.metadata)) for at, each in found.items()}
