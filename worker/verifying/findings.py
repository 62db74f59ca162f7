"""What a verification found wrong: counted by kind, with the first few coordinates of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

EXAMPLES = 10


@dataclass
class Findings:
    """Bounded, whatever there is to find."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.counts)

    def add(self, kind: str, place: str) -> None:
        self.counts[kind] += 1
        known = self.examples.setdefault(kind, [])
        if len(known) < EXAMPLES:
            known.append(place)

    def lines(self) -> list[str]:
        """One for each example, and one for those of a kind that are not shown."""
        made = []
        for kind, places in self.examples.items():
            made += [f"{kind}: {place}" for place in places]
            more = self.counts[kind] - len(places)
            if more:
                made.append(f"{kind}: and {more:,} more")
        return made
