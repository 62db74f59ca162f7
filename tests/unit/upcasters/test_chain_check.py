"""`Chain.check`: what `upcast check` refuses, for a test of one's own."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel

from upcasters import (
    Always,
    Baseline,
    Chain,
    ChainError,
    Detection,
    FromField,
    FromHeader,
    FromShape,
    Operation,
    Step,
    add,
    between,
    default,
    drop,
    join_list,
    keep_only,
    map_values,
    matches,
    must_exist,
    present,
    rename,
    rename_type,
    split_each,
    split_list,
    subdocument,
    template,
    when,
)
from upcasters.checks import detection_notes
from upcasters.detection import VersionRule


class Old(BaseModel):
    a: int


class New(BaseModel):
    b: int


def refused(chain: Chain, rules: Detection | None = None) -> str:
    with pytest.raises(ChainError) as caught:
        chain.check(rules)
    return str(caught.value)


def chain_with(*rules: VersionRule, shape: bool = False) -> Chain:
    base = Baseline("t", 1, shape=present("a") if shape else None)
    detection = Detection(version=rules)
    return Chain([Step("t", 1, 2, [rename("a", "b")], shape=present("b"))], [base], detection=detection)


def test_a_sound_chain() -> None:
    Chain([Step("t", 1, 2, [rename("a", "b")], model=New)], [Baseline("t", 1, model=Old)]).check()
    chain_with(FromShape(), shape=True).check()
    chain_with(FromHeader("v"), FromShape()).check()
    chain_with(FromShape(), Always("1")).check()


class Listed(BaseModel):
    items: list[Old]
    others: list[Any]


@pytest.mark.parametrize("field", ["items.*.a", "items.*", "others.*.a", "others.*"])
def test_what_must_exist_in_a_list_is_not_missed_where_nothing_is_known_of_it(field: str) -> None:
    step = Step("t", 1, 2, [must_exist(field)])
    Chain([step], [Baseline("t", 1)]).check()
    Chain([step], [Baseline("t", 1, model=Listed)]).check()


def test_what_must_exist_and_cannot() -> None:
    chain = Chain([Step("t", 1, 2, [must_exist("items.*.b")])], [Baseline("t", 1, model=Listed)])
    assert "items.*.b does not exist at this point" in refused(chain)


def test_a_step_that_does_not_lead_to_its_model() -> None:
    chain = Chain([Step("t", 1, 2, [rename("a", "c")], model=New)], [Baseline("t", 1, model=Old)])
    assert "b, which the model requires, is missing" in refused(chain)


NO_SHAPE = "the version is told by shape alone, and t 1 declares none. Give it a shape, or add a rule that tells it"


def test_a_version_without_a_shape_where_shape_alone_tells() -> None:
    assert NO_SHAPE in refused(chain_with(FromShape()))
    assert NO_SHAPE in refused(chain_with(), Detection(version=(FromShape(),)))
    assert NO_SHAPE in refused(chain_with(FromHeader("v")), Detection(version=(FromShape(),)))
    chain_with(FromShape()).check(Detection(version=(FromHeader("v"),)))


def test_shape_alone_tells_where_neither_chain_nor_route_has_a_rule() -> None:
    with pytest.raises(ChainError, match="the version is told by shape alone, and t 1 declares none"):
        chain_with().upcaster()


def test_rules_that_are_left_to_the_route_are_a_note() -> None:
    chain = chain_with()
    chain.check()
    (note,) = detection_notes(chain, chain.detection)
    assert "t 1 declares none, and the chain has no rules. Let each route give a rule that tells it." in str(note)
    assert detection_notes(chain, Detection(version=(FromHeader("v"),))) == []
    assert detection_notes(chain_with(shape=True), Detection()) == []


def test_versions_that_stand_inside_of_others_need_no_shape() -> None:
    inner = Chain(
        [
            Step("t", 1, 2, [subdocument("p", "part", version="1"), rename("a", "b")], shape=present("b"), lossy="x"),
            Step("t", 2, 3, [split_each("items", "item", item="x")], lossy="split", shape=None),
            Step("part", 1, 2, [add("x", 1)]),
            Step("item", 3, 4, [rename_type("thing")]),
        ],
        [Baseline("t", 1, shape=present("a")), Baseline("part", 1), Baseline("item", 3)],
        detection=Detection((Always("t"),), (FromShape(),)),
    )
    inner.check()


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (FromField("v", "no group"), "a detection rule's pattern does not have exactly one group"),
        (FromHeader("v", "("), "a detection rule is wrong: missing ), unterminated subpattern"),
        (FromField("rows.*.v"), "a detection rule asks for no single field"),
        (Always("9"), "a detection rule says that the version is always '9', which the chain does not have"),
    ],
)
def test_rules_that_are_wrong(rule: VersionRule, said: str) -> None:
    assert said in refused(chain_with(rule))


def test_a_stamp_without_a_place() -> None:
    chain = Chain([Step("t", 1, 2, [add("a", 1)])], [Baseline("t", 1)], detection=Detection(stamp="first"))
    chain.check()
    assert "stamp='first' has no rule that reads" in refused(chain, Detection(version=(Always("1"),), stamp="first"))


def test_a_version_that_is_but_assumed_is_a_note() -> None:
    chain = chain_with(FromHeader("v"), Always("1"))
    (note,) = detection_notes(chain, chain.detection)
    assert "an event whose version nothing tells is taken for 1, and so is what comes out of it" in str(note)
    current = chain_with(FromHeader("v"), Always("2"))
    assert detection_notes(current, current.detection) == []


class Flagged(Old):
    v: bool


class NewlyFlagged(New):
    v: bool


def test_a_version_field_that_can_hold_no_version_says_nothing_of_the_step() -> None:
    """No event is ever detected by it; the model is told as it is."""
    chain = Chain(
        [Step("t", 1, 2, [rename("a", "b")], model=NewlyFlagged)],
        [Baseline("t", 1, model=Flagged)],
        detection=Detection(version=(FromField("v"), Always("1"))),
    )
    chain.check()


class Loose(BaseModel):
    a: str
    rest: dict[str, int]
    b: int


class Together(BaseModel):
    a: str
    rest: dict[str, int]


@pytest.mark.parametrize("exists", ["same", "keep", "replace"])
def test_what_is_not_kept_joins_a_child_that_is_there(exists: Literal["same", "keep", "replace"]) -> None:
    step = Step("t", 1, 2, [keep_only(["a"], "rest", exists=exists)], model=Together, lossy="x")
    Chain([step], [Baseline("t", 1, model=Loose)]).check()


class Inner(BaseModel):
    b: int


class Nested(BaseModel):
    a: str
    rest: Inner
    b: str


class NestedTogether(BaseModel):
    a: str
    rest: Inner


def test_of_two_fields_the_one_that_stays_has_to_fit() -> None:
    def chain(exists: Literal["keep", "replace"]) -> Chain:
        step = Step("t", 1, 2, [keep_only(["a"], "rest", exists=exists)], model=NestedTogether, lossy="x")
        return Chain([step], [Baseline("t", 1, model=Nested)])

    chain("keep").check()
    assert "rest.b" in refused(chain("replace"))


class Named(BaseModel):
    a: str


def test_what_is_thrown_away_is_no_field_any_more() -> None:
    thrown = Step("t", 1, 2, [keep_only(["a"], None)], model=Named, lossy="x")
    Chain([thrown], [Baseline("t", 1, model=Nested)]).check()
    used = Step("t", 1, 2, [keep_only(["a"], None), rename("b", "c")], lossy="x")
    assert "b does not exist at this point" in refused(Chain([used], [Baseline("t", 1, model=Nested)]))


class Amounts(BaseModel):
    a: int
    b: int | None
    t: str
    items: list[int]


@pytest.mark.parametrize(
    ("operation", "complaint"),
    [
        (rename("x", "new", default="1"), ""),
        (must_exist("b", null="error"), ""),
        (template("u", "x{t}"), ""),
        (map_values("items", [([1], "one")]), ""),
        (split_list("t", ","), ""),
        (split_list("a", ","), "string"),
        (join_list("items", ","), "string"),
        (when(matches("t", "^x"), drop("b"), otherwise=[default("c", 1)]), ""),
        (when(between("a", at_least=1), drop("b"), otherwise=[default("c", 1)]), ""),
        (when(between("t", below=1), drop("b"), otherwise=[default("c", 1)]), ""),
    ],
    ids=str,
)
def test_what_operations_do_to_a_model(operation: Operation, complaint: str) -> None:
    chain = Chain([Step("t", 1, 2, [operation], lossy="for the test")], [Baseline("t", 1, model=Amounts)])
    if complaint:
        assert complaint in refused(chain)
    else:
        chain.check()
