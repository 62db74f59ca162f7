"""Chains and events made up by Hypothesis, over so few keys that their paths meet all the time."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from upcasters import (
    CAMEL_CASE,
    EACH,
    EVENT_TYPE,
    KEY,
    ORIGIN,
    SNAKE_CASE,
    TIMESTAMP,
    VERSION,
    Always,
    Baseline,
    Chain,
    Condition,
    Detection,
    Event,
    FromField,
    FromHeader,
    Operation,
    SourcePartition,
    Step,
    StepError,
    absent,
    add,
    any_present,
    anything,
    assign,
    at,
    between,
    convert,
    convert_time,
    copy,
    default,
    derive,
    downgrade,
    drop,
    drop_event,
    drop_header,
    equals,
    everywhere,
    field_to_header,
    fields_to_list,
    first_of,
    flatten,
    function,
    has_type,
    header,
    header_to_field,
    is_null_at,
    join_list,
    join_values,
    keep_only,
    key_pattern,
    length,
    list_to_fields,
    map_values,
    matches,
    move,
    move_items,
    must_exist,
    nest,
    number,
    one_of,
    optional,
    parse_json,
    present,
    print_json,
    reformat,
    rename,
    rename_header,
    rename_keys,
    rename_many,
    rename_type,
    scale,
    set_header,
    set_key,
    split_each,
    split_event,
    split_list,
    split_value,
    starts_with,
    subdocument,
    switch,
    template,
    tombstone,
    unnest,
    unwrap,
    value_at,
    when,
    wrap,
)
from upcasters.context import Context
from upcasters.document import read, write
from upcasters.duplicates import duplicate_keys
from upcasters.paths import Path
from upcasters.readers import ReaderName
from upcasters.vast import Vast, exact

SOURCE = SourcePartition("topic", 3)

# Keys that a path could mistake, and two that become one when respelled.
KEYS = ("a", "b", "c", "aB", "a_b", "x.y", "")
NUMBERS = (
    *("0", "-0", "1", "1.0", "1.10", "1e400", "1E2", "9223372036854775809", "-1", "1" * 30),
    *("1.00000000000000000001", "1e-400", "12345678901234567890.1", "12345678901234567890.2"),
    *("1e99999999999999999999", "10.0E99999999999999999998", "1e-99999999999999999999"),  # more than Decimal takes
    *("9" * 4_400, "9" * 4_399 + "8", "9" * 4_400 + "0e-1"),  # Python reads no integer of more than 4,300 digits
)


def by_digits(text: bytes) -> Any:
    """A document to compare with others: numbers by all of their digits, and apart from true and false."""
    return json.loads(text, parse_int=_number, parse_float=_number)


def _number(digits: str) -> tuple[str, Decimal | Vast]:
    return ("number", exact(digits))


TIMES = ('"2024-02-29T10:00:00.50+02:00"', '"1969-12-31 23:59:59.9"', '"2023-02-29T10:00:00Z"')
TEXTS = ('"x"', '"y"', '"x y"', '""', '"\\u0061"', '"\\ud83d\\ude00"', '"é"', '"[1, 2]"', '"{\\"a\\" : 1.0}"', *TIMES)
LITERALS = ("true", "false", "null")

SKIP = st.sampled_from(["error", "skip", "skip"])
EXISTS = st.sampled_from(["error", "replace", "same"])
KEEP = st.sampled_from(["error", "keep", "keep"])
CONFLICT = st.sampled_from(["error", "error", "same", "keep", "replace"])
key = st.sampled_from([*("a", "b") * 4, *KEYS])
header_name = st.sampled_from(["h", "g"])
SEPARATOR = st.sampled_from([" ", "", "x"])
ENDS = st.sampled_from(["drop", "keep"])
WHICH = st.sampled_from(["all", "first", "last"])
OVER = st.sampled_from(["each", "all"])
forms = st.sampled_from(["{}", "x{}", "{} y", "{:1}", "<{}>", "{p}x{q}", "{p:1}{q}", "{q} {p}", "{p}-{q}"])


def spell(value: Any) -> Any:
    """A value that no table and no JSON dump would change back."""
    return f"<{value}>" if isinstance(value, str) else [value]


def unspell(value: Any) -> Any:
    return value[1:-1] if isinstance(value, str) else value[0]


def pick(*values: Any) -> Any:
    return [value for value in values if value is not None] or None


def odd(_value: Any) -> Any:
    return "\ud800"


def plus(value: Any) -> Any:
    return value + 1


def nested(_value: Any) -> Any:
    return {"a": {"b": [1.5, True]}, "b": 1e16}


def one_up(view: dict[str, Any]) -> None:
    view["c"] = [view.get("a"), "seen"]
    view.pop("b", None)


def replaced(view: dict[str, Any]) -> dict[str, Any]:
    return {"c": sorted(view)}


def halves(document: Any, origin: str) -> list[tuple[str, Any]]:
    return [("child", {"a": origin, "b": document}), ("child", {"c": 1})]


def broken(_value: Any) -> Any:
    raise ValueError("on purpose")


def tenth(value: Any) -> Any:
    return Decimal(str(value)) / 10


time_forms = st.sampled_from(["s", "s", "ms", "ns", "rfc3339", "rfc3339", "local"])
MORE = st.sampled_from(["error", "cut"])
FUNCTIONS = st.sampled_from([spell, unspell, plus, tenth, nested, str, odd, broken])
paths = st.one_of(
    key.map(lambda name: (name,)),
    st.tuples(key, key),
    st.tuples(st.sampled_from(["a", "b"]), st.just("a"), key),
)
starred: st.SearchStrategy[Path] = st.one_of(
    paths,
    st.tuples(key, st.just(EACH)),
    st.tuples(key, st.just(EACH), key),
    st.tuples(key, st.just(EACH), st.just(EACH), key),
)
names = st.lists(key, min_size=2, max_size=3, unique=True)
scalars = st.sampled_from(["x", "y", "", 1, 0, True, None, 1.0, "x y"])
constants = st.one_of(scalars, st.sampled_from([{}, {"a": 1}, [], [{"a": {}}]]))
rules = st.sampled_from([SNAKE_CASE, CAMEL_CASE, key_pattern("^a", "b"), key_pattern("_", "", ("y", "_y"))])

bounds = st.sampled_from([0, 1, -1, 1.5, 10**30, 12345678901234567890, -1e300])
_conditions: st.SearchStrategy[Condition] = st.recursive(
    st.one_of(
        st.lists(paths, min_size=1, max_size=3).flatmap(
            lambda fields: st.sampled_from([present(*fields), absent(*fields), any_present(*fields)])
        ),
        st.builds(equals, paths, constants),
        st.builds(one_of, paths, st.lists(scalars, min_size=1, max_size=3)),
        st.builds(matches, paths, st.sampled_from(["x", "^.$", "y$", "^$"])),
        st.builds(starts_with, paths, st.sampled_from(["x", "", "["])),
        st.builds(lambda field, low, high: between(field, at_least=low, below=high), paths, bounds, bounds),
        st.builds(lambda field, low: between(field, above=low), paths, st.sampled_from(["x", "", "\U0001f600"])),
        st.builds(lambda field, most: between(length(field), at_most=most), paths, st.integers(0, 2)),
        st.builds(lambda field, number: equals(length(field), number), paths, st.integers(0, 2)),
        st.builds(lambda field, other: equals(field, value_at(other)), paths, paths),
        st.builds(lambda field, low: between(field, at_least=value_at(low)), paths, paths),
        st.sampled_from(
            [
                equals(header("h"), "x"),
                present(KEY),
                starts_with(EVENT_TYPE, "t"),
                one_of(VERSION, ["0", "1"]),
                between(TIMESTAMP, at_most=1),
            ]
        ),
        st.builds(lambda field, kinds: has_type(field, *kinds), paths, st.just(("object", "string", "null"))),
        st.builds(is_null_at, paths),
        st.just(anything()),
    ),
    lambda inner: st.one_of(
        st.builds(lambda a, b: a & b, inner, inner),
        st.builds(lambda a, b: a | b, inner, inner),
        st.builds(lambda a: ~a, inner),
    ),
    max_leaves=3,
)


@st.composite
def _any_condition(draw: Any) -> Condition:
    """Its text is short: Hypothesis refuses those of many kilobytes."""
    made: Condition = draw(_conditions)
    return made


conditions = _any_condition()
Makes = st.SearchStrategy[Operation]

renaming: Makes = st.one_of(
    st.builds(rename, paths, key, missing=SKIP, exists=EXISTS, wrong_type=SKIP),
    st.builds(rename, key.map(lambda name: (name,)), key),
    st.builds(rename, paths, key, missing=SKIP, exists=EXISTS, default=constants),
    st.builds(
        rename_many,
        st.sampled_from([(), (), ("a",), ("b", EACH)]),
        st.dictionaries(key, key, min_size=1, max_size=3),
        missing=SKIP,
        exists=EXISTS,
    ),
    names.map(lambda both: rename_many("", {both[0]: both[1], both[1]: both[0]})),
    st.builds(
        first_of,
        names.map(lambda listed: [(name,) for name in listed]),
        key.map(lambda name: (name,)),
        missing=SKIP,
        conflict=st.sampled_from(["error", "first"]),
    ),
    st.builds(first_of, st.lists(paths, min_size=2, max_size=3), paths, missing=SKIP),
)
filling: Makes = st.one_of(
    st.builds(default, starred, constants, null=st.sampled_from(["keep", "replace"]), missing=SKIP),
    st.builds(default, key.map(lambda name: (name,)), constants, undo=st.sampled_from(["drop", "keep", "remove"])),
    st.builds(add, paths, constants, missing=SKIP, undo=st.sampled_from(["drop", "remove"])),
    st.builds(assign, paths, constants, missing=SKIP),
    st.builds(drop, starred, missing=SKIP, wrong_type=SKIP),
    st.builds(optional, starred, undo=st.sampled_from(["error", "remove"])),
    st.builds(
        lambda at, name, sources, **options: derive((*at, name), [(*at, *one) for one in sources], pick, **options),
        st.sampled_from([(), (), ("a",), ("b", "a")]),
        key,
        st.lists(paths, min_size=1, max_size=2),
        exists=st.sampled_from(["keep", "error", "replace"]),
        missing=st.sampled_from(["error", "skip", "none", "none"]),
        null=st.sampled_from(["keep", "replace"]),
    ),
)
moving: Makes = st.one_of(
    st.builds(move, paths, paths, missing=SKIP, exists=EXISTS, parents=st.sampled_from(["require", "create"])),
    st.builds(copy, paths, paths, missing=SKIP, exists=EXISTS),
    st.builds(nest, names, key, at=st.sampled_from(["", "a"]), missing=SKIP),
    st.builds(unnest, paths, st.none() | names, missing=SKIP, exists=CONFLICT),
    st.builds(keep_only, names, st.none() | key, at=st.sampled_from(["", "", "a"]), exists=CONFLICT),
    st.builds(
        rename_keys,
        st.sampled_from(["", "a", "b.*", "a.*.a"]),
        rules,
        subtree=st.booleans(),
        missing=SKIP,
        exists=EXISTS,
        wrong_type=SKIP,
    ),
)


def rows(make: Callable[..., Operation], *given: Makes | Any) -> list[Makes]:
    """Fields as a list, or back: mostly all of them, and sometimes fewer or more."""
    return [
        st.builds(make, *given, missing=SKIP),
        st.builds(make, *given, missing=SKIP, short=KEEP, more=MORE),
    ]


calling: Makes = st.builds(
    function, st.sampled_from([one_up, replaced]), reads=st.just(["a"]), writes=st.just(["b", "c"])
)
changing: Makes = st.one_of(
    st.builds(convert, starred, FUNCTIONS, missing=SKIP, null=KEEP, wrong_type=SKIP),
    st.builds(
        map_values,
        starred,
        st.dictionaries(scalars, scalars, min_size=1, max_size=3),
        otherwise=KEEP,
        missing=SKIP,
        null=KEEP,
    ),
    st.builds(split_value, paths, st.sampled_from([" ", ""]), names, missing=SKIP),
    st.builds(split_value, paths, st.sampled_from([" ", "a", "0"]), names, which=WHICH, short=KEEP, missing=SKIP),
    st.builds(join_values, names, st.sampled_from([" ", ""]), paths, missing=SKIP),
    st.builds(join_values, names, st.sampled_from([" ", "x"]), paths, which=WHICH, short=KEEP, missing=SKIP),
    *rows(fields_to_list, names, paths),
    *rows(list_to_fields, paths, names),
    st.builds(split_list, starred, SEPARATOR, ends=ENDS, lists=KEEP, missing=SKIP, null=KEEP),
    st.builds(join_list, starred, SEPARATOR, ends=ENDS, texts=KEEP, separators=KEEP, missing=SKIP, null=KEEP),
    st.builds(reformat, starred, forms, forms, otherwise=KEEP, missing=SKIP, null=KEEP, wrong_type=SKIP),
    st.builds(
        template,
        paths,
        st.sampled_from(["{a}", "<{a}{b}>", "x{b.a}", "{a.a}, {a.b}"]),
        numbers=st.sampled_from(["error", "text", "text"]),
        exists=st.sampled_from(["error", "keep", "replace"]),
        missing=SKIP,
    ),
    st.builds(
        scale,
        starred,
        st.sampled_from([100, "0.01", "1/3", -6, 1e20]),
        digits=st.sampled_from([0, 2]),
        more=st.sampled_from(["error", "cut", "cut"]),
        missing=SKIP,
        null=KEEP,
        wrong_type=SKIP,
    ),
    st.builds(scale, starred, st.sampled_from([1, "0.01", "1/3"]), plus=st.sampled_from([32, "-0.5"]), missing=SKIP),
    st.builds(convert_time, starred, time_forms, time_forms, digits=st.just(3), missing=SKIP, null=KEEP, more=MORE),
    st.builds(convert_time, starred, time_forms, time_forms, missing=SKIP, null=KEEP, wrong_type=SKIP),
    st.builds(
        convert_time, starred, st.just("local"), st.sampled_from(["s", "rfc3339"]), zone=st.just("-03:30"), missing=SKIP
    ),
    st.builds(parse_json, starred, missing=SKIP, null=KEEP),
    st.builds(print_json, starred, missing=SKIP, null=KEEP),
    st.builds(
        wrap,
        starred,
        null=st.sampled_from(["keep", "empty", "wrap"]),
        lists=KEEP,
        missing=SKIP,
        many=st.sampled_from(["error", "first"]),
    ),
    st.builds(
        unwrap,
        starred,
        empty=st.sampled_from(["error", "null", "drop"]),
        many=st.sampled_from(["error", "first"]),
        null=KEEP,
        missing=SKIP,
    ),
    st.builds(flatten, starred, missing=SKIP, scalars=KEEP),
    st.builds(number, starred, key, over=OVER, exists=st.sampled_from(["error", "keep", "replace"]), missing=SKIP),
    st.builds(number, starred, key, start=st.just("next"), over=OVER, exists=st.just("keep"), missing=SKIP),
    st.builds(move_items, paths, conditions, paths, empty=st.sampled_from(["keep", "drop"]), missing=SKIP),
    st.builds(move_items, key, st.builds(present, key), key, empty=st.sampled_from(["keep", "drop"]), missing=SKIP),
    st.builds(
        map_values,
        starred,
        st.lists(st.tuples(constants, constants), min_size=1, max_size=3),
        otherwise=KEEP,
        missing=SKIP,
        null=KEEP,
    ),
    st.builds(must_exist, starred, null=KEEP),
    st.builds(lambda field: downgrade(drop(field, missing="skip")), paths),
)
around: Makes = st.one_of(
    st.builds(set_header, header_name, st.just("set"), exists=st.sampled_from(["error", "replace"])),
    st.builds(rename_header, header_name, header_name, missing=SKIP),
    st.builds(drop_header, header_name, missing=SKIP),
    st.builds(header_to_field, header_name, paths, missing=SKIP),
    st.builds(field_to_header, paths, header_name, missing=SKIP),
    st.builds(
        lambda fields, numbers: set_key(*fields, numbers=numbers),
        st.lists(paths, min_size=1, max_size=2),
        st.sampled_from(["error", "text", "text"]),
    ),
    st.builds(
        derive,
        paths,
        st.lists(st.sampled_from([KEY, ORIGIN, TIMESTAMP, header("h")]), min_size=1, max_size=2),
        st.just(pick),
        exists=st.sampled_from(["keep", "replace"]),
        missing=st.just("none"),
    ),
)


@st.composite
def _any_simple(draw: Any) -> Operation:
    made: Operation = draw(st.one_of(renaming, filling, moving, changing, calling, around))
    return made


simple: Makes = _any_simple()


def several(inner: Makes) -> st.SearchStrategy[list[Operation]]:
    return st.lists(inner, min_size=1, max_size=2)


def _choosing(inner: Makes) -> tuple[Makes, Makes]:
    return (
        st.builds(
            lambda where, ops, rest: when(where, *ops, otherwise=rest),
            conditions,
            several(inner),
            st.lists(inner, max_size=1),
        ),
        st.builds(
            lambda field, cases, rest: switch(field, cases, otherwise=rest),
            paths,
            st.dictionaries(scalars, several(inner), min_size=1, max_size=2),
            st.one_of(st.just("error"), st.lists(inner, max_size=1)),
        ),
    )


def _reaching(inner: Makes) -> Makes:
    return st.one_of(
        st.builds(
            lambda field, ops, missing, wrong: at(field, *ops, missing=missing, wrong_type=wrong),
            starred,
            several(inner),
            SKIP,
            st.sampled_from(["error", "error", "skip"]),
        ),
        st.builds(
            lambda where, ops, stop, only, nested: everywhere(
                where, *ops, stop_at=["b"], stop_where=stop, only_in=only, nested=nested
            ),
            conditions,
            several(inner),
            st.none() | st.none() | conditions,
            st.sampled_from([(), (), ("a", "c")]),
            st.sampled_from(["change", "change", "keep"]),
        ),
        *_choosing(inner),
    )


def _written_wrongly(make: Callable[[], Operation]) -> Operation | None:
    try:
        return make()
    except StepError:
        return None


asking: Makes = st.builds(
    lambda field, inner, missing: at(field, optional(inner), missing=missing), starred, paths, SKIP
)
fusable: Makes = st.one_of(
    renaming,
    filling,
    asking,
    st.builds(
        lambda field, ops, missing: at(field, *ops, missing=missing),
        starred,
        several(st.one_of(renaming, filling)),
        SKIP,
    ),
)
choosing: Makes = st.one_of(fusable, *_choosing(fusable))
# Not `calling`: what copies a field at each level makes a document of 400 levels 2 ** 400 times as long.
walking: Makes = st.builds(
    lambda where, ops: everywhere(where, *ops), conditions, several(st.one_of(renaming, filling, changing))
)
switching: Makes = st.builds(
    lambda cases, rest: switch("a", cases, otherwise=rest),
    st.dictionaries(st.sampled_from(["x", "y", 1, None]), several(simple), min_size=1, max_size=3),
    st.one_of(st.just("error"), st.lists(simple, max_size=1), st.just([])),
)
any_operation: Makes = st.one_of(
    simple,
    switching,
    switching,
    asking,
    walking,
    walking,
    st.recursive(simple, _reaching, max_leaves=3),
    st.builds(lambda where: when(where, drop_event()), conditions),
    st.builds(lambda where: when(where, tombstone()), conditions),
    st.builds(
        subdocument,
        st.sampled_from(["a", "b"]),
        st.just("child"),
        version=st.just("1"),
        to=st.sampled_from([None, "50", "1"]),
        missing=SKIP,
    ),
)


def text_of(value: Any, draw: Any) -> str:
    """A value's JSON text, with white space, escapes and keys told twice where the draw says so."""
    space: str = draw(st.sampled_from(["", "", "", " "]))
    if isinstance(value, dict):
        members = [f"{_key(name, draw)}{space}:{space}{text_of(child, draw)}" for name, child in value.items()]
        if members and draw(st.integers(0, 15)) == 0:
            members.append(f"{json.dumps(next(iter(value)))}:{draw(st.sampled_from(NUMBERS))}")
        return "{" + f",{space}".join(members) + space + "}"
    if isinstance(value, list):
        return "[" + f"{space},".join(text_of(child, draw) for child in value) + "]"
    return str(value)


