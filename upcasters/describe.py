"""A chain in words and tables: what changes in each version, how models differ, and the compatibility matrix.

Pure: gives rows; the command line and the documentation draw them.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from upcasters.document import encode, scalar_value
from upcasters.formats import Schema
from upcasters.operations.base import Operation, Reversibility, undo, worst
from upcasters.operations.choice import Downgrade, Switch, When, walk
from upcasters.operations.scopes import At, Everywhere
from upcasters.operations.values import MapValues
from upcasters.paths import Path, show
from upcasters.step import Complexity, Hop

if TYPE_CHECKING:
    from upcasters.chain import Chain
    from upcasters.version_graph import Version

JsonSchema = Mapping[str, Any]
_PATHS: Mapping[Complexity, str] = {"low": "Direct", "medium": "Guided", "high": "Complex"}
_ORDER: tuple[Complexity, ...] = ("low", "medium", "high")


# The summary.


@dataclass(frozen=True)
class TypeLine:
    """One type: its versions, oldest first, how many steps and operations there are, and which steps lose something.

    ``current`` is None where all events leave the type.
    """

    event_type: str
    versions: tuple[str, ...]
    current: str | None
    steps: int
    operations: int
    lossy: tuple[str, ...]


def summary(chain: Chain) -> list[TypeLine]:
    """A line for each type."""
    return [_type_line(chain, event_type) for event_type in chain.types]


def _type_line(chain: Chain, event_type: str) -> TypeLine:
    steps = [step for step in chain.steps if step.event_type == event_type]
    operations = sum(1 for step in steps for _ in walk(step.operations))
    lossy = tuple(step.id for step in steps if step.inverse().kind is Reversibility.LOSSY)
    return TypeLine(event_type, chain.types[event_type], chain.resting(event_type), len(steps), operations, lossy)


# The history.


@dataclass(frozen=True)
class HistoryLine:
    """One version of a type: how it comes to be and what is special about it (``current``, ``preview`` …)."""

    event_type: str
    version: str
    step: str
    summary: str
    marks: tuple[str, ...] = ()
    leads_to: tuple[str, ...] = ()


def history(chain: Chain) -> list[HistoryLine]:
    """Every version of every type, oldest first."""
    made = {end: hop for hop in chain.hops.values() for end in hop.ends}
    return [
        _line(chain, (event_type, version), made.get((event_type, version)))
        for event_type, versions in chain.types.items()
        for version in versions
    ]


def _line(chain: Chain, node: tuple[str, str], hop: Hop | None) -> HistoryLine:
    base = next((base for base in chain.baselines if (base.event_type, base.version) == node), None)
    up = chain.hops.get(node)
    marks = [
        *(["current"] if chain.resting(node[0]) == node[1] else []),
        *(["preview"] if hop is not None and hop.preview else []),
        *(["baseline"] if base is not None and hop is None else []),
        *(f"also {also}" for also in chain.versions[node].also),
    ]
    others = [] if up is None else [end for end in up.ends if end[0] != node[0]]
    leads_to = tuple(f"{event_type} {version}" for event_type, version in others)
    if hop is not None and hop.source[0] == node[0]:
        return HistoryLine(*node, hop.id, _summary(hop.steps[-1].description), tuple(marks), leads_to)
    told = base.description if base is not None else ""
    return HistoryLine(*node, base.id if base is not None else "", _summary(told), tuple(marks), leads_to)


def _summary(description: str) -> str:
    return description.partition("\n")[0]


# The mapping table of a version.


@dataclass(frozen=True)
class Change:
    """One operation: what it does in words, the paths it reads and writes, and how far it can be undone.

    ``depth`` is how many operations it stands inside.
    """

    depth: int
    text: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    back: Reversibility
    why: str = ""


def changes(hop: Hop) -> list[Change]:
    """What a hop does, operation by operation, in order."""
    return list(_changes(hop.operations, 0))


def _changes(operations: Iterable[Operation], depth: int) -> Iterator[Change]:
    for operation in operations:
        inverse = operation.inverse()
        reads, writes = (tuple(dict.fromkeys(map(_place, paths))) for paths in (operation.reads(), operation.writes()))
        yield Change(depth, _text(operation), reads, writes, inverse.kind, inverse.why)
        for heading, inner in _inside(operation):
            if heading:
                kind, why = worst([undo(inner)])
                yield Change(depth + 1, heading, (), (), kind, why)
            yield from _changes(inner, depth + (2 if heading else 1))


def _place(path: Path) -> str:
    return show(path) or "(the document)"


def _text(operation: Operation) -> str:
    """The operation without those inside it, which have lines of their own."""
    if isinstance(operation, At):
        return f"at {show(operation.path)}"
    if isinstance(operation, Everywhere):
        return operation.reach
    if isinstance(operation, When):
        return f"when {operation.condition}"
    if isinstance(operation, Downgrade):
        return "on the way down"
    if isinstance(operation, MapValues):
        return f"{operation}: {_entries(operation)}"
    return str(operation)


def _entries(operation: MapValues) -> str:
    """The table, as far as it is read."""
    pairs = islice(operation.table.items(), _MOST_ENTRIES)
    told = [f"{_json(scalar_value(old))} to {_json(new)}" for old, new in pairs]
    more = len(operation.table) - len(told)
    return ", ".join(told + [f"and {more} more"] * bool(more))


def _json(value: Any) -> str:
    text = encode(value).decode()
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


_MOST_ENTRIES = 12
_LONGEST_VALUE = 40


def _inside(operation: Operation) -> Iterator[tuple[str, tuple[Operation, ...]]]:
    if isinstance(operation, (At, Everywhere, Downgrade)):
        yield "", operation.operations
    elif isinstance(operation, When):
        yield "", operation.operations
        if operation.otherwise:
            yield "otherwise", operation.otherwise
    elif isinstance(operation, Switch):
        field = show(operation.path)
        for value, case in operation.cases.items():
            yield f"case {field} = {_json(scalar_value(value))}", case
        if operation.otherwise != "error":
            yield f"any other {field}", operation.otherwise


# What changes between two versions.


@dataclass(frozen=True)
class FieldChange:
    """One field of a version: its path, and its type before and after; empty where it is not there."""

    path: str
    before: str
    after: str


def field_changes(old: Version, new: Version) -> list[FieldChange]:
    """The fields that two versions declare differently: by their models or, where one has none, by their schemas; none
    where neither can be compared. Raises SchemaError."""
    if old.model is not None and new.model is not None:
        before, after = fields_of(old.model), fields_of(new.model)
    elif old.schema is not None and new.schema is not None:
        before, after = fields_of_schema(old.schema), fields_of_schema(new.schema)
    else:
        return []
    return [
        FieldChange(path, before.get(path, ""), after.get(path, ""))
        for path in dict.fromkeys((*before, *after))
        if before.get(path) != after.get(path)
    ]


def fields_of_schema(schema: Schema) -> dict[str, str]:
    """Every field that a schema declares, by its path, with its type. Raises SchemaError."""
    if schema.kind == "avro":
        from upcasters.formats.avro.fields import fields_of as fields_of_avro

        return fields_of_avro(schema)
    if schema.kind == "protobuf":
        return _fields_of_protobuf(schema)
    found = json.loads(schema.canonical)
    return dict(_fields(found, found.get("$defs", {}), "", ())) if isinstance(found, dict) else {}


def _fields_of_protobuf(schema: Schema) -> dict[str, str]:
    from upcasters.checks.protobuf_shape import as_json_schema
    from upcasters.formats.protobuf.parsing import message_type

    names: dict[str, Any] = {}
    message = message_type(schema)
    as_json_schema(message, names, to_write=False)
    return dict(_fields(names[message.name], names, "", ()))


def fields_of(model: type[BaseModel]) -> dict[str, str]:
    """Every field that a model declares, by its path, with its type; ``?`` marks a field that may be absent."""
    schema = model.model_json_schema()
    return dict(_fields(schema, schema.get("$defs", {}), "", ()))


def _fields(schema: JsonSchema, definitions: JsonSchema, at: str, seen: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name, field in schema.get("properties", {}).items():
        path = f"{at}.{name}".lstrip(".")
        optional = "" if name in schema.get("required", ()) else "?"
        yield path, _type(field, definitions) + optional
        yield from _below(field, definitions, path, seen)
    each = schema.get("items") or schema.get("additionalProperties")
    if isinstance(each, Mapping) and each:
        path = f"{at}.*".lstrip(".")
        yield path, _type(each, definitions)
        yield from _below(each, definitions, path, seen)


def _below(field: JsonSchema, definitions: JsonSchema, path: str, seen: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    name = field.get("$ref", "").rpartition("/")[2]
    if name in seen:  # a model that holds itself
        return
    for choice in field.get("anyOf", ()) or field.get("oneOf", ()) or ():
        yield from _below(choice, definitions, path, seen)
    inner = definitions[name] if name else field
    yield from _fields(inner, definitions, path, (*seen, name) if name else seen)


def _type(field: JsonSchema, definitions: JsonSchema) -> str:
    if "$ref" in field:
        return _type(definitions[field["$ref"].rpartition("/")[2]], definitions)
    if "const" in field or "enum" in field:
        return " | ".join(repr(value) for value in field.get("enum", [field.get("const")]))
    choices = field.get("anyOf") or field.get("oneOf") or field.get("allOf")
    if choices:
        return " | ".join(dict.fromkeys(_type(choice, definitions) for choice in choices))
    limits = [f"{name} {field[name]}" for name in _LIMITS if name in field]
    return str(field.get("type", "anything")) + (f" ({', '.join(limits)})" if limits else "")


_LIMITS = (
    *("format", "pattern", "minLength", "maxLength", "minItems", "maxItems", "multipleOf"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
)


# The compatibility matrix.


@dataclass(frozen=True)
class MatrixRow:
    """A way from one version to another. ``path`` is Direct, Guided or Complex, by the worst of its steps.

    ``lossy`` names the steps that cannot be undone, ``why`` says what the first of them loses.
    """

    event_type: str
    source: str
    target: str
    path: str
    hops: int
    complexity: Complexity
    reversible: Reversibility
    why: str
    notes: str
    lossy: tuple[str, ...] = ()

    @property
    def way_back(self) -> str:
        """How far the way can be undone, and the steps because of which it cannot."""
        return f"{self.reversible}: {', '.join(self.lossy)}" if self.lossy else str(self.reversible)


def matrix(chain: Chain, *, every: bool = False) -> list[MatrixRow]:
    """The compatibility matrix: each hop, and each way to the current version; ``every`` pair where asked."""
    return [row for event_type in chain.types for row in _rows(chain, event_type, every)]


def _rows(chain: Chain, event_type: str, every: bool) -> Iterator[MatrixRow]:
    for start in chain.types[event_type]:
        hops: list[Hop] = []
        for node in chain.upwards((event_type, start)):
            hop = chain.hops.get(node)
            if hop is None:
                break
            hops.append(hop)
            to_current = hop.target == (event_type, chain.current(event_type))
            if every or len(hops) == 1 or to_current:
                yield _row(hops)


def _row(hops: list[Hop]) -> MatrixRow:
    steps = [step for hop in hops for step in hop.steps]
    complexity = max((step.complexity or _complexity(step.reversibility) for step in steps), key=_ORDER.index)
    kind, why = worst(hop.inverse() for hop in hops)
    lossy = [step for step in steps if step.inverse().kind is Reversibility.LOSSY]
    first, last = hops[0], hops[-1]
    notes = "; ".join(dict.fromkeys(step.notes for step in steps if step.notes))
    ends = " and ".join(dict.fromkeys(end[0] for end in last.ends if end[0] != first.source[0]))
    target = f"{last.target[1]} ({ends})" if ends else last.target[1]
    if lossy:
        why = f"step {lossy[0].id}: {lossy[0].inverse().why}"
    ids = tuple(step.id for step in lossy)
    return MatrixRow(*first.source, target, _PATHS[complexity], len(hops), complexity, kind, why, notes, ids)


def _complexity(kind: Reversibility) -> Complexity:
    """How hard a step is that does not say so itself: by what it takes to go back."""
    if kind is Reversibility.EXACT:
        return "low"
    return "high" if kind is Reversibility.LOSSY else "medium"


# The vocabulary.


@dataclass(frozen=True)
class OperationLine:
    """One operation that a step may use: its group, its name, how it is called with its defaults, what it does, and its
    choices, the default first.

    All of it comes from the code: docstrings and signatures.
    """

    group: str
    name: str
    signature: str
    summary: str
    choices: Mapping[str, tuple[str, ...]]


def operations() -> list[OperationLine]:
    """Every public operation, in the order of the modules that define them."""
    import upcasters

    found = [getattr(upcasters, name) for name in upcasters.__all__]
    makers = [one for one in found if inspect.isfunction(one) and one.__annotations__.get("return") == "Operation"]
    return [_operation_line(maker) for maker in sorted(makers, key=lambda one: _GROUPS.index(_module(one)))]


def _module(maker: Callable[..., Operation]) -> str:
    return maker.__module__.rpartition(".")[2]


_GROUPS = (
    "fields",
    "filling",
    "presence",
    "nesting",
    "keys",
    "values",
    "texts",
    "numbers",
    "times",
    "lists",
    "objects",
    "scopes",
    "choice",
    "events",
)


def _operation_line(maker: Callable[..., Operation]) -> OperationLine:
    paragraph = " ".join((inspect.getdoc(maker) or "").partition("\n\n")[0].split())
    kinds = get_type_hints(maker)
    parameters = inspect.signature(maker).parameters.values()
    choices = {one.name: _choices(kinds[one.name], one.default) for one in parameters}
    named = {name: listed for name, listed in choices.items() if len(listed) > 1}
    return OperationLine(_module(maker), maker.__name__, _signature(maker), paragraph, named)


def _signature(maker: Callable[..., Operation]) -> str:
    """How it is called, without types; ``...`` is the default of what has none that could be written."""
    signature = inspect.signature(maker, eval_str=False)
    shown = [
        one.replace(annotation=one.empty, default=one.default if _may_be_written(one.default) else ...)
        for one in signature.parameters.values()
    ]
    text = str(signature.replace(parameters=shown, return_annotation=signature.empty))
    return maker.__name__ + text.replace("'", '"').replace("Ellipsis", "...")


def _may_be_written(default: Any) -> bool:
    return default is inspect.Parameter.empty or default is None or isinstance(default, (str, int, tuple))


def _choices(kind: Any, default: Any) -> tuple[str, ...]:
    """The words that an option takes, as far as it takes words."""
    words = [word for part in (kind, *get_args(kind)) if get_origin(part) is Literal for word in get_args(part)]
    return tuple(dict.fromkeys((*([default] if default in words else []), *words)))
