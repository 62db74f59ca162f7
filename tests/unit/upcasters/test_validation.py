"""Events against models: the verdict is pydantic's, the quick yes is sound, no message carries a value."""

from __future__ import annotations

import datetime as dt
import enum
import json
import time
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Literal, Optional, Union, cast
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    RootModel,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import SchemaError, SchemaValidator, core_schema

from benchmarks.timing import measure
from tests.depth import TOO_DEEP
from upcasters.document import read
from upcasters.errors import InvalidEvent
from upcasters.native.extension import EXTENSION
from upcasters.validation import Validator
from upcasters.validation import accept as accepting
from upcasters.validation.accept import fast_accept
from upcasters.validation.bounded import bounded_validator
from upcasters.validation.declared import Declared
from upcasters.validation.shapes import shape_of

native = pytest.mark.skipif(EXTENSION is None, reason="the native extension is not built")


class Metadata(BaseModel):
    model_config = ConfigDict(extra="allow")
    task_id: Annotated[str, Field(min_length=1)]
    project_id: str
    branch: str
    repo_path: str


class Node(BaseModel):
    model_config = ConfigDict(extra="allow")
    status: Literal["pending", "running", "completed"]


class TaskContext(BaseModel):
    model_config = ConfigDict(extra="allow")
    metadata: Metadata
    nodes: dict[str, Node]


METADATA: dict[str, Any] = {
    "task_id": "1.1.1",
    "project_id": "customer-123/project-abc",
    "branch": "main",
    "repo_path": "/workspace/repos/customer-123/project-abc",
}
EVENT: dict[str, Any] = {
    "metadata": METADATA,
    "nodes": {
        "select": {"status": "completed", "started_at": "2024-05-01T00:00:00Z", "attempt": 1},
        "prep": {"status": "running", "note": "fetching the repository"},
        "review": {"status": "pending"},
    },
    "trace": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}


