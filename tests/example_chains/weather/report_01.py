"""What a station sent at first; numbers as text, flags as JSON text."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from upcasters import Baseline


class Sample(BaseModel):
    """One measured value."""

    model_config = ConfigDict(extra="allow")

    kind: str
    value: float
    unit: str


class Report(BaseModel):
    """``station-report`` 1."""

    model_config = ConfigDict(extra="allow")

    station: str
    time: int
    wind: str
    quality: str
    flags: str
    sensor: str
    kind: str
    samples: list[Sample]
    device: dict[str, Any]


baseline = Baseline("station-report", 1, model=Report)
