"""Operations, conditions and steps that are written wrongly: refused where they are written."""

from __future__ import annotations

from typing import Any, cast

from pydantic import RootModel

from tests.unit.upcasters.wrong_chains.case import Case, step
from upcasters import (
    EACH,
    SNAKE_CASE,
    Baseline,
    Chain,
    Detection,
    FromField,
    FromShape,
    Step,
    absent,
    add,
    any_present,
    at,
    convert,
    copy,
    default,
    derive,
    drop,
    equals,
    everywhere,
    field_to_header,
    fields_to_list,
    first_of,
    flatten,
    function,
    has_type,
    header_to_field,
    join_values,
    keep_only,
    key_pattern,
    list_to_fields,
    map_values,
    move,
    nest,
    number,
    optional,
    parse_json,
    present,
    reformat,
    rename,
    rename_header,
    rename_keys,
    rename_many,
    rename_type,
    set_header,
    set_key,
    split_each,
    split_event,
    split_value,
    subdocument,
    switch,
    unnest,
    unwrap,
    when,
    wrap,
)

ANY: Any = "not what the types say"
NO_OPERATION: Any = "rename"
SINGLE: Any = rename("a", "b")
NUMBER: Any = 7
LIST: Any = ["a"]
PYTHON_TYPE: Any = "str"


def same(value: Any) -> Any:
    return value


def pairs(_document: Any, _origin: str) -> list[tuple[str, Any]]:
    return []


PATHS = {
    "an empty part": Case(["path"], lambda: drop("a..b"), lambda: drop(("a", "", "b"))),
    "an empty part at the end": Case(["path"], lambda: rename("a.", "b"), lambda: rename(("a", ""), "b")),
    "a number in a path": Case(["path"], lambda: drop(("a", NUMBER)), lambda: drop(("a", "7"))),
    "a list for a path": Case(["path"], lambda: drop(LIST), lambda: drop(("a",))),
    "the whole document": Case(["path"], lambda: drop(""), lambda: drop("a")),
    "at the whole document": Case(["path"], lambda: at("", add("b", 1)), lambda: at("a", add("b", 1))),
    "a '*' that move cannot follow": Case(
        ["path"], lambda: move("a.*.b", "a.*.c.b"), lambda: at("a.*", move("b", "c.b"))
    ),
    "a '*' that derive cannot follow": Case(
        ["path"], lambda: derive("a.*.b", ["a.*.c"], same), lambda: at("a.*", derive("b", ["c"], same))
    ),
    "a '*' in a source of first_of": Case(
        ["path"], lambda: first_of(["a.*", "b"], "c"), lambda: first_of(["a", "b"], "c")
    ),
    "a '*' that switch cannot follow": Case(
        ["path"], lambda: switch("a.*", {"x": []}), lambda: at("a.*", switch("kind", {"x": []}))
    ),
    "rename of '*'": Case(["path"], lambda: rename("a.*", "b"), lambda: rename_keys("a", SNAKE_CASE)),
    "default for '*'": Case(["path"], lambda: default("a.*", 1), lambda: default(("a", "*"), 1)),
    "unnest of '*'": Case(["path"], lambda: unnest("a.*"), lambda: unnest("a.*.b")),
    "split into parts beside '*'": Case(
        ["path"], lambda: split_value("a.*", ",", ["b", "c"]), lambda: split_value("a.*.d", ",", ["b", "c"])
    ),
    "a condition about '*'": Case(["path"], lambda: present("a.*"), lambda: present(("a", "*"))),
    "a condition about everything": Case(["path"], lambda: has_type("", "object"), lambda: has_type("a", "object")),
    "a malformed path in a condition": Case(["path"], lambda: absent("a..b"), lambda: absent("a.b")),
    "moved into itself": Case(["path"], lambda: move("a", "a.b"), lambda: nest(["a"], "b")),
    "moved out of itself": Case(["path"], lambda: move("a.b", "a"), lambda: move("a.b", "b")),
    "a key out of '*'": Case(["path"], lambda: set_key("a.*"), lambda: set_key("a.b")),
    "a header from '*'": Case(["path"], lambda: field_to_header(("a", EACH), "h"), lambda: field_to_header("a", "h")),
    "a split of '*'": Case(["path"], lambda: split_each("a.*", "x", item="i"), lambda: split_each("a", "x", item="i")),
}