def dumps(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def refusal(model: type[BaseModel], data: bytes, *, include_values: bool = False) -> InvalidEvent:
    with pytest.raises(InvalidEvent) as caught:
        Validator(model, include_values=include_values).check(data)
    return caught.value


def test_fits() -> None:
    Validator(TaskContext).check(dumps(EVENT))


def test_a_refusal_names_places_and_error_types_but_no_values() -> None:
    event = {"metadata": METADATA | {"task_id": ""}, "nodes": {"secret-node": {"status": "secret"}, "x": 5}}
    del event["metadata"]["branch"]
    error = refusal(TaskContext, dumps(event))
    told = (
        "metadata.task_id: string_too_short; metadata.branch: missing; "
        "nodes.*.status: literal_error; nodes.*: model_type"
    )
    assert (error.stage, str(error), error.path) == ("validate", told, "metadata.task_id")


def test_values_are_reported_where_asked_for() -> None:
    event = {"metadata": METADATA, "nodes": {"select": {"status": "x" * 1000}}}
    text = str(refusal(TaskContext, dumps(event), include_values=True))
    assert "nodes.*.status: literal_error (at nodes.select.status: Input should be 'pending'" in text
    assert "found 'xxx" in text
    assert len(text) < 500
    assert "(at the top: " in str(refusal(RootModel[dict[str, int]], b"[]", include_values=True))


def test_a_long_list_of_faults_is_cut() -> None:
    model = create_model("Wide", **{f"field_{number}": (int, ...) for number in range(30)})  # type: ignore[call-overload]  # fields by names made while running
    text = str(refusal(model, b"{}"))
    assert text.count(": missing") == 10
    assert text.endswith("; and 20 more")


class Leaf(BaseModel):
    kind: Literal["leaf"]
    n: int


class Branch(BaseModel):
    kind: Literal["branch"]
    type: list[int] = Field(default=[1, 2], min_length=1)
    pair: tuple[int, str] | None = None
    parts: list[Leaf | Branch] = []

    @model_validator(mode="after")
    def has_no_seven(self) -> Branch:
        assert 7 not in self.type
        return self


class Wood(BaseModel):
    """Lists in lists, in unions, in itself and in objects; a validator that gets the model."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, set[int]]

    parts: list[Annotated[Leaf | Branch, Field(discriminator="kind")]]
    named: dict[str, list[Branch]] = {}


LEAF: dict[str, Any] = {"kind": "leaf", "n": 1}
BRANCH: dict[str, Any] = {"kind": "branch", "parts": [LEAF, {"kind": "branch"}], "pair": [1, "x"]}
WOODS: dict[str, tuple[dict[str, Any], str]] = {
    "right": ({"parts": [BRANCH, LEAF], "named": {"a": [BRANCH], "b": []}, "x": [1]}, ""),
    "an item": ({"parts": [LEAF, LEAF | {"n": "1"}, {"kind": "leaf"}]}, "parts.*.n: int_type"),
    "an item of an item": (
        {"parts": [LEAF, BRANCH | {"parts": [LEAF, {"kind": "leaf"}, 5]}]},
        "parts.*.parts.*.n: missing; parts.*.parts.*.kind: literal_error",
    ),
    "a pair": ({"parts": [BRANCH | {"pair": [1, 2]}]}, "parts.*.pair: string_type"),
    "a validator": ({"parts": [BRANCH | {"type": [7]}]}, "parts.*: assertion_error"),
    "too few": ({"parts": [BRANCH | {"type": []}]}, "parts.*.type: too_short"),
    "a named item": ({"parts": [], "named": {"a": [5, 6], "b": [5]}}, "named.*.*: model_type"),
    "of what is not declared": ({"parts": [], "x": ["1", "2"]}, "*.*: int_type"),
}


@pytest.mark.parametrize(("wood", "told"), WOODS.values(), ids=WOODS.keys())
def test_a_large_document_is_judged_like_a_small_one(wood: dict[str, Any], told: str) -> None:
    """Only that of each list the faults of one item are told."""
    large = dumps(wood | {"filler": list(range(10_000))})
    if not told:
        Validator(Wood).check(dumps(wood))
        Validator(Wood).check(large)
        return
    small = refusal(Wood, dumps(wood))
    error = refusal(Wood, large)
    assert str(error) == told
    assert error.path == small.path


@pytest.mark.parametrize("item", [b"{}", b"[]", b"1"])
@pytest.mark.parametrize("place", [b'{"parts":[%b]}', b'{"parts":[{"kind":"branch","parts":[%b]}]}'])
def test_half_a_million_faults_cost_little(place: bytes, item: bytes) -> None:
    """They took 600 MB, and some 500 times as long as to read them: the worker was killed again and again."""
    data = place % b",".join([item] * 330_000)
    asked = cpu_seconds(lambda: refusal(Wood, data))
    assert asked < 20 * min(cpu_seconds(lambda: json.loads(data)) for _ in range(3))


def cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def test_of_very_many_faults_the_first_thousand_are_read() -> None:
    number = {f"k{each}": "1" for each in range(3_000)}
    assert str(refusal(RootModel[dict[str, int]], dumps(number))) == "*: int_type"
    text = str(refusal(RootModel[dict[str, int]], dumps(number), include_values=True))
    assert text.startswith("*: int_type (at k0: ")
    assert text.endswith("; and 990 more")


HOSTILE = {
    "an integer of 5,000 digits": "1" * 5000,
    "nested 300 deep": "[" * 300 + "]" * 300,
    "a number out of range": "1e400",
    "objects nested 300 deep": '{"a":' * 300 + "1" + "}" * 300,
}


class Checked(TaskContext):
    """Not provable: it has a validator."""

    @model_validator(mode="after")
    def nothing(self) -> Checked:
        return self


@pytest.mark.parametrize("model", [TaskContext, Checked])
@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("place", ["top", "metadata", "node"])
def test_a_field_that_no_model_declares_never_makes_an_event_invalid(
    model: type[BaseModel], value: str, place: str
) -> None:
    event = json.loads(dumps(EVENT))
    {"top": event, "metadata": event["metadata"], "node": event["nodes"]["prep"]}[place]["extra"] = "?"
    Validator(model).check(dumps(event).replace(b'"?"', value.encode()))


def test_deeper_than_msgspec_goes_is_refused_and_not_raised_through() -> None:
    deep = dumps(EVENT)[:-1] + b',"extra":' + b"[" * TOO_DEEP + b"]" * TOO_DEEP + b"}"
    assert "nested deeper" in str(refusal(TaskContext, deep))


def test_a_forbidden_field_stays_forbidden_however_hostile_its_value() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(extra="forbid")
        a: int

    assert str(refusal(Strict, b'{"a":1,"b":2}')) == "b: extra_forbidden"
    assert str(refusal(Strict, b'{"a":1,"b":' + b"1" * 5000 + b"}")) == "b: extra_forbidden"


def test_a_declared_field_that_cannot_be_read_is_refused() -> None:
    class Count(BaseModel):
        a: int
        b: Any = None

    assert str(refusal(Count, b'{"a":' + b"1" * 5000 + b"}")) == "the document: json_invalid"
    Validator(Count).check(b'{"a":1,"b":' + b"1" * 5000 + b"}")


def test_any_field_of_an_unproven_model_may_hold_anything() -> None:
    class Loose(BaseModel):
        a: int = Field(multiple_of=2)
        b: Any
        c: dict[str, Any]
        d: list[Any]

    hostile = "1" * 5000
    assert fast_accept(Loose) is None
    Validator(Loose).check(f'{{"a":2,"b":{hostile},"c":{{"x":{hostile}}},"d":[{hostile}]}}'.encode())


def test_not_json_is_refused() -> None:
    assert str(refusal(TaskContext, b"{")) == "the value is not JSON"
    assert str(refusal(TaskContext, b"[]")) == "the document: model_type"
    assert str(refusal(TaskContext, b'{"metadata":"\xff"}')) == "the value is not UTF-8"


def test_whatever_a_models_own_validator_raises_is_a_refusal() -> None:
    class Broken(BaseModel):
        a: int

        @field_validator("a")
        @classmethod
        def check_a(cls, value: int) -> int:
            return {0: 1}[value]

    Validator(Broken).check(b'{"a":0}')
    assert str(refusal(Broken, b'{"a":77}')) == "the model's own checks raised KeyError"


def test_strict_means_no_conversions() -> None:
    class Count(BaseModel):
        model_config = ConfigDict(strict=False)
        a: int

    assert str(refusal(Count, b'{"a":"1"}')) == "a: int_type"


class Card(BaseModel):
    kind: Literal["card"] = "card"
    digits: str


class Cash(BaseModel):
    kind: Literal["cash"] = "cash"
    amount: int


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


class Everything(BaseModel):
    either: Card | Cash
    tagged: Annotated[Card | Cash, Field(discriminator="kind")]
    tree: Tree | None = None
    spelled: int = Field(validation_alias=AliasChoices("one", AliasPath("two", "three")))
    text: Json[list[int]] | None = None
    pair: tuple[int, str] | None = None
    maybe: dict[str, int | list[int]] = {}


def test_places_in_unions_recursive_models_and_under_aliases() -> None:
    event = {
        "either": {},
        "tagged": {"kind": "cash", "amount": "1"},
        "tree": {"name": "a", "children": [{"name": 1}, {"name": "b", "children": [{}]}]},
        "two": {"three": "x"},
        "maybe": {"secret": "x"},
        "pair": ["a", "b"],
    }
    assert str(refusal(Everything, dumps(event))).split("; ") == [
        "either.digits: missing",
        "either.amount: missing",
        "tagged.amount: int_type",
        "tree.children.*.name: string_type",
        "tree.children.*.children.*.name: missing",
        "two: int_type",
        "pair: int_type",
        "maybe.*: int_type",
        "maybe.*: list_type",
    ]


def test_the_declared_part_alone_is_shown_to_the_model_where_the_rest_cannot_be_read() -> None:
    hostile = "1" * 5000
    event = {
        "either": {"digits": "1", "x": "?"},
        "tagged": {"kind": "cash", "amount": 1, "x": "?"},
        "tree": {"name": "a", "children": [{"name": "b", "x": "?"}]},
        "two": {"three": 1},
        "text": "[1]",
        "pair": [1, "a"],
        "maybe": {"x": [1]},
        "more": "?",
    }
    Validator(Everything).check(dumps(event).replace(b'"?"', hostile.encode()))


class Named(BaseModel):
    """Every key holds a card, and one of them is always there."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Card]
    first: Card


class Shelves(BaseModel):
    named: Named | None = None
    many: list[Named] = []
    more: dict[str, Named] = {}
    plain: list[int] = []


class Mixed(BaseModel):
    """Its extras are of another type than its field."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int]
    first: Card


class Doubled(BaseModel):
    """The extras have typed extras."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Named]


def test_typed_extras() -> None:
    for model in (Named, Shelves):
        assert fast_accept(model) is not None
    card, bad = {"digits": "1"}, {"digits": 1}
    Validator(Named).check(dumps({"first": card, "x": card}))
    assert str(refusal(Named, dumps({"x": card}))) == "first: missing"
    assert str(refusal(Named, dumps({"first": card, "x": bad}))) == "*.digits: string_type"
    Validator(Shelves).check(
        dumps({"named": None, "many": [{"first": card}], "more": {"a": {"first": card, "b": card}}})
    )
    wrong: list[dict[str, Any]] = [
        {"named": {"first": card, "x": bad}},
        {"many": [{"first": card, "x": bad}]},
        {"more": {"a": {"first": card, "x": bad}}},
        {"plain": ["x"]},
    ]
    for event in wrong:
        refusal(Shelves, dumps(event))


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Number(enum.Enum):
    ONE = 1


PROVEN: list[Any] = [
    int,
    float,
    str,
    bool,
    None,
    Any,
    dt.datetime,
    dt.date,
    uuid.UUID,
    Colour,
    Literal["a", "b"],
    list[int],
    dict[str, int],
    int | str,
    int | float | None,
    dict[str, Any] | None,
    Any | int,
    Card,
    list[Card | None],
    Named,
    Shelves,
    list[Named],
    Annotated[int, Field(ge=0, lt=10)],
    Annotated[float, Field(gt=0.5, le=9)],
    Annotated[str, Field(min_length=1, max_length=3)],
    Annotated[list[int], Field(min_length=1, max_length=2)],
]

UNPROVEN: list[Any] = [
    Annotated[str, Field(pattern="a")],
    Annotated[int, Field(multiple_of=2)],
    Annotated[int, Field(ge=2**70)],
    Literal[1],
    Number,
    dict[int, int],
    dict[Annotated[str, Field(min_length=1)], int],
    set[int],
    Tree,
    Card | Cash,
    Mixed,
    Doubled,
    Named | int,
    str | uuid.UUID,
    Annotated[int, Field(default_factory=lambda: 1)],
    RootModel[int],
    Annotated[int, Field(validation_alias=AliasChoices("a", "b"))],
]


def one_field(annotation: Any, **config: Any) -> type[BaseModel]:
    return create_model("One", __config__=cast("ConfigDict", config), value=(annotation, ...))


@pytest.mark.parametrize("annotation", PROVEN, ids=str)
def test_proven(annotation: Any) -> None:
    assert fast_accept(one_field(annotation)) is not None


@pytest.mark.parametrize("annotation", UNPROVEN, ids=str)
def test_unproven(annotation: Any) -> None:
    assert fast_accept(one_field(annotation)) is None


@pytest.mark.parametrize(
    "config",
    [
        {"populate_by_name": True},
        {"str_strip_whitespace": True},
        {"validate_default": True},
        {"str_min_length": 2},
    ],
    ids=str,
)
def test_unproven_config(config: dict[str, Any]) -> None:
    assert fast_accept(one_field(int, **config)) is None


def test_unproven_models() -> None:
    class OwnInit(BaseModel):
        a: int

        def __init__(self, **values: Any) -> None:
            super().__init__(**values)

    class AfterInit(BaseModel):
        a: int

        def model_post_init(self, _context: Any, /) -> None:
            raise AssertionError("refused")

    class CheckedInside(BaseModel):
        a: int

        @model_validator(mode="before")
        @classmethod
        def refuse(cls, _value: Any) -> Any:
            raise ValueError("refused")

    assert [fast_accept(model) for model in (OwnInit, AfterInit, CheckedInside)] == [None] * 3
    assert str(refusal(AfterInit, b'{"a":1}')) == "the document: assertion_error"
    assert str(refusal(CheckedInside, b'{"a":1}')) == "the document: value_error"


def test_unproven_moments() -> None:
    class Exact(BaseModel):
        at: Annotated[dt.datetime, Field()]

    schema = Exact.__pydantic_core_schema__
    schema["schema"]["fields"]["at"]["schema"]["microseconds_precision"] = "error"
    assert fast_accept(Exact) is None


def test_the_quick_yes_knows_aliases_defaults_and_models_used_twice() -> None:
    class Twice(BaseModel):
        model_config = ConfigDict(extra="forbid")
        first: Card = Field(alias="1st card")
        second: Card = Field(alias="")
        tags: list[str] = Field(default_factory=list)
        note: str | None = None

    accept = fast_accept(Twice)
    assert accept is not None
    accept(b'{"1st card":{"digits":"1"},"":{"digits":"2"}}')
    for wrong in (
        b'{"first":{"digits":"1"},"":{"digits":"2"}}',
        b'{"1st card":{"digits":"1"},"":{"digits":"2"},"x":1}',
    ):
        refusal(Twice, wrong)


# Texts that readers of JSON are known to disagree on, beside ordinary ones.
TEXTS = st.sampled_from(
    [
        *("1", "-0", "1.0", "1e2", "1E400", "0.1", "-1", "11", "9223372036854775808", "-9223372036854775809"),
        *(
            "1" * 400,
            "1" * 4300,
            "1" * 4301,
            "1." + "1" * 5000,
            "1e-400",
            "true",
            "false",
            "null",
            "[]",
            "{}",
            "[1]",
        ),
        *(
            '""',
            '"a"',
            '"\\u0061"',
            '"abcd"',
            '"\\ud83d\\ude00"',
            '"red"',
            '"GREEN"',
            '"1"',
            "[1,2,3]",
            "[null]",
        ),
        *(
            '{"a":1}',
            '{"a":1,"a":"x"}',
            '{"digits":"1"}',
            '{"d\\u0069gits":1}',
            '[{"digits":"1","kind":"card"}]',
        ),
        *(
            '"2024-01-01"',
            '"2024-02-30"',
            '"2024-01-01T00:00:60Z"',
            '"0000-01-01T00:00:00Z"',
            '"2024-01-01 00:00"',
        ),
        *(
            '"2024-01-01T00:00:00.1234567891+24:00"',
            '"12345678123456781234567812345678"',
            "[" * 300 + "]" * 300,
        ),
    ]
)
FRACTIONS = st.from_regex(r"\A[.,]?[0-9]{0,12}\Z")
MOMENTS = st.builds(
    lambda moment, fraction, zone: json.dumps(moment.strftime("%Y-%m-%dT%H:%M:%S") + fraction + zone),
    st.datetimes(),
    FRACTIONS,
    st.one_of(st.sampled_from(["", "Z", "z", " Z"]), st.from_regex(r"\A[+-][0-9]{2}:?[0-9]{2}\Z")),
)
ODD_STRINGS = st.from_regex(r"\A[0-9a-fT:. {}Z-]{0,40}\Z").map(json.dumps)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PROVEN), st.one_of(TEXTS, MOMENTS, ODD_STRINGS, st.uuids().map(str).map(json.dumps)))
def test_what_the_quick_yes_takes_pydantic_takes(annotation: Any, text: str) -> None:
    model = one_field(annotation)
    data = b'{"value":' + text.encode() + b"}"
    accept = fast_accept(model)
    assert accept is not None
    try:
        accept(data)
    except Exception:  # noqa: BLE001  # a no of any kind says nothing
        return
    taken_by_pydantic(model, data)


