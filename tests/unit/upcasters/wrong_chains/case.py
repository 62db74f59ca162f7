"""A wrong way to write something, what it must be refused with, and the right way beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from upcasters import Baseline, Chain, ChainError, Operation, Problem, Step
from upcasters.checks import model_problems


@dataclass(frozen=True)
class Case:
    """``codes`` are those of all problems that the wrong one has."""

    codes: Sequence[str]
    wrong: Callable[[], object]
    right: Callable[[], object]


def problems_of(build: Callable[[], object]) -> list[Problem]:
    """Everything that is found wrong, wherever it is found: while it is written, put together or checked."""
    try:
        built = build()
        return model_problems(built) if isinstance(built, Chain) else []
    except ChainError as error:
        return list(error.problems)


def step(source: Any, target: Any, *operations: Operation, event_type: str = "order", **options: Any) -> Step:
    """A step of the type ``order``."""
    return Step(event_type, source, target, operations, **options)


def base(version: Any, *, event_type: str = "order", **options: Any) -> Baseline:
    """A baseline of the type ``order``."""
    return Baseline(event_type, version, **options)


def chain(*parts: Step | Baseline, **options: Any) -> Chain:
    """A chain of steps and baselines."""
    steps = [part for part in parts if isinstance(part, Step)]
    return Chain(steps, [part for part in parts if isinstance(part, Baseline)], **options)