def _key(name: str, draw: Any) -> str:
    if name == "a" and draw(st.integers(0, 15)) == 0:
        return '"\\u0061"'
    return json.dumps(name)


_leaves = st.sampled_from([*NUMBERS, *TEXTS, *LITERALS])
_values = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.dictionaries(key, inner, max_size=3),
        st.lists(inner, max_size=3),
        st.lists(st.dictionaries(key, inner, max_size=2), max_size=2),
    ),
    max_leaves=6,
)
documents = st.dictionaries(key, st.one_of(_values, st.dictionaries(key, _values, max_size=3)), max_size=6)
headers = st.lists(
    st.sampled_from([("h", b"x"), ("h", b"\xff"), ("g", b"g"), ("g", None), ("v", b"0"), ("v", b"1"), ("o", b"")]),
    max_size=3,
)


@st.composite
def events(draw: Any) -> Event:
    """An event with a body over the same few keys as the operations, and odd headers now and then."""
    value = text_of(draw(documents), draw).encode()
    return Event(value, draw(st.sampled_from([b"key", None, b"\xff"])), draw(headers), 1, 7)


def _works(operation: Operation, body: bytes) -> bytes | None:
    context = Context.of(Event(body, b"key", offset=7), SOURCE, "t")
    try:
        with duplicate_keys("last-wins"):
            root = read(body)
            operation.apply(root, context)
            return write(root)
    except Exception:  # noqa: BLE001  # any failure means: not for this document
        return None


