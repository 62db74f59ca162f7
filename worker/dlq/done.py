"""Which dead letters earlier redrives have taken: none is ever sent twice.

Each redrive leaves this beside its offsets in Kafka, and in the ledger for when Kafka has forgotten it. It is what is
known of one partition: of a fingerprint, all letters before an offset that had been redriven fewer than so many times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

ALL_FAULTS = "*"
"""In place of a fingerprint: letters of every fault."""

RoundLimits = tuple[tuple[int, int], ...]
"""Offsets and rounds: everything before the one that had fewer of the other is done."""


class TakenLetters:
    """By fingerprint. Immutable."""

    def __init__(self, limits: Mapping[str, RoundLimits] | None = None) -> None:
        self._limits = dict(limits or {})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TakenLetters) and self._limits == other._limits

    def __hash__(self) -> int:
        return hash(tuple(sorted(self._limits.items())))

    def __repr__(self) -> str:
        return f"Done({self._limits})"

    def holds(self, fingerprint: str, offset: int, rounds: int) -> bool:
        """Whether this letter was taken before."""
        return any(offset < end and rounds < most for end, most in self._of(fingerprint))

    def up_to(self, fingerprint: str, rounds: int) -> int:
        """The offset before which a redrive of so many rounds at most finds nothing to do."""
        return max((end for end, most in self._of(fingerprint) if most >= rounds), default=0)

    def with_more(self, fingerprints: Iterable[str], end: int, rounds: int) -> TakenLetters:
        """After a redrive of these, of all letters before ``end`` with fewer than so many rounds."""
        return self.united(TakenLetters(dict.fromkeys(fingerprints, ((end, rounds),))))

    def united(self, other: TakenLetters) -> TakenLetters:
        """What either of them knows."""
        names = sorted(self._limits.keys() | other._limits.keys())
        united = {name: _needed(self._limits.get(name, ()) + other._limits.get(name, ())) for name in names}
        of_all = united.pop(ALL_FAULTS, ())
        apart = {name: tuple(each for each in limits if not _covers(of_all, each)) for name, limits in united.items()}
        return TakenLetters({name: limits for name, limits in {**apart, ALL_FAULTS: of_all}.items() if limits})

    def after(self, beginning: int) -> TakenLetters:
        """Without what is about letters that retention has deleted."""
        kept = {name: tuple(limit for limit in limits if limit[0] > beginning) for name, limits in self.items()}
        return TakenLetters({name: limits for name, limits in kept.items() if limits})

    def _of(self, fingerprint: str) -> RoundLimits:
        return self._limits.get(fingerprint, ()) + self._limits.get(ALL_FAULTS, ())

    def items(self) -> Iterator[tuple[str, RoundLimits]]:
        yield from self._limits.items()


def _needed(limits: RoundLimits) -> RoundLimits:
    """Without those that others include."""
    distinct = sorted(set(limits), reverse=True)
    return tuple(each for each in distinct if not _covers(tuple(other for other in distinct if other != each), each))


def _covers(limits: RoundLimits, limit: tuple[int, int]) -> bool:
    return any(end >= limit[0] and most >= limit[1] for end, most in limits)