def taken_by_pydantic(model: type[BaseModel], data: bytes) -> None:
    try:
        model.model_validate_json(data, strict=True)
    except ValidationError as error:
        # pydantic's reader refuses what nobody declared: only there may the two differ.
        assert error.errors()[0]["type"] == "json_invalid"  # noqa: PT017  # only a part of the error is known
        Validator(model).check(data)


@native
@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([*PROVEN, *UNPROVEN]),
    st.one_of(TEXTS, MOMENTS, ODD_STRINGS, st.uuids().map(str).map(json.dumps)),
    st.booleans(),
)
def test_what_the_extension_takes_pydantic_takes(annotation: Any, text: str, infinite: bool) -> None:
    model = one_field(annotation, allow_inf_nan=infinite)
    data = b'{"value":' + text.encode() + b"}"
    shape = shape_of(model)
    if shape is not None and shape.fits(data):
        taken_by_pydantic(model, data)


# Models as they come: what JSON shows, what only pydantic knows, and what depends on its neighbours.


def even(value: int) -> int:
    assert value % 2 == 0
    return value


def after_its_neighbours(value: int, info: ValidationInfo) -> int:
    assert len(info.data) % 2 == 0
    return value


ATOMS: list[Any] = [
    *(str, int, float, bool, type(None), Any, Colour, Number, dt.date, uuid.UUID, Literal["a", "b\n"], Literal[1, "a"]),
    Annotated[str, Field(min_length=1, max_length=2)],
    Annotated[str, Field(pattern="^[ab]*$")],
    Annotated[int, Field(ge=0, lt=10)],
    Annotated[float, Field(gt=0.5)],
    Annotated[int, AfterValidator(even)],
    Annotated[int, AfterValidator(after_its_neighbours)],
    set[int],
    tuple[int, str],
    Tree,
    Everything,
    Named,
    Mixed,
    Doubled,
]
NAMES = ["a", "b", "é", "a b", 'q"', "digits", "first"]


