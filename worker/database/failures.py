"""Rows that cannot be migrated to a version: their keys and faults, never their content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alembic.util import CommandError

from upcast_authoring.counted import counted
from upcasters import Fault

LISTED = 20
"""Rows named in an error; the others are counted."""


class AtRestError(CommandError):
    """An error that a person has to correct. An Alembic ``CommandError``, which its command prints without a
    traceback. ``code`` is as a WorkerError has it."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class RowsFailedError(AtRestError):
    """Some rows cannot be brought to the version. ``failures`` has the first of them, ``count`` counts them all."""

    def __init__(self, message: str, failures: Sequence[RowFailure], count: int, code: str = "") -> None:
        super().__init__(message, code)
        self.failures = tuple(failures)
        self.count = count


def key_text(names: Sequence[str], values: Sequence[Any]) -> str:
    """A row's key for people."""
    return ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))


@dataclass(frozen=True)
class RowFailure:
    """One row, by its key, and its fault."""

    key: Mapping[str, Any]
    fault: Fault

    def __str__(self) -> str:
        fault = self.fault
        key = key_text(tuple(self.key), tuple(self.key.values()))
        step = f" (step {fault.step})" if fault.step else ""
        path = f" at {fault.path}" if fault.path else ""
        return f"{key}: {fault.error_type}{path}{step}: {fault.message}"


@dataclass
class Failures:
    """Collects them: the first ones by name, all by number."""

    first: list[RowFailure] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, failure: RowFailure) -> None:
        if len(self.first) < LISTED:
            self.first.append(failure)
        self.kinds[f"{failure.fault.stage} {failure.fault.error_type}"] += 1

    @property
    def count(self) -> int:
        return self.kinds.total()

    def error(self, place: str, to: str) -> RowsFailedError:
        """All of them as one error: what, where, what next."""
        lines = [f"{place}: {counted(self.count, 'row')} cannot be brought to {to}, and nothing was changed:"]
        lines += [f"  {failure}" for failure in self.first]
        if self.count > len(self.first):
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in self.kinds.most_common())
            lines.append(f"  … and {self.count - len(self.first):,} more; in all {kinds}")
        lines.append(
            '  Correct these rows, or set them aside with on_failure="set aside", and run the migration again.'
        )
        return RowsFailedError("\n".join(lines), self.first, self.count, code="UPC1912")
