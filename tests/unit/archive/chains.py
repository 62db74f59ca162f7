"""Chains for archives."""

from __future__ import annotations

import itertools

from pydantic import BaseModel

from upcasters import (
    Always,
    Baseline,
    Chain,
    Detection,
    FromField,
    FromShape,
    Step,
    convert,
    default,
    drop_event,
    equals,
    present,
    rename,
    split_each,
    when,
)


class Order(BaseModel):
    customer_id: int
    currency: str


orders = Chain(
    [
        Step(
            "order",
            "1",
            "2",
            [
                when(equals("test", True), drop_event()),
                rename("custId", "customer_id"),
                default("currency", "EUR"),
            ],
            shape=present("customer_id", "currency"),
            model=Order,
            lossy="nobody waits for a test",
        ),
        Step("basket", "1", "2", [split_each("lines", into="line", item="line")], lossy="lines go by themselves"),
    ],
    [
        Baseline("order", "1", shape=present("custId")),
        Baseline("basket", "1", shape=present("lines")),
        Baseline("line", "2"),
    ],
    detection=Detection((FromField("kind"), Always("order")), (FromShape(),)),
)

other = Chain(
    [Step("order", "1", "2", [rename("custId", "customerId")])],
    detection=Detection((Always("order"),), (Always("1"),)),
)
ticks = itertools.count()
restless = Chain(
    [Step("order", "1", "2", [convert("custId", lambda _: next(ticks))], lossy="what it was is gone")],
    detection=Detection((Always("order"),), (Always("1"),)),
)
