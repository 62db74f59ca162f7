"""Chains as their users write them, each against the same change by hand with orjson: one order, one hop.

A hand-written function does what its chain does to this event and no more.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from upcasters import (
    KEY,
    SNAKE_CASE,
    Always,
    Baseline,
    Chain,
    Detection,
    Event,
    FromField,
    FromHeader,
    Operation,
    Policy,
    SourcePartition,
    Step,
    Upcast,
    convert,
    default,
    derive,
    drop,
    equals,
    everywhere,
    function,
    map_values,
    move,
    nest,
    parse_json,
    present,
    rename,
    rename_keys,
    set_header,
    split_each,
    split_value,
    switch,
    unnest,
    when,
    wrap,
)

Json = dict[str, Any]
BY_VERSION_FIELD = Detection((Always("order"),), (FromField("version"),))
BY_TYPE_AND_VERSION_FIELD = Detection((FromField("type"),), (FromField("version"),))
BY_HEADERS = Detection((FromHeader("type"),), (FromHeader("version"),))
UNVERSIONED = Detection((Always("order"),), (Always("1"),))
PLACE = SourcePartition("orders", 3)

ORDER: Json = {
    "type": "order",
    "version": 1,
    "orderId": "2024-000017",
    "status": "PAID",
    "customer": {
        "fullName": "Ada Lovelace",
        "email": "ada@example.com",
        "address": {"street": "12 St James's Square", "zipCode": "SW1Y 4JH", "city": "London"},
    },
    "items": [
        {"sku": "a-17", "quantity": 2, "unitPrice": 9.99},
        {"sku": "b-4", "quantity": 1, "unitPrice": 19.5},
        {"sku": "c-311", "quantity": 4, "unitPrice": 0.75},
    ],
    "payload": '{"channel": "web", "campaign": null}',
    "placedAt": 1700000000,
}


@dataclass(frozen=True)
class Case:
    """A chain of one step beside the function that does the same, given a parsed document."""

    name: str
    operations: list[Operation]
    by_hand: Callable[[Json], Json | list[Json]]
    detection: Detection = UNVERSIONED
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)
    document: Json = field(default_factory=lambda: ORDER)

    @property
    def event(self) -> Event:
        return Event(orjson.dumps(self.document), b"key-1", self.headers, 1_700_000_000_000, 17)

    def hand_written(self, value: bytes) -> bytes | list[bytes]:
        made = self.by_hand(orjson.loads(value))
        return [orjson.dumps(one) for one in made] if isinstance(made, list) else orjson.dumps(made)

    def upcast(self) -> Callable[[], object]:
        """What is measured, after it was seen to do the same as the function."""
        steps = [Step("order", 1, 2, self.operations, lossy="not asked here")]
        chain = Chain(steps, [Baseline("order", 1), Baseline("line", 2)], detection=self.detection)
        upcaster = chain.upcaster(Policy(validate_target="never", validate_source="never"))
        event = self.event
        outcome = upcaster.upcast(event, PLACE)
        assert isinstance(outcome, Upcast), outcome
        made = [json.loads(record.value or b"") for record in outcome.output(event)]
        by_hand = self.hand_written(event.value or b"")
        assert made == [json.loads(one) for one in (by_hand if isinstance(by_hand, list) else [by_hand])]
        return lambda: upcaster.upcast(event, PLACE)


def cents(price: float) -> int:
    return round(price * 100)


def mailbox(email: str) -> str:
    return email.partition("@")[0]


def nested(order: Json) -> Json:
    customer = order["customer"]
    address = customer["address"]
    address["zip_code"] = address.pop("zipCode")
    customer["full_name"] = customer.pop("fullName")
    customer.setdefault("country", "GB")
    return order


NESTED = [
    rename("customer.address.zipCode", "zip_code"),
    rename("customer.fullName", "full_name"),
    default("customer.country", "GB"),
]


def stamped(order: Json) -> Json:
    if order["version"] == 1:
        order = nested(order)
        order["version"] = 2
    return order


def typed(order: Json) -> Json:
    return stamped(order) if order["type"] == "order" else order


def items(order: Json) -> Json:
    for item in order["items"]:
        item["product_id"] = item.pop("sku")
        item["unit_price_cents"] = cents(item.pop("unitPrice"))
        item.setdefault("discount", 0)
    return order


ITEMS = [
    rename("items.*.sku", "product_id"),
    rename("items.*.unitPrice", "unit_price_cents"),
    convert("items.*.unit_price_cents", cents),
    default("items.*.discount", 0),
]


def values(order: Json) -> Json:
    order["status"] = STATUS[order["status"]]
    order["placedAt"] = order["placedAt"] * 1000
    customer = order["customer"]
    first, last = customer.pop("fullName").split(" ")
    customer["first"], customer["last"] = first, last
    customer["mailbox"] = mailbox(customer["email"])
    return order


STATUS = {"PAID": "paid", "OPEN": "open", "SENT": "sent"}
VALUES = [
    map_values("status", STATUS),
    convert("placedAt", lambda seconds: seconds * 1000),
    split_value("customer.fullName", " ", ["first", "last"]),
    derive("customer.mailbox", ["customer.email"], mailbox),
]


def places(order: Json) -> Json:
    order["contact"] = {"email": order["customer"].pop("email")}
    order["shipping"] = {"address": order["customer"].pop("address")}
    order.update(order.pop("customer"))
    order["items"] = [order["items"]]
    del order["payload"]
    return order


PLACES = [
    move("customer.email", "contact.email", parents="create"),
    move("customer.address", "address"),
    nest(["address"], "shipping"),
    unnest("customer", ["fullName"]),
    wrap("items", lists="wrap"),
    drop("payload"),
]


def conditional(order: Json) -> Json:
    if order["status"] == "PAID":
        order["paid"] = True
        order["paid_at"] = order.pop("placedAt")
    if "email" in order["customer"]:
        order["customer"]["mail"] = order["customer"].pop("email")
    return order


CONDITIONAL = [
    when(equals("status", "PAID"), default("paid", True), rename("placedAt", "paid_at")),
    when(present("customer.email"), rename("customer.email", "mail")),
]


def one_of_many(order: Json) -> Json:
    old, new = KINDS[order["status"]]
    if old in order:
        order[new] = order.pop(old)
    return order


KINDS = {"PAID": ("orderId", "order_id"), **{f"S{number}": (f"f{number}", f"g{number}") for number in range(699)}}
MANY = [switch("status", {kind: [rename(old, new)] for kind, (old, new) in KINDS.items()})]


def split(order: Json) -> list[Json]:
    lines = order.pop("items")
    return [
        {**order, "id": f"orders/3/17/{position}", "position": position, "line": line}
        for position, line in enumerate(lines)
    ]


SPLIT = [split_each("items", into="line", item="line", id="id", number="position")]


def deep(node: Any) -> Any:
    if isinstance(node, dict):
        for child in node.values():
            deep(child)
        if "sku" in node:
            node["product_id"] = node.pop("sku")
    elif isinstance(node, list):
        for child in node:
            deep(child)
    return node


DEEP = [everywhere(present("sku"), rename("sku", "product_id"))]


def text(order: Json) -> Json:
    order["payload"] = orjson.loads(order["payload"])
    order["payload"]["source"] = order["payload"].pop("channel")
    return order


TEXT = [parse_json("payload"), rename("payload.channel", "source")]


def spelling(order: Json) -> Json:
    order["customer"] = {SPELLING.get(key, key): node for key, node in order["customer"].items()}
    order["items"] = [{SPELLING.get(key, key): node for key, node in item.items()} for item in order["items"]]
    return order


SPELLING = {"fullName": "full_name", "unitPrice": "unit_price"}


def around(order: Json) -> Json:
    order["key"] = "key-1"
    return order


def by_function(order: Json) -> Json:
    customer = order["customer"]
    customer["name"] = customer.pop("fullName").title()
    return order


def named(view: Json) -> None:
    view["customer"]["name"] = view["customer"].pop("fullName").title()


CASES = [
    Case("fields of nested objects", NESTED, nested),
    Case("the version in a field", NESTED, stamped, detection=BY_VERSION_FIELD),
    Case("type and version in fields", NESTED, typed, detection=BY_TYPE_AND_VERSION_FIELD),
    Case(
        "type and version in headers",
        NESTED,
        nested,
        detection=BY_HEADERS,
        headers=[("type", b"order"), ("version", b"1")],
    ),
    Case("items of an array", ITEMS, items),
    Case("keys respelled", [rename_keys("customer", SNAKE_CASE), rename_keys("items.*", SNAKE_CASE)], spelling),
    Case("values mapped, converted, split", VALUES, values),
    Case("fields moved, nested, unnested", PLACES, places),
    Case("two conditions", CONDITIONAL, conditional),
    Case("one of 700 cases", MANY, one_of_many),
    Case("split into three", SPLIT, split),
    Case("objects at any depth", DEEP, deep),
    Case("JSON text in a string", TEXT, text),
    Case("a field from the key", [derive("key", [KEY], str), set_header("source", "shop")], around),
    Case(
        "a function of two fields",
        [function(named, reads=["customer.fullName"], writes=["customer.fullName", "customer.name"])],
        by_function,
    ),
]