@st.composite
def generated_models(draw: st.DrawFn, depth: int = 2) -> type[BaseModel]:
    kind = st.sampled_from(ATOMS)
    if depth:
        kind = kind | generated_models(depth=depth - 1)
    kinds = st.recursive(
        kind,
        lambda inner: st.one_of(
            inner.map(lambda one: list[one]),  # type: ignore[valid-type]  # a type made while running
            inner.map(lambda one: dict[str, one]),  # type: ignore[valid-type]  # a type made while running
            inner.map(lambda one: Optional[one]),  # noqa: UP045  # made at run time
            st.tuples(inner, inner).map(lambda two: Union[two]),  # noqa: UP007  # as above
            inner.map(lambda one: Annotated[list[one], Field(min_length=1, max_length=2)]),  # type: ignore[valid-type]  # a type made while running
        ),
        max_leaves=3,
    )
    aliases = draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True))
    fields: dict[str, Any] = {}
    for number, alias in enumerate(aliases):
        default: dict[str, Any] = {} if draw(st.booleans()) else {"default": draw(st.sampled_from([None, 1, "x"]))}
        fields[f"field_{number}"] = (draw(kinds), Field(validation_alias=alias, **default))
    extra = draw(st.sampled_from(["ignore", "allow", "forbid"]))
    config = {"extra": extra, **draw(st.sampled_from([{}, {}, {"allow_inf_nan": False}, {"str_max_length": 2}]))}
    bases = draw(st.sampled_from([(), (), (), (Checked,)]))
    if bases:
        return create_model("Made", __base__=bases, **fields)
    return create_model("Made", __config__=cast("ConfigDict", config), **fields)


