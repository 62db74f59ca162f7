"""Follows the numbers of a topic's records, partition by partition: twice the same, or out of order, is noted."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

EXAMPLES = 10


@dataclass
class Tracks:
    """One topic. ``seen`` counts the records of each number, up to 255."""

    topic: str
    seen: bytearray = field(default_factory=bytearray)
    highest: defaultdict[int, int] = field(default_factory=lambda: defaultdict(lambda: -1))
    doubled: int = 0
    reordered: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, number: int, partition: int, offset: int) -> None:
        if number >= len(self.seen):
            self.seen.extend(bytes(number + 10_000 - len(self.seen)))
        if self.seen[number]:
            self.doubled += 1
            self._example(f"{self.topic}:{partition}:{offset} has number {number} again")
        elif number < self.highest[partition]:
            self.reordered += 1
            self._example(f"{self.topic}:{partition}:{offset} has number {number} after {self.highest[partition]}")
        self.seen[number] = min(255, self.seen[number] + 1)
        self.highest[partition] = max(self.highest[partition], number)

    def has(self, number: int) -> bool:
        return number < len(self.seen) and self.seen[number] > 0

    def _example(self, text: str) -> None:
        if len(self.examples) < EXAMPLES:
            self.examples.append(text)
