"""The findings of a verification: what is wrong and what could not be decided, counted by kind, with the first few
coordinates."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

EXAMPLES = 10


class Result(StrEnum):
    """UNDECIDED: nothing was found wrong, but not everything could be read."""

    PASSED = "PASS"
    FAILED = "FAIL"
    UNDECIDED = "UNDECIDED"


@dataclass
class Findings:
    """Findings in bounded memory. ``open`` are the kinds that could not be decided."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.counts)

    @property
    def result(self) -> Result:
        if self.wrong:
            return Result.FAILED
        return Result.UNDECIDED if self.counts else Result.PASSED

    @property
    def wrong(self) -> int:
        return sum(count for kind, count in self.counts.items() if kind not in self.open)

    @property
    def undecided(self) -> int:
        return self.counts.total() - self.wrong

    def add(self, kind: str, place: str, count: int = 1) -> None:
        """A fault."""
        self.counts[kind] += count
        known = self.examples.setdefault(kind, [])
        if len(known) < EXAMPLES:
            known.append(place)

    def leave_open(self, kind: str, place: str, count: int = 1) -> None:
        """Something that could not be decided: ``place`` says where it is and why."""
        self.open.add(kind)
        self.add(kind, place, count)

    def lines(self) -> list[str]:
        """One for each example, and one for those of a kind that are not shown."""
        made = []
        for kind, places in self.examples.items():
            name = f"undecided: {kind}" if kind in self.open else kind
            made += [f"{name}: {place}" for place in places]
            more = self.counts[kind] - len(places)
            if more and len(places) == EXAMPLES:
                made.append(f"{name}: and {more:,} more")
        return made
