"""Readers: what makes JSON of values that are nearly JSON, in front of the decoder.

A chain or a route declares them by name, and they run in that order. A value that needs none goes on untouched.
"""

from __future__ import annotations

import base64
import binascii
import re
from abc import ABC, abstractmethod
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Protocol, get_args

import msgspec
from msgspec import Raw

from upcasters.depth import MOST_LEVELS, is_too_deep
from upcasters.document import (
    Object,
    decode_object_unchecked,
    decode_text,
    encode,
    is_json,
    is_null,
    json_type,
    refuse_lost_keys,
)
from upcasters.errors import DecodeError, ReaderError, StepError, TooDeep, TooManyEvents
from upcasters.event import Event
from upcasters.outcome import DeadLettered, Outcome, Upcast

ReaderName = Literal[
    "byte-order-mark",
    "utf-16",
    "nan-as-null",
    "nan-as-text",
    "nan-refused",
    "lone-surrogates",
    "json-text",
    "array",
    "cloudevents-data",
    "cloudevents-array",
    "cloudevents-empty",
]
READER_NAMES: tuple[ReaderName, ...] = get_args(ReaderName)

Made = bytes | Sequence[bytes]
Origin = Callable[[], str]
"""Where the value came from, as text that is the same each time it is read; raises NoCoordinates."""

MOST_EVENTS = 10_000
"""Of one value. What they share, key and headers, is written for each of them."""


@dataclass(frozen=True, kw_only=True)
class ValueReader(ABC):
    """Makes JSON of one kind of value. Frozen; shared by all events; keeps nothing of any of them.

    ``name`` is how it is declared and told; ``splits`` where several events may come out.
    """

    name: str
    splits: bool = False
    for_bytes: ClassVar[bool] = False
    """Whether it takes values that are no text yet, and so may stand before what makes text of them."""

    @abstractmethod
    def read(self, value: bytes, origin: Origin) -> Made:
        """What the value is to be read as: the same object where it is nothing for this reader; several, if it splits.

        Raises EventError for a value that is for this reader and cannot be read.
        """


@dataclass(frozen=True, kw_only=True)
class ByteOrderMark(ValueReader):
    """Takes a UTF-8 byte order mark away from the front of the value."""

    for_bytes = True

    def read(self, value: bytes, origin: Origin) -> Made:
        return value.removeprefix(BOM_UTF8)


@dataclass(frozen=True, kw_only=True)
class Utf16(ValueReader):
    """Reads UTF-16, as its byte order mark tells, or a zero byte beside the first character: in JSON that is ASCII."""

    for_bytes = True

    def read(self, value: bytes, origin: Origin) -> Made:
        encoding = utf_16_of(value)
        if not encoding:
            return value
        try:
            return value.decode(encoding).removeprefix("\ufeff").encode()
        except UnicodeDecodeError:
            raise ReaderError("the value is UTF-16 and cannot be decoded") from None


def utf_16_of(value: bytes) -> str:
    """The encoding of a value that begins as JSON in UTF-16 does; empty for any other."""
    first = value[:2]
    if len(first) < 2 or (first[0] and first[1] and first[0] < 0xFE):
        return ""
    if first == BOM_UTF16_LE or (first[0] and not first[1]):
        return "utf-16-le"
    return "utf-16-be" if first == BOM_UTF16_BE or (first[1] and not first[0]) else ""


