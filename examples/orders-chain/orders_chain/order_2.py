"""First and last name are fields of their own, and an order has a currency."""

from pydantic import BaseModel, ConfigDict

from upcasters import Step, default, present, split_value


class Order(BaseModel):
    """``order`` 2."""

    model_config = ConfigDict(extra="allow")

    id: str
    first_name: str
    last_name: str
    total: float
    currency: str


step = Step(
    event_type="order",
    source="1",
    target="2",
    operations=[
        split_value("name", " ", ["first_name", "last_name"]),
        default("currency", "EUR"),
    ],
    model=Order,
    shape=present("first_name"),
)