OPTIONS = {
    "missing=": Case(["option"], lambda: rename("a", "b", missing=ANY), lambda: rename("a", "b", missing="skip")),
    "exists=": Case(["option"], lambda: move("a", "b", exists=ANY), lambda: move("a", "b", exists="same")),
    "wrong_type=": Case(["option"], lambda: drop("a", wrong_type=ANY), lambda: drop("a", wrong_type="skip")),
    "parents=": Case(["option"], lambda: move("a", "b", parents=ANY), lambda: move("a", "b", parents="create")),
    "null= of default": Case(["option"], lambda: default("a", 1, null=ANY), lambda: default("a", 1, null="replace")),
    "null= of wrap": Case(["option"], lambda: wrap("a", null=ANY), lambda: wrap("a", null="empty")),
    "undo=": Case(["option"], lambda: default("a", 1, undo=ANY), lambda: default("a", 1, undo="keep")),
    "conflict=": Case(
        ["option"], lambda: first_of(["a", "b"], "a", conflict=ANY), lambda: first_of(["a", "b"], "a", conflict="first")
    ),
    "empty=": Case(["option"], lambda: unwrap("a", empty=ANY), lambda: unwrap("a", empty="drop")),
    "many=": Case(["option"], lambda: unwrap("a", many=ANY), lambda: unwrap("a", many="first")),
    "lists=": Case(["option"], lambda: wrap("a", lists=ANY), lambda: wrap("a", lists="keep")),
    "scalars=": Case(["option"], lambda: flatten("a", scalars=ANY), lambda: flatten("a", scalars="keep")),
    "otherwise= of map_values": Case(
        ["option"],
        lambda: map_values("a", {"x": "y"}, otherwise=ANY),
        lambda: map_values("a", {"x": "y"}, otherwise="keep"),
    ),
    "otherwise= of switch": Case(
        ["option"],
        lambda: switch("a", {"x": []}, otherwise=ANY),
        lambda: switch("a", {"x": []}, otherwise=[add("b", 1)]),
    ),
    "otherwise= of when": Case(
        ["option"],
        lambda: when(present("a"), drop("a"), otherwise=SINGLE),
        lambda: when(present("a"), drop("a"), otherwise=[SINGLE]),
    ),
    "exists= of set_header": Case(
        ["option"], lambda: set_header("h", "x", exists=ANY), lambda: set_header("h", "x", exists="replace")
    ),
    "missing= of derive": Case(
        ["option"], lambda: derive("a", ["b"], same, missing=ANY), lambda: derive("a", ["b"], same, missing="none")
    ),
    "no names": Case(["option"], lambda: rename_many("", {}), lambda: rename_many("", {"a": "b"})),
    "one source": Case(["option"], lambda: first_of(["a"], "a"), lambda: first_of(["a", "b"], "a")),
    "the same source twice": Case(["option"], lambda: first_of(["a", "a"], "b"), lambda: first_of(["a", "b"], "b")),
    "a string for sources": Case(["option"], lambda: first_of("ab", "c"), lambda: first_of(["a", "b"], "c")),
    "nothing to nest": Case(["option"], lambda: nest([], "a"), lambda: nest(["b"], "a")),
    "a key nested twice": Case(["option"], lambda: nest(["b", "b"], "a"), lambda: nest(["b", "c"], "a")),
    "a string to nest": Case(["option"], lambda: nest("bc", "a"), lambda: nest(["bc"], "a")),
    "a string to keep": Case(["option"], lambda: keep_only("bc", "a"), lambda: keep_only(["bc"], "a")),
    "a string to unnest": Case(["option"], lambda: unnest("a", "bc"), lambda: unnest("a", ["bc"])),
    "nothing to unnest": Case(["option"], lambda: unnest("a", []), lambda: unnest("a")),
    "items of '*' beside it": Case(
        ["path"], lambda: list_to_fields("a.*", ["b", "c"]), lambda: list_to_fields("a.*.d", ["b", "c"])
    ),
    "one field of a list": Case(
        ["option"], lambda: fields_to_list(["b"], "a"), lambda: fields_to_list(["b", "c"], "a")
    ),
    "an item of a list twice": Case(
        ["option"], lambda: list_to_fields("a", ["b", "b"]), lambda: list_to_fields("a", ["b", "c"])
    ),
    "one part of a string": Case(
        ["option"], lambda: split_value("a", ",", ["b"]), lambda: split_value("a", ",", ["b", "c"])
    ),
    "a part of a string twice": Case(
        ["option"], lambda: join_values(["b", "b"], ",", "a"), lambda: join_values(["b", "c"], ",", "a")
    ),
    "no place in a form": Case(["option"], lambda: reformat("a", "x", "y{}"), lambda: reformat("a", "x{}", "y{}")),
    "an empty table": Case(["option"], lambda: map_values("a", {}), lambda: map_values("a", {"x": "y"})),
    "an empty table back": Case(
        ["option"], lambda: map_values("a", {"x": "y"}, back={}), lambda: map_values("a", {"x": "y"}, back={"y": "x"})
    ),
    "no cases": Case(["option"], lambda: switch("a", {}), lambda: switch("a", {None: []})),
    "no operations": Case(["option"], lambda: when(present("a")), lambda: when(present("a"), drop("a"))),
    "what is no operation": Case(["option"], lambda: at("a", NO_OPERATION), lambda: at("a", drop("b"))),
    "what is no operation in a case": Case(
        ["option"], lambda: switch("a", {"x": NO_OPERATION}), lambda: switch("a", {"x": drop("b")})
    ),
    "what is no operation in a step": Case(
        ["option"], lambda: step("1", "2", NO_OPERATION), lambda: step("1", "2", drop("b"))
    ),
    "what is no condition": Case(["option"], lambda: when(ANY, drop("a")), lambda: when(~present("b"), drop("a"))),
    "present without fields": Case(["option"], present, lambda: present("a")),
    "absent without fields": Case(["option"], absent, lambda: absent("a", "b")),
    "any_present without fields": Case(["option"], any_present, lambda: any_present("a", "b")),
    "has_type without types": Case(["option"], lambda: has_type("a"), lambda: has_type("a", "null")),
    "has_type of a Python type": Case(["option"], lambda: has_type("a", PYTHON_TYPE), lambda: has_type("a", "string")),
    "not a regular expression": Case(["option"], lambda: key_pattern("(", ""), lambda: key_pattern(r"\(", "")),
    "a group that there is not": Case(["option"], lambda: key_pattern("a", r"\1"), lambda: key_pattern("(a)", r"\1")),
    "a pattern back that is none": Case(
        ["option"],
        lambda: key_pattern("^x_", "", back=("^(?!", "x_")),
        lambda: key_pattern("^x_", "", back=("^", "x_")),
    ),
    "neither name nor field for a type": Case(["option"], rename_type, lambda: rename_type("a")),
    "name and field for a type": Case(
        ["option"],
        lambda: rename_type("a", field="b", types={"x": "y"}),
        lambda: rename_type(field="b", types={"x": "y"}),
    ),
    "a field without types": Case(
        ["option"], lambda: rename_type(field="b"), lambda: rename_type(field="b", types={"x": "y"})
    ),
    "a field with no types": Case(["option"], lambda: rename_type(field="b", types={}), lambda: rename_type("b")),
    "an empty type": Case(["option"], lambda: rename_type(""), lambda: rename_type("b")),
    "a key of nothing": Case(["option"], set_key, lambda: set_key("a", "b")),
    "a string for the key of a child": Case(
        ["option"], lambda: split_each("a", "x", item="i", key="id"), lambda: split_each("a", "x", item="i", key=["id"])
    ),
    "a split into no types": Case(["option"], lambda: split_event(pairs, []), lambda: split_event(pairs, ["x"])),
    "a split into a string": Case(["option"], lambda: split_event(pairs, "xyz"), lambda: split_event(pairs, ["xyz"])),
    "a split with what is no function": Case(
        ["option"], lambda: split_event(ANY, ["x"]), lambda: split_event(pairs, ["x"])
    ),
    "convert with what is no function": Case(["option"], lambda: convert("a", ANY), lambda: convert("a", int)),
    "convert back with what is no function": Case(
        ["option"], lambda: convert("a", int, ANY), lambda: convert("a", int, str)
    ),
    "derive with what is no function": Case(
        ["option"], lambda: derive("a", ["b"], ANY), lambda: derive("a", ["b"], same)
    ),
    "a function that is none": Case(
        ["option"], lambda: function(ANY, reads=[], writes=["a"]), lambda: function(same, reads=[], writes=["a"])
    ),
    "a function back that is none": Case(
        ["option"],
        lambda: function(same, reads=[], writes=["a"], back=ANY),
        lambda: function(same, reads=[], writes=["a"], back=same),
    ),
    "a function that writes nothing": Case(
        ["option"], lambda: function(same, reads=["a"], writes=[]), lambda: function(same, reads=[], writes=["a"])
    ),
    "a string for what a function writes": Case(
        ["option"], lambda: function(same, reads=[], writes="ab"), lambda: function(same, reads=[], writes=["ab"])
    ),
    "a string of keys to stop at": Case(
        ["option"],
        lambda: everywhere(present("a"), drop("a"), stop_at="raw"),
        lambda: everywhere(present("a"), drop("a"), stop_at=["raw"]),
    ),
    "neither version nor field": Case(
        ["option"], lambda: subdocument("a", "x"), lambda: subdocument("a", "x", version="1")
    ),
    "version and field": Case(
        ["option"],
        lambda: subdocument("a", "x", version="1", version_field="v"),
        lambda: subdocument("a", "x", version_field="v"),
    ),
}

