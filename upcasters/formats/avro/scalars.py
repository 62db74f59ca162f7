"""Single values of Avro as Python values, and back: exact, or an error. The table is in docs/formats.md."""

from __future__ import annotations

import datetime as dt
import re
import struct
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from upcasters.document import Duration, ExactFloat, ValueType, json_type, number_of
from upcasters.errors import InvalidEvent, WrongType
from upcasters.formats.avro.types import AvroType
from upcasters.formats.avro.varints import INT, LONG, length, number, written
from upcasters.formats.floats import DOUBLE, FLOAT, float_encoder
from upcasters.vast import Vast

_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001  # of local timestamps, which have no zone
_EPOCH_UTC: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FIRST_DAY: Final = dt.date(1970, 1, 1)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_DAY: Final = 86_400_000_000
_DURATION: Final = struct.Struct("<III")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

_BY_LOGICAL: Mapping[str, ValueType] = {
    "decimal": "number",
    "uuid": "string",
    "date": "date",
    "time-millis": "time",
    "time-micros": "time",
    "timestamp-nanos": "number",
    "local-timestamp-nanos": "number",
    "duration": "duration",
}
_BY_KIND: Mapping[str, ValueType] = {
    "boolean": "boolean",
    "int": "number",
    "long": "number",
    "float": "number",
    "double": "number",
    "bytes": "bytes",
    "fixed": "bytes",
    "string": "string",
    "enum": "string",
    "array": "array",
    "map": "object",
    "record": "object",
    "null": "null",
}


def value_type(avro: AvroType) -> ValueType:
    """What a value of this type, which is no union, is to conditions and operations."""
    if not avro.logical:
        return _BY_KIND[avro.kind]
    return _BY_LOGICAL.get(avro.logical, "timestamp")


# Reading.


def decoded(avro: AvroType, data: bytes) -> Any:
    """The Python value of the bytes of a scalar. Raises WrongType where Python has none for it."""
    value = _DECODERS[avro.kind](avro, data)
    try:
        return _FROM_BASE[avro.logical](avro, value) if avro.logical in _FROM_BASE else value
    except (OverflowError, ValueError):
        raise WrongType(f"a {avro.logical} that Python cannot compute with") from None


def _text(data: bytes) -> str:
    try:
        return str(data[length(data, 0)[1] :], "utf-8")
    except UnicodeDecodeError:
        raise WrongType("a string that is not UTF-8") from None


_DECODERS: Mapping[str, Callable[[AvroType, bytes], Any]] = {
    "boolean": lambda _, data: data == b"\x01",
    "int": lambda _, data: number(data, 0)[0],
    "long": lambda _, data: number(data, 0)[0],
    "float": lambda _, data: FLOAT.unpack(data)[0],
    "double": lambda _, data: DOUBLE.unpack(data)[0],
    "bytes": lambda _, data: data[length(data, 0)[1] :],
    "fixed": lambda _, data: data,
    "string": lambda _, data: _text(data),
    "enum": lambda avro, data: avro.symbols[number(data, 0)[0]],
}


def _decimal(avro: AvroType, value: bytes) -> Decimal:
    return Decimal(f"{int.from_bytes(value, 'big', signed=True)}E-{avro.scale}")


def _time(microseconds: int) -> dt.time:
    if not 0 <= microseconds < _DAY:
        raise OverflowError
    return (_EPOCH + dt.timedelta(microseconds=microseconds)).time()


def _moment(epoch: dt.datetime, unit: int) -> Callable[[AvroType, int], dt.datetime]:
    return lambda _, value: epoch + dt.timedelta(microseconds=value * unit)


def _uuid(avro: AvroType, value: Any) -> str:
    return value if avro.kind == "string" else str(uuid.UUID(bytes=value))


_FROM_BASE: Mapping[str, Callable[[AvroType, Any], Any]] = {
    "decimal": _decimal,
    "uuid": _uuid,
    "date": lambda _, value: _FIRST_DAY + dt.timedelta(days=value),
    "time-millis": lambda _, value: _time(value * 1_000),
    "time-micros": lambda _, value: _time(value),
    "timestamp-millis": _moment(_EPOCH_UTC, 1_000),
    "timestamp-micros": _moment(_EPOCH_UTC, 1),
    "local-timestamp-millis": _moment(_EPOCH, 1_000),
    "local-timestamp-micros": _moment(_EPOCH, 1),
    "duration": lambda _, value: Duration(*_DURATION.unpack(value)),
}


# Writing.


class NoPlaceError(InvalidEvent):
    """A value for which the schema of the target has no place."""


def encoded(avro: AvroType, value: Any) -> bytes:
    """The bytes of a Python value as a scalar of this type. Raises NoPlaceError where it is not exactly one."""
    to_base = _TO_BASE.get(avro.logical)
    if to_base is not None:
        value = to_base(avro, value)
    return _ENCODERS[avro.kind](avro, value)


def no_place(avro: AvroType, value: Any, why: str = "") -> NoPlaceError:
    """The error for a value that is none of this type; it names types, never the value."""
    name = f"{avro.kind} ({avro.logical})" if avro.logical else avro.kind
    return NoPlaceError(f"{why or f'a {json_type(value)}'} is no {name}")


def _whole(least: int) -> Callable[[AvroType, Any], bytes]:
    def encode(avro: AvroType, value: Any) -> bytes:
        if type(value) is not int:
            raise no_place(avro, value)
        if not -least <= value < least:
            raise no_place(avro, value, "a number too large")
        return written(value)

    return encode


