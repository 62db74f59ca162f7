"""Texts in another form, around values, as lists, and back."""

from __future__ import annotations

import pytest

from tests.unit.upcasters.applying import applied, assert_reversible, refused, touches, undone
from upcasters import (
    EACH,
    Operation,
    Reversibility,
    StepError,
    join_list,
    join_values,
    reformat,
    split_list,
    split_value,
    template,
)
from upcasters.errors import Ambiguous, FieldExists, FormatMismatch, MissingField, WrongType

REFORMATTED = [
    (reformat("a", "{}", "cus_{}"), '{"a":"1"}', '{"a":"cus_1"}'),
    (reformat("a", "{}", "cus_{}"), '{"a":""}', '{"a":"cus_"}'),
    (reformat("a", "#/d/{}", "#/c/s/{}"), '{"a":"#/d/x/y"}', '{"a":"#/c/s/x/y"}'),
    (reformat("a", "{y:4}{m:2}{d:2}", "{y}-{m}-{d}"), '{"a":"20240131"}', '{"a":"2024-01-31"}'),
    (reformat("a", "{q} {p}", "{p}, {q}"), '{"a":"Ada King Lovelace"}', '{"a":"King Lovelace, Ada"}'),
    (reformat("a", "{}", "{{{}}}"), '{"a":"x"}', '{"a":"{x}"}'),
    (reformat("a.*", "{}", "<{}>"), '{"a":["é","\\u00e9"]}', '{"a":["<é>","<é>"]}'),
    (reformat("a", "{}", "<{}>", null="keep"), '{"a":null}', '{"a":null}'),
    (reformat("a", "{}", "<{}>", missing="skip"), "{}", "{}"),
    (reformat("a", "{}", "<{}>", wrong_type="skip"), '{"a":1.0}', '{"a":1.0}'),
]


@pytest.mark.parametrize(("operation", "before", "after"), REFORMATTED)
def test_another_form(operation: Operation, before: str, after: str) -> None:
    assert applied(before, operation) == after
    assert_reversible(before, operation)


def test_what_has_another_form() -> None:
    strict = reformat("a", "x{}", "y{}")
    assert "does not have the form 'x{}'" in refused(FormatMismatch, "a", '{"a":"z"}', strict)
    refused(WrongType, "a", '{"a":1}', strict)
    refused(WrongType, "a", '{"a":null}', strict)
    refused(MissingField, "a", "{}", strict)
    kept = reformat("a", "x{}", "y{}", otherwise="keep")
    assert applied('{"a":"z"}', kept) == '{"a":"z"}'
    assert kept.inverse().kind is Reversibility.EQUIVALENT
    assert undone('{"a":"y1"}', kept) == '{"a":"x1"}'
    assert touches(kept) == {"reads": (("a",),), "writes": (("a",),), "dropped": ()}
    assert str(kept) == "write a as 'y{}' where it is 'x{}'"


def test_what_could_not_be_read_again() -> None:
    operation = reformat("a", "{y:4}{m}", "{y}-{m}")
    assert "could not be read again" in refused(FormatMismatch, "a", '{"a":"20-41"}', operation)
    refused(FormatMismatch, "a", '{"a":"204"}', operation)
    (back,) = operation.inverse().operations
    refused(FormatMismatch, "a", '{"a":"20245-1"}', back)


WRONG_FORMS = [
    lambda: reformat("a", "x", "{}"),
    lambda: reformat("a", "{}", "{}"),
    lambda: reformat("a", "{p}{q}", "{p} {q}"),
    lambda: reformat("a", "{p} {p}", "{p}"),
    lambda: reformat("a", "{p}", "{q}"),
    lambda: reformat("a", "{", "{}"),
    lambda: reformat("a", "{!r}", "{}"),
    lambda: reformat("a", "{:>4}", "{}"),
    lambda: reformat("a", 1, "{}"),  # type: ignore[arg-type]  # wrong on purpose
    lambda: template("a", "x"),
    lambda: template("a", "{}"),
    lambda: template("a", "{b:2}"),
]


@pytest.mark.parametrize("build", WRONG_FORMS, ids=range(len(WRONG_FORMS)))
def test_forms_that_are_none(build: object) -> None:
    assert callable(build)
    with pytest.raises(StepError):
        build()


def test_a_text_around_values() -> None:
    operation = template("url", "https://x.io/orders/{order.id}/{line}", numbers="text")
    before = '{"order":{"id":"A"},"line":1.10}'
    after = '{"order":{"id":"A"},"line":1.10,"url":"https://x.io/orders/A/1.10"}'
    assert applied(before, operation) == after
    assert_reversible(before, operation)
    with pytest.raises(Ambiguous):
        undone(after.replace("A/", "B/"), operation)
    assert str(operation) == "write url as 'https://x.io/orders/{order.id}/{line}'"
    assert touches(operation)["reads"] == (("order", "id"), ("line",))


def test_values_that_are_no_text() -> None:
    strict = template("b", "<{a}>")
    assert "a, which is part of a text, is not a string" in refused(WrongType, "a", '{"a":1}', strict)
    refused(WrongType, "a", '{"a":null}', template("b", "<{a}>", numbers="text"))
    refused(MissingField, "a", "{}", strict)
    refused(FieldExists, "b", '{"a":"x","b":1}', strict)
    assert applied("{}", template("b", "<{a}>", missing="skip")) == "{}"
    assert applied('{"a":"x","b":1}', template("b", "<{a}>", exists="keep")) == '{"a":"x","b":1}'
    assert applied('{"a":true,"b":1}', template("b", "<{a}>", exists="replace", numbers="text")).endswith(
        '"b":"<true>"}'
    )


