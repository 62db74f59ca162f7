"""The note that a lane commits as metadata of the group's offset, for the partition's next lane; and how a client
outside of the group reads it."""

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
"""The brokers' default of ``offset.metadata.max.bytes``."""
DROPPED_FIRST = ("chain", "dead_letter", "destination", "epoch", "decision", "breaker", "finding")
"""Fields that are dropped, in this order, where the text would be too long: first those that also stand elsewhere. A
journal has a limit of its own and is never dropped."""

What = Literal["source", "destination", "dead-letter"]


class LastWritten(msgspec.Struct, frozen=True, array_like=True):
    """The last record that this worker has written to a topic. Where it has written none yet, or does not know which
    it was, it is not its own: then it is one that was there before, so that all that comes is behind it."""

    topic: str
    partition: int
    offset: int
    is_own: bool = True


class Truncation(msgspec.Struct, frozen=True, omit_defaults=True):
    """A partition ended at ``end``, before the offset ``known`` that it had: the group's offset in a source, the one
    after the last written record in an output. ``at`` is when that was found (Unix time)."""

    what: What
    topic: str
    partition: int
    known: int
    end: int
    at: int


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """A person's decision about a finding: the group's offset was moved from ``before`` to ``to``, and ``left_out``
    unread offsets from ``first`` on were skipped. ``reported`` is set by the worker that has logged and counted
    them."""

    before: int
    to: int
    at: int
    first: int = 0
    left_out: int = 0
    reported: bool = msgspec.field(default=False, name="told")


class OffsetNote(msgspec.Struct, frozen=True, omit_defaults=True):
    """The note. ``breaker`` and ``journal`` are texts of these parts. ``chain`` is the fingerprint of the chain that
    upcast the records before the offset, ``epoch`` the leader epoch of the last of them."""

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
    """Decode a note, also of earlier versions. Metadata that this worker did not write gives an empty note."""
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
    """A group's committed offset of a partition, with its note."""

    offset: int
    note: OffsetNote


async def committed_of_group(
    clients: ClientFactory, group: str, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, Committed]:
    """The committed offsets of a group; partitions without one are left out. Raises KafkaError."""
    async with started(clients.admin()) as admin:
        found = await committed_by_group(admin, group, partitions)
    return {at: Committed(each.offset, read_note(each.metadata)) for at, each in found.items()}