class Made:
    """A chain and events for it; the first is one that most of the operations were chosen to suit."""

    def __init__(self, chain: Chain, events: tuple[Event, ...]) -> None:
        self.chain = chain
        self.events = events

    def __repr__(self) -> str:
        lines = [f"{step.id}: {operation}" for step in self.chain.steps for operation in step.operations]
        return "\n  ".join(["", *lines, *(repr(event) for event in self.events)])


@st.composite
def operations_for(draw: Any, kind: Makes, event: Event, most: int = 8) -> list[Operation]:
    """Operations of a kind, most of them such that they work on the event one after the other."""
    body = event.value or b"{}"
    kept = []
    for _ in range(draw(st.integers(1, most))):
        made = _written_wrongly(lambda: draw(kind))
        if made is None:
            continue
        after = _works(made, body)
        if after is not None or draw(st.integers(0, 19)) == 0:
            kept.append(made)
            body = after or body
    return kept


_ENDS: Sequence[Callable[[], Operation]] = (
    lambda: split_each("a", into="child", item="item", version="1", id="id", number="no", key=["no"]),
    lambda: split_each(("a", "b"), into="child", item="b", name="aB", total=""),
    lambda: split_event(halves, ["child"], version="1"),
    lambda: rename_type(field="a", types={"x": "t", "y": "child"}),
    lambda: when(present("b"), rename_type("child")),
    lambda: when(present("b"), drop_event()),
)


