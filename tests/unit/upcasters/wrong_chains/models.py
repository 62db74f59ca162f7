"""Steps that cannot take the model of their source to that of their target."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    WithJsonSchema,
    create_model,
    field_validator,
    model_validator,
)

from tests.unit.upcasters.wrong_chains.case import Case, base, chain, step
from upcasters import (
    EACH,
    SNAKE_CASE,
    Chain,
    Condition,
    Operation,
    absent,
    add,
    any_present,
    assign,
    at,
    convert,
    copy,
    default,
    derive,
    drop,
    drop_event,
    equals,
    everywhere,
    field_to_header,
    fields_to_list,
    first_of,
    flatten,
    function,
    has_type,
    header_to_field,
    is_null_at,
    join_values,
    keep_only,
    key_pattern,
    length,
    list_to_fields,
    map_values,
    move,
    move_items,
    nest,
    number,
    object_to_list,
    optional,
    parse_json,
    present,
    print_json,
    rename,
    rename_keys,
    rename_many,
    rename_type,
    set_key,
    split_each,
    split_event,
    split_value,
    subdocument,
    switch,
    unnest,
    unwrap,
    value_at,
    when,
    wrap,
)
from upcasters.operations.base import Inverse
from upcasters.paths import Path


def model(**fields: Any) -> type[BaseModel]:
    """A model with required fields of these types; a (type, default) pair is an optional one."""
    given = {name: one if isinstance(one, tuple) else (one, ...) for name, one in fields.items()}
    made: type[BaseModel] = create_model("Made", **cast("Any", given))
    return made


def between(source: type[BaseModel], *operations: Operation, to: type[BaseModel]) -> Callable[[], Chain]:
    """A chain of one step from model to model."""
    return lambda: chain(base("1", model=source), step("1", "2", *operations, model=to, lossy="on purpose"))


def same(value: Any) -> Any:
    return value


def pairs(_document: Any, _origin: str) -> list[tuple[str, Any]]:
    return []


class Inner(BaseModel):
    b: int
    c: str | None = None


class Extra(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Inner]


class Closed(BaseModel):
    a: int


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Deep(BaseModel):
    a: Inner


class InnerRenamed(BaseModel):
    x: int
    c: str | None = None


class DeepRenamed(BaseModel):
    a: InnerRenamed


class Noted(Inner):
    n: int = 0


A = model(a=int)
B = model(b=int)
AB = model(a=int, b=int)
A_MAYBE = model(a=(int, 0))
A_NULL = model(a=int | None)
KEYED = model(k=(int, 0))
NUMBER = model(k=int)
NUMBERED = model(a=list[NUMBER])  # type: ignore[valid-type]  # a type made while running
NUMBERED_OR_C = model(a=list[NUMBER], c=(list[NUMBER], []))  # type: ignore[valid-type]  # a type made while running
TWO = model(a=(int, 0), b=int)
TWO_OR_C = model(a=(int, 0), b=int, c=(int, 0))
LISTED = model(a=(list[int], []), b=int)
LISTED_OR_C = model(a=(list[int], []), b=int, c=(list[int], []))
KEYED_ITEMS = model(a=list[KEYED])  # type: ignore[valid-type]  # made at runtime, as all models here
MOVED = model(a=list[KEYED], b=(list[KEYED], []))  # type: ignore[valid-type]  # a type made while running
ITEMS_AS_C = model(a=list[KEYED], c=(list[KEYED], []))  # type: ignore[valid-type]  # a type made while running
A_TEXT = model(a=str)
ITEMS = model(a=list[Inner])
ITEMS_RENAMED = model(a=list[InnerRenamed])
NAMED = model(a=dict[str, Inner])
NAMED_RENAMED = model(a=dict[str, InnerRenamed])

FIELDS = {
    "a required field that nothing provides": Case(["unprovided"], between(A, to=AB), between(A, add("b", 1), to=AB)),
    "an optional field becomes a required one": Case(
        ["unprovided"], between(A_MAYBE, to=A), between(A_MAYBE, default("a", 0), to=A)
    ),
    "a required field inside that nothing provides": Case(
        ["unprovided"],
        between(model(a=model(b=int)), to=model(a=model(b=int, c=int))),
        between(model(a=model(b=int)), add("a.c", 1), to=model(a=model(b=int, c=int))),
    ),
    "a field that nothing accounts for": Case(["unaccounted"], between(AB, to=A), between(AB, drop("b"), to=A)),
    "an optional field that nothing accounts for": Case(
        ["unaccounted"], between(A_MAYBE, to=model()), between(A_MAYBE, drop("a", missing="skip"), to=model())
    ),
    "a field inside that nothing accounts for": Case(
        ["unaccounted"],
        between(ITEMS, to=model(a=list[model(b=int)])),  # type: ignore[misc]  # a type made while running
        between(ITEMS, drop("a.*.c", missing="skip"), to=model(a=list[model(b=int)])),  # type: ignore[misc]  # a type made while running
    ),
    "a forgotten rename": Case(["unaccounted", "unprovided"], between(A, to=B), between(A, rename("a", "b"), to=B)),
    "a forgotten rename inside": Case(
        ["unaccounted", "unprovided"],
        between(NAMED, to=NAMED_RENAMED),
        between(NAMED, rename("a.*.b", "x"), to=NAMED_RENAMED),
    ),
    "a mistyped rename": Case(
        ["no-such-path", "unaccounted"], between(A, rename("aa", "b"), to=B), between(A, rename("a", "b"), to=B)
    ),
    "a mistyped rename that may be skipped": Case(
        ["unaccounted", "unprovided"],
        between(A, rename("aa", "b", missing="skip"), to=B),
        between(A_MAYBE, rename("a", "b", missing="skip"), to=model(b=(int, 0))),
    ),
    "a mistyped new name": Case(
        ["unaccounted", "unprovided"], between(A, rename("a", "bb"), to=B), between(A, rename("a", "b"), to=B)
    ),
    "a mistyped default": Case(
        ["unaccounted", "unprovided"], between(A, default("c", 1), to=AB), between(A, default("b", 1), to=AB)
    ),
    "a rename of what may be missing": Case(
        ["may-be-missing"],
        between(A_MAYBE, rename("a", "b"), to=B),
        between(A_MAYBE, default("a", 1), rename("a", "b"), to=B),
    ),
    "a rename to a field that is there": Case(
        ["collision"],
        between(AB, rename("a", "b"), to=B),
        between(AB, drop("b"), rename("a", "b"), to=B),
    ),
    "two fields change places one by one": Case(
        ["collision"],
        between(AB, rename("a", "b"), to=B),
        between(AB, rename_many("", {"a": "b", "b": "a"}), to=AB),
    ),
    "an added field that is there": Case(
        ["collision"], between(A, add("a", 1), to=A), between(A, assign("a", 1), to=A)
    ),
    "an operation in a parent that is missing": Case(
        ["no-such-path"], between(A, add("x.y", 1), to=A), between(A, add("b", 1), to=AB)
    ),
    "an operation in a parent that may be missing": Case(
        ["may-be-missing"],
        between(model(a=(B, None)), rename("a.b", "c"), to=model(a=(model(c=int), None))),
        between(model(a=(B, None)), rename("a.b", "c", missing="skip"), to=model(a=(model(c=int), None))),
    ),
    "an operation in a parent that is no object": Case(
        ["wrong-type"],
        between(A, add("a.b", 1), to=A),
        between(A, nest(["a"], "a"), add("a.b", 1), to=model(a=model(a=int, b=int))),
    ),
    "an operation in a parent that may be null": Case(
        ["wrong-type"],
        between(model(a=Inner | None), rename("a.b", "x"), to=model(a=InnerRenamed | None)),
        between(
            model(a=Inner | None), when(has_type("a", "object"), rename("a.b", "x")), to=model(a=InnerRenamed | None)
        ),
    ),
    "a rename forgotten behind a condition": Case(
        ["unaccounted"],
        between(
            model(a=(Inner | None, None)),
            when(has_type("a", "object"), rename("a.b", "x")),
            to=model(z=(InnerRenamed | None, None)),
        ),
        between(
            model(a=(Inner | None, None)),
            when(has_type("a", "object"), rename("a.b", "x")),
            rename("a", "z", missing="skip"),
            to=model(z=(InnerRenamed | None, None)),
        ),
    ),
    "a rename behind a condition of what may be missing": Case(
        ["may-be-missing"],
        between(
            model(a=(B, None)),
            when(present("a"), rename("a.b", "x")),
            rename("a", "z"),
            to=model(z=model(x=int)),
        ),
        between(
            model(a=(B, None)),
            when(present("a"), rename("a.b", "x"), otherwise=[add("a", {"x": 1})]),
            rename("a", "z"),
            to=model(z=model(x=int)),
        ),
    ),
    "an optional field that the model does not have": Case(
        ["unaccounted"],
        between(A, optional("c"), to=model(a=int, b=(int, 0))),
        between(A, optional("b"), to=model(a=int, b=(int, 0))),
    ),
    "an optional field in one that the model does not have": Case(
        ["unaccounted"],
        between(ITEMS, optional("b.*.n"), to=model(a=list[Inner])),
        between(ITEMS, optional("a.*.n"), to=model(a=list[Noted])),
    ),
    "an optional field that is required": Case(
        ["unprovided"], between(A, optional("b"), to=AB), between(A, default("b", 1), to=AB)
    ),
    "a moved field that nothing puts back": Case(
        ["unprovided"],
        between(model(a=Inner), move("a.b", "b"), to=model(a=Inner, b=int)),
        between(model(a=Inner), copy("a.b", "b"), to=model(a=Inner, b=int)),
    ),
    "moved from nowhere": Case(
        ["no-such-path"],
        between(model(a=Inner), move("a.z", "z"), to=model(a=Inner, z=int)),
        between(model(a=Inner), move("a.b", "b"), to=model(a=model(c=(str | None, None)), b=int)),
    ),
    "moved to nowhere": Case(
        ["no-such-path"],
        between(A, move("a", "x.a"), to=model(x=A)),
        between(A, move("a", "x.a", parents="create"), to=model(x=A)),
    ),
    "moved onto a field": Case(
        ["collision"],
        between(model(a=Inner, b=int), move("a.b", "b"), to=model(a=(dict[str, Any]), b=int)),
        between(model(a=Inner, b=int), move("a.b", "b", exists="same"), to=model(a=(dict[str, Any]), b=int)),
    ),
    "copied from what may be missing": Case(
        ["may-be-missing"],
        between(A_MAYBE, copy("a", "b"), to=AB),
        between(A_MAYBE, copy("a", "b", missing="skip"), to=model(a=(int, 0), b=(int, 0))),
    ),
    "copied into what may be missing": Case(
        ["may-be-missing"],
        between(model(a=Inner, z=(A, None)), copy("a.b", "z.b", missing="skip"), to=model(a=Inner, z=(AB, None))),
        between(model(a=Inner, z=A), copy("a.b", "z.b", missing="skip"), to=model(a=Inner, z=AB)),
    ),
    "merged from two, one of which may be missing": Case(
        ["may-be-missing"],
        between(model(b=int, z=(A, None)), first_of(["z.b", "b"], "z.b"), to=model(z=(AB, None))),
        between(model(b=int, z=A), first_of(["z.b", "b"], "z.b"), to=model(z=AB)),
    ),
    "copied and forgotten": Case(["unaccounted"], between(A, copy("a", "b"), to=A), between(A, copy("a", "b"), to=AB)),
    "moved from nowhere, if at all": Case(
        ["unprovided"],
        between(A, move("z.y", "b", missing="skip"), to=AB),
        between(A, move("z.y", "b", missing="skip"), copy("y", "c", missing="skip"), default("b", 1), to=AB),
    ),
    "moved out of what is no object": Case(
        ["unprovided"],
        between(A, move("a.b", "b", missing="skip"), to=AB),
        between(model(a=int | B), move("a.b", "b", missing="skip"), to=model(a=int | model(), b=(int, 0))),
    ),
    "moved into an object that may be missing": Case(
        ["may-be-missing"],
        between(model(a=int, x=(B, None)), move("a", "x.a"), to=model(x=model(a=int, b=(int, 0)))),
        between(model(a=int, x=(B, None)), move("a", "x.a", parents="create"), to=model(x=model(a=int, b=(int, 0)))),
    ),
    "merged from nowhere, if at all": Case(
        ["unprovided"],
        between(A, first_of(["x", "y"], "b", missing="skip"), to=AB),
        between(A, first_of(["x", "y"], "b", missing="skip"), to=A),
    ),
    "nested where there is one": Case(
        ["unprovided"],
        between(A, nest(["a", "b"], "n", missing="skip"), to=model(n=AB)),
        between(A, nest(["a", "b"], "n", missing="skip"), to=model(n=A)),
    ),
    "dropped from nowhere": Case(
        ["no-such-path"], between(A, drop("z"), to=A), between(A, drop("z", missing="skip"), to=A)
    ),
    "a field too many dropped": Case(["unprovided"], between(AB, drop("b"), to=AB), between(AB, drop("b"), to=A)),
    "all items dropped from what is no list": Case(
        ["wrong-type"], between(A, drop("a.*"), to=A), between(ITEMS, drop("a.*"), to=ITEMS)
    ),
    "a nested field that is not there": Case(
        ["no-such-path", "unaccounted"],
        between(A, nest(["z"], "n"), to=model(n=model(z=int))),
        between(A, nest(["a"], "n"), to=model(n=A)),
    ),
    "nested under a name that is taken": Case(
        ["collision"], between(AB, nest(["a"], "b"), to=model(b=A)), between(AB, nest(["a"], "c"), to=model(b=int, c=A))
    ),
    "unnested from nowhere": Case(
        ["no-such-path", "unaccounted"],
        between(model(x=Inner), unnest("a"), to=model(b=int, c=(str, ""))),
        between(model(a=Inner), unnest("a"), to=Inner),
    ),
    "unnested with a field that is not listed": Case(
        ["unlisted"],
        between(model(a=Inner), unnest("a", ["b"]), to=Inner),
        between(model(a=Inner), unnest("a", ["b", "c"], missing="skip"), to=Inner),
    ),
    "unnested onto a field": Case(
        ["collision"],
        between(model(a=Inner, b=int), unnest("a"), to=Inner),
        between(model(a=Inner, d=int), unnest("a"), to=model(b=int, c=(str | None, None), d=int)),
    ),
    "unnested onto a field where it may be missing": Case(
        ["collision"],
        between(
            model(a=(Inner, Inner(b=1)), b=int), unnest("a", missing="skip"), to=model(b=int, c=(str | None, None))
        ),
        between(model(a=(Inner, Inner(b=1))), unnest("a", missing="skip"), to=model(b=(int, 1), c=(str | None, None))),
    ),
    "unnested from where it may be missing, and used": Case(
        ["may-be-missing"],
        between(model(a=(Inner, Inner(b=1))), unnest("a", missing="skip"), rename("b", "x"), to=InnerRenamed),
        between(model(a=(Inner, Inner(b=1))), unnest("a", missing="skip"), default("b", 1), to=Inner),
    ),
    "an unnested child that may be missing": Case(
        ["may-be-missing"],
        between(model(a=(Inner, Inner(b=1))), unnest("a"), to=Inner),
        between(model(a=(Inner, Inner(b=1))), default("a", {"b": 1}), unnest("a"), to=Inner),
    ),
    "a key for the list that a member has": Case(
        ["collision"],
        between(model(a=model(x=A, y=B)), object_to_list("a", key="a"), to=model(a=list[dict[str, Any]])),
        between(model(a=model(x=A, y=B)), object_to_list("a", key="k"), to=model(a=list[dict[str, Any]])),
    ),
    "a rest that may be nothing is used": Case(
        ["may-be-missing"],
        between(Open, keep_only(["a"], "more"), rename_keys("more", SNAKE_CASE), to=Open),
        between(Open, keep_only(["a"], "more"), rename_keys("more", SNAKE_CASE, missing="skip"), to=Open),
    ),
    "a rest in place of a field": Case(
        ["collision"],
        between(AB, keep_only(["a"], "b"), to=model(a=int, b=dict[str, Any])),
        between(AB, keep_only(["a"], "c"), to=model(a=int, c=B)),
    ),
    "a field that a closed model does not declare": Case(
        ["unaccounted"], between(Open, add("new", 1), to=A), between(A, add("new", 1), to=Open)
    ),
    "the rest is not where the model wants it": Case(
        ["unaccounted", "unprovided"],
        between(AB, keep_only(["a"], "others"), to=model(a=int, rest=B)),
        between(AB, keep_only(["a"], "rest"), to=model(a=int, rest=B)),
    ),
    "keys respelled that the model spells otherwise": Case(
        ["unaccounted", "unprovided"],
        between(model(taskId=int), rename_keys("", SNAKE_CASE), to=model(taskid=int)),
        between(model(taskId=int), rename_keys("", SNAKE_CASE), to=model(task_id=int)),
    ),
    "keys of one level respelled, and the model wants all": Case(
        ["unaccounted", "unprovided"],
        between(model(taskId=model(myKey=int)), rename_keys("", SNAKE_CASE), to=model(task_id=model(my_key=int))),
        between(
            model(taskId=model(myKey=int)),
            rename_keys("", SNAKE_CASE, subtree=True),
            to=model(task_id=model(my_key=int)),
        ),
    ),
    "two keys respelled as one": Case(
        ["collision"],
        between(model(taskId=int, task_id=int), rename_keys("", SNAKE_CASE), to=model(task_id=int)),
        between(model(taskId=int, task_id=int), rename_keys("", SNAKE_CASE, exists="same"), to=model(task_id=int)),
    ),
    "keys respelled of what is no object": Case(
        ["wrong-type"],
        between(A, rename_keys("a", SNAKE_CASE), to=A),
        between(A, rename_keys("a", key_pattern("x", "y"), wrong_type="skip"), to=A),
    ),
    "merged from fields that there are not": Case(
        ["no-such-path", "unprovided"],
        between(A, first_of(["x", "y"], "b"), drop("a"), to=B),
        between(A, first_of(["a", "y"], "b"), to=B),
    ),
    "merged from the one that may be missing": Case(
        ["may-be-missing"],
        between(A_MAYBE, first_of(["a", "y"], "b"), to=B),
        between(model(a=(int, 0), b=(int, 0)), first_of(["a", "b"], "b"), to=B),
    ),
    "merged only where there is one": Case(
        ["unprovided"],
        between(model(a=(int, 0), b=(int, 0)), first_of(["a", "b"], "b", missing="skip"), to=B),
        between(model(a=(int, 0), b=(int, 0)), first_of(["a", "b"], "b", missing="skip"), default("b", 1), to=B),
    ),
    "a default where nulls stay": Case(
        ["type"],
        between(model(a=(int | None, None)), default("a", 1), to=A),
        between(model(a=(int | None, None)), default("a", 1, null="replace"), to=A),
    ),
}

VALUES = {
    "a type that does not fit": Case(["type"], between(A_TEXT, to=A), between(A_TEXT, convert("a", int), to=A)),
    "a null that does not fit": Case(
        ["type"], between(A_NULL, to=A), between(A_NULL, when(is_null_at("a"), assign("a", 0)), to=A)
    ),
    "a number that may have a fraction": Case(["type"], between(model(a=float), to=A), between(A, to=model(a=float))),
    "a default of another type": Case(["type"], between(A, add("b", "1"), to=AB), between(A, add("b", 1), to=AB)),
    "a default with a fraction": Case(
        ["type"], between(A, add("b", 1.5), to=AB), between(A, add("b", 1.5), to=model(a=int, b=float))
    ),
    "an object of another shape": Case(
        ["unprovided", "unaccounted"],
        between(A, add("b", {"x": 1}), to=model(a=int, b=Inner)),
        between(A, add("b", {"b": 1}), to=model(a=int, b=Inner)),
    ),
    "items of another type": Case(
        ["type"],
        between(A, add("b", [1, "x"]), to=model(a=int, b=list[int])),
        between(A, add("b", []), to=model(a=int, b=list[int])),
    ),
    "values of another type": Case(
        ["type"],
        between(model(a=dict[str, int]), to=model(a=dict[str, str])),
        between(model(a=dict[str, int]), convert("a.*", str), to=model(a=dict[str, str])),
    ),
    "an enumeration of another type": Case(
        ["type"],
        between(model(a=Literal["x", "y"]), to=model(a=Literal[1, 2])),
        between(model(a=Literal["x", "y"]), map_values("a", {"x": 1, "y": 2}), to=model(a=Literal[1, 2])),
    ),
    "a table with results of another type": Case(
        ["type"],
        between(A_TEXT, map_values("a", {"x": 1, "y": "?"}), to=A),
        between(A_TEXT, map_values("a", {"x": 1, "y": 2}), to=A),
    ),
    "a table that keeps the rest": Case(
        ["type"],
        between(A_TEXT, map_values("a", {"x": 1}, otherwise="keep"), to=A),
        between(A_TEXT, map_values("a", {"x": 1}, otherwise="keep"), to=model(a=int | str)),
    ),
    "a table for what may be an object": Case(
        ["wrong-type"],
        between(model(a=str | Inner), map_values("a", {"x": 1}), to=A),
        between(model(a=str | None), map_values("a", {"x": 1}, null="keep"), to=A_NULL),
    ),
    "a conversion of what may be null": Case(
        ["wrong-type"],
        between(A_NULL, convert("a", str), to=A_TEXT),
        between(A_NULL, convert("a", str, null="keep"), to=A_NULL),
    ),
    "a conversion of nothing": Case(
        ["no-such-path"],
        between(A, convert("z", str), to=model(a=int, z=str)),
        between(A, convert("a", str), to=A_TEXT),
    ),
    "derived from nothing": Case(
        ["no-such-path"],
        between(A, derive("b", ["z"], same), to=AB),
        between(A, derive("b", ["z"], same, missing="none"), to=AB),
    ),
    "derived from what may be missing": Case(
        ["may-be-missing"],
        between(A_MAYBE, derive("b", ["a"], same), to=AB),
        between(A_MAYBE, default("a", 1), derive("b", ["a"], same), to=AB),
    ),
    "derived where there is one": Case(
        ["collision"],
        between(AB, derive("b", ["a"], same), to=AB),
        between(AB, derive("b", ["a"], same, exists="keep"), to=AB),
    ),
    "derived and forgotten": Case(
        ["unaccounted"], between(A, derive("b", ["a"], same), to=A), between(A, derive("b", ["a"], same), to=AB)
    ),
    "a number taken apart": Case(
        ["wrong-type"],
        between(A, split_value("a", ",", ["x", "y"]), to=model(x=str, y=str)),
        between(A_TEXT, split_value("a", ",", ["x", "y"]), to=model(x=str, y=str)),
    ),
    "parts of a string as numbers": Case(
        ["type", "type"],
        between(A_TEXT, split_value("a", ",", ["x", "y"]), to=model(x=int, y=int)),
        between(
            A_TEXT, split_value("a", ",", ["x", "y"]), convert("x", int), convert("y", int), to=model(x=int, y=int)
        ),
    ),
    "numbers put together": Case(
        ["wrong-type", "wrong-type"],
        between(AB, join_values(["a", "b"], ",", "c"), to=model(c=str)),
        between(model(a=str, b=str), join_values(["a", "b"], ",", "c"), to=model(c=str)),
    ),
    "a list of a field that is not there": Case(
        ["no-such-path"],
        between(A, fields_to_list(["a", "z"], "c"), to=model(c=list[int])),
        between(AB, fields_to_list(["a", "b"], "c"), to=model(c=list[int])),
    ),
    "a list of a field that may not be there": Case(
        ["may-be-missing"],
        between(model(a=int, z=(int, 0)), fields_to_list(["a", "z"], "c", missing="skip"), to=model(c=list[int])),
        between(model(a=int, z=(int, 0)), fields_to_list(["a", "z"], "c", short="keep"), to=model(c=list[int])),
    ),
    "a list with a gap that may be": Case(
        ["may-be-missing"],
        between(
            model(a=int, y=(int, 0), z=int), fields_to_list(["a", "y", "z"], "c", short="keep"), to=model(c=list[int])
        ),
        between(
            model(a=int, y=int, z=(int, 0)), fields_to_list(["a", "y", "z"], "c", short="keep"), to=model(c=list[int])
        ),
    ),
    "a list of numbers for texts": Case(
        ["type"],
        between(AB, fields_to_list(["a", "b"], "c"), to=model(c=list[str])),
        between(AB, fields_to_list(["a", "b"], "c"), to=model(c=list[int | str])),
    ),
    "no list made": Case(
        ["unprovided"],
        between(model(), fields_to_list(["a", "z"], "c", missing="skip"), to=model(c=list[int])),
        between(model(), fields_to_list(["a", "z"], "c", missing="skip"), to=model()),
    ),
    "items that may not be there": Case(
        ["may-be-missing"],
        between(KEYED_ITEMS, move_items("a", present("k"), "b"), rename("b", "c"), to=ITEMS_AS_C),
        between(KEYED_ITEMS, move_items("a", present("k"), "b"), rename("b", "c", missing="skip"), to=ITEMS_AS_C),
    ),
    "items that are never moved": Case(
        ["may-be-missing", "type"],
        between(model(a=list[int]), move_items("a", present("k"), "b"), rename("b", "c"), to=ITEMS_AS_C),
        between(KEYED_ITEMS, move_items("a", present("k"), "b"), rename("b", "c", missing="skip"), to=ITEMS_AS_C),
    ),
    "items of which none can be meant": Case(
        ["no-such-path"],
        between(NUMBERED, move_items("a", equals("k", "x"), "b"), rename("b", "c"), to=NUMBERED_OR_C),
        between(NUMBERED, move_items("a", equals("k", 1), "b"), rename("b", "c", missing="skip"), to=NUMBERED_OR_C),
    ),
    "a default of a rename that is not needed": Case(
        ["type"],
        between(A, rename("a", "b", default="x"), to=model(b=str)),
        between(A, rename("a", "b", default="x"), to=model(b=int)),
    ),
    "what two fields that are the same say": Case(
        ["may-be-missing"],
        between(TWO, when(present("b"), rename("a", "c")), to=TWO_OR_C),
        between(TWO, when(equals("a", value_at("b")), rename("a", "c")), to=TWO_OR_C),
    ),
    "what the length of a list says": Case(
        ["may-be-missing"],
        between(LISTED, when(present("b"), rename("a", "c")), to=LISTED_OR_C),
        between(LISTED, when(equals(length("a"), 1), rename("a", "c")), to=LISTED_OR_C),
    ),
    "items of a number": Case(
        ["wrong-type"],
        between(A, move_items("a", present("k"), "b"), to=MOVED),
        between(KEYED_ITEMS, move_items("a", present("k"), "b"), to=MOVED),
    ),
    "items to a number": Case(
        ["wrong-type"],
        between(model(a=list[KEYED], b=int), move_items("a", present("k"), "b"), to=MOVED),  # type: ignore[valid-type]  # a type made while running
        between(MOVED, move_items("a", present("k"), "b"), to=MOVED),
    ),
    "items whose list may be gone": Case(
        ["unprovided"],
        between(KEYED_ITEMS, move_items("a", present("k"), "b", empty="drop"), to=MOVED),
        between(KEYED_ITEMS, move_items("a", present("k"), "b"), to=MOVED),
    ),
    "a number for a list": Case(
        ["wrong-type"],
        between(A, list_to_fields("a", ["x", "y"]), to=model(x=int, y=int)),
        between(model(a=list[int]), list_to_fields("a", ["x", "y"]), to=model(x=int, y=int)),
    ),
    "fields of items of another type": Case(
        ["type", "type"],
        between(model(a=list[int]), list_to_fields("a", ["x", "y"]), to=model(x=str, y=str)),
        between(model(a=list[str]), list_to_fields("a", ["x", "y"]), to=model(x=str, y=str)),
    ),
    "a list that may not be there": Case(
        ["may-be-missing"],
        between(model(a=(list[int], [])), list_to_fields("a", ["x", "y"]), to=model(x=int, y=int)),
        between(
            model(a=(list[int], [])), list_to_fields("a", ["x", "y"], missing="skip"), to=model(x=(int, 0), y=(int, 0))
        ),
    ),
    "put together with a part that is not there": Case(
        ["no-such-path"],
        between(A_TEXT, join_values(["a", "z"], ",", "c"), to=model(c=str)),
        between(model(a=str, z=str), join_values(["a", "z"], ",", "c", missing="skip"), to=model(c=str)),
    ),
    "put together with a part that may not be there": Case(
        ["may-be-missing"],
        between(model(a=str, z=(str, "")), join_values(["a", "z"], ",", "c", missing="skip"), to=model(c=str)),
        between(
            model(a=(str, ""), z=(str, "")), join_values(["a", "z"], ",", "c", missing="skip"), to=model(c=(str, ""))
        ),
    ),
    "nothing put together": Case(
        ["unprovided"],
        between(model(), join_values(["a", "z"], ",", "c", missing="skip"), to=model(c=str)),
        between(model(), join_values(["a", "z"], ",", "c", missing="skip"), to=model()),
    ),
    "JSON text in a number": Case(
        ["wrong-type"], between(A, parse_json("a"), to=A), between(A_TEXT, parse_json("a"), to=A)
    ),
    "JSON text that may be null": Case(
        ["wrong-type"],
        between(model(a=str | None), parse_json("a"), to=A),
        between(model(a=str | None), parse_json("a", null="keep"), to=A),
    ),
    "printed where the model wants the value": Case(
        ["type"],
        between(A_NULL, print_json("a", null="keep"), to=A_NULL),
        between(A_NULL, print_json("a", null="keep"), to=model(a=str | None)),
    ),
    "a null printed": Case(
        ["wrong-type"],
        between(A_NULL, print_json("a"), to=A_TEXT),
        between(A_NULL, print_json("a", null="print"), to=A_TEXT),
    ),
    "a header as a number": Case(
        ["type"],
        between(A, header_to_field("h", "b"), to=AB),
        between(A, header_to_field("h", "b"), convert("b", int), to=AB),
    ),
    "a header onto a field": Case(
        ["collision"],
        between(A_TEXT, header_to_field("h", "a"), to=A_TEXT),
        between(A, header_to_field("h", "b", missing="skip"), to=model(a=int, b=(str, ""))),
    ),
    "a number to a header": Case(
        ["wrong-type"],
        between(AB, field_to_header("b", "h"), to=A),
        between(model(a=int, b=str), field_to_header("b", "h"), to=A),
    ),
    "a header from nowhere": Case(
        ["no-such-path"],
        between(A, field_to_header("b", "h"), to=A),
        between(A, field_to_header("b", "h", missing="skip"), to=A),
    ),
    "a key from nowhere": Case(
        ["no-such-path"], between(A, set_key("z"), to=A), between(A, set_key("a", numbers="text"), to=A)
    ),
    "a key from an object": Case(
        ["wrong-type"], between(Deep, set_key("a"), to=Deep), between(Deep, set_key("a.b", numbers="text"), to=Deep)
    ),
    "a type from nowhere": Case(
        ["no-such-path"],
        lambda: chain(base("1", model=A), step("1", "2", rename_type(field="z", types={"x": "bill"}))),
        lambda: chain(base("1", model=A_TEXT), step("1", "2", rename_type(field="a", types={"x": "bill"}))),
    ),
}

LISTS = {
    "wrapped where the model wants the value": Case(
        ["type"], between(A, wrap("a"), to=A), between(A, wrap("a"), to=model(a=list[int]))
    ),
    "a list wrapped": Case(
        ["wrong-type"],
        between(model(a=list[int]), wrap("a"), to=model(a=list[int])),
        between(model(a=int | list[int]), wrap("a", lists="keep"), to=model(a=list[int])),
    ),
    "a null wrapped": Case(
        ["type"],
        between(A_NULL, wrap("a"), to=model(a=list[int])),
        between(A_NULL, wrap("a", null="empty"), to=model(a=list[int])),
    ),
    "a null that is not wrapped": Case(
        ["type"],
        between(A_NULL, wrap("a", null="keep"), to=model(a=list[int])),
        between(A_NULL, wrap("a", null="keep"), to=model(a=list[int] | None)),
    ),
    "a single value unwrapped": Case(
        ["wrong-type"], between(A, unwrap("a"), to=A), between(model(a=list[int]), unwrap("a"), to=A)
    ),
    "an empty list becomes null": Case(
        ["type"],
        between(model(a=list[int]), unwrap("a", empty="null"), to=A),
        between(model(a=list[int]), unwrap("a", empty="null"), to=A_NULL),
    ),
    "a list that may be null": Case(
        ["wrong-type"],
        between(model(a=list[int] | None), unwrap("a"), to=A),
        between(model(a=list[int] | None), unwrap("a", null="keep"), to=A_NULL),
    ),
    "a flat list flattened": Case(
        ["wrong-type"],
        between(model(a=list[int]), flatten("a"), to=model(a=list[int])),
        between(model(a=list[int | list[int]]), flatten("a", scalars="keep"), to=model(a=list[int])),
    ),
    "flattened, and the model wants lists": Case(
        ["type"],
        between(model(a=list[list[int]]), flatten("a"), to=model(a=list[list[int]])),
        between(model(a=list[list[int]]), flatten("a"), to=model(a=list[int])),
    ),
    "numbers on numbers": Case(
        ["wrong-type"],
        between(model(a=list[int]), number("a", "n"), to=model(a=list[int])),
        between(ITEMS, number("a", "n"), to=model(a=list[model(b=int, c=(str | None, None), n=int)])),  # type: ignore[misc]  # a type made while running
    ),
    "numbers under a name that is taken": Case(
        ["collision"],
        between(ITEMS, number("a", "b"), to=ITEMS),
        between(ITEMS, drop("a.*.b"), number("a", "b"), to=ITEMS),
    ),
    "items of what is no list": Case(
        ["wrong-type"],
        between(A, rename("a.*.b", "x"), to=A),
        between(ITEMS, rename("a.*.b", "x"), to=ITEMS_RENAMED),
    ),
    "at what is no object": Case(
        ["wrong-type"],
        between(A, at("a", add("b", 1)), to=A),
        between(Deep, at("a", rename("b", "x")), to=DeepRenamed),
    ),
    "a mistyped path in at": Case(
        ["no-such-path"],
        between(ITEMS, at("a.*", drop("z")), to=ITEMS),
        between(ITEMS, at("a.*", rename("b", "x")), to=ITEMS_RENAMED),
    ),
    "an inner document that is a number": Case(
        ["wrong-type", "type"],
        lambda: chain(
            base("1", model=A),
            step("1", "2", subdocument("a", "part", version="1"), model=A, lossy="?"),
            base("1", event_type="part"),
        ),
        lambda: chain(
            base("1", model=model(a=Inner | None)),
            step("1", "2", subdocument("a", "part", version="1", null="keep"), model=model(a=Inner | None), lossy="?"),
            base("1", event_type="part"),
        ),
    ),
}


def split(child: type[BaseModel], **options: Any) -> Callable[[], Chain]:
    """A chain that splits a list of items into parts."""
    source = model(order_id=str, lines=list[Inner])
    operation = split_each("lines", "part", item="line", **options)
    return lambda: chain(
        base("1", model=source),
        step("1", "2", operation, lossy="one event of several"),
        base("2", event_type="part", model=child),
    )


CHOICES = {
    "a branch that leaves out what is required": Case(
        ["unprovided"],
        between(A, when(present("a"), rename("a", "b"), otherwise=[add("b", 1)]), to=AB),
        between(A_MAYBE, when(present("a"), rename("a", "b"), otherwise=[add("b", 1)]), to=B),
    ),
    "a mistyped path in a branch": Case(
        ["no-such-path"],
        between(A_TEXT, when(equals("a", "x"), drop("z")), to=A_TEXT),
        between(A_TEXT, when(equals("a", "x"), drop("z", missing="skip")), to=A_TEXT),
    ),
    "a mistyped path in the other branch": Case(
        ["no-such-path"],
        between(A_TEXT, when(equals("a", "x"), assign("a", "y"), otherwise=[drop("z")]), to=A_TEXT),
        between(A_TEXT, when(equals("a", "x"), assign("a", "y"), otherwise=[assign("a", "z")]), to=A_TEXT),
    ),
    "every branch makes another type": Case(
        ["type"],
        between(model(a=int | str), when(has_type("a", "number"), assign("a", None)), to=A_TEXT),
        between(model(a=int | str), when(has_type("a", "number"), convert("a", str)), to=A_TEXT),
    ),
    "a case with a mistyped path": Case(
        ["no-such-path"],
        between(A_TEXT, switch("a", {"x": drop("z"), "y": []}), to=A_TEXT),
        between(A_TEXT, switch("a", {"x": drop("z", missing="skip"), "y": []}, otherwise=[]), to=A_TEXT),
    ),
    "a switch on what is not there": Case(
        ["no-such-path", "unaccounted"],
        between(A, switch("z", {"x": []}), to=A),
        between(A, switch("z", {"x": []}, otherwise=[]), to=A),
    ),
    "every case makes another type": Case(
        ["type"],
        between(A_TEXT, switch("a", {"x": assign("a", 1), "y": assign("a", 2)}), to=A_TEXT),
        between(A_TEXT, switch("a", {"x": assign("a", 1), "y": assign("a", 2)}), to=A),
    ),
    "children without what they need": Case(
        ["unprovided"],
        split(model(order_id=str, line=Inner, line_no=int)),
        split(model(order_id=str, line=Inner, line_no=int), number="line_no"),
    ),
    "children with what they do not declare": Case(
        ["unaccounted"],
        split(model(line=Inner)),
        split(model(order_id=str, line=Inner)),
    ),
    "items of another type than the children's": Case(
        ["type"], split(model(order_id=str, line=str)), split(model(order_id=str, line=dict[str, Any]))
    ),
    "a child's field that is taken": Case(
        ["collision", "type"],
        split(model(order_id=str, line=Inner), number="order_id"),
        split(model(order_id=str, line=Inner, id=str, of=int, name=None), id="id", total="of", name="name"),
    ),
    "a child's key from nowhere": Case(
        ["no-such-path"],
        split(model(order_id=str, line=Inner), key=["order_id", "line_no"]),
        split(model(order_id=str, line=Inner), key=["order_id", "line.b"]),
    ),
    "a split of nothing": Case(
        ["no-such-path"],
        lambda: chain(base("1", model=A), step("1", "2", split_each("z", "part", item="i"), lossy="?")),
        lambda: chain(base("1", model=ITEMS), step("1", "2", split_each("a", "part", item="i"), lossy="?")),
    ),
    "a split of a single value": Case(
        ["wrong-type"],
        lambda: chain(base("1", model=A), step("1", "2", split_each("a", "part", item="i"), lossy="?")),
        lambda: chain(base("1", model=NAMED), step("1", "2", split_each("a", "part", item="i", name="n"), lossy="?")),
    ),
    "the second step of a hop": Case(
        ["no-such-path"],
        lambda: chain(
            base("1", model=A),
            step("1", "2", rename("a", "b"), id="x"),
            step("1", "2", convert("a", str), id="y", after="x", model=B, lossy="?"),
        ),
        lambda: chain(
            base("1", model=A),
            step("1", "2", rename("a", "b"), id="x"),
            step("1", "2", convert("b", str), id="y", after="x", model=model(b=str), lossy="?"),
        ),
    ),
    "the second hop": Case(
        ["type"],
        lambda: chain(base("1", model=A), step("1", "2", model=A), step("2", "3", model=A_TEXT)),
        lambda: chain(base("1", model=A), step("1", "2"), step("2", "3", model=A_TEXT)),
    ),
    "a renamed type with another model": Case(
        ["type"],
        lambda: chain(base("1", model=A), step("1", "2", rename_type("bill"), model=A_TEXT)),
        lambda: chain(base("1", model=A), step("1", "2", rename_type("bill"), model=A)),
    ),
}


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: Any


class Colour(enum.Enum):
    RED = "red"


class Spelled(BaseModel):
    task_id: int = Field(validation_alias=AliasChoices("taskId", AliasPath("ids", 0)))


class ByName(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    task_id: int = Field(alias="taskId")


class Coerced(BaseModel):
    a: int

    @field_validator("a", mode="before")
    @classmethod
    def to_number(cls, value: Any) -> Any:
        return int(value)


class Filled(BaseModel):
    a: int

    @model_validator(mode="before")
    @classmethod
    def fill(cls, value: Any) -> Any:
        return {"a": 1, **value}


class Plain(BaseModel):
    a: Callable[[], int] | int


class Card(BaseModel):
    kind: Literal["card"]
    digits: str


class Cash(BaseModel):
    kind: Literal["cash"]
    amount: int


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


class LabelledTree(BaseModel):
    label: str
    children: list[LabelledTree] = []


def holding_each_other(count: int) -> type[BaseModel]:
    """A model of a group in which each one has an optional field for each of the others."""
    names = [f"Holder{number}" for number in range(count)]
    fields: dict[str, Any] = {name.lower(): (f"{name} | None", None) for name in names}
    made: dict[str, type[BaseModel]] = {name: create_model(name, **fields) for name in names}
    for one in made.values():
        one.model_rebuild(_types_namespace=made)
    return made[names[0]]


class Wrapped(BaseModel):
    a: int

    @field_validator("a", mode="wrap")
    @classmethod
    def lenient(cls, value: Any, _handler: Any) -> int:
        return int(value)


class Told(BaseModel):
    a: Annotated[int, WithJsonSchema({"$comment": "any text that looks like a number"})]
    b: Annotated[int, WithJsonSchema({"type": "array", "items": True})] = 1


class Own(Operation):
    """An operation that the checks do not know."""

    def apply(self, root: Any, context: Any) -> None:
        raise NotImplementedError

    def reads(self) -> tuple[Path, ...]:
        return ()

    def writes(self) -> tuple[Path, ...]:
        return (("a", EACH),)

    def inverse(self) -> Inverse:
        return Inverse(())

    def __str__(self) -> str:
        return "an operation of one's own"


class Whim(Condition):
    """A condition that the checks do not know."""

    def test(self, root: Any) -> bool:
        raise NotImplementedError

    def reads(self) -> tuple[Path, ...]:
        return (("a",), ("z", "y"))


class Extras(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int]
    a: int


# Right chains that a checker could take for wrong ones.
QUIET = {
    "what is kept of an event of which nothing is known": lambda: chain(
        base("1"),
        step(
            "1",
            "2",
            keep_only(["a", "x"], "rest"),
            rename("x", "b"),
            model=model(a=int, b=int, rest=(dict[str, Any], {})),
            lossy="?",
        ),
    ),
    "a rest of which nothing is known": lambda: chain(
        base("1"), step("1", "2", keep_only(["a"], "rest"), rename_keys("rest", SNAKE_CASE), lossy="?")
    ),
    "a rest of which only what its values are is known": lambda: chain(
        base("1", model=Extra), step("1", "2", keep_only([], "rest"), at("rest.*", add("new", 1)), lossy="?")
    ),
    "an open model within a list": between(model(a=list[Closed]), at("a.*", add("new", 1)), to=model(a=list[Open])),
    "nothing is known of the source": lambda: chain(
        base("1"), step("1", "2", rename("a", "b"), drop("c"), model=AB, lossy="?")
    ),
    "nothing is known of the target": lambda: chain(base("1", model=A), step("1", "2", rename("a", "b"))),
    "a field that may be anything": between(
        Loose, convert("a", str), rename("a.x", "y", wrong_type="skip", missing="skip"), to=A_TEXT
    ),
    "anything to anything": between(Loose, set_key("a"), wrap("a", null="empty"), unwrap("a"), to=A),
    "anything wrapped": between(model(a=Any), wrap("a", null="keep"), to=model(a=list[int])),
    "a list in a list": between(model(a=list[int]), wrap("a", lists="wrap"), to=model(a=list[list[int]])),
    "anything printed": between(model(a=Any), print_json("a", null="keep"), to=A_TEXT),
    "anything mapped": between(model(a=Any), map_values("a", {"x": 1}, null="keep"), to=A),
    "anything split": lambda: chain(
        base("1", model=model(a=Any)),
        step("1", "2", split_each("a", "part", item="i", name="n"), lossy="?"),
        base("2", event_type="part", model=model(i=Inner, n=str)),
    ),
    "a function writes what it says": between(
        A, function(same, reads=["a"], writes=["a", "b.c"], drops=["a"]), to=model(b=model(c=int))
    ),
    "a function leaves out what it reads": between(A, function(same, reads=["a"], writes=["a", "b"]), to=B),
    "both spellings are read": between(A, rename("a", "ids"), to=Spelled),
    "by alias or by name": between(model(task_id=int), to=ByName),
    "by name or by alias": between(model(taskId=int), to=ByName),
    "a validator makes it fit": between(A_TEXT, to=Coerced),
    "a validator of the model makes it fit": between(model(), to=Filled),
    "a type without a JSON Schema": between(A_TEXT, to=model(a=Any)),
    "a union with a type without a JSON Schema": between(A, to=Plain),
    "an enumeration": between(A_TEXT, to=model(a=Colour)),
    "one of several objects": between(
        model(a=Card | Cash), rename("a.digits", "number", missing="skip"), to=model(a=dict[str, Any])
    ),
    "several objects, one of them": between(model(a=Card), to=model(a=Card | Cash)),
    "a model that holds itself": between(Tree, rename("children.*.children.*.nom", "name", missing="skip"), to=Tree),
    "models that all hold each other": lambda: between(
        hold := holding_each_other(9), drop("holder3", missing="skip"), to=hold
    )(),
    "a typed rest": between(model(a=int, b=int), to=Extras),
    "a typed rest becomes fields": between(Extras, rename("x", "b"), to=AB),
    "pairs": between(model(a=tuple[int, str]), rename("a.*.x", "y", wrong_type="skip"), to=model(a=list[Any])),
    "named values": between(
        model(a=dict[str, Inner]), rename("a.first.b", "x"), drop("a.second"), to=model(a=dict[str, Any])
    ),
    "named values as fields": between(model(a=dict[str, int]), to=model(a=A)),
    "conditions that are not followed": between(
        A_MAYBE, when(any_present("a", "z"), rename("a", "b"), otherwise=[add("b", 1)]), to=B
    ),
    "conditions that are": between(
        model(a=(int | None, None)), when(~present("a") | is_null_at("a"), assign("a", 1)), to=A
    ),
    "a condition that never holds": between(A, when(absent("a"), drop("z")), to=A),
    "a condition that never holds by type": between(A, when(has_type("a", "string"), drop("z")), to=A),
    "a condition that always holds": between(
        A, when(has_type("a", "number"), drop("a"), otherwise=[drop("z")]), to=model()
    ),
    "a condition below what may be missing": between(
        model(a=(Inner, None)),
        when(absent("a.c"), default("a.c", "x", missing="skip"), otherwise=[drop("a.c")]),
        to=model(a=(Any, None)),
    ),
    "a condition below an object": between(
        Deep, when(absent("a.c"), default("a.c", "")), to=model(a=model(b=int, c=str | None))
    ),
    "an unknown field": between(A, when(present("z.y"), rename("z.y", "x")), to=A),
    "dropped where it does not fit": between(A_NULL, when(is_null_at("a"), drop_event()), to=A),
    **{
        f"{name} inside of what may be missing": between(
            model(a=(Inner | None, None)), operation, to=model(a=(dict[str, Any] | None, None))
        )
        for name, operation in {
            "copied": copy("a.b", "a.x", missing="skip"),
            "moved": move("a.b", "a.x", missing="skip"),
            "moved down": move("a.b", "a.x.b", missing="skip", parents="create"),
            "merged": first_of(["a.b", "a.x"], "a.x", missing="skip"),
        }.items()
    },
    "dropped where it is missing": between(A_MAYBE, when(~present("a"), drop_event()), rename("a", "b"), to=B),
    "made where it is missing": between(A_MAYBE, when(~present("a"), add("a", 1)), rename("a", "b"), to=B),
    "made inside where something else is": between(
        model(k=int, a=(Inner, None)),
        when(equals("k", 1) & present("a"), rename("a.b", "x")),
        when(~present("a"), add("a", {"b": 1, "x": 1})),
        rename("a", "z"),
        to=model(k=int, z=dict[str, Any]),
    ),
    "everywhere": between(
        Tree,
        everywhere(present("name"), rename("name", "label"), stop_at=["x"]),
        to=model(name=(Any, 0), children=(Any, 0)),
    ),
    "everywhere in named values": between(NAMED, everywhere(equals("b", 1), assign("b", 2)), to=NAMED),
    "an optional field": between(A, optional("b"), to=model(a=int, b=(int, 0))),
    "a split by a function": lambda: chain(base("1", model=A), step("1", "2", split_event(pairs, ["x"]), lossy="?")),
    "a type from a field": lambda: chain(
        base("1", model=A_TEXT), step("1", "2", rename_type(field="a", types={"x": "bill", "y": "offer"}))
    ),
    "nothing but a step back": between(A, rename("a", "b"), rename("b", "a"), to=A),
    "a replaced null": between(model(a=int, b=int | None), derive("b", ["a"], same, null="replace"), to=AB),
    "derived where it can be": between(
        A_MAYBE, derive("b", ["a"], same, missing="skip"), to=model(a=(int, 0), b=(int, 0))
    ),
    "an empty list dropped": between(model(a=list[int]), unwrap("a", empty="drop"), to=A_MAYBE),
    "lists of lists of anything": between(model(a=list[Any]), flatten("a"), number("a", "n"), to=model(a=list[Any])),
    "all items of an object": between(Deep, drop(("a", EACH)), to=model(a=dict[str, Any])),
    "a moved optional field": between(A_MAYBE, move("a", "b", missing="skip"), to=model(b=(int, 0))),
    "an item that may be an object": between(
        model(a=list[int | Inner]), at("a.*", rename("b", "x"), wrong_type="skip"), to=model(a=list[int | InnerRenamed])
    ),
    "an operation of one's own": between(ITEMS, Own(), to=model(a=list[str])),
    "a condition of one's own": between(A_MAYBE, when(Whim(), rename("a", "b"), otherwise=[add("b", 1)]), to=B),
    "a condition about nothing that is known": between(
        A, when(any_present("z", "y") & ~equals("x.y", 1), add("b", 1)), to=AB
    ),
    "a function that drops what is not there": between(
        A, function(same, reads=["z.y"], writes=["b"], drops=["y"]), to=AB
    ),
    "anything flattened": between(model(a=Any), flatten("a"), to=model(a=list[int])),
    "values kept, not lists": between(model(a=list[int]), flatten("a", scalars="keep"), to=model(a=list[int])),
    "a validator around a field": between(A_TEXT, to=Wrapped),
    "what only an extension tells": between(A_TEXT, to=Told),
    "some with a rest, some without": between(model(a=dict[str, int] | B), to=model(a=dict[str, Any])),
    "an item that is no list": between(
        model(a=int | list[B]),  # type: ignore[valid-type]  # a type made while running
        rename("a.*.b", "c", wrong_type="skip"),
        to=model(a=int | list[model(c=int)]),  # type: ignore[misc]  # a type made while running
    ),
    "keys respelled where there are some": between(
        model(a=int | model(myKey=int)),
        rename_keys("a", SNAKE_CASE, wrong_type="skip"),
        to=model(a=int | model(my_key=int)),
    ),
    "a null replaced or not": between(model(a=Any), default("a", 1, null="replace"), to=A),
    "named as it was": between(A, derive("a", [], same, exists="keep"), to=A),
    "not where it does not fit": between(
        A,
        drop("a.*.b", wrong_type="skip"),
        drop("a.b", wrong_type="skip"),
        at("a", add("b", 1), wrong_type="skip"),
        to=A,
    ),
    "a default that changes nothing": between(A, default("a", 1), to=A),
    "another type than one that is not there": between(A, when(~has_type("z", "null"), assign("a", 1)), to=A),
    "stopped at": between(NAMED, everywhere(present("b"), rename("b", "x"), stop_at=["a"]), to=NAMED),
    "numbers in an empty list": between(A, add("b", []), number("b", "n"), to=model(a=int, b=list[Any])),
}

DEEPER = {
    "a field of a model that holds itself, renamed only at the top": Case(
        ["unaccounted", "unprovided"],
        between(Tree, rename("name", "label"), to=LabelledTree),
        between(Tree, everywhere(present("name"), rename("name", "label")), to=LabelledTree),
    ),
}

MODELS = {**DEEPER, **FIELDS, **VALUES, **LISTS, **CHOICES}
