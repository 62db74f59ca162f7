"""A document as the bytes of a schema, value by value: slow, right, and able to say which value has no place.

``fast_writing`` does the same for what most events are and leaves the rest to this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from upcasters.depth import MOST_LEVELS
from upcasters.document import Array, JsonNode, Object, json_type, open_array, open_object, plain
from upcasters.errors import EventError, TooDeep
from upcasters.formats.avro.reading import AvroSpan
from upcasters.formats.avro.scalars import NoPlaceError, encoded, no_place
from upcasters.formats.avro.splicing import Spliced
from upcasters.formats.avro.types import NO_DEFAULT, AvroType, Field
from upcasters.formats.avro.varints import written
from upcasters.formats.schema import SchemaError
from upcasters.paths import Item, Place, show

Out = Callable[[bytes], object]


class Writing:
    """Writes documents by one schema. Raises SchemaError where a default of the schema is none of its own type."""

    def __init__(self, avro: AvroType) -> None:
        self.avro = avro
        self._spliced: dict[AvroType, Spliced] = {}
        self._defaults: dict[Field, bytes | None] = {}
        for record in records_of(avro):
            for one in record.fields:
                self._defaults[one] = None if one.default is NO_DEFAULT else default_bytes(record, one)

    def __call__(self, root: Object) -> bytes:
        """The document as bytes. Raises InvalidEvent where the schema has no place for it, and TooDeep."""
        parts: list[bytes] = []
        try:
            self.put(self.avro, root, parts.append, (), 0)
        except RecursionError:
            raise TooDeep("the result", "encode") from None
        return b"".join(parts)

    def same(self, avro: AvroType) -> Spliced:
        """What of another schema has the bytes of this type."""
        found = self._spliced.get(avro)
        if found is None:
            found = self._spliced[avro] = Spliced(avro)
        return found

    def default(self, one: Field) -> bytes | None:
        """A field's default as bytes; None where it has none."""
        return self._defaults[one]

    def put(self, avro: AvroType, node: JsonNode, out: Out, path: Place, level: int) -> None:
        """Write one value."""
        if level > MOST_LEVELS:
            raise TooDeep("the result", "encode", path)
        if avro.kind == "union":
            number = self.branch_of(avro, node, path)
            out(written(number))
            avro = avro.branches[number]
        if type(node) is AvroSpan and self.same(avro)[node.avro]:
            out(node.data)
        elif avro.is_container:
            put = getattr(self, f"_put_{avro.kind}")
            put(avro, _opened(avro, node, path), out, path, level)
        else:
            out(_scalar(avro, node, path))

    def _put_record(self, avro: AvroType, node: Object, out: Out, path: Place, level: int) -> None:
        found = 0
        for one in avro.fields:
            name = next((name for name in (one.name, *one.aliases) if name in node), None)
            if name is not None:
                found += 1
                self.put(one.type, node[name], out, (*path, name), level + 1)
                continue
            default = self._defaults[one]
            if default is None:
                where = (*path, one.name)
                raise NoPlaceError(f"{show(where)} is missing, and the target's schema has no default for it", where)
            out(default)
        if found != len(node):
            raise self._left_over(avro, node, path)

    @staticmethod
    def _left_over(avro: AvroType, node: Object, path: Place) -> EventError:
        taken = {next((name for name in (one.name, *one.aliases) if name in node), None) for one in avro.fields}
        where = (*path, next(key for key in node if key not in taken))
        return NoPlaceError(f"{show(where)} has no place in the target's schema", where)

    def _put_map(self, avro: AvroType, node: Object, out: Out, path: Place, level: int) -> None:
        if node:
            out(written(len(node)))
        for position, (key, value) in enumerate(node.items()):
            out(_scalar(_KEY, key, path))
            self.put(avro.items, value, out, (*path, Item(position)), level + 1)
        out(b"\x00")

    def _put_array(self, avro: AvroType, node: Array, out: Out, path: Place, level: int) -> None:
        if node:
            out(written(len(node)))
        for position, value in enumerate(node):
            self.put(avro.items, value, out, (*path, Item(position)), level + 1)
        out(b"\x00")

    # Which branch of a union a value takes.

    def branch_of(self, avro: AvroType, node: JsonNode, path: Place) -> int:
        """The number of the branch. Raises NoPlaceError where none fits, or where several records do."""
        if type(node) is AvroSpan:
            number = self._branch_of_span(avro, node)
        elif json_type(node) == "object":
            number = self._branch_of_dict(avro, open_object(node), path)
        else:
            number = self._branch_of_plain(avro, node)
        if number is None:
            raise NoPlaceError(f"a {json_type(node)} fits no branch of the union").inside(path)
        return number

    def branch_as_it_is(self, avro: AvroType, came: AvroType) -> int | None:
        """The branch of which a span's bytes are a value; None where there is none, or its name is another's."""
        named = self._named(avro, came)
        same = [n for n, one in enumerate(avro.branches) if self.same(one)[came]]
        if named is not None:
            return named if named in same else None
        exact = [n for n in same if (avro.branches[n].kind, avro.branches[n].logical) == (came.kind, came.logical)]
        return next(iter(exact or same), None)

    @staticmethod
    def _named(avro: AvroType, came: AvroType) -> int | None:
        found = enumerate(avro.branches)
        named = (n for n, one in found if one.kind == came.kind and one.short_name == came.short_name)
        return next(named, None) if came.name else None

    def _branch_of_span(self, avro: AvroType, node: AvroSpan) -> int | None:
        """The one of its own name, else of the same bytes, else one that takes the value."""
        came = node.avro
        found = list(enumerate(avro.branches))
        named = self._named(avro, came)
        if named is not None:
            return named
        same = self.branch_as_it_is(avro, came)
        if same is not None:
            return same
        if came.kind == "array":
            return next((n for n, one in found if one.kind == "array"), None)
        if came.kind in ("record", "map"):
            return self._branch_of_dict(avro, open_object(node), ())
        return self._branch_of_plain(avro, plain(node))

    def _branch_of_dict(self, avro: AvroType, node: Object, path: Place) -> int | None:
        records = [n for n, one in enumerate(avro.branches) if one.kind == "record" and self._may_be(one, node)]
        if len(records) > 1:
            owners = {value.avro.owner for value in node.values() if type(value) is AvroSpan}
            names = {owner.rpartition(".")[2] for owner in owners if owner}
            records = [n for n in records if names == {avro.branches[n].short_name}]
            if not records:
                raise NoPlaceError("an object fits several records of the union, and nothing tells which").inside(path)
        if records:
            return records[0]
        return next((n for n, one in enumerate(avro.branches) if one.kind == "map"), None)

    def _may_be(self, avro: AvroType, node: Object) -> bool:
        """Whether an object has the fields of a record, whatever their values are."""
        taken = 0
        for one in avro.fields:
            if one.name in node or any(alias in node for alias in one.aliases):
                taken += 1
            elif self._defaults[one] is None:
                return False
        return taken == len(node)

    @staticmethod
    def _branch_of_plain(avro: AvroType, node: JsonNode) -> int | None:
        kind = json_type(node)
        found = enumerate(avro.branches)
        if kind in ("null", "array"):
            return next((n for n, one in found if one.kind == kind), None)
        value = plain(node)
        takes = [n for n, one in found if not one.is_container and one.kind != "null" and _takes(one, value)]
        natural = [n for n in takes if avro.branches[n].kind in _NATURAL.get(type(value), ())]
        plainest = [n for n in natural if not avro.branches[n].logical]
        return next(iter(plainest or natural or takes), None)


