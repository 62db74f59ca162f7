"""Steps that are worked out from events: each kind of change by itself, what is guessed, what is not explained."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from upcast_authoring.errors import CommandError
from upcast_authoring.inference.columns import same
from upcast_authoring.inference.inferring import Inferred, events_in, infer
from upcast_authoring.inference.models import model_of
from upcast_authoring.inference.scope import lines
from upcast_authoring.inference.writing import write_step
from upcasters import Step

Documents = list[dict[str, Any]]


def inferred(befores: Documents, afters: Documents) -> Inferred:
    return infer([json.dumps(each).encode() for each in befores], [json.dumps(each).encode() for each in afters])


def calls(befores: Documents, afters: Documents) -> list[str]:
    """The operations, which bring all pairs out right."""
    found = inferred(befores, afters)
    assert (found.wrong, found.unexplained) == ([], [])
    return [call.code for call in found.calls]


MANY = range(1, 7)
TIMES_60 = "lambda value: value * 60"
OVER_60 = "lambda value: value // 60 if value % 60 == 0 else value / 60"

KINDS: dict[str, tuple[Documents, Documents, list[str]]] = {
    "a new name": ([{"a": n} for n in MANY], [{"b": n} for n in MANY], ['rename("a", "b")']),
    "a new name that is not everywhere": (
        [{"a": n} if n % 2 else {} for n in MANY],
        [{"b": n} if n % 2 else {} for n in MANY],
        ['rename("a", "b", missing="skip")'],
    ),
    "a name with a dot": ([{"a.b": n} for n in MANY], [{"c": n} for n in MANY], ['rename(("a.b",), "c")']),
    "two names": (
        [{"custId": n, "placedAt": str(n)} for n in MANY],
        [{"customer_id": n, "placed_at": str(n)} for n in MANY],
        ['rename("placedAt", "placed_at")', 'rename("custId", "customer_id")'],
    ),
    "another object": (
        [{"branch": f"b{n}", "meta": {"id": n}} for n in MANY],
        [{"meta": {"id": n, "branch": f"b{n}"}} for n in MANY],
        ['move("branch", "meta.branch", parents="create")'],
    ),
    "an object of its own": (
        [{"x": n, "y": -n, "name": str(n)} for n in MANY],
        [{"place": {"x": n, "y": -n}, "name": str(n)} for n in MANY],
        ['nest(["x", "y"], "place")'],
    ),
    "an object less": (
        [{"place": {"x": n, "y": -n}} for n in MANY],
        [{"x": n, "y": -n} for n in MANY],
        ['unnest("place", ["x", "y"])'],
    ),
    "parts of an object": (
        [{"user": {"id": n, "mail": f"m{n}"}, "order": {"n": n}} for n in MANY],
        [{"order": {"n": n, "user_id": n}, "contact": f"m{n}"} for n in MANY],
        [
            'move("user.id", "order.user_id", parents="create")',
            'move("user.mail", "contact")',
            'drop("user", restore={})',
        ],
    ),
    "parts of a text": (
        [{"name": f"Ada{n} Love{n}"} for n in MANY],
        [{"last": f"Love{n}", "first": f"Ada{n}"} for n in MANY],
        ['split_value("name", " ", ["first", "last"])'],
    ),
    "a list of fields": (
        [{"place": {"lat": n, "lon": -n}, "name": f"p{n}"} for n in MANY],
        [{"place": {"position": [-n, n]}, "name": f"p{n}"} for n in MANY],
        ['fields_to_list(["lon", "lat"], "place.position")'],
    ),
    "fields of a list": (
        [{"range": [n, n + 2]} if n % 2 else {} for n in MANY],
        [{"low": n, "high": n + 2} if n % 2 else {} for n in MANY],
        ['list_to_fields("range", ["low", "high"], missing="skip")'],
    ),
    "a text of parts": (
        [{"area": f"0{n}", "number": f"9{n}"} for n in MANY],
        [{"phone": f"0{n}/9{n}"} for n in MANY],
        ['join_values(["area", "number"], "/", "phone")'],
    ),
    "a table": (
        [{"status": ["done", "failed", "new"][n % 3]} for n in MANY],
        [{"status": ["completed", "error", "new"][n % 3]} for n in MANY],
        ['map_values("status", {"failed": "error", "done": "completed"}, otherwise="keep")'],
    ),
    "texts that are numbers": (
        [{"total": str(n)} for n in MANY],
        [{"total": n} for n in MANY],
        ['convert("total", int, str)'],
    ),
    "a unit": (
        [{"s": n} for n in MANY],
        [{"s": n * 60} for n in MANY],
        [f'convert("s", {TIMES_60}, {OVER_60}, exact=False)'],
    ),
    "a constant around a text": (
        [{"id": f"{n}"} for n in MANY],
        [{"id": f"cus_{n}"} for n in MANY],
        ['reformat("id", "{}", "cus_{}")'],
    ),
    "a list of one": ([{"t": str(n)} for n in MANY], [{"t": [str(n)]} for n in MANY], ['wrap("t")']),
    "a list of one, of nulls": (
        [{"t": n if n % 2 else None} for n in MANY],
        [{"t": [n] if n % 2 else []} for n in MANY],
        ['wrap("t", null="empty")'],
    ),
    "one of a list": ([{"t": [n]} for n in MANY], [{"t": n} for n in MANY], ['unwrap("t")']),
    "a list of texts": (
        [{"tags": f"a{n},b"} for n in MANY],
        [{"tags": [f"a{n}", "b"]} for n in MANY],
        ['split_list("tags", ",")'],
    ),
    "JSON in a text": (
        [{"payload": json.dumps({"n": n})} for n in MANY],
        [{"payload": {"n": n}} for n in MANY],
        ['parse_json("payload")'],
    ),
    "an object around a value": (
        [{"customer": f"c{n}"} for n in MANY],
        [{"customer": {"id": f"c{n}"}} for n in MANY],
        ['to_object("customer", "id")'],
    ),
    "a list of objects with their key": (
        [{"players": {f"p{n}": {"hp": n}, "q": {"hp": 0}}} for n in MANY],
        [{"players": [{"hp": n, "id": f"p{n}"}, {"hp": 0, "id": "q"}]} for n in MANY],
        ['object_to_list("players", "id")'],
    ),
    "every item of a list": (
        [{"items": [{"sku": f"s{n}{k}"} for k in range(n)]} for n in MANY],
        [{"items": [{"id": f"s{n}{k}"} for k in range(n)]} for n in MANY],
        ['at("items.*", rename("sku", "id"))'],
    ),
    "every value of a map": (
        [{"nodes": {f"n{n}": {"st": "ok"}, "a": {"st": "bad"}}} for n in MANY],
        [{"nodes": {f"n{n}": {"status": "ok"}, "a": {"status": "bad"}}} for n in MANY],
        ['at("nodes.*", rename("st", "status"))'],
    ),
    "a constant": ([{"n": n} for n in MANY], [{"n": n, "currency": "EUR"} for n in MANY], ['add("currency", "EUR")']),
    "a default": (
        [{"branch": "x"} if n % 2 else {} for n in MANY],
        [{"branch": "x"} if n % 2 else {"branch": "main"} for n in MANY],
        ['default("branch", "main")'],
    ),
    "a default for null": (
        [{"branch": "x" if n % 2 else None} for n in MANY],
        [{"branch": "x" if n % 2 else "main"} for n in MANY],
        ['default("branch", "main", null="replace")'],
    ),
    "the same twice": (
        [{"id": n} for n in MANY],
        [{"id": n, "order_id": n} for n in MANY],
        ['copy("id", "order_id")'],
    ),
    "nothing": ([{"n": n} for n in MANY], [{"n": n} for n in MANY], []),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_change_is_found(kind: str) -> None:
    befores, afters, expected = KINDS[kind]
    assert calls(befores, afters) == expected


def test_what_is_dropped_is_reported_as_lost() -> None:
    found = inferred([{"a": n, "b": "x"} for n in MANY], [{} for _ in MANY])
    assert list(lines(found.calls)) == [
        'drop("a"),  # guessed: it is lost: nothing after the step says it',
        'drop("b", restore="x"),  # guessed: it always said this',
    ]


def test_one_pair_makes_guesses() -> None:
    found = inferred([{"a": 1}], [{"b": 1, "c": "x"}])
    assert [(call.code, call.is_sure) for call in found.calls] == [
        ('rename("a", "b")', False),
        ('add("c", "x")', False),
    ]


def test_a_table_of_values_that_something_computes_is_not_believed() -> None:
    found = inferred([{"at": n} for n in MANY], [{"at": f"2026-01-0{n}"} for n in MANY])
    assert found.calls == []
    assert found.unexplained == ["at: changes, and no operation does so for all events"]
    assert found.wrong[0] == (1, "at comes out otherwise")
    assert found.right == 0


def test_what_comes_from_nowhere_is_named() -> None:
    found = inferred([{"n": n} for n in MANY], [{"n": n, "sum": n * n} for n in MANY])
    assert found.unexplained == ["sum: comes from nowhere that these events show"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a": 1, "b": 1}, {"row": [1, 1]}),
        ({"a": 1}, {"row": [1, 1]}),
        ({"a": 1, "b": 1, "c": 2}, {"row": [1, 2]}),
    ],
)
def test_a_list_whose_items_may_be_of_several_fields_is_not_believed(
    before: dict[str, int], after: dict[str, list[int]]
) -> None:
    befores = [{name: value * number for name, value in before.items()} for number in MANY]
    afters = [{"row": [value * number for value in after["row"]]} for number in MANY]
    assert not any("fields_to_list" in call.code for call in inferred(befores, afters).calls)


def test_numbers_keep_their_digits_and_booleans_are_none() -> None:
    befores = [b'{"a": 0.1234567890123456789, "b": 1}', b'{"a": 2.5, "b": 0}']
    afters = [b'{"c": 0.1234567890123456789, "b": true}', b'{"c": 2.5, "b": false}']
    found = infer(befores, afters)
    assert [call.code for call in found.calls] == ['map_values("b", {1: True, 0: False})', 'rename("a", "c")']
    assert found.wrong == []


@pytest.mark.parametrize(
    ("befores", "afters", "message"),
    [
        ([b"{}"], [], "of the events there are 1 before and 0 after"),
        ([], [], "there is no event"),
        ([b"{"], [b"{}"], "event 1 before is not JSON"),
        ([b"{}", b"{}"], [b"{}", b"[]"], "event 2 after is not a JSON object"),
    ],
)
def test_wrong_events_are_one_line(befores: list[bytes], afters: list[bytes], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        infer(befores, afters)


def test_events_stand_in_lines_or_in_a_list(tmp_path: Path) -> None:
    lines_of, printed = tmp_path / "a.jsonl", tmp_path / "a.json"
    lines_of.write_bytes(b'\xef\xbb\xbf{"a": 1}\n\n{"a": 2}\n')
    printed.write_text('[\n  {"a": 1},\n  {"a": 2.50}\n]')
    assert events_in(lines_of) == [b'{"a": 1}', b'{"a": 2}']
    assert events_in(printed) == [b'{"a": 1}', b'{"a": 2.5}']
    with pytest.raises(CommandError, match="No such file"):
        events_in(tmp_path / "none")


def test_the_model_of_what_was_seen() -> None:
    documents: Documents = [
        {
            "id": 1,
            "total": 1.5,
            "class": "x",
            "tags": ["a"],
            "place": {"x": 1},
            "n": {"a": {"s": "k"}, "b": {"s": "l"}},
        },
        {"id": 2, "total": 2, "class": None, "tags": [], "place": {"x": 2, "y": True}, "n": {"c": {"s": "m"}}},
    ]
    made = model_of(documents, "Order", "``order`` 2.")
    assert made.imports == {"BaseModel", "ConfigDict", "Field"}
    assert made.text.endswith(
        '''class Order(BaseModel):
    """``order`` 2."""

    model_config = ConfigDict(extra="allow")

    id: int
    total: float
    field_class: str | None = Field(alias="class")
    tags: list[str]
    place: OrderPlace
    n: dict[str, OrderNItem]'''
    )
    assert "    x: int\n    y: bool | None = None" in made.text


def upcast(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "worker", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    befores = [{"name": f"Ada{n} Love{n}", "seconds": n, "old": n} for n in MANY]
    afters = [{"seconds": n * 1000, "first": f"Ada{n}", "last": f"Love{n}", "currency": "EUR"} for n in MANY]
    for name, documents in (("old.jsonl", befores), ("new.jsonl", afters)):
        (tmp_path / name).write_text("".join(f"{json.dumps(each)}\n" for each in documents))
    return tmp_path


@pytest.mark.long
def test_the_command_writes_a_chain_that_passes_its_check(pairs: Path) -> None:
    given = ("infer", "split the name", "--type", "order", "--before", "old.jsonl", "--after", "new.jsonl")
    made = upcast(*given, "--dir", "orders", folder=pairs)
    assert made.returncode == 0, made.stderr
    assert "6 of 6 events come out as they are after" in made.stdout
    assert made.stdout.splitlines()[-1] == "then: upcast check --laws --chain orders:chain"
    checked = upcast("check", "--chain", "orders:chain", folder=pairs)
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout
    tried = upcast("check", "--laws", "--chain", "orders:chain", folder=pairs)
    assert "3 golden pairs, 0 wrong" in tried.stdout or tried.returncode == 0, tried.stdout
    again = upcast(*given, "--chain", "orders:chain", "--to", "2", folder=pairs)
    assert (again.returncode, again.stderr[:8]) == (2, "upcast: ")


def test_a_dry_run_writes_nothing(pairs: Path) -> None:
    given = ("infer", "split the name", "--type", "order", "--before", "old.jsonl", "--after", "new.jsonl")
    told = upcast(*given, "--dry-run", folder=pairs)
    assert told.returncode == 0
    assert sorted(each.name for each in pairs.iterdir()) == ["new.jsonl", "old.jsonl"]


def test_pairs_that_come_out_otherwise_are_reported(pairs: Path) -> None:
    (pairs / "new.jsonl").write_text("".join(f"{json.dumps({'n': n * n})}\n" for n in MANY))
    told = upcast(
        "infer", "x", "--type", "t", "--before", "old.jsonl", "--after", "new.jsonl", "--dry-run", folder=pairs
    )
    assert told.returncode == 1
    assert "not explained: n: comes from nowhere that these events show" in told.stdout
    assert "  event 1: n comes out otherwise" in told.stdout


# Hostile events.

INJECTING = "x\nimport os\nos.abort() #"


def written(folder: Path, befores: Documents, afters: Documents, event_type: str = "order") -> tuple[str, Step]:
    """The module of the step that is written for these events, and its step."""
    write_step(inferred(befores, afters), "a change", event_type, None, folder / "orders", None)
    (module,) = (folder / "orders").glob("*_2.py")
    scope: dict[str, Any] = {"__name__": "orders"}
    exec(compile(module.read_text(), module, "exec", dont_inherit=True), scope)  # noqa: S102  # what was just written
    return module.read_text(), scope["step"]


def test_a_key_of_several_lines_stays_inside_of_its_comment(tmp_path: Path) -> None:
    befores: Documents = [{"a": n, "in": [{INJECTING: n}], INJECTING + "2": n} for n in MANY]
    afters: Documents = [
        {"a": n, "in": [{INJECTING: n * n + 1}], INJECTING: n * n, INJECTING + "2": n * n * n} for n in MANY
    ]
    text, _ = written(tmp_path, befores, afters)
    assert text.count("# Not explained: ") == 3
    assert "\nos.abort" not in text
    assert r'# Not explained: ("x\nimport os\nos.abort() #",): comes from nowhere' in text


def test_classes_and_fields_have_different_names(tmp_path: Path) -> None:
    names = [
        "a-b",
        "a_b",
        "a b",
        "int",
        "str",
        "model_config",
        "copy",
        "_id",
        "id",
        "class",
        "Field",
        "ﬁ",
        "9",
        "é",
        "",
    ]
    befores: Documents = [{"old": n} for n in MANY]
    afters: Documents = [
        {"new": n, "StepAB2": n, **{name: {"n": n, f"k{place}": name} for place, name in enumerate(names)}}
        for n in MANY
    ]
    text, step = written(tmp_path, befores, afters, event_type="step")
    classes = [line for line in text.splitlines() if line.startswith("class ")]
    assert len(set(classes)) == len(classes) == len(names) + 1
    assert step.model is not None
    assert step.model.model_validate(afters[0]).model_dump(by_alias=True) == afters[0]
    afters[0]["a b"]["k2"] = 5
    with pytest.raises(ValidationError):
        step.model.model_validate(afters[0])


@pytest.mark.parametrize(
    "event",
    [
        b"{",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e400}',
        b'{"a": 1e99999999999999999999}',
        b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"a": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b"[" * 100_000,
        b'{"a": ' + b"1" * 5_000 + b"}",
        b'{"a": "\xff"}',
    ],
    ids=range(10),
)
def test_what_cannot_be_worked_with_is_reported(event: bytes, tmp_path: Path) -> None:
    for befores, afters, what in (([event], [b"{}"], "before"), ([b"{}"], [event], "after")):
        with pytest.raises(CommandError, match=f"^infer: event 1 {what} is not JSON, or has more than 100 levels"):
            infer(befores, afters)
    (tmp_path / "events").write_bytes(event)
    assert events_in(tmp_path / "events") == [event]


@pytest.mark.parametrize("text", ["[" * 5_000, "1e99999999999999999999", '{"a": NaN}', "\ud800"], ids=range(4))
def test_text_that_is_no_json_is_text(text: str) -> None:
    found = inferred([{"a": text, "n": n} for n in MANY], [{"a": {"n": n}, "n": n} for n in MANY])
    assert found.unexplained == ["a: changes, and no operation does so for all events"]


def test_what_has_as_many_levels_as_may_be_is_worked_with() -> None:
    deep: Any = 1
    for _ in range(98):
        deep = {"k": [deep]} if isinstance(deep, int) else {"k": deep}
    found = inferred([{"a": n, "d": deep} for n in MANY], [{"b": n, "d": deep} for n in MANY])
    assert [call.code for call in found.calls] == ['rename("a", "b")']
    assert found.wrong == []


def test_thousands_of_values_are_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    def count(one: Any, other: Any) -> bool:
        nonlocal asked
        asked += 1
        return same(one, other)

    for module in ("columns", "scalars", "scope"):
        monkeypatch.setattr(f"upcast_authoring.inference.{module}.same", count)
    many = range(1_000)
    befores = [{"id": f"o{n}", "kind": f"k{n % 7}", "t": f"x{n}"} for n in many]
    afters = [{"order_id": f"o{n}", "kind": f"K{n % 7}", "t": f"<{n}>"} for n in many]
    inferred(befores, afters)
    assert asked < 100 * len(many)