VALUES = {
    "a set is no JSON": Case(["value"], lambda: default("a", {1, 2}), lambda: default("a", [1, 2])),
    "bytes are no JSON": Case(["value"], lambda: add("a", b"x"), lambda: add("a", "x")),
    "NaN is no JSON": Case(["value"], lambda: add("a", float("nan")), lambda: add("a", None)),
    "a lone surrogate is no JSON": Case(["value"], lambda: add("a", "\ud800"), lambda: add("a", "\U0001f600")),
    "numbers are no keys": Case(["value"], lambda: add("a", {1: 2}), lambda: add("a", {"1": 2})),
    "nothing to restore": Case(["value"], lambda: drop("a", restore=object()), lambda: drop("a", restore=0)),
    "a condition on no JSON": Case(["value"], lambda: equals("a", {1}), lambda: equals("a", [1])),
    "no pairs in a table": Case(
        ["option"],
        lambda: map_values("a", [("x",)]),  # type: ignore[list-item]  # wrong on purpose
        lambda: map_values("a", [("x", ["y"])]),
    ),
    "NaN in a table": Case(
        ["value"], lambda: map_values("a", {"x": float("inf")}), lambda: map_values("a", {"x": 1.5})
    ),
    "a tuple as a case": Case(["value"], lambda: switch("a", {("x",): []}), lambda: switch("a", {"x": []})),
    "a way back that the table does not have": Case(
        ["value"],
        lambda: map_values("a", {"x": "z", "y": "z"}, back={"z": "q"}),
        lambda: map_values("a", {"x": "z", "y": "z"}, back={"z": "y"}),
    ),
}

