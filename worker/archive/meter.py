"""How much of an archive is done, in bytes of its files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from worker.progress import OnProgress


class Meter:
    """``sizes`` are those of the files that are left to do."""

    def __init__(self, sizes: Mapping[int, int], show: OnProgress) -> None:
        self._sizes = sizes
        self._show = show
        self._total = sum(sizes.values())
        self._done = 0

    def part(self, number: int, share: float) -> None:
        """Of one file so much is done."""
        self._show(self._done + round(self._sizes[number] * min(1.0, share)), self._total)

    def watch(self, results: Iterable[tuple[int, Mapping[str, Any]]]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """The results, counting their files."""
        for number, told in results:
            self._done += self._sizes[number]
            self._show(self._done, self._total)
            yield number, told
