"""Chains that are wrong as a map."""

from __future__ import annotations

from pydantic import BaseModel

from tests.unit.upcasters.wrong_chains.case import Case, base, chain, step
from upcasters import (
    KEY,
    add,
    assign,
    at,
    copy,
    derive,
    drop,
    drop_event,
    equals,
    list_to_fields,
    present,
    rename,
    rename_type,
    set_key,
    split_each,
    split_event,
    split_value,
    subdocument,
    when,
)


class First(BaseModel):
    a: int


class Other(BaseModel):
    a: int


def nothing(_document: object, _origin: str) -> list[tuple[str, object]]:
    return []


LOSS = "nobody reads it"

STRUCTURE = {
    "there is nothing in it": Case(
        ["empty"],
        chain,
        lambda: chain(base("1")),
    ),
    "two steps have one id": Case(
        ["duplicate-id"],
        lambda: chain(step("1", "2", id="a"), step("2", "3", id="a")),
        lambda: chain(step("1", "2", id="a"), step("2", "3", id="b")),
    ),
    "two baselines for one version": Case(
        ["duplicate-baseline"],
        lambda: chain(base("1"), base(1), step("1", "2")),
        lambda: chain(base("1"), base("1", event_type="payment"), step("1", "2")),
    ),
    "a step without a type": Case(
        ["no-type"],
        lambda: chain(step("1", "2", event_type="")),
        lambda: chain(step("1", "2")),
    ),
    "a baseline without a type": Case(
        ["no-type"],
        lambda: chain(base("1", event_type="")),
        lambda: chain(base("1")),
    ),
    "two ways up from one version": Case(
        ["two-ways"],
        lambda: chain(step("1", "2"), step("1", "3"), step("2", "3")),
        lambda: chain(step("1", "2"), step("2", "3")),
    ),
    "two steps between the same versions": Case(
        ["duplicate"],
        lambda: chain(step("1", "2", id="a"), step("1", "2", id="b")),
        lambda: chain(step("1", "2", id="a"), step("1", "2", id="b", after="a")),
    ),
    "two steps behind the same one": Case(
        ["duplicate", "duplicate"],
        lambda: chain(step("1", "2", id="a"), step("1", "2", id="b", after="a"), step("1", "2", id="c", after="a")),
        lambda: chain(step("1", "2", id="a"), step("1", "2", id="b", after="a"), step("1", "2", id="c", after="b")),
    ),
    "behind a step that there is not": Case(
        ["unknown-after"],
        lambda: chain(step("1", "2", id="a"), step("1", "2", id="b", after="x")),
        lambda: chain(step("1", "2", id="a"), step("1", "2", id="b", after="a")),
    ),
    "behind a step of another hop": Case(
        ["unknown-after"],
        lambda: chain(step("1", "2", id="a"), step("2", "3", id="b", after="a"), step("2", "3", id="c")),
        lambda: chain(step("1", "2", id="a"), step("2", "3", id="b", after="c"), step("2", "3", id="c")),
    ),
    "steps that run behind each other": Case(
        ["after-cycle"],
        lambda: chain(step("1", "2", id="a", after="b"), step("1", "2", id="b", after="a")),
        lambda: chain(step("1", "2", id="a"), step("1", "2", id="b", after="a")),
    ),
    "steps that run behind each other, beside a first one": Case(
        ["after-cycle"],
        lambda: chain(step("1", "2", id="a"), step("1", "2", id="b", after="c"), step("1", "2", id="c", after="b")),
        lambda: chain(step("1", "2", id="a"), step("1", "2", id="b", after="c"), step("1", "2", id="c", after="a")),
    ),
    "behind itself": Case(
        ["after-cycle"],
        lambda: chain(step("1", "2", id="a", after="a")),
        lambda: chain(step("1", "2", id="a")),
    ),
    "to the version it came from": Case(
        ["self"],
        lambda: chain(step("1", "2"), step("2", "2")),
        lambda: chain(step("1", "2"), step("2", "3")),
    ),
    "1 and '1' are one version": Case(
        ["self"],
        lambda: chain(step(1, "1")),
        lambda: chain(step(1, "1.0")),
    ),
    "no version to no version": Case(
        ["self"],
        lambda: chain(step(None, None)),
        lambda: chain(step(None, "1")),
    ),
    "back and forth": Case(
        ["cycle"],
        lambda: chain(step("1", "2"), step("2", "1")),
        lambda: chain(step("1", "2"), step("2", "3")),
    ),
    "a circle of three, behind a way in": Case(
        ["cycle"],
        lambda: chain(step("0", "1"), step("1", "2"), step("2", "3"), step("3", "1")),
        lambda: chain(step("0", "1"), step("1", "2"), step("2", "3"), step("3", "4")),
    ),
    "a circle over two types": Case(
        ["cycle"],
        lambda: chain(
            step("1", "2", rename_type("bill")),
            step("2", "1", rename_type("order"), event_type="bill"),
        ),
        lambda: chain(
            step("1", "2", rename_type("bill")),
            step("2", "3", rename_type("order"), event_type="bill"),
        ),
    ),
    "a type renamed by a field, and back": Case(
        ["cycle"],
        lambda: chain(
            step("1", "2", rename_type(field="kind", types={"a": "bill", "b": "offer"})),
            step("2", "1", rename_type("order"), event_type="bill"),
        ),
        lambda: chain(
            step("1", "2", rename_type(field="kind", types={"a": "bill", "b": "offer"})),
            step("2", "3", event_type="bill"),
        ),
    ),
    "children that split into what they came from": Case(
        ["cycle"],
        lambda: chain(
            step("1", "2", split_event(nothing, ["line"]), lossy=LOSS),
            step("2", "1", split_event(nothing, ["order"]), event_type="line", lossy=LOSS),
        ),
        lambda: chain(
            step("1", "2", split_event(nothing, ["line"]), lossy=LOSS),
            step("2", "3", split_event(nothing, ["part"]), event_type="line", lossy=LOSS),
        ),
    ),
    "a child of the version that it came from": Case(
        ["self"],
        lambda: chain(step("1", "2", split_each("lines", "order", item="line", version="1"), lossy=LOSS)),
        lambda: chain(step("1", "2", split_each("lines", "line", item="line", version="1"), lossy=LOSS)),
    ),
    "a version in the middle that no step makes": Case(
        ["gap", "two-newest"],
        lambda: chain(base("1"), step("1", "2"), step("3", "4")),
        lambda: chain(base("1"), step("1", "2"), step("2", "3"), step("3", "4")),
    ),
    "a mistyped version": Case(
        ["gap", "two-newest"],
        lambda: chain(base("1.0"), step("1.0", "1.1"), step("1,1", "2.0")),
        lambda: chain(base("1.0"), step("1.0", "1.1"), step("1.1", "2.0")),
    ),
    "no baseline for the second way in": Case(
        ["gap"],
        lambda: chain(base("1"), step("1", "3"), step("2", "3")),
        lambda: chain(base("1"), base("2"), step("1", "3"), step("2", "3")),
    ),
    "two newest versions": Case(
        ["two-newest"],
        lambda: chain(step("1", "2"), step("1.5", "3")),
        lambda: chain(step("1", "3"), step("1.5", "3")),
    ),
    "a baseline that leads nowhere beside one that becomes another type": Case(
        ["dead-end"],
        lambda: chain(base("0"), base("1"), step("1", "2", rename_type("bill"))),
        lambda: chain(base("0"), base("1"), step("0", "1"), step("1", "2", rename_type("bill"))),
    ),
    "a baseline that leads nowhere": Case(
        ["two-newest"],
        lambda: chain(base("0"), base("1"), step("1", "2")),
        lambda: chain(base("0"), step("0", "1"), step("1", "2")),
    ),
    "children of a version beside the history of their type": Case(
        ["two-newest"],
        lambda: chain(
            step("1", "2", split_each("lines", "line", item="line"), lossy=LOSS),
            base("1", event_type="line"),
        ),
        lambda: chain(
            step("1", "2", split_each("lines", "line", item="line", version="1"), lossy=LOSS),
            base("1", event_type="line"),
        ),
    ),
    "current is a version that there is not": Case(
        ["unknown-current"],
        lambda: chain(step("1", "2"), current={"order": "3"}),
        lambda: chain(step("1", "2"), current={"order": "1"}),
    ),
    "current names a type that there is not": Case(
        ["unknown-current"],
        lambda: chain(step("1", "2"), current={"bill": "2"}),
        lambda: chain(step("1", "2"), current={"order": 2}),
    ),
    "a step behind a preview is none": Case(
        ["preview-order"],
        lambda: chain(step("1", "2", preview=True), step("2", "3")),
        lambda: chain(step("1", "2"), step("2", "3", preview=True)),
    ),
    "looks like a version that there is not": Case(
        ["unknown-version"],
        lambda: chain(step("1", "2", looks_like=["0"])),
        lambda: chain(step("1", "2", looks_like=["1"])),
    ),
    "a baseline looks like a version that there is not": Case(
        ["unknown-version"],
        lambda: chain(base("1", looks_like=["3"]), step("1", "2")),
        lambda: chain(base("1", looks_like=["2"]), step("1", "2")),
    ),
    "an inner document of an unknown type": Case(
        ["unknown-type"],
        lambda: chain(step("1", "2", subdocument("a", "line", version="1"), lossy=LOSS)),
        lambda: chain(
            step("1", "2", subdocument("a", "line", version="1"), lossy=LOSS), step("1", "2", event_type="line")
        ),
    ),
    "an inner document of an unknown version": Case(
        ["unknown-version"],
        lambda: chain(
            step("1", "2", subdocument("a", "line", version="0"), lossy=LOSS), step("1", "2", event_type="line")
        ),
        lambda: chain(
            step("1", "2", subdocument("a", "line", version_field="v"), lossy=LOSS), step("1", "2", event_type="line")
        ),
    ),
    "operations behind a split": Case(
        ["split-not-last"],
        lambda: chain(step("1", "2", split_each("lines", "line", item="line"), add("a", 1), lossy=LOSS)),
        lambda: chain(step("1", "2", add("a", 1), split_each("lines", "line", item="line"), lossy=LOSS)),
    ),
    "a split of a part of the event": Case(
        ["split-inside"],
        lambda: chain(step("1", "2", at("a", split_each("lines", "line", item="line")), lossy=LOSS)),
        lambda: chain(step("1", "2", split_each("a.lines", "line", item="line"), lossy=LOSS)),
    ),
    "a step behind a split in the same hop": Case(
        ["split-not-last"],
        lambda: chain(
            step("1", "2", split_each("lines", "line", item="line"), id="a", lossy=LOSS),
            step("1", "2", add("a", 1), id="b", after="a"),
        ),
        lambda: chain(
            step("1", "2", split_each("lines", "line", item="line"), id="a", after="b", lossy=LOSS),
            step("1", "2", add("a", 1), id="b"),
        ),
    ),
    "a step behind a renamed type in the same hop": Case(
        ["split-not-last"],
        lambda: chain(step("1", "2", rename_type("bill"), id="a"), step("1", "2", add("a", 1), id="b", after="a")),
        lambda: chain(step("1", "2", rename_type("bill"), id="a", after="b"), step("1", "2", add("a", 1), id="b")),
    ),
    "a dropped field that nobody declared lost": Case(
        ["undeclared-loss"],
        lambda: chain(step("1", "2", drop("a"))),
        lambda: chain(step("1", "2", drop("a"), lossy=LOSS)),
    ),
    "a dropped field, with a value for the way back": Case(
        ["undeclared-loss"],
        lambda: chain(step("1", "2", assign("a", 1))),
        lambda: chain(step("1", "2", drop("a", restore=None))),
    ),
    "a rename that replaces": Case(
        ["undeclared-loss"],
        lambda: chain(step("1", "2", rename("a", "b", exists="replace"))),
        lambda: chain(step("1", "2", rename("a", "b", exists="same"))),
    ),
    "dropped events that nobody declared lost": Case(
        ["undeclared-loss"],
        lambda: chain(step("1", "2", when(equals("kind", "ping"), drop_event()))),
        lambda: chain(step("1", "2", when(equals("kind", "ping"), drop_event()), lossy=LOSS)),
    ),
    "a condition that its own operations change": Case(
        ["undeclared-loss"],
        lambda: chain(step("1", "2", when(equals("kind", "a"), rename("kind", "sort")))),
        lambda: chain(step("1", "2", when(equals("kind", "a"), rename("kind", "sort"), undo_when=equals("sort", "a")))),
    ),
    "a model for a version that is never made": Case(
        ["unused-model"],
        lambda: chain(step("1", "2", split_each("lines", "line", item="line"), lossy=LOSS, model=First)),
        lambda: chain(
            step("1", "2", split_each("lines", "line", item="a"), lossy=LOSS), base("2", event_type="line", model=First)
        ),
    ),
    "a model in the middle of a hop": Case(
        ["unused-model"],
        lambda: chain(step("1", "2", id="a", model=First), step("1", "2", id="b", after="a", model=Other)),
        lambda: chain(step("1", "2", id="a"), step("1", "2", id="b", after="a", model=Other)),
    ),
    "two models for one version": Case(
        ["unused-model"],
        lambda: chain(base("1"), step("1", "2", model=First), base("2", model=Other)),
        lambda: chain(step("1", "2", model=First), base("1", model=Other)),
    ),
    "a model where a field decides the type": Case(
        ["unused-model"],
        lambda: chain(step("1", "2", rename_type(field="kind", types={"a": "bill", "b": "offer"}), model=First)),
        lambda: chain(step("1", "2", rename_type("bill"), model=First)),
    ),
    "two fields get one name": Case(
        ["same-path"],
        lambda: chain(step("1", "2", rename("a", "x", missing="skip"), rename("b", "x", missing="skip"))),
        lambda: chain(step("1", "2", rename("a", "x"), rename("b", "y"))),
    ),
    "a default that another one overwrites": Case(
        ["same-path"],
        lambda: chain(step("1", "2", add("a", 1), assign("a", 2), lossy=LOSS)),
        lambda: chain(step("1", "2", add("a", 1), copy("a", "b"), assign("a", 2), lossy=LOSS)),
    ),
    "a field made and dropped unread": Case(
        ["same-path"],
        lambda: chain(step("1", "2", add("a", 1), drop("a"), lossy=LOSS)),
        lambda: chain(step("1", "2", add("a", 1), copy("a", "b"), drop("a"), lossy=LOSS)),
    ),
    "a part of a text that is set again": Case(
        ["collision", "same-path"],
        lambda: chain(step("1", "2", split_value("a", "@", ["b", "c"]), add("b", 2), lossy=LOSS)),
        lambda: chain(step("1", "2", split_value("a", "@", ["b", "c"]), drop("b"), lossy=LOSS)),
    ),
    "an item of a list that is set again": Case(
        ["collision", "same-path"],
        lambda: chain(step("1", "2", list_to_fields("a", ["b", "c"]), add("b", 2), lossy=LOSS)),
        lambda: chain(step("1", "2", list_to_fields("a", ["b", "c"]), drop("b"), lossy=LOSS)),
    ),
    "a key that is set twice": Case(
        ["same-path"],
        lambda: chain(step("1", "2", set_key("a"), rename("b", "c"), set_key("c"), lossy=LOSS)),
        lambda: chain(step("1", "2", set_key("a"), derive("old_key", [KEY], str), set_key("b"), lossy=LOSS)),
    ),
    "a type that is renamed twice": Case(
        ["same-path"],
        lambda: chain(step("1", "2", rename_type("bill"), rename_type("offer"))),
        lambda: chain(step("1", "2", rename_type("bill"), when(present("until"), rename_type("offer")), lossy=LOSS)),
    ),
}