NAMES = {
    "two fields get one name": Case(
        ["collision"], lambda: rename_many("", {"a": "c", "b": "c"}), lambda: rename_many("", {"a": "b", "b": "a"})
    ),
    "a field keeps its name": Case(["no-op"], lambda: rename("a", "a"), lambda: rename("a", "A")),
    "a header keeps its name": Case(["no-op"], lambda: rename_header("a", "a"), lambda: rename_header("a", "A")),
    "restored where there was '*'": Case(["path"], lambda: drop("a.*", restore=1), lambda: drop("a.*.b", restore=1)),
    "copied into itself": Case(["path"], lambda: copy("a", "a.b"), lambda: copy("a", "b.a")),
    "copied to itself": Case(["no-op"], lambda: copy("a", "a"), lambda: copy("a", "b")),
    "the rest under a name that is kept": Case(
        ["collision"], lambda: keep_only(["a", "b"], "b"), lambda: keep_only(["a", "b"], "rest")
    ),
    "two fields of a child with one name": Case(
        ["collision"],
        lambda: split_each("a", "x", item="i", number="i"),
        lambda: split_each("a", "x", item="i", number="n"),
    ),
    "steps of other spellings": Case(
        ["option"], lambda: parse_json("a", null=ANY), lambda: parse_json("a", null="keep")
    ),
    "numbers in what is missing": Case(
        ["option"], lambda: number("a", "n", missing=ANY), lambda: number("a", "n", start=1)
    ),
    "a header that is missing": Case(
        ["option"], lambda: header_to_field("h", "a", missing=ANY), lambda: header_to_field("h", "a", missing="skip")
    ),
}