LISTS = [
    (split_list("a", ","), '{"a":"x,y,"}', '{"a":["x","y",""]}'),
    (split_list("a", ","), '{"a":""}', '{"a":[]}'),
    (split_list("a", ""), '{"a":"xé"}', '{"a":["x","é"]}'),
    (split_list("a", "\n", ends="keep"), '{"a":"x\\ny"}', '{"a":["x\\n","y"]}'),
    (split_list("a", "\n", ends="keep"), '{"a":"x\\n"}', '{"a":["x\\n"]}'),
    (split_list("a", ",", null="keep"), '{"a":null}', '{"a":null}'),
    (split_list("a.*", ",", missing="skip"), "{}", "{}"),
]


@pytest.mark.parametrize(("operation", "before", "after"), LISTS)
def test_a_list_of_a_text(operation: Operation, before: str, after: str) -> None:
    assert applied(before, operation) == after
    assert_reversible(before, operation)
    (back,) = operation.inverse().operations
    assert back.inverse() == type(back.inverse())((operation,))


def test_lists_that_could_not_be_distinguished_from_others() -> None:
    for items in ('[""]', '["x,y"]'):
        refused(FormatMismatch, "a", f'{{"a":{items}}}', join_list("a", ","))
    for items in ('["x","y\\n"]', '["x\\ny"]', '["x\\n",""]'):
        refused(FormatMismatch, "a", f'{{"a":{items}}}', join_list("a", "\n", ends="keep"))
    loose = join_list("a", ",", separators="keep")
    assert applied('{"a":["x,y","z"]}', loose) == '{"a":"x,y,z"}'
    assert loose.inverse().kind is Reversibility.LOSSY
    assert undone('{"a":"x,y,z"}', loose) == '{"a":["x","y","z"]}'


def test_what_is_one_already() -> None:
    join, split = join_list("a", ",", texts="keep"), split_list("a", ",", lists="keep")
    assert applied('{"a":"x"}', join) == '{"a":"x"}'
    assert applied('{"a":[1]}', split) == '{"a":[1]}'
    assert join.inverse().kind is split.inverse().kind is Reversibility.EQUIVALENT
    refused(WrongType, "a", '{"a":"x"}', join_list("a", ","))
    refused(WrongType, "a", '{"a":["x"]}', split_list("a", ","))
    refused(WrongType, "a.*", '{"a":[1]}', join_list("a", ","))
    assert touches(join) == {"reads": (("a",),), "writes": (("a",),), "dropped": ()}
    assert touches(split_list("a.*", ","))["writes"] == (("a", EACH),)
    assert (str(join), str(split)) == ("join the items of a with ','", "split a at ',' into a list")


def test_nothing_between_the_parts() -> None:
    split = split_value("a", "", ["b", "c"])
    assert_reversible('{"a":"xy"}', split)
    refused(FormatMismatch, "a", '{"a":"xyz"}', split)
    join = join_values(["b", "c"], "", "a")
    assert applied('{"b":"x","c":"yz"}', join) == '{"a":"xyz"}'
    assert join.inverse().kind is Reversibility.LOSSY


PARTED = [
    (split_value("a", "=", ["k", "v"], which="first"), '{"a":"x=y=z"}', '{"k":"x","v":"y=z"}'),
    (split_value("a", "=", ["k", "v"], which="last"), '{"a":"x=y=z"}', '{"k":"x=y","v":"z"}'),
    (split_value("a", "/", ["k", "v", "w"], which="last"), '{"a":"w/x/y/z"}', '{"k":"w/x","v":"y","w":"z"}'),
    (split_value("a", "=", ["k", "v"], which="first", short="keep"), '{"a":"x"}', '{"k":"x"}'),
    (split_value("a", "", ["k", "v"], short="keep"), '{"a":"x"}', '{"k":"x"}'),
    (join_values(["k", "v"], "=", "a", which="first"), '{"k":"x","v":"y=z"}', '{"a":"x=y=z"}'),
    (join_values(["k", "v"], "=", "a", which="last"), '{"k":"x=y","v":"z"}', '{"a":"x=y=z"}'),
    (join_values(["k", "v"], "=", "a", short="keep"), '{"k":"x"}', '{"a":"x"}'),
]


@pytest.mark.parametrize(("operation", "before", "after"), PARTED)
def test_parts_at_the_first_or_last_separators(operation: Operation, before: str, after: str) -> None:
    assert applied(before, operation) == after
    assert_reversible(before, operation)


def test_parts_that_are_none() -> None:
    strict = split_value("a", "=", ["k", "v"], which="first")
    assert "a does not have 2 parts" in refused(FormatMismatch, "a", '{"a":"x"}', strict)
    short = split_value("a", "=", ["k", "v"], short="keep")
    assert "a does not have 1 to 2 parts" in refused(FormatMismatch, "a", '{"a":"x=y=z"}', short)
    refused(FormatMismatch, "a", '{"a":""}', split_value("a", "", ["k", "v"], short="keep"))
    refused(FormatMismatch, "a", '{"k":"x=y","v":"z"}', join_values(["k", "v"], "=", "a", which="first"))
    refused(FormatMismatch, "a", '{"k":"x","v":"y=z"}', join_values(["k", "v"], "=", "a", which="last"))
    refused(MissingField, "k", '{"v":"y"}', join_values(["k", "v"], "=", "a", short="keep"))
    with pytest.raises(StepError, match="nothing separates"):
        split_value("a", "", ["k", "v"], which="first")
    assert str(strict) == "split a at the first '=' into k, v"