LEAVES: st.SearchStrategy[Any] = st.sampled_from(
    [
        *("a", "", "abc", "\n", "é", "red", 0, 1, -1, 2, 12, 10**18, 2**63, 0.75, 1.0, -0.0, True, False, None),
        *("2024-01-01", str(uuid.UUID(int=7)), [], {}, [1, "x"], {"digits": "1"}, {"first": {"digits": "1"}}, [{}]),
    ]
)


@st.composite
def documents(draw: st.DrawFn, schema: Any, depth: int = 8) -> Any:  # noqa: C901, PLR0911  # a case a kind
    """What may fit a JSON schema, and mostly does."""
    if depth == 0 or not isinstance(schema, dict) or draw(st.integers(0, 29)) == 0:
        return draw(LEAVES)
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return draw(documents({**schema["$defs"][name], "$defs": schema["$defs"]}, depth - 1))
    inner = {"$defs": schema.get("$defs", {})}
    if "anyOf" in schema:
        return draw(documents({**draw(st.sampled_from(schema["anyOf"])), **inner}, depth - 1))
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    if schema.get("type") == "array":
        least, most = schema.get("minItems", 0), schema.get("maxItems", 3)
        return draw(st.lists(documents({**schema.get("items", {}), **inner}, depth - 1), min_size=least, max_size=most))
    if schema.get("type") == "object":
        made = {
            name: draw(documents({**part, **inner}, depth - 1)) for name, part in schema.get("properties", {}).items()
        }
        if isinstance(schema.get("additionalProperties"), dict):
            part = {**schema["additionalProperties"], **inner}
            made |= draw(st.dictionaries(st.sampled_from(NAMES), documents(part, depth - 1), max_size=2))
        elif draw(st.integers(0, 3)) == 0:
            made["more"] = draw(LEAVES)
        for name in draw(st.lists(st.sampled_from(sorted(made) or ["-"]), max_size=1)) if draw(st.booleans()) else ():
            made.pop(name, None)
        return made
    return draw(
        {
            "string": st.sampled_from(["a", "", "ab", "abc", "é", "2024-01-01", str(uuid.UUID(int=7))]),
            "integer": st.integers(-2, 11),
            "number": st.sampled_from([1, 0.75, -3, 1e3]),
            "boolean": st.booleans(),
            "null": st.none(),
        }.get(schema.get("type", ""), LEAVES)
    )


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_verdict_is_pydantics(data: st.DataObject) -> None:
    """Over made-up models, with the extension where it is there."""
    judge_like_pydantic(data)


