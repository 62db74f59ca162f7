"""Documents made up from a model's JSON Schema, and near misses of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hypothesis import strategies as st
from msgspec import Raw
from pydantic import BaseModel

from upcasters.operations.keys import CAMEL_CASE, SNAKE_CASE
from upcasters.patterns import compiled
from upcasters.testing.hints import Hints

JsonSchema = Mapping[str, Any]
Documents = st.SearchStrategy[Any]

# Numbers that a parse and a dump would change: they have to come through as they are written.
_EXACT = st.sampled_from([Raw(b"1e400"), Raw(b"1.10"), Raw(b"-0.0"), Raw(b"9223372036854775809"), Raw(b"1E+2")])
_TEXT = st.text(max_size=8)
_NAMES = st.sampled_from(["note", "startedAt", "x-1", "größe", "a.b", "", "n1"])
_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), _EXACT, _TEXT)
ANYTHING: Documents = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_NAMES, inner, max_size=2),
    max_leaves=4,
)
# Where nothing is said of a field, most operations still want a single value.
_UNTYPED = _TEXT | st.integers(0, 100) | ANYTHING
_MOST_ITEMS = 3


def documents_of(model: type[BaseModel], hints: Hints) -> Documents:
    """Documents that most likely fit ``model``; what a JSON Schema does not say, they do not know."""
    return _Reader(model.model_json_schema(), hints).top()


def documents_like(schema: JsonSchema, hints: Hints) -> Documents:
    """Documents for a version without a model."""
    return _Reader(schema, hints).top()


class _Reader:
    """A JSON Schema as a strategy; names are looked up in ``hints`` for likely values and keys."""

    def __init__(self, schema: JsonSchema, hints: Hints) -> None:
        self._schema = schema
        self._definitions: JsonSchema = schema.get("$defs", {})
        self._hints = hints
        self._made: dict[str, Documents] = {}
        self._unknown = _NAMES.filter(lambda name: name not in hints.names)

    def top(self) -> Documents:
        return self.read(self._schema)

    def read(self, schema: JsonSchema | bool, name: str = "") -> Documents:
        """A strategy for a schema that stands under ``name``."""
        if isinstance(schema, bool) or not _says(schema):
            return self._hinted(_UNTYPED, name)
        if "$ref" in schema:
            return self._referred(schema["$ref"].rpartition("/")[2], name)
        for keyword in ("const", "enum"):
            if keyword in schema:
                return st.sampled_from([schema["const"]] if keyword == "const" else schema["enum"])
        for keyword in ("anyOf", "oneOf", "allOf"):
            if keyword in schema:
                return st.one_of([self.read(choice, name) for choice in schema[keyword]])
        return self._typed(schema, name)

    def _hinted(self, strategy: Documents, name: str) -> Documents:
        values, patterns = self._hints.values.get(name), self._hints.patterns.get(name, [])
        likely = [st.sampled_from(values)] if values else []
        return st.one_of([*likely, *map(st.from_regex, patterns), strategy])

    def _referred(self, target: str, name: str) -> Documents:
        known = f"{target} {name}"  # the name decides on hints
        if known not in self._made:
            self._made[known] = st.deferred(lambda: self._made[known + "!"])
            self._made[known + "!"] = self.read(self._definitions[target], name)
        return self._made[known]

    def _typed(self, schema: JsonSchema, name: str) -> Documents:
        kinds = schema["type"]
        if isinstance(kinds, list):
            return st.one_of([self._typed({**schema, "type": kind}, name) for kind in kinds])
        if kinds == "object":
            return self._object(schema, name)
        if kinds == "array":
            return self._array(schema, name)
        made = _SCALAR_READERS[kinds](schema)
        return self._hinted(made, name) if kinds == "string" else made

    def _object(self, schema: JsonSchema, name: str) -> Documents:
        fields = {key: self.read(inside, key) for key, inside in schema.get("properties", {}).items()}
        required = set(schema.get("required", ()))
        fixed = st.fixed_dictionaries(
            {key: made for key, made in fields.items() if key in required},
            optional={key: made for key, made in fields.items() if key not in required},
        )
        rest = schema.get("additionalProperties", True)
        if rest is False:
            return fixed
        return st.builds(lambda known, more: {**more, **known}, fixed, self._rest(schema, rest, name))

    def _rest(self, schema: JsonSchema, rest: JsonSchema | bool, name: str) -> Documents:
        if not isinstance(rest, bool) and _says(rest):
            likely = sorted(self._hints.children.get(name, set()) - set(schema.get("properties", {})))
            keys = st.sampled_from(likely) | self._unknown if likely else self._unknown
            return st.dictionaries(keys, self.read(rest), min_size=schema.get("minProperties", 0), max_size=_MOST_ITEMS)
        own = schema.get("properties", {})
        return st.dictionaries(self._unknown.filter(lambda key: key not in own), ANYTHING, max_size=2)

    def _array(self, schema: JsonSchema, name: str) -> Documents:
        if "prefixItems" in schema:
            return st.tuples(*(self.read(item) for item in schema["prefixItems"])).map(list)
        least = schema.get("minItems", 0)
        most = min(schema.get("maxItems", least + _MOST_ITEMS), least + _MOST_ITEMS)
        items = self.read(schema.get("items", {}), name)
        unique = repr if schema.get("uniqueItems") else None
        return st.lists(items, min_size=least, max_size=most, unique_by=unique)


def _says(schema: JsonSchema) -> bool:
    return bool({"$ref", "const", "enum", "anyOf", "oneOf", "allOf", "type"} & schema.keys())


def _string(schema: JsonSchema) -> Documents:
    if "pattern" in schema:
        found: st.SearchStrategy[str] = st.from_regex(compiled(schema["pattern"]))
        return found
    form = _FORMATS.get(schema.get("format", ""))
    if form is not None:
        return form
    least = schema.get("minLength", 0)
    most = min(schema.get("maxLength", least + 8), least + 8)
    words = st.sampled_from(["a", "main", "1.1.1", "größe", "a/b"]).filter(lambda word: least <= len(word) <= most)
    return st.text(min_size=least, max_size=most) | words


_FORMATS: Mapping[str, Documents] = {
    "date": st.dates().map(lambda date: date.isoformat()),
    "date-time": st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    "duration": st.sampled_from(["PT1S", "P1DT2H"]),
    "email": st.sampled_from(["a@example.org", "b.c@example.com"]),
    "time": st.times().map(lambda time: time.isoformat()),
    "uri": st.sampled_from(["https://example.org/", "https://example.org/a?b=c"]),
    "uuid": st.uuids().map(str),
}


def _integer(schema: JsonSchema) -> Documents:
    step = schema.get("multipleOf", 1)
    least = schema.get("minimum", schema.get("exclusiveMinimum", -(2**40) - 1) + 1)
    most = schema.get("maximum", schema.get("exclusiveMaximum", max(least, 0) + 2**40 + 1) - 1)
    return st.integers(-(-int(least) // step), int(most) // step).map(lambda number: number * step)


def _number(schema: JsonSchema) -> Documents:
    limits = {
        "min_value": schema.get("minimum", schema.get("exclusiveMinimum")),
        "max_value": schema.get("maximum", schema.get("exclusiveMaximum")),
        "exclude_min": "exclusiveMinimum" in schema,
        "exclude_max": "exclusiveMaximum" in schema,
    }
    return st.floats(allow_nan=False, allow_infinity=False, width=64, **limits)


_SCALAR_READERS: Mapping[str, Callable[[JsonSchema], Documents]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": lambda _: st.booleans(),
    "null": lambda _: st.none(),
}


# Near misses: a document with one to three things wrong with it.

LeafPlace = tuple[Any, Any]


@st.composite
def near_misses(draw: st.DrawFn, documents: Documents) -> Any:
    """Documents less a field, with a value of another type, with more fields, or with a second spelling of one."""
    document = draw(documents)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        if places:
            container, key = draw(st.sampled_from(places))
            _spoil(draw, draw(st.sampled_from(["drop", "change", "null", "more", "respell"])), container, key)
    return document


def _places(node: Any) -> Iterator[LeafPlace]:
    pairs = list(node.items()) if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in pairs:
        yield node, key
        yield from _places(child)


def _spoil(draw: st.DrawFn, how: str, container: Any, key: Any) -> None:
    if how == "drop":
        del container[key]
    elif how == "null":
        container[key] = None
    elif how == "change" or isinstance(container, list):
        container[key] = draw(ANYTHING)
    elif how == "more":
        container[draw(_NAMES)] = draw(ANYTHING)
    else:
        rule = CAMEL_CASE if SNAKE_CASE(key) == key else SNAKE_CASE
        container[rule(key)] = draw(st.just(container[key]) | ANYTHING)
