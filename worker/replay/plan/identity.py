"""What identifies the route and the topics of a plan: names of topics, the chain, the settings that decide the output,
and marked records, which a topic that was deleted and created again does not hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from upcasters.event import SourceRecord
from upcasters.fingerprint import fingerprint
from worker.kafka.fetched import timestamp_of
from worker.replay.plan.file import Mark, PlannedRoute
from worker.routes.chains import RouteChain
from worker.settings import RouteSettings

DECIDING = (
    "source",
    "destination",
    "dead_letter",
    "event_type",
    "version",
    "target",
    "unknown_type",
    "future_version",
    "duplicate_keys",
    "validation",
    "include_values",
    "stamp",
    "allow_loss",
    "readers",
    "reads",
    "writes",
)
"""The settings that decide what comes out. Limits, rates and the breaker may change between plan and replay."""

LATER = ("stamp", "allow_loss", "readers", "reads", "writes")
WRITTEN_BY = "schemas that results are written by"
NO_SCHEMAS: Mapping[str, str] = MappingProxyType({})


def planned_route(given: RouteChain) -> PlannedRoute:
    """What the plan says of the route; the same for the same chain and deciding settings."""
    route = given.route
    return PlannedRoute(
        source=route.source,
        destination=route.destination,
        dead_letter=route.dead_letter,
        chain=route.chain,
        chain_fingerprint=given.chain.fingerprint,
        config_fingerprint=config_fingerprint(route, target_schemas(given)),
        config={
            name: json.dumps(value, sort_keys=True) for name, value in deciding(route, target_schemas(given)).items()
        },
        steps={step.id: fingerprint(step) for step in given.chain.steps},
        targets=dict(route.policy().target),
    )


def target_schemas(given: RouteChain) -> Mapping[str, str]:
    """The schemas that results are written by, by type and version; none where they are bare JSON."""
    return given.framing.written() if given.framing else {}


def config_fingerprint(route: RouteSettings, schemas: Mapping[str, str] = NO_SCHEMAS) -> str:
    """16 hex digits over the deciding settings, and the ``schemas`` that were found by them."""
    return hashlib.sha256(json.dumps(deciding(route, schemas), sort_keys=True).encode()).hexdigest()[:16]


def deciding(route: RouteSettings, schemas: Mapping[str, str] = NO_SCHEMAS) -> dict[str, Any]:
    """The same as plain JSON values. What came later counts where it is not as before."""
    fields = RouteSettings.model_fields
    later = {name for name in LATER if getattr(route, name) == fields[name].get_default(call_default_factory=True)}
    return route.model_dump(mode="json", include=set(DECIDING) - later) | ({WRITTEN_BY: schemas} if schemas else {})


BETWEEN = 6
"""Marks of one partition between its first and its last record."""


def record_digest(record: SourceRecord) -> str:
    """16 hex digits over timestamp, key, value and headers, each with its length, so that no two can run together."""
    digest = hashlib.sha256()
    for part in _parts(record):
        digest.update(b"-" if part is None else b"%d:" % len(part))
        digest.update(part or b"")
    return digest.hexdigest()[:16]


def _parts(record: SourceRecord) -> Iterator[bytes | None]:
    yield str(timestamp_of(record.timestamp)).encode()
    yield record.key
    yield record.value
    for name, value in record.headers:
        yield name.encode("utf-8", "surrogateescape")
        yield value


class Marks:
    """Picks the first record of a range, the last one, and a few between: evenly by offset."""

    def __init__(self, start: int, end: int) -> None:
        self._stride = max(1, (end - start) // (BETWEEN + 1))
        self._next = start
        self._kept: list[Mark] = []
        self._last: SourceRecord | None = None

    def look(self, records: Sequence[SourceRecord]) -> None:
        """The next records of the range, in order; only a few are looked at."""
        if not records:
            return
        self._last = records[-1]
        if (records[-1].offset or 0) >= self._next and len(self._kept) <= BETWEEN:
            chosen = next(record for record in records if (record.offset or 0) >= self._next)
            self._keep(chosen)
            self._next = (chosen.offset or 0) + self._stride

    def marks(self) -> tuple[Mark, ...]:
        """The marks of all that was looked at, by offset."""
        if self._last is not None and (not self._kept or self._kept[-1].offset != self._last.offset):
            self._keep(self._last)
        return tuple(self._kept)

    def _keep(self, record: SourceRecord) -> None:
        self._kept.append(Mark(offset=record.offset or 0, digest=record_digest(record)))


def differing(marks: Sequence[Mark], found: Mapping[int, str | None]) -> list[int]:
    """The offsets of marks that hold another record now; ``found`` is the digest by offset, None where there is no
    record any more, which compaction and retention may explain."""
    return [mark.offset for mark in marks if found.get(mark.offset) not in (None, mark.digest)]