def judge_like_pydantic(data: st.DataObject) -> None:
    """One made-up model and events for it, of which some fit."""
    model = data.draw(generated_models())
    schema = model.model_json_schema()
    validator = Validator(model)
    for _ in range(5):
        document = data.draw(documents(schema))
        spaces: Any = data.draw(st.sampled_from([(",", ":"), (", ", ": ")]))
        text = json.dumps(document, separators=spaces, ensure_ascii=data.draw(st.booleans())).encode()
        try:
            model.model_validate_json(text, strict=True)
        except ValidationError:
            with pytest.raises(InvalidEvent):
                validator.check(text)
        else:
            validator.check(text)


@native
def test_only_the_rest_is_asked_of_pydantic() -> None:
    asked: list[Any] = []

    def seen(value: Any) -> Any:
        asked.append(value)
        assert value != 7
        return value

    class Inner(BaseModel):
        name: str
        count: Annotated[int, AfterValidator(seen)]
        size: Annotated[float, Field(ge=0.5)] = 1.0

    class Outer(BaseModel):
        inner: list[Inner]
        at: dt.datetime | None = None
        note: str = ""

    shape = shape_of(Outer)
    good = b'{"inner":[{"name":"a","count":1},{"name":"b","count":2,"size":2}],"at":"2024-01-01T00:00:00Z"}'
    with patch.object(Outer, "__pydantic_validator__", None):
        Validator(Outer).check(good)
    assert asked == [1, 2]
    assert shape.fits(good)
    assert not shape.fits(good.replace(b'"count":1', b'"count":7'))
    assert not shape.fits(good.replace(b'"size":2', b'"size":0'))
    assert not shape.fits(good.replace(b"01T", b"99T"))
    assert not shape.fits(good.replace(b'"name":"a"', b'"name":"\xff"'))
    assert str(refusal(Outer, good.replace(b'"count":1', b'"count":7'))) == "inner.*.count: assertion_error"


