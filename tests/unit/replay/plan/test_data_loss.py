"""The loss report: what reaches no output is found, whatever does it; what is dropped by name is not."""

from __future__ import annotations

from typing import Any

from tests.unit.replay.chains import DROPS_TITLE, NOTHING, loss_of, lost_paths
from upcasters import (
    Operation,
    at,
    convert,
    derive,
    drop,
    equals,
    everywhere,
    function,
    has_type,
    map_values,
    move,
    rename,
    set_key,
    split_each,
    when,
)
from worker.replay.plan.file import Coordinates

VALUE = b'{"title": "one", "status": "open", "items": [{"name": "a", "price": 1.5}, {"name": "b"}]}'


def forget_status(view: dict[str, Any]) -> None:
    view["title"] = view["title"].upper()
    view.pop("status")


def function_that(forgets: Any) -> Operation:
    return function(forgets, reads=["title", "status"], writes=["title", "status"])


def test_nothing_is_lost_where_nothing_happens() -> None:
    assert loss_of(*NOTHING, values=[VALUE]).lost == ()


def test_what_goes_elsewhere_is_not_lost() -> None:
    operations = [
        rename("title", "name"),
        move("status", "state"),
        at("items.*", rename("name", "label"), convert("price", str, missing="skip")),
    ]
    assert lost_paths(*operations, values=[VALUE]) == []


def test_what_is_dropped_by_name_is_not_lost() -> None:
    assert lost_paths(*DROPS_TITLE, values=[VALUE]) == []
    assert lost_paths(at("items.*", rename("name", "label"), drop("label")), values=[VALUE]) == []
    assert lost_paths(rename("title", "name"), drop("name"), values=[VALUE]) == []
    everywhere_dropped = everywhere(has_type("price", "number"), drop("price"))
    assert lost_paths(everywhere_dropped, values=[VALUE]) == []


def test_a_function_that_forgets_is_found_out() -> None:
    report = loss_of(function_that(forget_status), values=[VALUE, VALUE, VALUE])
    (lost,) = report.lost
    assert (lost.path, lost.event_type, lost.from_version, lost.to_version) == ("status", "thing", "1.0", "2.0")
    assert (lost.events, report.compared) == (3, 3)
    assert lost.samples == (Coordinates(partition=3, offset=0), Coordinates(partition=3, offset=1))


def test_a_function_may_say_what_it_drops() -> None:
    told = function(forget_status, reads=["title", "status"], writes=["title", "status"], drops=["status"])
    assert lost_paths(told, values=[VALUE]) == []


def test_a_function_that_judges_its_values_is_not_misjudged() -> None:
    def known(status: str) -> bool:
        return {"open": True, "done": False}[status]

    operations = [derive("is_open", ["status"], known), drop("title")]
    assert lost_paths(*operations, values=[VALUE, VALUE.replace(b'"open"', b'"done"')]) == []


def test_only_the_second_item_is_lost() -> None:
    def first_only(view: dict[str, Any]) -> None:
        view["items"] = view["items"][:1]

    operation = function(first_only, reads=["items"], writes=["items"])
    assert lost_paths(operation, values=[VALUE]) == ["items.*.name"]


def test_a_value_that_decides_has_an_effect() -> None:
    """Another status takes another way: the output tells which it was, so nothing is called lost."""
    forgetful = when(equals("status", "open"), function_that(forget_status))
    assert lost_paths(forgetful, values=[VALUE]) == []


def test_values_that_are_mapped_to_one_are_not_lost() -> None:
    mapped = map_values("status", {"open": "active", "running": "active"})
    assert lost_paths(mapped, values=[VALUE, VALUE.replace(b'"open"', b'"running"')]) == []


def test_what_becomes_the_key_is_not_lost() -> None:
    assert lost_paths(set_key("title"), drop("title"), values=[VALUE]) == []


def test_keys_that_only_the_event_knows_are_not_told() -> None:
    def no_labels(view: dict[str, Any]) -> None:
        view.pop("labels", None)
        view.pop("unforeseen", None)

    operation = function(no_labels, reads=["labels", "unforeseen"], writes=["labels", "unforeseen"])
    value = b'{"labels": {"alice@example.org": "x"}, "unforeseen": {"bob@example.org": {"secret": 1}}}'
    assert lost_paths(operation, values=[value]) == ["labels.*", "unforeseen"]
    assert lost_paths(operation, values=[value], model=None) == ["labels.*", "unforeseen.*.secret"]


def test_a_split_is_followed_into_its_children() -> None:
    split = split_each("items", into="thing", version="2.0", item="item")
    assert "items.*.name" not in lost_paths(split, values=[VALUE])


def test_values_that_no_reader_of_floats_takes_are_compared_too() -> None:
    value = b'{"title": "one", "status": "open", "big": 1e400, "exact": 1.10, "long": 12345678901234567890123}'
    assert lost_paths(function_that(forget_status), values=[value]) == ["status"]


def test_what_is_checked_and_then_forgotten_is_lost_or_at_least_not_known() -> None:
    def check_and_forget(view: dict[str, Any]) -> None:
        if view.pop("status") not in {"open", "done"}:
            raise ValueError

    operation = function(check_and_forget, reads=["status"], writes=["status"])
    assert lost_paths(operation, values=[VALUE, VALUE.replace(b'"open"', b'"done"')]) == ["status"]
    report = loss_of(operation, values=[VALUE])
    assert (report.lost, report.unjudged) == ((), ("status of thing 1.0",))


def test_of_two_fields_that_become_one_the_other_is_lost() -> None:
    def either(view: dict[str, Any]) -> None:
        view["name"] = view.pop("title", None) or view.pop("status")
        view.pop("status", None)

    operation = function(either, reads=["title", "status"], writes=["title", "status", "name"])
    assert lost_paths(operation, values=[VALUE]) == ["status"]
