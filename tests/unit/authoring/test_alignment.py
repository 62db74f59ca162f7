"""Steps that are worked out without pairs: from two models, two schemas, or events of two versions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from upcast_authoring.errors import CommandError
from upcast_authoring.inference.inferring import Inferred, infer_models, infer_unpaired
from upcast_authoring.inference.schemas import events_of
from upcast_authoring.inference.scope import lines
from worker.cli import app

OLD = {
    "type": "object",
    "required": ["customerId", "orderNo", "placedAt", "street", "city", "price", "tags"],
    "properties": {
        "customerId": {"type": "integer"},
        "orderNo": {"type": "string"},
        "placedAt": {"type": "string", "format": "date-time"},
        "street": {"type": "string"},
        "city": {"type": "string"},
        "price": {"type": "string"},
        "fax": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}
NEW = {
    "type": "object",
    "required": ["customer_id", "order_number", "placed_at", "address", "price", "channel", "tags"],
    "$defs": {
        "Address": {"type": "object", "required": ["street", "city"], "properties": {"street": {}, "city": {}}},
    },
    "properties": {
        "customer_id": {"type": "integer"},
        "order_number": {"type": "string"},
        "placed_at": {"type": "string", "format": "date-time"},
        "address": {"$ref": "#/$defs/Address"},
        "price": {"type": "number"},
        "currency": {"type": "string", "default": "EUR"},
        "note": {"type": "string"},
        "channel": {"enum": ["web", "shop"]},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}


def test_a_step_between_two_schemas() -> None:
    found = infer_models(OLD, NEW)
    assert (found.wrong, found.unexplained) == ([], [])
    assert sorted(lines(found.calls)) == [
        'add("channel", ""),  # guessed: what stands there in older events is yours to say',
        'add("currency", "EUR"),  # guessed: what stands there in older events is yours to say',
        'convert("price", float, str, exact=False),',
        'drop("fax", missing="skip"),  # guessed: it is lost: nothing after the step says it',
        'nest(["street", "city"], "address"),',
        'rename("customerId", "customer_id"),',
        'rename("orderNo", "order_number"),  # guessed: by its name alone',
        'rename("placedAt", "placed_at"),',
    ]


def unpaired(befores: list[dict[str, Any]], afters: list[dict[str, Any]]) -> Inferred:
    old, new = ([json.dumps(each).encode() for each in side] for side in (befores, afters))
    return infer_unpaired(old, new, by_values=True)


def test_events_that_are_not_the_same_are_matched_by_names_and_by_values() -> None:
    befores = [{"id": n, "who": f"n{n % 7}", "state": "open", "shopId": n % 3} for n in range(20)]
    afters = [
        {"id": n, "buyer": f"n{n % 7}", "status": "open", "shop": {"shop_id": n % 3}, "v": 2} for n in range(40, 70)
    ]
    found = unpaired(befores, afters)
    assert (found.wrong, found.unexplained) == ([], [])
    assert [line for line in lines(found.calls) if "who" in line] == [
        'rename("who", "buyer"),  # guessed: by the values of both'
    ]
    assert [line for line in lines(found.calls) if "status" in line] == [
        'rename("state", "status"),  # guessed: by name or by one value'
    ]
    assert 'to_object("shopId", "shop_id"),' in [*lines(found.calls)]


def test_values_that_cannot_have_the_new_type_are_not_explained() -> None:
    found = unpaired([{"a": "red"}, {"a": "blue"}], [{"a": 1}, {"a": 2}])
    assert found.unexplained == ["a: has another type afterwards, and its values do not tell which"]


def test_a_field_that_only_some_have_is_not_made_up() -> None:
    assert unpaired([{"a": 1}], [{"a": 2}, {"a": 3, "b": 1}]).calls == []


@pytest.mark.parametrize("schema", [{"type": "string"}, {"properties": {}}, {"$ref": "#/nowhere"}])
def test_a_schema_of_no_object_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(CommandError, match="describes no object"):
        events_of(schema, with_defaults=False)


def test_a_schema_that_holds_itself_has_an_end() -> None:
    node = {"type": "object", "properties": {"name": {}, "next": {"$ref": "#"}}}
    assert b'"next"' in events_of(node, with_defaults=True)[0]
    must = {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}}}
    assert events_of(must, with_defaults=True)


MODELS = """\
from pydantic import BaseModel


class Order1(BaseModel):
    orderNo: str
    total: int


class Order2(BaseModel):
    order_no: str
    total: int
    currency: str = "EUR"


not_a_model = 1
"""


def test_the_command_takes_two_models_and_the_laws_hold_for_what_it_writes(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    upcast = [sys.executable, "-m", "worker"]
    models = ["--before", "models:Order1", "--after", "models:Order2"]
    command = [*upcast, "infer", "name the currency", "--type", "order", *models, "--dir", "orders"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 'rename("orderNo", "order_no"),' in done.stdout
    check = [*upcast, "check", "--laws", "--chain", "orders:chain"]
    checked = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "give --before and --after, or --versions"),
        (["--before", "json:Nothing", "--after", "json:JSONDecoder"], "json:Nothing: "),
        (["--before", "json:JSONDecoder", "--after", "json:JSONDecoder"], "is no pydantic model"),
        (["--before", "{schema}", "--after", "{events}"], "one side is a model or a schema, the other is not"),
        (["--before", "{events}", "--after", "{empty}", "--unpaired"], "there is no event after"),
        (["--versions", "1.0:2.0", "--before", "{events}"], "--versions takes a topic's events"),
        (["--versions", "1.0"], "is not OLD:NEW"),
    ],
)
def test_wrong_use_is_one_line(options: list[str], told: str, tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.json" for name in ("schema", "events", "empty")}
    files["schema"].write_text(json.dumps(OLD))
    files["events"].write_text('{"a": 1}\n')
    files["empty"].write_text("")
    given = [option.format(**files) for option in options]
    done = CliRunner().invoke(app, ["infer", "x", "--type", "order", "--dry-run", *given])
    assert isinstance(done.exception, CommandError)
    assert told in str(done.exception)
