"""A chain that renames, drops, maps and computes: one step for every way in which content may get lost."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from upcasters import (
    Always,
    Baseline,
    Chain,
    Detection,
    Event,
    FromHeader,
    Operation,
    Policy,
    SourcePartition,
    Step,
    Upcast,
    default,
    drop,
)
from worker.replay.plan.data_loss import Loss
from worker.replay.plan.file import LossReport
from worker.replay.plan.samples import Sample

SOURCE = SourcePartition("legacy", 3)


class Item(BaseModel):
    name: str
    price: float = 0.0


class Thing(BaseModel):
    title: str = ""
    status: str = ""
    items: list[Item] = []
    labels: dict[str, str] = {}


def chain_of(*operations: Operation, model: type[BaseModel] | None = Thing) -> Chain:
    """``thing`` from 1.0 to 2.0 by these operations."""
    return Chain(
        [Step("thing", "1.0", "2.0", list(operations), lossy="this is what is tried here")],
        [Baseline("thing", "1.0", model)],
        detection=Detection((Always("thing"),), (FromHeader("v"), Always("1.0"))),
    )


def sample(chain: Chain, value: bytes, offset: int = 7) -> Sample:
    """An event, and what the chain makes of it."""
    event = Event(value, b"key", [], 1_700_000_000_000, offset)
    outcome = chain.upcaster(Policy()).upcast(event, SOURCE)
    assert isinstance(outcome, Upcast), outcome
    return Sample(event, SOURCE, outcome)


def loss_of(*operations: Operation, values: list[bytes], model: type[BaseModel] | None = Thing) -> LossReport:
    chain = chain_of(*operations, model=model)
    samples = [sample(chain, value, offset) for offset, value in enumerate(values)]
    return Loss(chain, Policy(), 2).look(samples)


def lost_paths(*operations: Operation, values: list[bytes], **options: Any) -> list[str]:
    return [each.path for each in loss_of(*operations, values=values, **options).lost]


NOTHING = (default("added", 1),)
DROPS_TITLE = (drop("title"),)
