"""Temperatures in kelvin."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from upcasters import Step, map_values, scale


class Sample(BaseModel):
    """The measured value."""

    model_config = ConfigDict(extra="allow")

    kind: Literal["temperature"]
    reading: float
    uom: Literal["K"]


class Temperature(BaseModel):
    """``weather.temperature`` 2025-09-01."""

    model_config = ConfigDict(extra="allow")

    sample_id: str
    sample_index: int
    sample_total: int
    station: str
    taken_at: int
    sample: Sample


step = Step(
    event_type="weather.temperature",
    source="2025-06-01",
    target="2025-09-01",
    operations=[
        scale("sample.reading", 1, plus="273.15"),
        map_values("sample.uom", {"C": "K"}),
    ],
    model=Temperature,
)
