"""Steps that are worked out from events: each kind of change by itself, what is guessed, what is not explained."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from worker.authoring.inference.inferring import Inferred, events_in, infer
from worker.authoring.inference.models import model_of
from worker.authoring.inference.scope import lines
from worker.errors import WorkerError

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


def test_what_is_dropped_is_told_as_lost() -> None:
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


def test_numbers_keep_their_digits_and_booleans_are_none() -> None:
    befores = [b'{"a": 0.1234567890123456789, "b": 1}', b'{"a": 2.5, "b": 0}']
    afters = [b'{"c": 0.1234567890123456789, "b": true}', b'{"c": 2.5, "b": false}']
    found = infer(befores, afters)
    assert [call.code for call in found.calls] == ['map_values("b", {1: True, 0: False})', 'rename("a", "c")']
    assert found.wrong == []


@pytest.mark.parametrize(
    ("befores", "afters", "message"),
    [
        ([b"{}"], [], "there are 1 events before and 0 after"),
        ([], [], "there is no event"),
        ([b"{"], [b"{}"], "event 1 before is not JSON"),
        ([b"{}", b"{}"], [b"{}", b"[]"], "event 2 after is not a JSON object"),
    ],
)
def test_wrong_events_are_one_line(befores: list[bytes], afters: list[bytes], message: str) -> None:
    with pytest.raises(WorkerError, match=message):
        infer(befores, afters)


def test_events_stand_in_lines_or_in_a_list(tmp_path: Path) -> None:
    lines_of, printed = tmp_path / "a.jsonl", tmp_path / "a.json"
    lines_of.write_bytes(b'\xef\xbb\xbf{"a": 1}\n\n{"a": 2}\n')
    printed.write_text('[\n  {"a": 1},\n  {"a": 2.50}\n]')
    assert events_in(lines_of) == [b'{"a": 1}', b'{"a": 2}']
    assert events_in(printed) == [b'{"a": 1}', b'{"a": 2.5}']
    with pytest.raises(WorkerError, match="No such file"):
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


def test_pairs_that_come_out_otherwise_are_told(pairs: Path) -> None:
    (pairs / "new.jsonl").write_text("".join(f"{json.dumps({'n': n * n})}\n" for n in MANY))
    told = upcast(
        "infer", "x", "--type", "t", "--before", "old.jsonl", "--after", "new.jsonl", "--dry-run", folder=pairs
    )
    assert told.returncode == 1
    assert "not explained: n: comes from nowhere that these events show" in told.stdout
    assert "  event 1: n comes out otherwise" in told.stdout