UP: dict[str, Any] = {"event_type": "order", "source": "1", "target": "2"}
KIND, VERSION = FromField("kind"), FromField("v")
PARTS: dict[str, Case] = {
    "a step of one operation": Case(
        ["option"],
        lambda: Step(**UP, operations=cast("Any", optional("a"))),
        lambda: Step(**UP, operations=[optional("a")]),
    ),
    "a model that is none": Case(
        ["option"], lambda: Step(**UP, model=cast("Any", dict)), lambda: Step(**UP, model=RootModel[dict[str, int]])
    ),
    "an object for a model": Case(
        ["option"], lambda: Baseline("order", "1", cast("Any", {})), lambda: Baseline("order", "1", None)
    ),
    "a field for a shape": Case(
        ["option"],
        lambda: Baseline("order", "1", shape=cast("Any", "a")),
        lambda: Baseline("order", "1", shape=present("a")),
    ),
    "one version that it looks like": Case(
        ["option"], lambda: Step(**UP, looks_like="30"), lambda: Step(**UP, looks_like=["30"])
    ),
    "a chain of one step": Case(["option"], lambda: Chain(cast("Any", Step(**UP))), lambda: Chain([Step(**UP)])),
    "a chain of operations": Case(["option"], lambda: Chain([cast("Any", optional("a"))]), lambda: Chain([Step(**UP)])),
    "a baseline among the steps": Case(
        ["option"],
        lambda: Chain([Step(**UP), cast("Any", Baseline("order", "1"))]),
        lambda: Chain([Step(**UP)], [Baseline("order", "1")]),
    ),
    "one rule for the type": Case(["detection"], lambda: Detection(cast("Any", KIND)), lambda: Detection((KIND,))),
    "one rule for the version": Case(
        ["detection"], lambda: Detection((), cast("Any", VERSION)), lambda: hash(Detection((), cast("Any", [VERSION])))
    ),
    "a condition among the rules": Case(
        ["detection"],
        lambda: Detection((), cast("Any", (present("v"),))),
        lambda: Detection((), cast("Any", (rule for rule in [VERSION]))),
    ),
    "a shape that tells the type": Case(
        ["detection"], lambda: Detection(cast("Any", (FromShape(),))), lambda: Detection((), (FromShape(),))
    ),
    "a rule for a detection": Case(
        ["detection"],
        lambda: Chain([Step(**UP)], detection=cast("Any", VERSION)),
        lambda: Chain([Step(**UP)], detection=Detection((), (VERSION,))),
    ),
    "a complexity of its own": Case(
        ["option"], lambda: Step(**UP, complexity=cast("Any", "huge")), lambda: Step(**UP, complexity="high")
    ),
    "a new name that is none": Case(
        ["option"], lambda: rename("meta.a", cast("Any", None)), lambda: rename("meta.a", "b")
    ),
    "a new name with its path, where a tuple takes it as it is": Case(
        ["path"], lambda: rename("http.method", "http.method"), lambda: rename(("http", "method"), "http.method")
    ),
    "a new name with its path": Case(
        ["path"], lambda: rename("meta.taskId", "meta.task_id"), lambda: rename("meta.taskId", "task.id")
    ),
}

WRITTEN = {**PATHS, **OPTIONS, **VALUES, **NAMES, **PARTS}
