"""How operations are written: each choice reaches the operation, and what is none is refused by the option's name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import upcasters
from tests.unit.upcasters.applying import applied
from upcasters import Operation, StepError, add, drop, present, when
from upcasters.describe import OperationLine, operations
from upcasters.errors import FormatMismatch


def pairs(_document: Any, _origin: str) -> list[tuple[str, Any]]:
    return []


# The least that makes each of them.
LEAST: dict[str, tuple[Any, ...]] = {
    "add": ("a.b", 1),
    "assign": ("a.b", 1),
    "copy": ("a", "b"),
    "default": ("a.b", 1),
    "drop": ("a",),
    "first_of": (["a", "b"], "c"),
    "keep_only": (["a"], "rest"),
    "move": ("a", "b"),
    "move_items": ("a", present("b"), "c"),
    "nest": (["a"], "b"),
    "optional": ("a",),
    "rename": ("a", "b"),
    "rename_keys": ("a", upcasters.SNAKE_CASE),
    "rename_many": ("a", {"b": "c"}),
    "unnest": ("a",),
    "convert": ("a", str, int),
    "convert_time": ("a", "s", "ms"),
    "derive": ("a", ["b"], str),
    "function": (str,),
    "join_list": ("a", ","),
    "join_values": (["a", "b"], " ", "c"),
    "map_values": ("a", {1: 2}),
    "parse_json": ("a",),
    "print_json": ("a",),
    "reformat": ("a", "{}", "x{}"),
    "split_list": ("a", ","),
    "scale": ("a", 100),
    "template": ("a", "x{b}"),
    "split_value": ("a", " ", ["b", "c"]),
    "fields_to_list": (["a", "b"], "c"),
    "list_to_fields": ("a", ["b", "c"]),
    "flatten": ("a",),
    "number": ("a", "n"),
    "unwrap": ("a",),
    "wrap": ("a",),
    "from_object": ("a", "k"),
    "list_to_object": ("a", "k"),
    "object_to_list": ("a", "k"),
    "to_object": ("a", "k"),
    "at": ("a", drop("b")),
    "everywhere": (present("a"), drop("b")),
    "subdocument": ("a", "t"),
    "switch": ("a", {1: [drop("b")]}),
    "when": (present("a"), drop("b")),
    "downgrade": (drop("b"),),
    "must_exist": ("a",),
    "tombstone": (),
    "drop_event": (),
    "drop_header": ("h",),
    "field_to_header": ("a", "h"),
    "header_to_field": ("h", "a"),
    "rename_header": ("h", "i"),
    "rename_type": ("t",),
    "set_header": ("h", "v"),
    "set_key": ("a",),
    "split_each": ("a", "t"),
    "split_event": (pairs, ["t"]),
}
ALSO: dict[str, dict[str, Any]] = {
    "function": {"reads": ["a"], "writes": ["b"]},
    "convert_time": {"digits": 0},
    "scale": {"digits": 0},
    "subdocument": {"version": "1"},
    "split_each": {"item": "i"},
}


def made(name: str, **options: Any) -> Any:
    return getattr(upcasters, name)(*LEAST[name], **{**ALSO.get(name, {}), **options})


def choices() -> Iterator[tuple[OperationLine, str]]:
    for line in operations():
        for option in line.choices:
            yield line, option


CHOICES = {f"{line.name} {option}": (line, option) for line, option in choices()}


def test_every_operation_is_here() -> None:
    assert {line.name for line in operations()} == set(LEAST)
    assert all(isinstance(made(name), Operation) for name in LEAST)


@pytest.mark.parametrize(("line", "option"), CHOICES.values(), ids=CHOICES.keys())
def test_each_choice_reaches_the_operation(line: OperationLine, option: str) -> None:
    words = line.choices[option]
    assert getattr(made(line.name), option) == words[0], "the first is the default"
    for word in words:
        assert getattr(made(line.name, **{option: word}), option) == word


@pytest.mark.parametrize(("line", "option"), CHOICES.values(), ids=CHOICES.keys())
def test_what_is_no_choice_is_refused(line: OperationLine, option: str) -> None:
    with pytest.raises(StepError) as caught:
        made(line.name, **{option: "sometimes"})
    (problem,) = caught.value.problems
    words = ", ".join(sorted(line.choices[option]))
    assert problem.message == f"{option}='sometimes' is not a choice"
    assert problem.code == "option"
    assert ", ".join(sorted(problem.remedy.removeprefix("Use one of ").removesuffix(".").split(", "))) == words


ONE_STRING: dict[str, Callable[[], Operation]] = {
    "names": lambda: upcasters.nest("ab", "c"),
    "names of unnest": lambda: upcasters.unnest("a", "bc"),
    "names to keep": lambda: upcasters.keep_only("ab", "c"),
    "names of a split": lambda: upcasters.split_value("a", " ", "bc"),
    "names of a list": lambda: upcasters.list_to_fields("a", "bc"),
    "names for a list": lambda: upcasters.fields_to_list("bc", "a"),
    "names to join": lambda: upcasters.join_values("bc", " ", "a"),
    "sources": lambda: upcasters.first_of("ab", "c"),
    "reads": lambda: upcasters.function(str, reads="ab", writes=["a"]),
    "writes": lambda: upcasters.function(str, reads=["a"], writes="ab"),
    "drops": lambda: upcasters.function(str, reads=["a"], writes=["a"], drops="ab"),
    "into": lambda: upcasters.split_event(pairs, "ab"),
    "key": lambda: upcasters.split_each("a", "t", item="i", key="ab"),
    "stop_at": lambda: upcasters.everywhere(present("a"), drop("b"), stop_at="ab"),
}


@pytest.mark.parametrize(("option", "build"), ONE_STRING.items(), ids=ONE_STRING.keys())
def test_one_string_where_a_list_belongs(option: str, build: Callable[[], Operation]) -> None:
    with pytest.raises(StepError, match=f"^{option.partition(' ')[0]}='..' is one string"):
        build()


NO_FUNCTION: dict[str, Callable[[], Operation]] = {
    "forward": lambda: upcasters.convert("a", "x"),  # type: ignore[arg-type]  # wrong on purpose
    "backward": lambda: upcasters.convert("a", str, "x"),  # type: ignore[arg-type]  # wrong on purpose
    "using": lambda: upcasters.derive("a", [], "x"),  # type: ignore[arg-type]  # wrong on purpose
    "using for a function": lambda: upcasters.function("x", reads=[], writes=["a"]),  # type: ignore[arg-type]  # wrong on purpose
    "using for a split": lambda: upcasters.split_event("x", ["t"]),  # type: ignore[arg-type]  # wrong on purpose
    "back": lambda: upcasters.function(str, reads=[], writes=["a"], back="x"),  # type: ignore[arg-type]  # wrong on purpose
}


@pytest.mark.parametrize(("option", "build"), NO_FUNCTION.items(), ids=NO_FUNCTION.keys())
def test_what_is_to_be_called_has_to_be_a_function(option: str, build: Callable[[], Operation]) -> None:
    with pytest.raises(StepError, match=f"^{option.partition(' ')[0]} is a str, not a function"):
        build()


OPTIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "when": (when(present("a"), drop("b"), undo_when=present("c")), {"undo_when": present("c")}),
    "everywhere": (made("everywhere", undo_where=present("c")), {"undo_where": present("c")}),
    "set_header": (made("set_header"), {"name": "h", "value": b"v"}),
    "split_each": (
        upcasters.split_each("a", "t", item="i", version="2", name="a", number="b", total="c", id="d"),
        {"version": "2", "name": "a", "number": "b", "total": "c", "id": "d", "item": "i", "into": "t"},
    ),
    "subdocument": (made("subdocument"), {"event_type": "t", "version": "1"}),
    "set_key": (made("set_key", separator=":"), {"separator": ":"}),
    "number": (made("number", start=1, text="#{}"), {"start": 1, "text": "#{}"}),
    "number behind the largest": (made("number", start="next", exists="keep"), {"start": "next"}),
    "rename_keys": (made("rename_keys", subtree=True), {"subtree": True, "rule": upcasters.SNAKE_CASE}),
}


@pytest.mark.parametrize(("operation", "options"), OPTIONS.values(), ids=OPTIONS.keys())
def test_other_options_reach_the_operation(operation: Any, options: dict[str, Any]) -> None:
    assert {name: getattr(operation, name) for name in options} == options


def test_a_pattern_of_keys_goes_there_and_back() -> None:
    rule = upcasters.key_pattern("^a", "b", ("^b", "a"))
    back = rule.inverse()
    assert back is not None
    assert (rule("aa"), back("ba"), back.inverse()) == ("ba", "aa", rule)


@pytest.mark.parametrize("text", ["\\u00a01", "\\u000b1", "\\u001c1"])
def test_only_white_space_of_json_stands_around_json(text: str) -> None:
    with pytest.raises(FormatMismatch):
        applied(f'{{"a":"{text}"}}', upcasters.parse_json("a"))


@pytest.mark.parametrize(("case", "value"), [(True, "1"), (1, "true"), (False, "0"), (0, "false")])
def test_a_truth_is_no_number(case: Any, value: str) -> None:
    operation = upcasters.switch("a", {case: [add("n", 1)]}, otherwise=[])
    assert applied(f'{{"a":{value}}}', operation) == f'{{"a":{value}}}'
    assert applied(f'{{"a":{str(case).lower()}}}', operation) == f'{{"a":{str(case).lower()},"n":1}}'


def test_public_functions_are_documented_and_typed() -> None:
    for name in upcasters.__all__:
        one = getattr(upcasters, name)
        assert inspect.getdoc(one), name
        if inspect.isfunction(one):
            unannotated = [p.name for p in inspect.signature(one).parameters.values() if p.annotation is p.empty]
            assert not unannotated, name
            assert "return" in one.__annotations__, name


COMPLAINTS: list[Callable[[], Operation]] = [
    lambda: add("a", {1}),
    lambda: upcasters.switch("a", {}),
    lambda: upcasters.switch("a", {(): []}),
    lambda: upcasters.rename_type(""),
    upcasters.rename_type,
    upcasters.set_key,
    lambda: upcasters.first_of(["a"], "b"),
    lambda: upcasters.first_of(["a", "b"], "c", back="d"),
    lambda: upcasters.function(str, reads=[], writes=[]),
    lambda: upcasters.subdocument("a", "t"),
]


@pytest.mark.parametrize("build", COMPLAINTS, ids=range(len(COMPLAINTS)))
def test_complaints_are_sentences(build: Callable[[], Operation]) -> None:
    with pytest.raises(StepError) as caught:
        build()
    (problem,) = caught.value.problems
    assert problem.message[0] not in "XN", problem
    assert problem.remedy[0].isupper(), problem
    assert problem.remedy.endswith("."), problem
    assert not problem.remedy.isupper(), problem
