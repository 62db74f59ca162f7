"""Steps whose single values, members or headers do not fit, beside such that do."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, RootModel, computed_field

from tests.unit.upcasters.wrong_chains.case import Case, base, chain, step
from tests.unit.upcasters.wrong_chains.models import between, model
from upcasters import (
    POSITION,
    SNAKE_CASE,
    Always,
    Baseline,
    Chain,
    Detection,
    FromField,
    Step,
    add,
    assign,
    at,
    convert,
    default,
    derive,
    drop_header,
    equals,
    everywhere,
    field_to_header,
    from_object,
    has_type,
    header_to_field,
    list_to_object,
    map_values,
    number,
    object_to_list,
    present,
    rename,
    rename_header,
    rename_keys,
    rename_type,
    set_header,
    switch,
    to_object,
    when,
)

T = TypeVar("T")


class Status(enum.Enum):
    OPEN = "open"
    DONE = "done"


class Pair(BaseModel):
    id: str
    n: int


class Numbered(BaseModel):
    n: int


def constant(kind: Any, wrong: Any, right: Any) -> Case:
    """A field that gets a fixed value."""
    return Case(
        ["value"],
        between(model(), add("k", wrong), to=model(k=kind)),
        between(model(), add("k", right), to=model(k=kind)),
    )


def tighter(source: Any, wrong: Any, right: Any) -> Case:
    """A field that nothing changes, with limits in both models."""
    return Case(["value"], between(model(k=source), to=model(k=wrong)), between(model(k=source), to=model(k=right)))


AB, ABC = Literal["a", "b"], Literal["a", "b", "c"]
NARROW = {
    "a constant that is no choice": constant(AB, "c", "b"),
    "a constant that is no member": constant(Status, "lost", "done"),
    "too short a constant": constant(Annotated[str, Field(min_length=2)], "a", "ab"),
    "too long a constant": constant(Annotated[str, Field(max_length=2)], "abc", "ab"),
    "a constant of another pattern": constant(Annotated[str, Field(pattern="^a")], "ba", "ab"),
    "too small a constant": constant(Annotated[int, Field(ge=2)], 1, 2),
    "a constant at its bound": constant(Annotated[int, Field(gt=2)], 2, 3),
    "too large a constant": constant(Annotated[float, Field(le=2)], 2.5, 2),
    "a constant at its upper bound": constant(Annotated[int, Field(lt=2)], 2, 1),
    "a constant that is no moment": constant(dt.datetime, "yesterday", "2024-06-01T00:00:00Z"),
    "a constant that is no day": constant(dt.date, "1.6.2024", "2024-06-01"),
    "a constant that is no id": constant(uuid.UUID, "7", "12345678-1234-5678-1234-567812345678"),
    "one choice less": tighter(ABC, AB, ABC),
    "one choice less, or null": tighter(ABC | None, AB | None, Literal["a", "b", "c", "d"] | None),
    "members that are no more": tighter(AB, Status, AB),
    "a higher bound": tighter(Annotated[int, Field(ge=1)], Annotated[int, Field(ge=2)], Annotated[int, Field(ge=0)]),
    "a lower bound": tighter(
        Annotated[int, Field(ge=0, lt=9)], Annotated[int, Field(ge=0, lt=8)], Annotated[int, Field(ge=0, lt=9)]
    ),
    "shorter texts": tighter(
        Annotated[str, Field(max_length=3)], Annotated[str, Field(max_length=1)], Annotated[str, Field(max_length=3)]
    ),
    "a day for a moment": tighter(dt.date, dt.datetime, dt.date),
    "a value that the table does not list": Case(
        ["unmapped"],
        between(model(k=ABC), map_values("k", {"a": "x", "b": "y"}), to=model(k=str)),
        between(
            model(k=ABC), map_values("k", {"a": "x", "b": "y"}, otherwise="keep"), to=model(k=Literal["x", "y", "c"])
        ),
    ),
    "a null that the table does not list": Case(
        ["unmapped"],
        between(model(k=Literal["a"] | None), map_values("k", {"a": "x"}), to=model(k=str)),
        between(model(k=Literal["a"] | None), map_values("k", {"a": "x"}, null="keep"), to=model(k=str | None)),
    ),
    "a result that is no choice": Case(
        ["value"],
        between(model(k=AB), map_values("k", {"a": "x", "b": "y"}), to=model(k=Literal["x"])),
        between(model(k=Literal["a"]), map_values("k", {"a": "x", "b": "y"}), to=model(k=Literal["x"])),
    ),
    "a value without a case": Case(
        ["unmapped"],
        between(model(k=ABC), switch("k", {"a": [], "b": [assign("k", "a")]}), to=model(k=ABC)),
        between(
            model(k=ABC), switch("k", {"a": [], "b": [assign("k", "a")]}, otherwise=[]), to=model(k=Literal["a", "c"])
        ),
    ),
    "a case that leaves a choice": Case(
        ["value"],
        between(model(k=ABC), when(equals("k", "a"), assign("k", "b")), to=model(k=Literal["b"])),
        between(model(k=ABC), when(equals("k", "a"), assign("k", "b")), to=model(k=Literal["b", "c"])),
    ),
    "a header that was dropped": Case(
        ["no-such-path"],
        between(model(), drop_header("h"), rename_header("h", "g"), to=model()),
        between(model(), drop_header("h"), rename_header("h", "g", missing="skip"), to=model()),
    ),
    "a header made twice": Case(
        ["collision"],
        between(model(), set_header("g", "1"), set_header("g", "2"), to=model()),
        between(model(), set_header("g", "1"), set_header("g", "2", exists="replace"), to=model()),
    ),
    "a header renamed to one that is there": Case(
        ["collision"],
        between(model(), set_header("g", "1"), rename_header("h", "g"), to=model()),
        between(model(), set_header("g", "1"), rename_header("h", "g", missing="skip"), to=model()),
    ),
    "two fields for one header": Case(
        ["collision"],
        between(model(a=str, b=str), field_to_header("a", "g"), field_to_header("b", "g"), to=model()),
        between(model(a=str, b=str), field_to_header("a", "g"), field_to_header("b", "i"), to=model()),
    ),
    "one header for two fields": Case(
        ["no-such-path"],
        between(model(), header_to_field("h", "a"), header_to_field("h", "b"), to=model(a=str, b=str)),
        between(
            model(),
            header_to_field("h", "a"),
            when(present("x"), set_header("h", "")),
            header_to_field("h", "b"),
            to=model(a=str, b=str),
        ),
    ),
    "a position of nothing": Case(
        ["no-such-path"],
        between(model(x=list[Pair]), derive("p", [POSITION], str), to=model(x=list[Pair], p=str)),
        between(model(x=list[Numbered]), at("x.*", derive("id", [POSITION], str)), to=model(x=list[Pair])),
    ),
    "items without their key": Case(
        ["no-such-path"],
        between(model(x=list[Numbered]), list_to_object("x", "id"), to=model(x=dict[str, Numbered])),
        between(model(x=list[Pair]), list_to_object("x", "id"), to=model(x=dict[str, Numbered])),
    ),
    "items by a number": Case(
        ["wrong-type"],
        between(model(x=list[Pair]), list_to_object("x", "n"), to=model(x=dict[str, dict[str, Any]])),
        between(model(x=list[Pair]), list_to_object("x", "id", value="n"), to=model(x=dict[str, int])),
    ),
    "members that have their key already": Case(
        ["collision"],
        between(model(x=dict[str, Pair]), object_to_list("x", "id"), to=model(x=list[Pair])),
        between(model(x=dict[str, Numbered]), object_to_list("x", "id"), to=model(x=list[Pair])),
    ),
    "members that are no objects": Case(
        ["wrong-type"],
        between(model(x=dict[str, int]), object_to_list("x", "id"), to=model(x=list[Any])),
        between(model(x=dict[str, int]), object_to_list("x", "id", value="n"), to=model(x=list[Pair])),
    ),
    "an object in an object": Case(
        ["wrong-type"],
        between(model(x=Pair), to_object("x", "p"), to=model(x=dict[str, Any])),
        between(model(x=Pair), to_object("x", "p", objects="wrap"), to=model(x=dict[str, Pair])),
    ),
    "a value that became an object": Case(
        ["type"],
        between(model(x=str | None), to_object("x", "id", null="keep"), to=model(x=str | None)),
        between(model(x=str | None), to_object("x", "id", null="keep"), to=model(x=dict[str, str] | None)),
    ),
    "an object with more than its value": Case(
        ["unlisted"],
        between(model(x=Pair), from_object("x", "n"), to=model(x=int)),
        between(model(x=Pair), from_object("x", "n", others="drop"), to=model(x=int)),
    ),
    "pairs of three": Case(
        ["unlisted"],
        between(
            model(x=list[Pair]),
            at("x.*", add("m", 1)),
            list_to_object("x", "id", value="n"),
            to=model(x=dict[str, int]),
        ),
        between(model(x=list[Pair]), list_to_object("x", "id", value="n"), to=model(x=dict[str, int])),
    ),
    "a value for an object": Case(
        ["wrong-type"],
        between(model(x=str), from_object("x", "n"), to=model(x=int)),
        between(model(x=Numbered | None), from_object("x", "n", null="keep"), to=model(x=int | None)),
    ),
    "texts where numbers belong": Case(
        ["type"],
        between(model(x=list[dict[str, int]]), number("x", "id", text="#{}"), to=model(x=list[dict[str, int]])),
        between(model(x=list[Numbered]), number("x", "id", text="#{}", exists="keep"), to=model(x=list[Pair])),
    ),
}


class Page(BaseModel, Generic[T]):
    items: list[T]
    after: T | None = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class Barker(BaseModel):
    kind: Literal["dog"]
    skills: list[str]


class Names(RootModel[list[str]]):
    pass


class Sealed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    taskId: str = Field(alias="task-id")  # noqa: N815  # as it is written


class SealedToo(BaseModel):
    model_config = ConfigDict(extra="forbid")
    task_id: str


class Reckoned(BaseModel):
    n: int

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def twice(self) -> int:
        return 2 * self.n


Old, New = (Annotated[Cat | other, Field(discriminator="kind")] for other in (Dog, Barker))

# Right ones that a check might take for wrong ones.
FINE = {
    "generics": between(
        Page[Numbered], at("items.*", rename("n", "m")), to=model(items=list[dict[str, int]], after=(Any, None))
    ),
    "a branch of a union": between(
        model(pet=Old), at("pet", when(equals("kind", "dog"), rename("tricks", "skills"))), to=model(pet=New)
    ),
    "a union, by a switch": between(
        model(pet=Old), at("pet", switch("kind", {"dog": [rename("tricks", "skills")], "cat": []})), to=model(pet=New)
    ),
    "a number that some items have": between(
        model(a=list[Numbered]), number("a", "n", exists="keep"), to=model(a=list[Numbered])
    ),
    "objects among values": between(
        model(a=str | dict[str, Any]), to_object("a", "id", objects="keep"), to=model(a=dict[str, Any])
    ),
    "an object that may have more": between(model(a=Pair), from_object("a", "n", others="keep"), to=model(a=Any)),
    "a list of no object": between(model(), add("a", {}), object_to_list("a", "id"), to=model(a=list[Numbered])),
    "an object of no list": between(model(), add("a", []), list_to_object("a", "id"), to=model(a=dict[str, Numbered])),
    "a choice that is none": between(model(a=AB), when(equals("a", "z"), rename("gone", "a")), to=model(a=AB)),
    "nothing else to choose": between(
        model(a=Literal["x"]),
        when(equals("a", "x"), add("b", 1), otherwise=[rename("gone", "b")]),
        to=model(a=str, b=int),
    ),
    "a pattern that Python cannot read": between(model(a=AB), to=model(a=Annotated[str, Field(pattern=r"^\p{L}$")])),
    "a root model": between(model(x=Names), rename("x", "y"), to=model(y=Names)),
    "closed models with an alias": between(Sealed, rename("task-id", "task_id"), to=SealedToo),
    "a field that is only computed": between(model(m=int), rename("m", "n"), to=Reckoned),
    "text to what is written as text": between(
        model(a=str, b=str, c=str), to=model(a=dt.datetime, b=uuid.UUID, c=Status)
    ),
    "numbers to amounts": between(model(a=int, b=float), to=model(a=Decimal, b=Decimal)),
    "looser limits": between(model(a=Annotated[int, Field(gt=1, le=5)]), to=model(a=Annotated[float, Field(gt=1)])),
    "converted into limits": between(model(a=str), convert("a", len), to=model(a=Annotated[int, Field(ge=0)])),
    "a default of a choice": between(model(a=(AB, "a")), default("a", "b"), to=model(a=AB)),
    "keys by rule": between(model(taskId=AB), rename_keys("", SNAKE_CASE), to=model(task_id=AB)),
    "a choice by a condition": between(
        model(a=AB | int), when(has_type("a", "number"), assign("a", "b")), to=model(a=AB)
    ),
    "headers in branches": between(
        model(a=AB), switch("a", {"a": [set_header("h", "1")], "b": [set_header("h", "2")]}), to=model(a=AB)
    ),
    "headers in other branches": between(
        model(a=AB), when(equals("a", "b"), set_header("h", "1"), otherwise=[set_header("h", "2")]), to=model(a=AB)
    ),
    "anywhere": between(
        model(a=dict[str, Numbered]),
        everywhere(has_type("n", "number"), assign("n", 7)),
        to=model(a=dict[str, Numbered]),
    ),
}


def renamed_to(name: str, to: Any) -> Chain:
    """A chain whose type stands in the field ``t``."""
    rules = Detection((FromField("t"),), (Always("1"),))
    return Chain(
        [Step("a", "1", "2", [rename_type(name)], model=model(t=to))],
        [Baseline("a", "1", model=model(t=Literal["a"]))],
        detection=rules,
    )


def stamped(kind: Any, to: Any, target: str = "2", pattern: str | None = None) -> Callable[[], Chain]:
    """A chain whose versions stand in the field ``v``, where the new one is written."""
    rules = Detection(version=(FromField("v", pattern),))
    return lambda: chain(base("1", model=model(v=kind)), step("1", target, model=model(v=to)), detection=rules)


SHAPES = {
    "a model that does not take its own version": Case(
        ["value"], stamped(Literal["1"], Literal["3"]), stamped(Literal["1"], Literal["2"])
    ),
    "a model that does not take its own version as a number": Case(
        ["value"], stamped(Literal[1], Literal[3]), stamped(Literal[1], Literal[2])
    ),
    "a version that is no number any more": Case(
        ["type"], stamped(Literal[1], int, target="2a"), stamped(Literal[1], str, target="2a")
    ),
    "a version that may be null, and then stays it": Case(
        ["type"], stamped(Literal["1"] | None, Literal["2"]), stamped(Literal["1"] | None, Literal["2"] | None)
    ),
    "a version that is a part of a text": Case(
        ["type"],
        stamped(Literal["v1"], int, pattern="v(.*)"),
        stamped(Literal["v1"], Literal["v2"], pattern="v(.*)"),
    ),
    "a model that does not take its own type": Case(
        ["value"],
        lambda: renamed_to("b", Literal["c"]),
        lambda: renamed_to("b", Literal["b"]),
    ),
    "two versions of one shape": Case(
        ["same-shape"],
        lambda: chain(step("1", "2", shape=present("x")), step("2", "3", shape=present("x"))),
        lambda: chain(step("1", "2", shape=present("x")), step("2", "3", shape=present("x", "y"))),
    ),
    "a newer version that asks for less": Case(
        ["same-shape"],
        lambda: chain(step("1", "2", shape=present("x", "y")), step("2", "3", shape=present("y") | present("z"))),
        lambda: chain(step("1", "2", shape=present("x", "y"), looks_like=["3"]), step("2", "3", shape=present("y"))),
    ),
    "a current preview": Case(
        ["preview-current"],
        lambda: chain(step("1", "2", preview=True), current={"order": "2"}),
        lambda: chain(step("1", "2", preview=True), current={"order": "1"}),
    ),
    "an item that all items overwrite": Case(
        ["same-path"],
        lambda: chain(base("1"), step("1", "2", add("a.x.b", 1), assign("a.*.b", 2), lossy="on purpose")),
        lambda: chain(base("1"), step("1", "2", assign("a.*.b", 2), assign("a.x.b", 1), lossy="on purpose")),
    ),
    "a field of what is overwritten": Case(
        ["same-path"],
        lambda: chain(base("1"), step("1", "2", add("a.b", 1), assign("a", 2), lossy="on purpose")),
        lambda: chain(base("1"), step("1", "2", add("a.b", 1), default("a", 2), lossy="on purpose")),
    ),
}
