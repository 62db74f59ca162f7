"""Headers that say where an output record came from: for verification, deduplication and the loop guard."""

from __future__ import annotations

from collections.abc import Sequence

from upcasters.event import Header, Partition, SourceRecord
from upcasters.outcome import Passage

PREFIX = "upcaster."
REPLAY_ID = PREFIX + "replay.id"


class Lineage:
    """Writes what is the same for every record only once."""

    def __init__(self, source: Partition, chain: str, replay_id: str = "", more: Sequence[Header] = ()) -> None:
        self._place: list[Header] = [
            (PREFIX + "source.topic", source.topic.encode()),
            (PREFIX + "source.partition", str(source.partition).encode()),
        ]
        self._work: list[Header] = [(PREFIX + "chain", chain.encode())]
        if replay_id:
            self._work.append((REPLAY_ID, replay_id.encode()))
        self._work += more

    def headers(self, record: SourceRecord, passage: Passage) -> list[Header]:
        """Ours alone, in the order in which they stand behind the record's own."""
        return [
            *self._place,
            (PREFIX + "source.offset", str(record.offset).encode()),
            (PREFIX + "schema.from", passage.from_version.encode()),
            (PREFIX + "schema.to", passage.to_version.encode()),
            *self._work,
        ]
