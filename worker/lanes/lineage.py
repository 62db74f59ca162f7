"""Lineage headers, which name the source of an output record: for verification, deduplication and the loop guard."""

from __future__ import annotations

from collections.abc import Sequence

from upcasters.event import Header, Partition, SourceRecord
from upcasters.outcome import Passage
from worker.dead_letters import REPLAY_ID

PREFIX = "upcaster."
OFFSET = PREFIX + "source.offset"

MOST_PASSAGES = 1_000
"""The most passages that are cached. A chain has few, but each event of an unknown version has one of its own."""


class Lineage:
    """Makes lineage headers; those that are the same for every record are encoded once."""

    def __init__(self, source: Partition, chain: str, replay_id: str = "", more: Sequence[Header] = ()) -> None:
        self._place: tuple[Header, ...] = (
            (PREFIX + "source.topic", source.topic.encode()),
            (PREFIX + "source.partition", b"%d" % source.partition),
        )
        self._work: tuple[Header, ...] = ((PREFIX + "chain", chain.encode()),)
        if replay_id:
            self._work += ((REPLAY_ID, replay_id.encode()),)
        self._work += tuple(more)
        self._of_passage: dict[int, tuple[Passage, tuple[Header, ...]]] = {}
        """Cached by identity, which is cheaper than a hash; the passage is kept alive, so that no other can get its
        identity."""

    def headers(self, record: SourceRecord, passage: Passage) -> list[Header]:
        """The lineage headers alone, in the order in which they follow the record's own."""
        known = self._of_passage.get(id(passage))
        behind = self._behind(passage) if known is None else known[1]
        return [*self._place, (OFFSET, b"%d" % record.offset), *behind]  # type: ignore[str-format]  # bytes are formatted, not text

    def _behind(self, passage: Passage) -> tuple[Header, ...]:
        if len(self._of_passage) >= MOST_PASSAGES:
            self._of_passage.clear()
        made: tuple[Header, ...] = (
            (PREFIX + "schema.from", passage.from_version.encode()),
            (PREFIX + "schema.to", passage.to_version.encode()),
            *self._work,
        )
        self._of_passage[id(passage)] = (passage, made)
        return made