_KEY: Final = AvroType("string")
_NATURAL: Final[dict[type, tuple[str, ...]]] = {
    bool: ("boolean",),
    int: ("int", "long"),
    str: ("string",),
    bytes: ("bytes", "fixed"),
}


def _takes(avro: AvroType, value: Any) -> bool:
    try:
        encoded(avro, value)
    except NoPlaceError:
        return False
    return True


def _opened(avro: AvroType, node: JsonNode, path: Place) -> Any:
    kind = "array" if avro.kind == "array" else "object"
    if json_type(node) != kind:
        raise no_place(avro, node).inside(path)
    return open_array(node) if kind == "array" else open_object(node)


def _scalar(avro: AvroType, node: JsonNode, path: Place) -> bytes:
    try:
        value = plain(node)
        if avro.kind == "null" and value is None:
            return b""
        if type(value) is dict or type(value) is list:
            raise no_place(avro, value)
        return encoded(avro, value)
    except EventError as error:
        raise error.inside(path) from None


def records_of(avro: AvroType) -> Iterator[AvroType]:
    """Every record of a schema, once."""
    seen, rest = {id(avro)}, [avro]
    while rest:
        one = rest.pop()
        if one.kind == "record":
            yield one
        for part in one.parts():
            if id(part) not in seen:
                seen.add(id(part))
                rest.append(part)


# Defaults, which a schema writes in a JSON of its own: bytes are texts of their numbers, a logical type is none.


def default_bytes(record: AvroType, one: Field) -> bytes:
    """The default of a field as bytes. Raises SchemaError where it is no value of the field's type."""
    parts: list[bytes] = []
    try:
        _put_default(one.type, one.default, parts.append, 0)
    except (EventError, TypeError, ValueError, KeyError, RecursionError):
        raise SchemaError(
            f"the default of {record.name}.{one.name} is no value of its type", "Mend the target's schema."
        ) from None
    return b"".join(parts)


def _put_default(avro: AvroType, value: Any, out: Out, level: int) -> None:
    if level > MOST_LEVELS:
        raise TooDeep("the default", "encode")
    if avro.kind == "union":
        _put_default_of_union(avro, value, out, level)
    elif avro.kind == "record":
        _put_default_fields(avro, value, out, level)
    elif avro.is_container:
        _put_default_items(avro, value, out, level)
    elif avro.kind != "null":
        base = value.encode("latin-1") if avro.kind in ("bytes", "fixed") else value
        out(encoded(AvroType(avro.kind, size=avro.size, symbols=avro.symbols), base))
    elif value is not None:
        raise TypeError


def _put_default_fields(avro: AvroType, value: Any, out: Out, level: int) -> None:
    for one in avro.fields:
        if one.name not in value and one.default is NO_DEFAULT:
            raise KeyError(one.name)
        _put_default(one.type, value.get(one.name, one.default), out, level + 1)


def _put_default_of_union(avro: AvroType, value: Any, out: Out, level: int) -> None:
    for number, branch in enumerate(avro.branches):
        parts: list[bytes] = []
        try:
            _put_default(branch, value, parts.append, level)
        except (EventError, TypeError, ValueError, KeyError, AttributeError):
            continue
        out(written(number) + b"".join(parts))
        return
    raise TypeError


def _put_default_items(avro: AvroType, value: Any, out: Out, level: int) -> None:
    if type(value) is not (list if avro.kind == "array" else dict):
        raise TypeError
    if value:
        out(written(len(value)))
    for item in value:
        if avro.kind == "map":
            out(encoded(_KEY, item))
        _put_default(avro.items, value[item] if avro.kind == "map" else item, out, level + 1)
    out(b"\x00")
