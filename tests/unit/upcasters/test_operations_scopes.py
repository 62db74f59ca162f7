"""Operations elsewhere: at a path, at any depth, in a document inside the document."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.upcasters.applying import applied, assert_reversible, context, refused, touches, undone
from upcasters import (
    EACH,
    POSITION,
    Always,
    Baseline,
    Chain,
    ChainError,
    Detection,
    Event,
    EventError,
    FromField,
    Operation,
    Reversibility,
    Step,
    StepError,
    Upcast,
    absent,
    add,
    assign,
    at,
    convert,
    convert_time,
    default,
    derive,
    drop,
    drop_event,
    equals,
    everywhere,
    has_type,
    is_null_at,
    join_values,
    map_values,
    move,
    nest,
    present,
    print_json,
    reformat,
    rename,
    scale,
    split_value,
    subdocument,
    to_object,
    unnest,
)
from upcasters.context import Context
from upcasters.document import Object, read, write
from upcasters.errors import MissingField, TooDeep, WrongType
from upcasters.operations.base import undo
from upcasters.operations.scopes import Everywhere, Walk, go_together

EXACT, EQUIVALENT, NEEDS_VALUE, LOSSY = Reversibility
PLACED, PLACED2 = (derive(name, [POSITION], int) for name in "nm")


def bringing() -> Context:
    """A context whose documents inside go from any version to 9, with a mark of where they came from."""
    around = context()

    def bring(event_type: str, version: str, inner: Object, to: str | None) -> str:
        inner["was"] = f"{event_type} {version}"
        return to or "9"

    around.bring = bring
    return around


CHANGES: dict[str, tuple[Operation, str, str]] = {
    "at": (
        at("a.b", rename("x", "y"), add("z", 1)),
        '{"a":{"b":{"x":1.10}},"c":[ ]}',
        '{"a":{"b":{"y":1.10,"z":1}},"c":[ ]}',
    ),
    "at all items": (
        at("a.*", move("b.c", "c")),
        '{"a":[{"b":{"c":1}},{"b":{"c":null}}]}',
        '{"a":[{"b":{},"c":1},{"b":{},"c":null}]}',
    ),
    "at all values": (
        at(("a.b", EACH), nest(["x"], "n")),
        '{"a.b":{"":{"x":1},"é":{"x":2}}}',
        '{"a.b":{"":{"n":{"x":1}},"é":{"n":{"x":2}}}}',
    ),
    "at nothing": (at("a", drop("b"), missing="skip"), "{}", "{}"),
    "at what is no object": (
        at("a.*", drop("b"), wrong_type="skip"),
        '{"a":[1,null,[2],{"b":1}]}',
        '{"a":[1,null,[2],{}]}',
    ),
    "at in at": (at("a", at("b.*", drop("c"))), '{"a":{"b":[{"c":1}]}}', '{"a":{"b":[{}]}}'),
    "everywhere": (
        everywhere(present("old"), rename("old", "new")),
        '{"old":{"old":[{"old":1.10},[{"old":2}]]},"x":{ "keep" : [ 1 ] }}',
        '{"new":{"new":[{"new":1.10},[{"new":2}]]},"x":{ "keep" : [ 1 ] }}',
    ),
    "everywhere, inner ones first": (
        everywhere(present("a"), unnest("a")),
        '{"a":{"a":{"b":1}}}',
        '{"b":1}',
    ),
    "everywhere but below some keys": (
        everywhere(present("a"), drop("a"), stop_at=["raw"]),
        '{"raw":{"a":1},"x":[{"a":1,"raw":[{"a":2}]}]}',
        '{"raw":{"a":1},"x":[{"raw":[{"a":2}]}]}',
    ),
    "everywhere where it fits": (
        everywhere(equals("kind", "x"), assign("kind", "y")),
        '{"kind":"x","a":[{"kind":"z"},{"kind":"\\u0078"}]}',
        '{"kind":"y","a":[{"kind":"z"},{"kind":"y"}]}',
    ),
    "everywhere by a key spelled with escapes": (
        everywhere(absent("z") & equals("kénd", "x"), assign("kénd", "y")),
        '{"a":[{"k\\u00e9nd":"x"}],"b":[{"kénd":"x"},{ "kind" : "x" }],"c":{ "d" : "\\n" }}',
        '{"a":[{"kénd":"y"}],"b":[{"kénd":"y"},{ "kind" : "x" }],"c":{ "d" : "\\n" }}',
    ),
    "everywhere by no key": (
        everywhere(absent("a") | present("b"), add("a", 1)),
        '{"x":[{"b":1}],"a":1}',
        '{"x":[{"b":1,"a":1}],"a":1}',
    ),
    "everywhere by a type or null": (
        everywhere(has_type("a", "null") & is_null_at("a"), drop("a")),
        '{"x":[{"a":null},{"a":1}]}',
        '{"x":[{},{"a":1}]}',
    ),
    "everywhere in what was opened": (
        at("a", add("b.n", 1), everywhere(present("n"), drop("n"))),
        '{"a":{"b":{}}}',
        '{"a":{"b":{}}}',
    ),
    "a document inside": (subdocument("a", "part", version="1"), '{"a":{"x":1.10}}', '{"a":{"x":1.10,"was":"part 1"}}'),
    "documents inside": (
        subdocument("a.*", "part", version_field="meta.v"),
        '{"a":[{"meta":{"v":"1"}},{"meta":{"v":2}},{"meta":{"v":1.10}}]}',
        '{"a":[{"meta":{"v":"9"},"was":"part 1"},{"meta":{"v":9},"was":"part 2"},{"meta":{"v":9},"was":"part 1.10"}]}',
    ),
    "a document inside, null": (subdocument("a", "part", version="1", null="keep"), '{"a":null}', '{"a":null}'),
    "a document inside, missing": (subdocument("a", "part", version="1", missing="skip"), "{}", "{}"),
}


@pytest.mark.parametrize(("operation", "before", "after"), CHANGES.values(), ids=CHANGES.keys())
def test_changes(operation: Operation, before: str, after: str) -> None:
    assert applied(before, operation, around=bringing()) == after


def test_the_version_of_a_document_inside_that_another_operation_has_set() -> None:
    operations = add("a.v", 3), subdocument("a", "part", version_field="v")
    assert applied('{"a":{}}', *operations, around=bringing()) == '{"a":{"v":9,"was":"part 3"}}'


REFUSALS: dict[str, tuple[Operation, str, type[EventError], str]] = {
    "at nothing": (at("a.b", drop("c")), '{"a":{}}', MissingField, "a.b"),
    "at items, a list": (at("a.*", drop("c")), '{"a":[[]]}', WrongType, "a.*"),
    "at items, a number": (at("a.*", drop("c")), '{"a":[1]}', WrongType, "a.*"),
    "at items at items": (at("a.*", at("b.*", drop("c"))), '{"a":[{"b":[{"c":1},{}]}]}', MissingField, "a.*.b.*.c"),
    "a position of nothing": (derive("n", [POSITION], int), "{}", MissingField, ""),
    "a position at a field": (at("a", derive("n", [POSITION], int)), '{"a":{}}', MissingField, "a"),
    "no version in an item": (
        at("a.*", subdocument("d", "part", version_field="v.v")),
        '{"a":[{"d":{"v":{}}}]}',
        MissingField,
        "a.*.d.v.v",
    ),
    "at a list": (at("a", drop("c")), '{"a":[]}', WrongType, "a"),
    "at null": (at("a", drop("c"), missing="skip"), '{"a":null}', WrongType, "a"),
    "nothing at": (at("a", drop("c")), '{"a":{}}', MissingField, "a.c"),
    "everywhere, nothing": (
        everywhere(has_type("a", "number"), drop("b")),
        '{"c":0,"x":[{"a":1,"b":1},{"y":{"a":1}}]}',
        MissingField,
        "[1][1][0].b",
    ),
    "everywhere, at the top": (everywhere(has_type("a", "number"), drop("b")), '{"a":1}', MissingField, "b"),
    "no document inside": (subdocument("a", "part", version="1"), "{}", MissingField, "a"),
    "a number inside": (subdocument("a.*", "part", version="1"), '{"a":[1]}', WrongType, "a.*"),
    "null inside": (subdocument("a", "part", version="1"), '{"a":null}', WrongType, "a"),
    "no version inside": (subdocument("a.*", "part", version_field="v"), '{"a":[{}]}', MissingField, "a.*.v"),
}


@pytest.mark.parametrize(("operation", "before", "error", "path"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refuses(operation: Operation, before: str, error: type[EventError], path: str) -> None:
    refused(error, path, before, operation, bringing())


def test_a_document_inside_needs_a_chain() -> None:
    with pytest.raises(ChainError, match="needs a chain"):
        applied('{"a":{}}', subdocument("a", "part", version="1"))


REVERSIBLE: dict[str, tuple[Operation, str]] = {
    "at": (at("a.*", rename("b", "c"), add("d", 1), missing="skip", wrong_type="skip"), '{"a":[{"b":1},5]}'),
    "everywhere, making objects": (everywhere(present("a"), nest(["b"], "n")), '{"a":{"a":1,"b":{"a":2,"b":3}},"b":4}'),
    "everywhere, adding objects": (everywhere(absent("z"), add("n", {})), '{"a":{"b":[{}]}}'),
    "everywhere, making text of objects": (
        everywhere(present("a"), print_json("b")),
        '{"a":1,"b":{"a":2,"b":{"a":3,"b":{}}}}',
    ),
    "everywhere, changing where it stops": (
        everywhere(present("a"), rename("b", "raw"), stop_at=["raw"]),
        '{"a":1,"b":{"a":2,"b":3}}',
    ),
    "positions": (
        at("a.*.b.*", derive("n", [POSITION, "x"], "{}{}".format)),
        '{"a":[{"b":[{"x":"a"},{"x":"b"}]},{"b":[{"x":"c"}]}]}',
    ),
    "everywhere, by another question": (
        everywhere(present("a"), rename("a", "b"), undo_where=present("b")),
        '{"a":1,"x":[{"a":{"a":2}}]}',
    ),
    "everywhere": (
        everywhere(
            present("id"),
            rename("a", "b"),
            add("n", 1),
            map_values("s", {"x": "y"}),
            convert("t", str, int),
            split_value("u", "-", ["v", "w"]),
            join_values(["x", "y"], "-", "z"),
        ),
        '{"id":0,"a":1,"s":"x","t":5,"u":"1-2","x":"3","y":"4","l":[{"id":1,"a":1,"s":"x","t":6,"u":"-","x":"","y":""}]}',
    ),
}


@pytest.mark.parametrize(("operation", "before"), REVERSIBLE.values(), ids=REVERSIBLE.keys())
def test_comes_back(operation: Operation, before: str) -> None:
    assert_reversible(before, operation)


WAYS_BACK: dict[str, tuple[Operation, Reversibility, str, str]] = {
    "at, with a default": (at("a", default("b", 1)), EQUIVALENT, '{"a":{"b":1}}', '{"a":{}}'),
    "everywhere, with a default": (
        everywhere(present("a"), default("b", 1)),
        EQUIVALENT,
        '{"a":{"b":1}}',
        '{"a":{"b":1}}',
    ),
    "everywhere, changing what it asks": (everywhere(present("a"), rename("a", "b")), LOSSY, '{"b":1}', '{"b":1}'),
    "everywhere, changing what it still asks": (
        everywhere(present("a") | present("b"), rename("a", "b", missing="skip")),
        LOSSY,
        '{"b":1}',
        '{"a":1}',
    ),
    "everywhere, changing what it asks below": (
        everywhere(present("a.b"), drop("a")),
        LOSSY,
        '{"a":1}',
        '{"a":1}',
    ),
    "a document inside": (subdocument("a", "part", version="1"), LOSSY, '{"a":1}', '{"a":1}'),
}


@pytest.mark.parametrize(("operation", "kind", "newer", "older"), WAYS_BACK.values(), ids=WAYS_BACK.keys())
def test_goes_back(operation: Operation, kind: Reversibility, newer: str, older: str) -> None:
    inverse = operation.inverse()
    assert (inverse.kind, bool(inverse.why)) == (kind, kind is not EXACT)
    assert undone(newer, operation) == older


POSITIONS: dict[str, tuple[Operation, str, str]] = {
    "of items": (at("a.*", PLACED), '{"a":[{},{}]}', '{"a":[{"n":0},{"n":1}]}'),
    "of values": (at("a.*", PLACED), '{"a":{"x":{},"y":{}}}', '{"a":{"x":{"n":0},"y":{"n":1}}}'),
    "of inner items": (at("a.*.*", PLACED), '{"a":[[{}],[{},{}]]}', '{"a":[[{"n":0}],[{"n":0},{"n":1}]]}'),
    "below items": (at("a.*.b", PLACED), '{"a":[{"b":{}},{"b":{}}]}', '{"a":[{"b":{"n":0}},{"b":{"n":1}}]}'),
    "of the item around": (
        at("a.*", at("b", PLACED)),
        '{"a":[{"b":{}},{"b":{}}]}',
        '{"a":[{"b":{"n":0}},{"b":{"n":1}}]}',
    ),
    "of the item again": (
        at("a.*", at("b.*", PLACED), derive("m", [POSITION], int)),
        '{"a":[{"b":[]},{"b":[{}]}]}',
        '{"a":[{"b":[],"m":0},{"b":[{"n":0}],"m":1}]}',
    ),
    "of those that are objects": (
        at("a.*", PLACED, wrong_type="skip"),
        '{"a":[5,{},[],{}]}',
        '{"a":[5,{"n":1},[],{"n":3}]}',
    ),
    "where one is missing": (at("a.*.b", PLACED, missing="skip"), '{"a":[{},{"b":{}}]}', '{"a":[{},{"b":{"n":1}}]}'),
    "anywhere": (
        everywhere(present("x"), PLACED),
        '{"a":[{},{"x":{"b":[{"x":1}]}}]}',
        '{"a":[{},{"x":{"b":[{"x":1,"n":0}]},"n":1}]}',
    ),
    "anywhere in an item": (
        at("a.*", everywhere(present("x"), PLACED), PLACED2),
        '{"a":[{"b":{"x":1}}]}',
        '{"a":[{"b":{"x":1,"n":0},"m":0}]}',
    ),
}


@pytest.mark.parametrize(("operation", "before", "after"), POSITIONS.values(), ids=POSITIONS.keys())
def test_positions(operation: Operation, before: str, after: str) -> None:
    around = context()
    assert applied(before, operation, around=around) == after
    assert around.position is None


def test_an_error_inside_names_the_whole_place() -> None:
    operation = at("a.*", at("b", rename("c", "d")), add("e", 1))
    assert refused(MissingField, "a.*.b.c", '{"a":[{"b":{}}]}', operation) == "c is missing (in a.*.b)"


def test_null_inside_is_passed_over() -> None:
    operation = subdocument("a.*", "part", version="1", null="keep")
    assert applied('{"a":[null,{}]}', operation, around=bringing()) == '{"a":[null,{"was":"part 1"}]}'


def test_a_dropped_event_ends_what_is_at_a_path() -> None:
    around = context()
    applied('{"a":[{},{}]}', at("a.*", drop_event(), drop("not there")), around=around)
    assert around.dropped


def test_says_what_it_touches() -> None:
    assert touches(at("a.*", rename("b", "c"), drop("d"))) == {
        "reads": (("a", EACH, "b"),),
        "writes": (("a", EACH, "b"), ("a", EACH, "c"), ("a", EACH, "d")),
        "dropped": (("a", EACH, "d"),),
    }
    assert touches(everywhere(present("a"), drop("b"))) == {"reads": ((EACH,),), "writes": ((EACH,),), "dropped": ()}
    assert touches(subdocument("a", "part", version="1")) == {"reads": (("a",),), "writes": (("a",),), "dropped": ()}


def test_the_texts_are_what_people_read() -> None:
    assert [
        str(at("a", drop("b"), drop("c"))),
        str(everywhere(present("a"), drop("b"))),
        str(subdocument("a", "part", version="1")),
    ] == [
        "at a: drop b; drop c",
        "everywhere where a is present: drop b",
        "bring a (part) to its current version",
    ]


TREE = '{"v":1,"r":{"k":"ref","v":1,"of":{"v":1}},"l":[{"v":1,"c":{"v":1}}],"c":{"c":{"v":1}}}'
REACHED: list[tuple[Operation, str]] = [
    (
        everywhere(present("v"), assign("v", 2), stop_where=equals("k", "ref")),
        '{"v":2,"r":{"k":"ref","v":2,"of":{"v":1}},"l":[{"v":2,"c":{"v":2}}],"c":{"c":{"v":2}}}',
    ),
    (
        everywhere(present("v"), assign("v", 2), only_in=["c", "l"]),
        '{"v":2,"r":{"k":"ref","v":1,"of":{"v":1}},"l":[{"v":2,"c":{"v":2}}],"c":{"c":{"v":2}}}',
    ),
    (
        everywhere(present("v") & absent("r"), assign("v", 2), nested="keep"),
        '{"v":1,"r":{"k":"ref","v":2,"of":{"v":1}},"l":[{"v":2,"c":{"v":1}}],"c":{"c":{"v":2}}}',
    ),
]


@pytest.mark.parametrize(("operation", "after"), REACHED, ids=["stop", "only", "outermost"])
def test_how_far_everywhere_goes(operation: Operation, after: str) -> None:
    assert applied(TREE, operation) == after


def test_everywhere_comes_back_as_far_as_it_went() -> None:
    for choices in ({"stop_where": equals("k", "ref")}, {"only_in": ["c"]}, {"nested": "keep"}):
        operation = everywhere(present("v"), rename("v", "w"), undo_where=present("w"), **choices)
        assert_reversible(TREE, operation)
    lost = everywhere(present("v"), rename("k", "kind", missing="skip"), stop_where=equals("k", "ref"))
    assert lost.inverse().kind is LOSSY
    told = everywhere(present("v"), drop("x"), stop_where=present("k"), only_in=["c"], stop_at=["d"], nested="keep")
    reach = "only in c, not below d, not inside of what k is present, outermost only"
    assert str(told) == f"everywhere where v is present, {reach}: drop x"


def test_one_walk_for_several() -> None:
    first = everywhere(present("a"), rename("a", "b"))
    second = everywhere(present("b"), to_object("b", "c"))
    assert isinstance(first, Everywhere)
    assert isinstance(second, Everywhere)
    assert go_together([first, second])
    assert not go_together([second, first]), "what it looks at may be inside"
    assert not go_together([first, everywhere(present("b"), drop("x"), stop_at=["b"])])  # type: ignore[list-item]  # what `everywhere` takes is wider than the list's type
    assert not go_together([first, everywhere(present("b"), drop("x"), nested="keep")])  # type: ignore[list-item]  # what `everywhere` takes is wider than the list's type
    before = '{"a":0,"x":{"a":1},"l":[{"a":2}]}'
    root = read(before.encode())
    Walk([first, second]).apply(root, context())
    assert write(root).decode() == applied(before, first, second)


def test_parts_are_brought_to_the_version_of_their_parent() -> None:
    """Then the step goes on with parts of one age; what is newer stays."""
    lift = subdocument("part", "doc", version_field="version", to="2", missing="skip")
    doc = present("version")
    chain = Chain(
        [
            Step("doc", "1", "2", [everywhere(doc, assign("version", "2")), rename("a", "b")], lossy="x"),
            Step("doc", "2", "3", [lift, everywhere(doc, assign("version", "3")), rename("b", "c")], lossy="x"),
        ],
        [Baseline("doc", "1")],
        detection=Detection((Always("doc"),), (FromField("version"),)),
    )
    upcaster = chain.upcaster()
    for part, becomes in (('"1","a":1', '"3","b":1'), ('"2","b":1', '"3","b":1'), ('"3","c":1', '"3","c":1')):
        event = Event(f'{{"version":"2","b":0,"part":{{"version":{part}}}}}'.encode())
        outcome = upcaster.upcast(event)
        assert outcome == upcaster.reference.upcast(event)
        assert isinstance(outcome, Upcast)
        assert outcome.value.decode() == f'{{"version":"3","c":0,"part":{{"version":{becomes}}}}}'
    with pytest.raises(ChainError, match="does not have doc 7"):
        Chain(
            [Step("doc", "1", "2", [subdocument("p", "doc", version="1", to="7")], lossy="x")], [Baseline("doc", "1")]
        )


@pytest.mark.parametrize("option", ["where", "stop_where", "undo_where"])
def test_what_is_no_condition_is_named_by_its_option(option: str) -> None:
    given: dict[str, Any] = {"where": present("a"), option: "a"}
    with pytest.raises(StepError, match=f"{option} is a str, not a condition"):
        everywhere(given.pop("where"), drop("a"), **given)


@pytest.mark.parametrize(
    "local",
    [
        scale("a", 100),
        convert_time("a", "s", "ms"),
        reformat("a", "{}", "x{}"),
        *undo((assign("a", 1), default("a", 1))).operations,
    ],
    ids=str,
)
def test_what_is_about_one_field_goes_along_in_one_walk(local: Operation) -> None:
    last = everywhere(present("a"), drop("x"))
    assert isinstance(last, Everywhere)
    first = everywhere(present("a"), local)
    assert isinstance(first, Everywhere)
    assert go_together([first, last])


def test_a_walk_that_changes_only_the_content_of_what_it_asks_for_is_undone() -> None:
    content = at("image", rename("url", "href"), add("type", "Link"))
    before = '{"image":{"url":1,"image":{"url":[ 2 ]}},"x":[{"image":{"url":3}},{"image":"4"}]}'
    assert_reversible(before, everywhere(has_type("image", "object"), content))
    whole = everywhere(has_type("image", "object"), rename("image", "picture"))
    assert whole.inverse().kind is LOSSY
    other = everywhere(present("image.url"), content)
    assert other.inverse().kind is LOSSY


def test_a_walk_into_what_it_has_made_itself_comes_to_an_end() -> None:
    (back,) = everywhere(present("p"), unnest("p", ["x"]), undo_where=present("x")).inverse().operations
    message = refused(TooDeep, "", '{"a":{"x":1}}', back)
    assert message == "what is changed at any depth, and inside of what that has made, is nested deeper than 400 levels"