@native
def test_what_depends_on_its_neighbours_is_asked_with_them() -> None:
    class Inner(BaseModel):
        before: int = 0
        value: Annotated[int, AfterValidator(after_its_neighbours)]

    class Outer(BaseModel):
        inner: Inner
        note: str

    assert shape_of(Inner) is None
    assert shape_of(Checked) is None
    assert shape_of(Outer) is not None
    right, wrong = b'{"inner":{"value":1},"note":""}', b'{"inner":{"value":1,"before":0},"note":""}'
    for data in (right, wrong):
        fits = shape_of(Outer).fits(data)
        assert fits is bool(not refused(Outer, data))


def refused(model: type[BaseModel], data: bytes) -> bool:
    try:
        model.model_validate_json(data, strict=True)
    except ValidationError:
        return True
    return False


@native
def test_models_too_wide_or_too_deep_for_the_extension_are_asked_of_pydantic() -> None:
    wide = create_model("Wide", **{f"field_{number}": (int, 0) for number in range(200)})  # type: ignore[call-overload]  # fields by names made while running
    assert shape_of(wide) is None
    Validator(wide).check(b'{"field_0":1}')
    holder = one_field(wide)
    assert shape_of(holder).fits(b'{"value":{"field_199":1}}')
    assert not shape_of(holder).fits(b'{"value":{"field_199":"1"}}')
    leaf = b'{"name":"a"}'
    deep = b'{"name":"a","children":[' * 30 + leaf + b"]}" * 30
    assert shape_of(Tree).fits(b'{"name":"a","children":[%b]}' % leaf)
    assert not shape_of(Tree).fits(deep)
    Validator(Tree).check(deep)


