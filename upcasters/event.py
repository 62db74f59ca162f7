"""What goes into the pure core and what comes out of it: one record's bytes, headers and coordinates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec
from msgspec.structs import force_setattr

Header = tuple[str, bytes | None]
GivenHeader = tuple[str | bytes, str | bytes | None]
GivenHeaders = Mapping[str, str | bytes | None] | Iterable[GivenHeader] | None
"""Headers as clients hand them out: aiokafka's tuple, confluent-kafka's list or None, or a dict."""


class SourcePartition(NamedTuple):
    """Where a record stands, less its offset. ``aiokafka.TopicPartition`` fits as well."""

    topic: str
    partition: int


class Partition(Protocol):
    """Anything with a topic and a partition number."""

    @property
    def topic(self) -> str: ...

    @property
    def partition(self) -> int: ...


class SourceRecord(Protocol):
    """The attributes of one record that the pure core reads; client libraries' records have them all."""

    @property
    def value(self) -> bytes | None: ...

    @property
    def key(self) -> bytes | None: ...

    @property
    def headers(self) -> Sequence[Header]: ...

    @property
    def timestamp(self) -> int | None: ...

    @property
    def offset(self) -> int | None: ...


class Event(msgspec.Struct, frozen=True, gc=False):
    """One record: ``value`` and ``key`` as bytes or None, headers in order, timestamp in milliseconds.

    Headers are taken as clients hand them out: pairs, a dict, or None where there are none; texts become UTF-8.
    ``offset`` is None where there are no Kafka coordinates (a database row, an API call).

    Raises TypeError for anything of another type, and says what to pass.
    """

    value: bytes | None
    key: bytes | None = None
    headers: Sequence[Header] = ()
    timestamp: int | None = None
    offset: int | None = None

    # Type checkers see how an event is made; msgspec makes it, and then asks ``__post_init__``.
    if TYPE_CHECKING:

        def __init__(
            self,
            value: bytes | None,
            key: bytes | None = None,
            headers: GivenHeaders = (),
            timestamp: int | None = None,
            offset: int | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        plain = type(self.value) in _BYTES and type(self.key) in _BYTES
        if not (plain and type(self.timestamp) in _WHOLE and type(self.offset) in _WHOLE):
            _refuse_other_types(self)
        if self.headers != ():
            force_setattr(self, "headers", _pairs(self.headers))


class Item(msgspec.Struct, frozen=True, gc=False):
    """One event of several that one record holds, by its position from 0. All but the value is the record's."""

    value: bytes
    key: bytes | None
    headers: Sequence[Header]
    timestamp: int | None
    offset: int | None
    position: int


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record to be produced. The timestamp is always the source record's own."""

    value: bytes | None
    key: bytes | None
    headers: Sequence[Header]


def event_of(record: SourceRecord) -> SourceRecord:
    """A client's record as an event. Raises TypeError for what is none, and says what to pass."""
    given: Any = record
    if type(given) is Event or type(given) is Item:
        return record
    try:
        parts = given.value, given.key, given.headers, given.timestamp, given.offset
    except AttributeError as error:
        lack = "is no event" if error.name == "value" else f"has no {error.name}"
        what = "pass Event(value, key, headers), or a consumer's record with value, key, headers, timestamp and offset"
        raise TypeError(f"{kind_of(given)} {lack}: {what}") from None
    except Exception:  # noqa: BLE001  # no mistake of the caller's: whoever works on the record tells what it is
        return record
    return Event(*parts)


_BYTES = frozenset({bytes, type(None)})
_WHOLE = frozenset({int, type(None)})


def _refuse_other_types(event: Event) -> None:
    parts: tuple[tuple[str, Any], ...] = (("value", event.value), ("key", event.key))
    for name, part in parts:
        if part is not None and not isinstance(part, bytes):
            raise _not_bytes(name, part)
    for name, number in (("timestamp", event.timestamp), ("offset", event.offset)):
        if type(number) not in _WHOLE:
            raise _not_whole(name, number)


def partition_of(source: Partition | None) -> Partition | None:
    """Where a record stands. Raises TypeError for what has no topic and partition."""
    if source is not None and not (hasattr(source, "topic") and hasattr(source, "partition")):
        raise TypeError(f"source is {kind_of(source)}: pass SourcePartition(topic, partition)")
    return source


def _pairs(headers: Any) -> Sequence[Header]:
    """Headers as pairs of str and bytes; the same object where they are that already."""
    if headers is None:
        return ()
    if isinstance(headers, Mapping):
        headers = headers.items()
    elif isinstance(headers, str | bytes) or not isinstance(headers, Iterable):
        raise TypeError(f"headers are {kind_of(headers)}: pass (name, value) pairs, a dict, or None")
    if not isinstance(headers, list | tuple):
        headers = list(headers)
    return headers if all(map(_is_header, headers)) else [_header(pair) for pair in headers]


def _is_header(pair: Any) -> bool:
    if type(pair) is not tuple or len(pair) != 2:
        return False
    return type(pair[0]) is str and (type(pair[1]) is bytes or pair[1] is None)


def _header(pair: Any) -> Header:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise TypeError(f"a header is {kind_of(pair)}, and no pair: pass (name, value)")
    name, value = pair
    if not isinstance(name, str | bytes):
        raise TypeError(f"a header's name is {kind_of(name)}: pass a str")
    if value is not None and not isinstance(value, str | bytes):
        raise TypeError(f"a header's value is {kind_of(value)}: pass bytes, a str, or None")
    return _text(name), value.encode() if isinstance(value, str) else value


def _text(name: str | bytes) -> str:
    try:
        return name if isinstance(name, str) else name.decode()
    except UnicodeDecodeError:
        raise ValueError("a header's name is not UTF-8: pass a str") from None


def _not_bytes(name: str, given: Any) -> TypeError:
    if callable(given):
        hint = "call it, as in Event(message.value(), message.key(), message.headers())"
    elif isinstance(given, str):
        hint = "pass bytes, such as text.encode()"
    elif isinstance(given, bytearray | memoryview):
        hint = f"pass bytes({name})"
    elif name == "key" and isinstance(given, list | tuple | Mapping):
        hint = "pass bytes; headers are given by name: Event(value, headers=...)"
    else:
        hint = "pass bytes" if name == "key" else "pass JSON as bytes, such as json.dumps(document).encode()"
    return TypeError(f"{name} is {kind_of(given)}: {hint}")


def _not_whole(name: str, given: Any) -> TypeError:
    if callable(given):
        return TypeError(f"{name} is {kind_of(given)}: call it")
    if name == "timestamp":
        hint = "pass milliseconds as an int" + (", such as message.timestamp()[1]" * isinstance(given, tuple))
        return TypeError(f"{name} is {kind_of(given)}: {hint}")
    return TypeError(f"{name} is {kind_of(given)}: pass an int, or None")


def kind_of(given: object) -> str:
    """What was given in place of something else, for an error's text; never its value."""
    if given is None or type(given) is bytes:
        return "None" if given is None else "bytes"
    name = "function" if callable(given) and not isinstance(given, type) else type(given).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
