"""Which records take part in a bounded pass: by type, version and key. The rest is ``skipped``, reason ``filtered``."""

from __future__ import annotations

from upcasters.event import Partition, SourceRecord
from upcasters.outcome import DeadLettered, Outcome, Passage, Skipped
from worker.replay.plan.file import Filters
from worker.routes.route import RecordUpcaster

FILTERED = "filtered"
"""Also a dead letter of another fault, or of another route that shares the topic."""


def filtered(upcaster: RecordUpcaster, filters: Filters) -> RecordUpcaster:
    """The upcaster for the records that the filters let through; itself where they let all through."""
    return upcaster if filters == Filters() else _Filtered(upcaster, filters)


class _Filtered:
    """Type and version are those that the chain itself finds; a record of which it finds none fits no such filter.

    So a tombstone, which has no version, fits no filter of versions.
    """

    def __init__(self, upcaster: RecordUpcaster, filters: Filters) -> None:
        self._upcaster = upcaster
        self._keys = frozenset(key.encode() for key in filters.keys)
        self._prefixes = tuple(prefix.encode() for prefix in filters.key_prefixes)
        self._types = frozenset(filters.types)
        self._versions = frozenset(filters.versions)
        self._unread = Skipped(Passage("", "", ""), FILTERED)

    def upcast(self, record: SourceRecord, source: Partition | None = None) -> Outcome:
        if not self._fits_key(record.key):
            return self._unread
        outcome = self._upcaster.upcast(record, source)
        found = outcome.fault if isinstance(outcome, DeadLettered) else outcome.passage
        wrong_type = self._types and found.event_type not in self._types
        if wrong_type or (self._versions and found.from_version not in self._versions):
            return Skipped(Passage(found.event_type, found.from_version, found.from_version), FILTERED)
        return outcome

    def _fits_key(self, key: bytes | None) -> bool:
        if not (self._keys or self._prefixes):
            return True
        return key is not None and (key in self._keys or key.startswith(self._prefixes))