def cut(operations: Sequence[Operation], places: Sequence[int]) -> list[list[Operation]]:
    """The operations as hops, cut at some places."""
    edges = [0, *sorted({place % (len(operations) + 1) for place in places} - {0}), len(operations)]
    return [list(operations[start:end]) for start, end in itertools.pairwise(edges)]


@st.composite
def made(draw: Any, kind: Makes, most: int = 8) -> Made:
    """A chain of a few hops, and events for it."""
    first = draw(events())
    hops = cut(draw(operations_for(kind, first, most)), draw(st.lists(st.integers(1, 7), max_size=3)))
    steps = [Step("t", position, position + 1, operations, lossy="made up") for position, operations in enumerate(hops)]
    if kind is any_operation and draw(st.integers(0, 3)) == 0:
        steps.append(Step("t", len(steps), 99, [draw(st.sampled_from(_ENDS))()], lossy="made up"))
    steps.append(Step("child", 1, 50, draw(operations_for(simple, first, 2)), lossy="made up"))
    steps.append(Step("child", 50, 99, draw(operations_for(simple, first, 2)), lossy="made up"))
    rules = st.sampled_from(
        [(FromHeader("v"), Always("0")), (FromField("a"), Always("0")), (Always("0"),), (Always("0"),)]
    )
    detection = Detection((Always("t"),), draw(rules))
    readers = draw(st.sampled_from([(), (), (), READERS]))
    chain = Chain(
        steps,
        [Baseline("t", 0, also=draw(st.sampled_from([[], [], ["x*"]]))), Baseline("child", 1)],
        detection=detection,
        readers=readers,
    )
    found = (first, *draw(st.lists(events(), max_size=2)))
    if readers:
        found = tuple(_read_as(one, draw(st.integers(0, len(DISGUISES) - 1))) for one in found)
    return Made(chain, found)


