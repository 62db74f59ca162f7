"""Documents of messages of Protobuf, made up: as their writer takes them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

from upcasters.document import Object
from upcasters.formats.protobuf.reading import key_text
from upcasters.formats.protobuf.types import FieldType, MessageType
from upcasters.testing.hints import Hints

_MOST_ITEMS = 3
_INT, _LONG = 2**31, 2**63


def _whole(least: int, most: int) -> st.SearchStrategy[int]:
    return st.integers(max(least, -3), 200) | st.integers(least, most)


_SIGNED_32, _SIGNED_64 = _whole(-_INT, _INT - 1), _whole(-_LONG, _LONG - 1)
_SCALARS: Mapping[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("int32", "sint32", "sfixed32"), _SIGNED_32),
    **dict.fromkeys(("int64", "sint64", "sfixed64"), _SIGNED_64),
    **dict.fromkeys(("uint32", "fixed32"), _whole(0, 2 * _INT - 1)),
    **dict.fromkeys(("uint64", "fixed64"), _whole(0, 2 * _LONG - 1)),
    "bool": st.booleans(),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "bytes": st.binary(max_size=8),
}
_LEAVES = st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4)
_VALUES = _LEAVES | st.lists(_LEAVES, max_size=2) | st.dictionaries(st.text(max_size=3), _LEAVES, max_size=2)
_WELL_KNOWN: Mapping[str, st.SearchStrategy[Any]] = {
    "timestamp": st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30), timezones=st.just(dt.UTC)),  # noqa: DTZ001
    "duration": st.timedeltas(dt.timedelta(days=-3_000_000), dt.timedelta(days=3_000_000)),
    "struct": st.dictionaries(st.text(max_size=3), _VALUES, max_size=2),
    "list": st.lists(_VALUES, max_size=2),
    "value": _VALUES,
}


class ProtobufDocuments:
    """``texts`` gives likely texts of a field by its name."""

    def __init__(self, hints: Hints, texts: Callable[[Hints, str], st.SearchStrategy[str]]) -> None:
        self._hints = hints
        self._texts = texts
        self._messages: dict[str, st.SearchStrategy[Any]] = {}

    def of(self, message: MessageType) -> st.SearchStrategy[Object]:
        """Documents of a message; of a oneof they hold one member at most."""
        if message.name not in self._messages:
            self._messages[message.name] = st.deferred(lambda: made)
            fields = {one.name: one for one in message.fields}
            always = {name: self._field(one) for name, one in fields.items() if _is_always(one)}
            others = {name: self._field(one) for name, one in fields.items() if name not in always}
            oneofs = [[one.name for one in members] for members in message.oneofs]
            made = st.fixed_dictionaries(always, optional=others).map(lambda found: _with_one_of(found, oneofs))
        return self._messages[message.name]

    def _field(self, one: FieldType) -> st.SearchStrategy[Any]:
        if one.is_repeated:
            return st.lists(self._single(one.of_item, one.name), max_size=_MOST_ITEMS)
        if one.key is not None:
            return st.dictionaries(self._key(one.key, one.name), self._single(one.of_item, ""), max_size=2)
        return self._single(one, one.name)

    def _key(self, key: FieldType, name: str) -> st.SearchStrategy[str]:
        if key.kind != "string":
            return _SCALARS[key.kind].map(key_text)
        known = [st.just(each) for each in sorted(self._hints.children.get(name, ()))]
        return st.one_of([*known, st.text(max_size=4)])

    def _single(self, one: FieldType, name: str) -> st.SearchStrategy[Any]:
        if one.enum is not None:
            return st.sampled_from(list(one.enum.names.values()))
        if one.message is None:
            return self._texts(self._hints, name) if one.kind == "string" else _SCALARS[one.kind]
        if one.well_known == "wrapper":
            return self._single(one.message.fields[0], name)
        return _WELL_KNOWN[one.well_known] if one.well_known else self.of(one.message)


def _is_always(one: FieldType) -> bool:
    return one.is_required or one.is_repeated or one.is_map or not one.has_presence


def _with_one_of(found: Object, oneofs: list[list[str]]) -> Object:
    dropped = {name for members in oneofs for name in [each for each in members if each in found][1:]}
    return {name: node for name, node in found.items() if name not in dropped}