def _bytes(avro: AvroType, value: Any) -> bytes:
    if type(value) is not bytes:
        raise no_place(avro, value)
    return written(len(value)) + value


def _fixed(avro: AvroType, value: Any) -> bytes:
    if type(value) is not bytes:
        raise no_place(avro, value)
    if len(value) != avro.size:
        raise no_place(avro, value, f"bytes of another length than {avro.size}")
    return value


def _string(avro: AvroType, value: Any) -> bytes:
    if type(value) is not str:
        raise no_place(avro, value)
    try:
        made = value.encode()
    except UnicodeEncodeError:
        raise no_place(avro, value, "a text with a lone surrogate") from None
    return written(len(made)) + made


def _enum(avro: AvroType, value: Any) -> bytes:
    if type(value) is not str:
        raise no_place(avro, value)
    if value in avro.symbols:
        return written(avro.symbols.index(value))
    if avro.default_symbol is None:
        raise no_place(avro, value, "a text that is none of its symbols")
    return written(avro.symbols.index(avro.default_symbol))


def _boolean(avro: AvroType, value: Any) -> bytes:
    if type(value) is not bool:
        raise no_place(avro, value)
    return b"\x01" if value else b"\x00"


def _null(avro: AvroType, value: Any) -> bytes:
    raise no_place(avro, value)


_ENCODERS: Mapping[str, Callable[[AvroType, Any], bytes]] = {
    "null": _null,
    "boolean": _boolean,
    "int": _whole(INT),
    "long": _whole(LONG),
    "float": float_encoder(FLOAT, no_place),
    "double": float_encoder(DOUBLE, no_place),
    "bytes": _bytes,
    "fixed": _fixed,
    "string": _string,
    "enum": _enum,
}


def _unscaled(avro: AvroType, value: Any) -> bytes:
    if type(value) not in (int, float, ExactFloat, Decimal):
        raise no_place(avro, value)
    sign, digits, exponent = _number(avro, value).as_tuple()
    if not isinstance(exponent, int):
        raise no_place(avro, value, "NaN or infinity")
    left = len(digits) + exponent + avro.scale
    if any(digits[max(left, 0) :]):
        raise no_place(avro, value, f"a number of more than {avro.scale} digits after the point")
    if any(digits) and left > avro.precision:
        raise no_place(avro, value, f"a number of more than {avro.precision} digits")
    kept = digits[: max(left, 0)]
    made: int = int("".join(map(str, kept)) or "0") * 10 ** (max(left - len(digits), 0) if any(digits) else 0)
    made = -made if sign else made
    # A fixed of fewer bytes than its precision needs is read as one without a logical type.
    return made.to_bytes(avro.size if avro.kind == "fixed" else made.bit_length() // 8 + 1, "big", signed=True)


def _number(avro: AvroType, value: Any) -> Decimal:
    exact = number_of(value)
    if isinstance(exact, Vast):
        raise no_place(avro, value, "a number too large")
    return Decimal(exact)


def _uuid_base(avro: AvroType, value: Any) -> Any:
    if type(value) is not str or not _UUID.fullmatch(value):
        raise no_place(avro, value)
    base: str | bytes = value if avro.kind == "string" else uuid.UUID(value).bytes
    return base


def _days(avro: AvroType, value: Any) -> int:
    if type(value) is int:
        return value
    if type(value) is not dt.date:
        raise no_place(avro, value)
    days: int = (value - _FIRST_DAY).days
    return days


def _counted(avro: AvroType, value: Any, microseconds: int, unit: int) -> int:
    made, rest = divmod(microseconds, unit)
    if rest:
        raise no_place(avro, value, "a time with microseconds")
    return made


def _time_of_day(unit: int) -> Callable[[AvroType, Any], int]:
    def convert(avro: AvroType, value: Any) -> int:
        if type(value) is int:
            return value
        if type(value) is not dt.time or value.tzinfo is not None:
            raise no_place(avro, value)
        seconds = (value.hour * 60 + value.minute) * 60 + value.second
        return _counted(avro, value, seconds * 1_000_000 + value.microsecond, unit)

    return convert


def _since(epoch: dt.datetime, unit: int) -> Callable[[AvroType, Any], int]:
    def convert(avro: AvroType, value: Any) -> int:
        if type(value) is int:
            return value
        if type(value) is not dt.datetime:
            raise no_place(avro, value)
        if (value.utcoffset() is None) is not (epoch.tzinfo is None):
            zone = "with" if epoch.tzinfo is None else "without"
            raise no_place(avro, value, f"a timestamp {zone} a time zone")
        return _counted(avro, value, (value - epoch) // _MICROSECOND, unit)

    return convert


def _duration(avro: AvroType, value: Any) -> bytes:
    if type(value) is not Duration:
        raise no_place(avro, value)
    try:
        made: bytes = _DURATION.pack(*value)
    except struct.error:
        raise no_place(avro, value, "a duration with a count that is too large or below 0") from None
    return made


_TO_BASE: Mapping[str, Callable[[AvroType, Any], Any]] = {
    "decimal": _unscaled,
    "uuid": _uuid_base,
    "date": _days,
    "time-millis": _time_of_day(1_000),
    "time-micros": _time_of_day(1),
    "timestamp-millis": _since(_EPOCH_UTC, 1_000),
    "timestamp-micros": _since(_EPOCH_UTC, 1),
    "local-timestamp-millis": _since(_EPOCH, 1_000),
    "local-timestamp-micros": _since(_EPOCH, 1),
    "duration": _duration,
}
