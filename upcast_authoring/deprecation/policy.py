"""The deprecation policy, as code: what was offered may be removed two minor versions after its notice.

Pure: takes what is offered, what was offered and what is deprecated, and gives a line for each breach.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

MINOR_VERSIONS = 2
"""After so many minor versions a thing may go: noticed in 1.4, it is in 1.5 still, and may be gone in 1.6."""

Minor = tuple[int, int]
Offer = Mapping[str, frozenset[str]]
"""Names by kind."""

DeprecatedKind = Literal["schema", "setting", "endpoint"]


@dataclass(frozen=True)
class Deprecation:
    """``notice`` and ``removal`` are minor versions (``0.1``); the removal one is the first without it.

    ``noticed`` is the day of the notice, ``sunset`` the earliest day of the removal.
    """

    kind: DeprecatedKind
    name: str
    replacement: str
    notice: str
    removal: str
    noticed: date
    sunset: date


@dataclass(frozen=True)
class DeprecationPolicy:
    """``released`` are the offers of past minor versions and of this one, by version; ``version`` is this one."""

    entries: Sequence[Deprecation]
    offered: Offer
    released: Mapping[str, Offer]
    version: str

    def breaches(self) -> list[str]:
        """A line for each: what, and what to do."""
        return [*self._short_notices(), *self._unknown(), *self._gone()]

    def _short_notices(self) -> Iterable[str]:
        known = sorted({minor_of(version) for version in (*self.released, self.version)})
        for entry in self.entries:
            if between(minor_of(entry.notice), minor_of(entry.removal), known) < MINOR_VERSIONS:
                yield (
                    f"{entry.kind} {entry.name}: noticed in {entry.notice}, removed in {entry.removal}: "
                    f"leave {MINOR_VERSIONS} minor versions for it to go"
                )

    def _unknown(self) -> Iterable[str]:
        for entry in self.entries:
            offers = (self.offered, *self.released.values())
            if not any(covers(entry, name) for offer in offers for name in offer.get(entry.kind, ())):
                yield f"{entry.kind} {entry.name}: deprecated, but it never existed: correct its name"

    def _gone(self) -> Iterable[str]:
        for kind, name, version in self._missing():
            entry = next((entry for entry in self.entries if entry.kind == kind and covers(entry, name)), None)
            if entry is None:
                yield (
                    f"{kind} {name}: existed in {version} and was removed without notice: bring it back, and "
                    "deprecate it first"
                )
            elif minor_of(self.version) < minor_of(entry.removal):
                yield (
                    f"{kind} {name}: was removed in {self.version}, but its removal is due in {entry.removal}: bring "
                    "it back"
                )

    def _missing(self) -> Iterable[tuple[str, str, str]]:
        """Kind and name of all that is not offered any more, with the last version that did."""
        last: dict[tuple[str, str], str] = {}
        for version in sorted(self.released, key=minor_of):
            for kind, names in self.released[version].items():
                last.update({(kind, name): version for name in names - self.offered.get(kind, frozenset())})
        return [(kind, name, version) for (kind, name), version in sorted(last.items())]


def covers(entry: Deprecation, name: str) -> bool:
    """Whether a thing is what the entry speaks of, or a part of it: `/v1` covers `GET /v1/status`."""
    path = name.rpartition(" ")[2] if entry.kind == "endpoint" else name
    return path == entry.name or path.startswith(f"{entry.name}/")


def minor_of(version: str) -> Minor:
    """`0.1` and `0.1.3` are (0, 1). Raises ValueError where it is no version."""
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def between(notice: Minor, removal: Minor, known: Sequence[Minor]) -> int:
    """How many minor versions after the notice the removal is. A new major version follows the last known minor one."""
    if removal[0] == notice[0]:
        return removal[1] - notice[1]
    if removal[0] < notice[0]:
        return -1
    last = max([minor for major, minor in known if major == notice[0]] + [notice[1]])
    majors_between = removal[0] - notice[0]
    return last - notice[1] + majors_between + removal[1]