# A string is passed over whole, also one that never ends: each piece of the text is looked at once.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
# Text mode would make a good key of a name that stands where a key should be.
_NOT_FINITE = re.compile(_STRING + rb"|(-?Infinity|NaN)(?!\s*:)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class NotFinite(ValueReader):
    """Reads ``NaN``, ``Infinity`` and ``-Infinity``, as Python writes them, as null or as text; or refuses them."""

    becomes: Literal["null", "text", "refused"]

    def read(self, value: bytes, origin: Origin) -> Made:
        if value.find(b"NaN") < 0 and value.find(b"Infinity") < 0:
            return value
        made = _NOT_FINITE.sub(self._instead, value)
        return value if made == value else made

    def _instead(self, found: re.Match[bytes]) -> bytes:
        number = found[1]
        if number is None:
            return found[0]
        if self.becomes == "refused":
            raise ReaderError("the value holds NaN or an infinity, which JSON does not have")
        return b"null" if self.becomes == "null" else b'"' + number + b'"'


# Any escape is passed over whole, so that a backslash that is one itself begins none.
_HEX = rb"[0-9a-fA-F]{2}"
_SURROGATE = re.compile(
    rb"\\(?:u[dD][89abAB]%b\\u[dD][c-fC-F]%b|(u[dD][89a-fA-F]%b)|.)" % (_HEX, _HEX, _HEX), re.DOTALL
)


@dataclass(frozen=True, kw_only=True)
class LoneSurrogates(ValueReader):
    r"""Reads half of a pair (``\ud83d``), as JavaScript writes it of a cut text, as the replacement character."""

    def read(self, value: bytes, origin: Origin) -> Made:
        if value.find(rb"\ud") < 0 and value.find(rb"\uD") < 0:
            return value
        made = _SURROGATE.sub(lambda found: rb"\ufffd" if found[1] else found[0], value)
        return value if made == value else made


_SPACE = b" \t\r\n"


def _first(value: bytes) -> bytes:
    """The first character of JSON text."""
    first = value[:1]
    return value.lstrip(_SPACE)[:1] if first and first in _SPACE else first


@dataclass(frozen=True, kw_only=True)
class JsonText(ValueReader):
    """Reads JSON text inside a JSON string: what was written as JSON twice."""

    def read(self, value: bytes, origin: Origin) -> Made:
        return _inner(value) if _first(value) == b'"' else value


def _inner(value: bytes | Raw) -> bytes:
    """What a JSON string holds. Raises ReaderError."""
    try:
        bytes(value).decode()
        return decode_text(value).encode()
    except (UnicodeError, msgspec.DecodeError):
        raise ReaderError("the value begins as a JSON string and is none") from None


_decode_items = msgspec.json.Decoder(list[Raw]).decode
# Said no at the first item too many, where a list is made whole before its length is looked at.
_decode_few = msgspec.json.Decoder(
    msgspec.defstruct(
        "FewItems",
        [(f"item_{number}", Raw, None) for number in range(MOST_EVENTS)],
        array_like=True,
        forbid_unknown_fields=True,
        gc=False,
    )
).decode


@dataclass(frozen=True, kw_only=True)
class Array(ValueReader):
    """Reads an array as one event for each item."""

    def read(self, value: bytes, origin: Origin) -> Made:
        return _items(value) if _first(value) == b"[" else value


def _items(value: bytes | Raw, levels: int = MOST_LEVELS + 1) -> list[bytes]:
    """The items of a JSON array. Raises ReaderError, TooDeep and TooManyEvents."""
    if is_too_deep(bytes(value), levels):
        raise TooDeep("an event in the array", "decode")
    many = bytes(value).count(b",") >= MOST_EVENTS
    try:
        if many:
            _decode_few(value)
        bytes(value).decode()
        return [bytes(item) for item in _decode_items(value)]
    except msgspec.ValidationError:
        raise TooManyEvents(f"the array has more than {MOST_EVENTS} events") from None
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        raise ReaderError("the value begins as an array and is not JSON") from None


OF_EVERY_ENVELOPE = frozenset({"specversion", "id", "source", "type"})


class EnvelopeReader(ValueReader):
    """Reads what is in a CloudEvents envelope: an object that has all that CloudEvents demands."""

    def read(self, value: bytes, origin: Origin) -> Made:
        if value.find(b'"specversion"') < 0 or is_too_deep(value):
            return value
        try:
            root = decode_object_unchecked(value)
        except (msgspec.DecodeError, RecursionError):
            return value  # the decoder says why
        if not root.keys() >= OF_EVERY_ENVELOPE:
            return value
        made = self.of_envelope(root, origin)
        if made is None:
            return value
        refuse_lost_keys(value, root)
        return encode(made) if isinstance(made, dict) else list(map(encode, made))

    @abstractmethod
    def of_envelope(self, root: Object, origin: Origin) -> Object | list[Object] | None:
        """What the envelope is to be read as; None where it is nothing for this reader. Changes nothing of it."""


@dataclass(frozen=True, kw_only=True)
class CloudEventsData(EnvelopeReader):
    """Reads the JSON object that a CloudEvents envelope carries as base64 or as text, as its data. Other data stays."""

    def of_envelope(self, root: Object, origin: Origin) -> Object | None:
        place = "data" if "data" in root else "data_base64"
        found = _carried(root.get(place), place)
        if found is None or json_type(Raw(found.lstrip(_SPACE))) != "object":
            return None
        return {"data" if key == place else key: Raw(found) if key == place else field for key, field in root.items()}


def _carried(node: Raw | None, place: str) -> bytes | None:
    """The JSON text in a JSON string; None where there is none."""
    if node is None or json_type(node) != "string":
        return None
    try:
        text = _inner(node)
        found = text if place == "data" else base64.b64decode(text, validate=True)
        found.decode()
    except (DecodeError, binascii.Error, UnicodeDecodeError):
        return None
    return found if is_json(found) else None


@dataclass(frozen=True, kw_only=True)
class CloudEventsArray(EnvelopeReader):
    """Reads a CloudEvents envelope whose data is an array as one envelope for each item, with an id of its own."""

    def of_envelope(self, root: Object, origin: Origin) -> list[Object] | None:
        data = root.get("data")
        if data is None or json_type(data) != "array":
            return None
        items, rest = _items(data), len(encode(root)) - len(data)
        if len(items) * rest > MOST_BYTES:
            raise TooManyEvents(f"{len(items)} envelopes would be more than {MOST_BYTES} bytes together")
        place = origin()
        return [{**root, "data": Raw(item), "id": f"{place}/{number}"} for number, item in enumerate(items)]


@dataclass(frozen=True, kw_only=True)
class CloudEventsEmpty(EnvelopeReader):
    """Reads a CloudEvents envelope without data, or with null, as one whose data is an empty object."""

    def of_envelope(self, root: Object, origin: Origin) -> Object | None:
        if "data_base64" in root or not is_null(root.get("data")):
            return None
        return {**root, "data": Raw(b"{}")}


MOST_BYTES = 2**26
"""Of all events out of one value. What they share is written once for each: a hostile one could be gigabytes."""


@dataclass(frozen=True, kw_only=True)
class FunctionReader(ValueReader):
    """Lets a function read."""

    using: Callable[[bytes], Made]
    for_bytes = True

    def read(self, value: bytes, origin: Origin) -> Made:
        made = self.using(value)
        if type(made) is bytes:
            return value if made == value else made
        if self.splits and isinstance(made, (list, tuple)) and all(type(item) is bytes for item in made):
            if len(made) > MOST_EVENTS:
                raise TooManyEvents(f"{self.name} made more than {MOST_EVENTS} events")
            return list(made)
        wanted = "bytes or a list of bytes" if self.splits else "bytes"
        raise ReaderError(f"{self.name} gave back a {type(made).__name__}, and not {wanted}")


class EnvelopeUpcaster(Protocol):
    """What a chain makes to run it."""

    def upcast(self, record: Event, /) -> Outcome: ...


class EnvelopeChain(Protocol):
    """As much as is used here of a Chain, which stands above readers and has some of its own."""

    @property
    def steps(self) -> Sequence[Any]: ...

    def upcaster(self) -> EnvelopeUpcaster: ...


@dataclass(frozen=True, kw_only=True)
class UpcastEnvelope(ValueReader):
    """Brings what is around the events up by a chain of its own."""

    chain: EnvelopeChain

    @cached_property
    def _upcaster(self) -> EnvelopeUpcaster:
        return self.chain.upcaster()

    def read(self, value: bytes, origin: Origin) -> Made:
        outcome = self._upcaster.upcast(Event(value))
        if isinstance(outcome, DeadLettered):
            fault = outcome.fault
            at = f" (step {fault.step})" if fault.step else ""
            raise ReaderError(f"the envelope cannot be upcast{at}: {fault.message}")
        return outcome.value if isinstance(outcome, Upcast) else value


_BY_NAME: Mapping[str, ValueReader] = {
    reader.name: reader
    for reader in (
        ByteOrderMark(name="byte-order-mark"),
        Utf16(name="utf-16"),
        NotFinite(name="nan-as-null", becomes="null"),
        NotFinite(name="nan-as-text", becomes="text"),
        NotFinite(name="nan-refused", becomes="refused"),
        LoneSurrogates(name="lone-surrogates"),
        JsonText(name="json-text"),
        Array(name="array", splits=True),
        CloudEventsData(name="cloudevents-data"),
        CloudEventsArray(name="cloudevents-array", splits=True),
        CloudEventsEmpty(name="cloudevents-empty"),
    )
}


def read_with(using: Callable[[bytes], Made], *, splits: bool = False) -> ValueReader:
    """A reader of one's own: ``using`` gets the value as bytes and hands it back as JSON, or as it is.

    Where it ``splits`` it may hand back a list, one value for each event. It is asked for every value, again on each
    replay, and has to give the same each time. Raises StepError for what cannot be called.
    """
    if not callable(using):
        raise StepError(f"read_with is given a {type(using).__name__}", "Give a function of bytes.", "reader")
    return FunctionReader(name=str(getattr(using, "__qualname__", type(using).__name__)), using=using, splits=splits)


def upcast_envelope(chain: EnvelopeChain) -> ValueReader:
    """A reader that brings the envelope around the events to its current version, by a chain of its own.

    The whole value is the document of that chain; its rules tell the version of the envelope. Its steps may neither
    split nor drop, nor change type, key or headers.
    """
    return UpcastEnvelope(name="envelope", chain=chain)


def readers_of(given: object) -> tuple[ValueReader, ...]:
    """Readers, some of them by name, as such. Raises StepError for what is none."""
    if isinstance(given, (str, ValueReader)) or not isinstance(given, Iterable):
        raise StepError(f"readers are {type(given).__name__}, and no list", "Give a list of readers.", "reader")
    return tuple(map(_reader_of, given))


def _reader_of(given: Any) -> ValueReader:
    if isinstance(given, ValueReader):
        return given
    found = _BY_NAME.get(given) if isinstance(given, str) else None
    if found is None:
        names = ", ".join(READER_NAMES)
        raise StepError(f"{given!r} is no reader", f"Use one of {names}, read_with or upcast_envelope.", "reader")
    return found
