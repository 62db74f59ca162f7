"""Histories of schemas as companies have them: what comes out is what fastavro reads with the new schema."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from tests.registries.fake import FakeRegistry
from tests.unit.schemas.test_by_schema import AVRO, avro
from tests.unit.schemas.test_framed import framed
from upcasters import Baseline, Chain, Step, at, convert, everywhere, present, rename
from upcasters.event import Event, SourcePartition
from upcasters.outcome import DeadLettered, Outcome, Upcast
from worker.routes.chains import load_route_chain
from worker.settings import RouteSettings
from worker.settings.schemas import RegistrySettings

PLACE = SourcePartition("old", 0)


def record(name: str, *fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as serving:
        yield serving


async def brought(fake: FakeRegistry, chain: str, old: Any, new: Any, value: Any) -> tuple[Outcome, Any]:
    """What a route makes of a record of the old schema; the same step by step."""
    number = fake.register("old-value", old, schemaType="AVRO")
    target = fake.register("new-value", new, schemaType="AVRO")
    settings = {"source": "old", "destination": "new", "version": "shape", "reads": AVRO, "writes": AVRO}
    route = RouteSettings.model_validate({**settings, "event_type": "t", "chain": f"{__name__}:{chain}"})
    given = load_route_chain(route, RegistrySettings(urls=(fake.url,)))
    event = Event(framed(number, avro(old, value)), b"k", [], 7, 9)
    await given.begin()
    await given.learn([event])
    outcome = given.upcaster.upcast(event, PLACE)
    plainly = given.built(step_by_step=True).upcast(event, PLACE)
    assert list(map(repr, outcome.output(event))) == list(map(repr, plainly.output(event)))
    if not isinstance(outcome, Upcast):
        return outcome, None
    (made,) = outcome.output(event)
    assert (made.value or b"")[:5] == framed(target, b"")
    read = io.BytesIO((made.value or b"")[5:])
    found = fastavro.schemaless_reader(read, fastavro.parse_schema(new), None, return_record_name=True)
    assert not read.read()
    return outcome, found


# A row before and after a change: one record by name in two places, enums that grow from the front, numbers that widen.

EUROS = {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}
SNAPSHOT = {"type": "string", "connect.version": 1, "connect.parameters": {"allowed": "true,last,false"}}


def changed(*fields: dict[str, Any]) -> dict[str, Any]:
    source = record(
        "Source",
        field("ts_ms", "long"),
        field("snapshot", [SNAPSHOT, "null"], default="false"),
        namespace="io.debezium.connector",
    )
    return record(
        "Envelope",
        field("before", ["null", record("Value", *fields)], default=None),
        field("after", ["null", "Value"], default=None),
        field("source", source),
        field("op", "string"),
        namespace="shop.orders",
    )


def state(*symbols: str, **more: Any) -> dict[str, Any]:
    return field("state", {"type": "enum", "name": "State", "symbols": list(symbols), **more})


ROW_ONE = changed(field("id", "int"), field("amt", ["null", "string"], default=None), state("NEW", "OLD"))
ROW_TWO = changed(
    field("id", "long"),
    field("amount", ["null", EUROS], default=None),
    state("UNKNOWN", "NEW", "OLD", default="UNKNOWN"),
    field("tags", {"type": "array", "items": "string"}, default=[]),
)
AMOUNT = (convert("amt", Decimal, str), rename("amt", "amount"))
rows = Chain(
    [
        Step(
            "t",
            "1",
            "2",
            [at(side, *AMOUNT, missing="skip", wrong_type="skip") for side in ("before", "after")],
            shape=present("after.amount"),
        )
    ],
    [Baseline("t", "1", shape=present("after.amt"))],
)


async def test_a_row_before_and_after_a_change(fake: FakeRegistry) -> None:
    value = {"id": 1, "amt": "3.5", "state": "OLD"}
    source = {"ts_ms": 2**60, "snapshot": "last"}
    _, found = await brought(
        fake, "rows", ROW_ONE, ROW_TWO, {"before": None, "after": value, "source": source, "op": "c"}
    )
    row = ("shop.orders.Value", {"id": 1, "amount": Decimal("3.50"), "state": "OLD", "tags": []})
    assert found == {"before": None, "after": row, "source": source, "op": "c"}


# A tree: a record inside of itself in an array, a union and a map.


def tree(kind: str, *fields: dict[str, Any]) -> dict[str, Any]:
    inside = ["null", "string", kind, "Node"] if kind == "long" else ["null", kind, "string", "Node"]
    links = [
        field("kids", {"type": "array", "items": "Node"}),
        field("up", ["null", "Node"], default=None),
        field("more", {"type": "map", "values": inside}),
    ]
    return record("Node", *fields, *links, namespace="a.tree")


trees = Chain(
    [Step("t", "1", "2", [everywhere(present("id"), rename("id", "key"))], shape=present("key"), lossy="which ones")],
    [Baseline("t", "1", shape=present("id"))],
)


async def test_a_record_that_holds_itself(fake: FakeRegistry) -> None:
    old = tree("int", field("id", "string"))
    new = tree("long", field("key", "string"), field("depth", "int", default=-1))
    leaf: dict[str, Any] = {"id": "l", "kids": [], "up": None, "more": {"a": None, "b": 5, "c": "x"}}
    _, found = await brought(
        fake, "trees", old, new, {"id": "r", "kids": [leaf, leaf], "up": leaf, "more": {"n": leaf}}
    )
    made = {"key": "l", "depth": -1, "kids": [], "up": None, "more": {"a": None, "b": 5, "c": "x"}}
    named = ("a.tree.Node", made)
    assert found == {"key": "r", "depth": -1, "kids": [made, made], "up": named, "more": {"n": named}}


# A payment: a union of records of one shape each, in a namespace that changes; aliases; every logical type.


def payment(*fields: dict[str, Any]) -> dict[str, Any]:
    return record("Payment", *fields, namespace="pay")


def ways(space: str, *card: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        record("Card", *card, field("until", {"type": "int", "logicalType": "date"}), namespace=space),
        record("Iban", field("no", "string"), namespace=space),
        record("Cash", namespace=space),
    ]


HASH = {"type": "fixed", "name": "Hash", "size": 4}
TOOK = {"type": "fixed", "name": "Took", "size": 12, "logicalType": "duration"}
MONEY = {"type": "fixed", "name": "Money", "size": 8, "logicalType": "decimal", "precision": 16, "scale": 4}
WIDER = {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 6}
MICROS, MILLIS = ({"type": "long", "logicalType": f"timestamp-{unit}"} for unit in ("micros", "millis"))
BRAND = {"type": "enum", "name": "Brand", "symbols": ["VISA", "OTHER"]}
PAYMENT_ONE = payment(
    field("amount", MONEY),
    field("at", MICROS),
    field("how", ways("pay.v1", field("no", "string"))),
    field("hash", ["null", HASH], default=None),
    field("took", TOOK),
    field("rate", "float"),
    field("xs", {"type": "array", "items": ["null", "double", "string"]}),
)
CARD, IBAN, CASH = ways("pay.v2", field("number", "string", aliases=["no"]), field("brand", BRAND, default="OTHER"))
ADDRESS = record("Address", field("city", "string"), field("zip", ["null", "string"], default=None))
PAYMENT_TWO = payment(
    field("total", WIDER, aliases=["amount"]),
    field("at", MILLIS),
    field("how", [CASH, CARD, IBAN]),
    field("hash", [HASH, "null"], default="\u00ff" * 4),
    field("took", TOOK),
    field("rate", "double"),
    field("xs", {"type": "array", "items": ["string", "double", "null"]}),
    field(
        "address",
        record("Address", field("city", "string"), field("zip", ["null", "string"], default=None)),
        default={"city": "?"},
    ),
    field("counts", {"type": "map", "values": "int"}, default={"a": 1}),
)


def to_millis(moment: dt.datetime) -> dt.datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


payments = Chain(
    [Step("t", "1", "2", [convert("at", to_millis, to_millis)], shape=present("address"), lossy="microseconds")],
    [Baseline("t", "1", shape=present("amount"))],
)


@pytest.mark.parametrize(
    ("how", "made"),
    [
        (
            ("pay.v1.Card", {"no": "4", "until": dt.date(2030, 1, 1)}),
            ("pay.v2.Card", {"number": "4", "brand": "OTHER", "until": dt.date(2030, 1, 1)}),
        ),
        (("pay.v1.Iban", {"no": "DE"}), ("pay.v2.Iban", {"no": "DE"})),
        (("pay.v1.Cash", {}), ("pay.v2.Cash", {})),
    ],
)
async def test_a_payment_of_one_kind_of_several(fake: FakeRegistry, how: Any, made: Any) -> None:
    moment = dt.datetime(2024, 2, 29, 1, 2, 3, 456789, tzinfo=dt.UTC)
    took = b"\1\0\0\0\2\0\0\0\3\0\0\0"
    value = {"amount": Decimal("-12.3400"), "at": moment, "how": how, "hash": b"1234", "took": took, "rate": 0.5}
    _, found = await brought(fake, "payments", PAYMENT_ONE, PAYMENT_TWO, {**value, "xs": [None, 1.5, "s"]})
    assert found == {
        "total": Decimal("-12.34"),
        "at": to_millis(moment),
        "how": made,
        "hash": b"1234",
        "took": took,
        "rate": 0.5,
        "xs": [None, 1.5, "s"],
        "address": {"city": "?", "zip": None},
        "counts": {"a": 1},
    }


async def test_a_moment_that_has_no_place_is_not_rounded(fake: FakeRegistry) -> None:
    moment = dt.datetime(2024, 2, 29, 1, 2, 3, 456789, tzinfo=dt.UTC)
    old, new = (
        payment(field("x", "int"), field("at", MICROS)),
        payment(field("y", "int", aliases=["x"]), field("at", MILLIS)),
    )
    outcome, _ = await brought(fake, "moments", old, new, {"x": 1, "at": moment})
    assert isinstance(outcome, DeadLettered)
    assert (outcome.fault.stage, outcome.fault.path) == ("validate", "at")


moments = Chain([Step("t", "1", "2", [rename("x", "y")], shape=present("y"))], [Baseline("t", "1", shape=present("x"))])