@native
def test_a_panic_ends_what_a_shape_says() -> None:
    shape = EXTENSION.Shape([("list", 99, None, None)], 0)
    assert not shape.fits(b"[1]")
    assert not shape.fits(b"[]")
    for wrong in ([("nothing",)], [("any",)]):
        with pytest.raises(ValueError, match=r"nothing is called|no such shape"):
            EXTENSION.Shape(wrong, 5)


@native
def test_what_is_no_exception_of_a_check_goes_on() -> None:
    def stop(_: bytes) -> None:
        raise KeyboardInterrupt

    shape = EXTENSION.Shape([("ask", stop)], 0)
    with pytest.raises(KeyboardInterrupt):
        shape.fits(b"1")


def test_costs_less_than_half_of_pydantic_alone() -> None:
    """It is a sixth."""
    data, check = dumps(EVENT), Validator(TaskContext).check
    pydantic = TaskContext.__pydantic_validator__
    actions = {"ours": lambda: check(data), "pydantic": lambda: pydantic.validate_json(data, strict=True)}
    times = measure(actions, rounds=5)
    assert times["ours"] < times["pydantic"] / 2


def test_a_release_of_pydantic_that_the_tests_have_not_seen_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    class Order(BaseModel):
        id: int

    assert fast_accept(Order) is not None
    for package in accepting.PROVEN:
        with monkeypatch.context() as changed:
            changed.setitem(accepting.PROVEN, package, frozenset({"0.1"}))
            accepting.are_proven.cache_clear()
            assert shape_of(TaskContext) is None
            validator = Validator(Order)
            assert fast_accept(Order) is None
            validator.check(b'{"id": 7}')
            with pytest.raises(InvalidEvent, match="id: int_type"):
                validator.check(b'{"id": "7"}')
        accepting.are_proven.cache_clear()


class Twice(BaseModel):  # type: ignore[no-redef]  # two fields under one alias, on purpose
    a: int = Field(validation_alias="x")
    b: int = Field(validation_alias="x")


class OrOne:
    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> Any:
        return core_schema.with_default_schema(core_schema.int_schema(), default=1)


class Free(BaseModel):
    anything: Any
    n: list[OrOne]


def test_fields_under_one_alias_and_values_that_may_be_anything() -> None:
    assert fast_accept(Twice) is None
    accept = fast_accept(Free)
    assert accept is not None
    accept(b'{"anything":{},"n":[2]}')
    with pytest.raises(msgspec.ValidationError):
        accept(b'{"anything":{},"n":["2"]}')
    assert Declared(Free).only(read(b'{"anything":{"x":1},"n":[2],"z":1}')) == {"anything": None, "n": [Raw(b"2")]}


def test_a_model_that_is_too_large_or_that_pydantic_refuses_has_no_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any) -> Any:
        raise SchemaError("on purpose")

    with monkeypatch.context() as patched:
        patched.setattr("upcasters.validation.shapes.bounded", refuses)
        assert shape_of(one_field(complex)) is None
    monkeypatch.setattr("upcasters.validation.shapes.MOST_SHAPES", 0)
    assert shape_of(Leaf) is None


def test_a_pydantic_that_knows_no_other_validators_is_asked_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def old(schema: Any, config: Any = None) -> Any:
        return SchemaValidator(schema, config)

    monkeypatch.setattr("upcasters.validation.bounded.SchemaValidator", old)
    assert bounded_validator(Leaf) is not None
