"""What is drawn for laws is the same in every process, whatever it has imported.

One time in twenty Hypothesis draws a constant that stands in the source of an imported module, where that is not an
installed one. So the examples of one seed, and with them a verdict, depended on what a process had imported before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers

T = TypeVar("T")


def drawn(made: st.SearchStrategy[T], many: int) -> list[T]:
    """So many examples of a strategy, the same ones each time."""
    found: list[T] = []

    @settings(
        max_examples=many,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(made)
    def collect(example: T) -> None:
        found.append(example)

    with of_no_module():
        collect()
    return found


@contextmanager
def of_no_module() -> Iterator[None]:
    """Draw no constants of modules inside of this block, as far as Hypothesis looks for them where it does today."""
    found: Any = getattr(providers, "_get_local_constants", None)
    if found is None:
        yield
        return
    nothing = type(found())()
    _forget()
    setattr(providers, "_get_local_constants", lambda: nothing)  # noqa: B010  # there is no setting for it
    try:
        yield
    finally:
        setattr(providers, "_get_local_constants", found)  # noqa: B010  # as above
        _forget()


def _forget() -> None:
    """What may be drawn is kept by its kind and bounds."""
    kept: Any = getattr(providers, "CONSTANTS_CACHE", None)
    if kept is not None:
        kept.cache.clear()