READERS: tuple[ReaderName, ...] = ("byte-order-mark", "utf-16", "nan-as-text", "lone-surrogates", "json-text", "array")


def in_json_text(text: bytes) -> bytes:
    return json.dumps(text.decode(errors="replace")).encode()


DISGUISES: Sequence[Callable[[bytes], bytes]] = (
    lambda text: text,
    lambda text: b"\xef\xbb\xbf" + text,
    lambda text: text.decode(errors="replace").encode("utf-16"),
    lambda text: text.decode(errors="replace").encode("utf-16-be"),
    lambda text: text.replace(b"true", b"NaN").replace(b"false", b"-Infinity"),
    lambda text: text.replace(b'"x"', rb'"\ud83d"'),
    in_json_text,
    lambda text: b"[" + text + b" , " + text + b"]",
    lambda text: in_json_text(b"[" + text + b"]"),
    lambda _: b"[]",
    lambda text: b"[" + text,
    lambda text: text[:-1].decode(errors="replace").encode("utf-16-le")[:-1],
)
"""Ways to write an event that a chain with readers has to read, and some that it cannot."""


def _read_as(event: Event, number: int) -> Event:
    value = DISGUISES[number](event.value or b"")
    return Event(value, event.key, event.headers, event.timestamp, event.offset)
