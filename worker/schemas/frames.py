"""Frames: what stands around a value, or beside it, and tells by which schema it was written. Pure: nothing is asked.

A frame is a zero byte and the schema's id before the value, or a header with the id beside it. Where both are there the
header counts, as it does for the libraries that write it. Which frame a topic has its route says; it is never guessed,
since JSON cannot begin with a zero byte and anything else may.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

from upcasters.event import Header, SourceRecord
from worker.schemas.messages import INDEXES, REF, Behind, Message, Which

MAGIC = 0
GUID_MAGIC = 1
GUID_BYTES = 16
MOST_BYTES_BEHIND = 2_000
_FIRST = b"\x00"

CONFLUENT_HEADER = "__value_schema_id"
APICURIO_GLOBAL = "apicurio.value.globalId"
APICURIO_CONTENT = "apicurio.value.contentId"
VALUE_HEADERS = frozenset({CONFLUENT_HEADER, APICURIO_GLOBAL, APICURIO_CONTENT})
"""None of them may be copied: whoever reads the new value would read it by the old one's schema."""
KEY_HEADER_OF = MappingProxyType(
    {
        CONFLUENT_HEADER: "__key_schema_id",
        APICURIO_GLOBAL: "apicurio.key.globalId",
        APICURIO_CONTENT: "apicurio.key.contentId",
    }
)
"""What each is called for a key."""
KEY_HEADERS = frozenset(KEY_HEADER_OF.values())
"""The same of a key: where a step sets another one, they are wrong."""

Mark = bytes | Header
"""What tells a record's schema, as it stands there: the bytes before the value, or a header."""


MOST_MARKS = 10_000
"""So many are remembered at once: a header may say one id in many ways."""


class NotFramedError(Exception):
    """A value has not the frame that its route names. Says what is wrong, and no byte of the value."""


class SchemaId(NamedTuple):
    """How a registry calls a schema: by a number, or by a GUID (32 hex digits with hyphens). The other one is empty."""

    number: int = 0
    guid: str = ""

    def __str__(self) -> str:
        return self.guid or str(self.number)


@dataclass(frozen=True)
class Frame:
    """One way of framing. ``size`` is how many bytes stand before a value that has no header; ``headers`` are the names
    of the headers that are read, each with what reads it; ``writes`` the one that is written in place of a prefix.
    ``behind``: what says behind the id which message of the schema it is, where that is one of Protobuf."""

    size: int
    headers: Mapping[str, Callable[[bytes], SchemaId]]
    writes: str = ""
    behind: Behind | None = None

    @cached_property
    def start(self) -> Callable[[bytes], bytes]:
        """What cuts the prefix of a value off. Raises TypeError for a tombstone's."""
        if self.behind is None:
            return itemgetter(slice(self.size))
        size, at = self.size, self.behind.at
        most = size + MOST_BYTES_BEHIND

        def start(value: bytes) -> bytes:
            if value[size : size + 1] == _FIRST:
                return value[: size + 1]
            return value[: size + at(value[size:most])[1]]

        return start

    def mark(self, record: SourceRecord) -> Mark:
        """What tells the schema of a record that has a value."""
        if record.headers and (found := last_of(record.headers, self.headers)):
            return found
        return self.start(record.value or b"")

    def schema_id(self, mark: Mark) -> SchemaId:
        """Raises NotFramedError."""
        if isinstance(mark, bytes):
            return _prefixed(mark, self.size)
        name, value = mark
        return self.headers[name](value or b"")

    def body(self, mark: Mark, value: bytes) -> bytes:
        """The value without its frame."""
        return value[len(mark) :] if isinstance(mark, bytes) else value

    def message(self, mark: Mark) -> Which:
        """Which message of its schema a value is: the first one where a header does not say. Raises NotFramedError."""
        if self.behind is None:
            return ()
        if isinstance(mark, bytes):
            rest = mark[self.size :]
        else:
            value = mark[1] or b""
            rest = value[1 + (GUID_BYTES if value[:1] == bytes([GUID_MAGIC]) else 4) :]
        found, size = self.behind.at(rest)
        if isinstance(mark, bytes) and not size:
            raise NotFramedError("behind the schema's id does not stand which message of the schema it is")
        return found

    def prefix(self, schema: SchemaId, message: Message | None = None) -> bytes:
        """What is written before a value; nothing where the schema stands in a header."""
        return b"" if self.writes else _with_magic(schema.number, self.size - 1) + self._written(message)

    def _written(self, message: Message | None) -> bytes:
        return self.behind.written(message) if self.behind and message else b""

    def header(self, schema: SchemaId, message: Message | None = None) -> tuple[Header, ...]:
        """What is written beside a value."""
        if not self.writes:
            return ()
        if self.writes != CONFLUENT_HEADER:
            return ((self.writes, schema.number.to_bytes(8, "big")),)
        if schema.guid:
            return ((self.writes, bytes([GUID_MAGIC]) + uuid.UUID(schema.guid).bytes + self._written(message)),)
        return ((self.writes, _with_magic(schema.number, 4) + self._written(message)),)


