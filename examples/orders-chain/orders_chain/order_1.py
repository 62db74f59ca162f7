"""The first version of an order."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from upcasters import Baseline, anything


class Order(BaseModel):
    """``order`` 1."""

    model_config = ConfigDict(extra="allow")

    id: str
    name: Annotated[str, Field(pattern="^[A-Z][a-z]+ [A-Z][a-z]+$")]
    total: float


baseline = Baseline("order", "1", model=Order, shape=anything())