def last_of(headers: Sequence[Header], names: Mapping[str, object] | frozenset[str]) -> Header | None:
    """The last header that has one of the names, and a value."""
    found = None
    for header in headers:
        if header[0] in names and header[1] is not None:
            found = header
    return found


def without_ids(headers: Sequence[Header]) -> list[Header]:
    """The headers less those that tell the schema of a value."""
    return [header for header in headers if header[0] not in VALUE_HEADERS]


def _with_magic(number: int, size: int) -> bytes:
    return bytes([MAGIC]) + number.to_bytes(size, "big")


def _prefixed(mark: bytes, size: int) -> SchemaId:
    if len(mark) < size:
        raise NotFramedError(f"the value has {len(mark)} bytes, and its frame alone would have {size}")
    if mark[0] != MAGIC:
        raise NotFramedError("the value does not begin with the zero byte of a frame")
    return SchemaId(int.from_bytes(mark[1:size], "big"))


def _confluent(value: bytes) -> SchemaId:
    if len(value) >= 5 and value[0] == MAGIC:
        return SchemaId(int.from_bytes(value[1:5], "big"))
    if len(value) >= 1 + GUID_BYTES and value[0] == GUID_MAGIC:
        return SchemaId(guid=str(uuid.UUID(bytes=value[1 : 1 + GUID_BYTES])))
    raise NotFramedError(f"the header {CONFLUENT_HEADER} holds neither an id nor a GUID")


def _apicurio(value: bytes) -> SchemaId:
    if len(value) != 8:
        raise NotFramedError("the header with Apicurio's id has not 8 bytes")
    return SchemaId(int.from_bytes(value, "big"))


_CONFLUENT = MappingProxyType({CONFLUENT_HEADER: _confluent})
_APICURIO = MappingProxyType({APICURIO_GLOBAL: _apicurio, APICURIO_CONTENT: _apicurio})

FRAMES: Mapping[str, Frame] = MappingProxyType(
    {
        "confluent": Frame(5, _CONFLUENT),
        "confluent-header": Frame(5, _CONFLUENT, CONFLUENT_HEADER),
        "apicurio": Frame(5, _APICURIO),
        "apicurio-8": Frame(9, _APICURIO),
        "apicurio-header": Frame(5, _APICURIO, APICURIO_CONTENT),
    }
)
"""By the names that settings have for them. One that writes a header reads values with a prefix, too."""


def frame_of(name: str, format_name: str) -> Frame | None:
    """The frame of values in a format, by its name in the settings; None where there is none."""
    found = FRAMES.get(name)
    if found is None or format_name != "protobuf":
        return found
    if name.startswith("confluent"):
        return replace(found, behind=INDEXES)
    # What stands in a value beside Apicurio's headers differs between its releases, and nothing tells them apart.
    return replace(found, behind=REF, headers={})


def guid_of(text: str) -> str:
    """A GUID as it is compared; empty where the text is none."""
    return text.lower() if re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) else ""
