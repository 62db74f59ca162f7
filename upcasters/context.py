"""What an operation may see and change beside the document: key, headers, type, and what becomes of the event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from upcasters.document import JsonNode, Object, same
from upcasters.errors import NoCoordinates
from upcasters.event import Header, Item, Partition, SourceRecord
from upcasters.paths import EACH, Path
from upcasters.traversal import MISSING, find


@dataclass(frozen=True, slots=True)
class Child:
    """One document out of a split: its body, type and version, and its key (None: the source's own)."""

    root: Object
    event_type: str
    version: str
    key: bytes | None = None


@dataclass(slots=True)
class Context:
    """One event on its way through a path. ``headers`` and ``key`` are what will be written.

    ``older`` is the older document into which a newer one is merged on the way down, where there is one.
    ``bring`` takes a sub-document (type, version, object) to a version, the current one where that is None, in place,
    and names it. ``position`` is that of the item in whose operations the event is, from 0. ``version`` is the one that
    the event came with.
    """

    record: SourceRecord
    source: Partition | None
    key: bytes | None
    headers: list[Header]
    event_type: str
    version: str = ""
    lineage: tuple[int, ...] = ()
    dropped: bool = False
    tombstoned: bool = False
    children: list[Child] | None = None
    older: Object | None = None
    bring: Callable[[str, str, Object, str | None], str] | None = None
    position: int | None = None

    @classmethod
    def of(cls, record: SourceRecord, source: Partition | None, event_type: str, version: str = "") -> Context:
        """The context at the start of a path."""
        return cls(record, source, record.key, list(record.headers), event_type, version)

    def copy(self) -> Context:
        """The same, for another run: what an operation changes in one is not seen in the other."""
        return replace(self, headers=list(self.headers))

    def child(self, position: int, child: Child) -> Context:
        """The context in which the ``position``-th child goes on."""
        key = self.key if child.key is None else child.key
        lineage = (*self.lineage, position)
        inside = Context(
            self.record, self.source, key, list(self.headers), child.event_type, child.version or self.version, lineage
        )
        inside.bring = self.bring
        return inside

    def older_at(self, path: Path) -> JsonNode:
        """What the older document had at ``path``, or MISSING, also where there is none or ``path`` means many."""
        return MISSING if self.older is None or EACH in path else find(self.older, path)

    def had(self, path: Path) -> bool:
        """True where the older document had a field at ``path``. Without an older document nothing is known of it."""
        return self.older_at(path) is not MISSING

    def is_as_before(self, path: Path, node: JsonNode) -> bool:
        """True where the older document had this very value at ``path``."""
        had = self.older_at(path)
        return had is not MISSING and same(had, node)

    @property
    def ended(self) -> bool:
        """True where no operation changes the event any more: it was dropped, is a tombstone, or became several."""
        return self.dropped or self.tombstoned or self.children is not None

    @property
    def origin(self) -> str:
        """Where the event came from, as one string that is the same each time it is read."""
        return origin_of(self.record, self.source, self.lineage)


def origin_of(record: SourceRecord, source: Partition | None, lineage: tuple[int, ...] = ()) -> str:
    """Where an event came from: topic, partition, offset; its position in a record of several, and that in each split.

    Raises NoCoordinates where there are none.
    """
    offset = record.offset
    if source is None or offset is None:
        raise NoCoordinates("a split needs source coordinates for the ids of its children and there are none")
    place = (record.position,) if isinstance(record, Item) else ()
    return "/".join(map(str, (source.topic, source.partition, offset, *place, *lineage)))


CLOUD_EVENTS_PREFIX = "ce_"
"""Of the headers that are attributes, in CloudEvents' binary mode."""


def last_header(headers: Sequence[Header], name: str) -> bytes | None:
    """The value of the last header called ``name``, or None."""
    for key, value in reversed(headers):
        if key == name:
            return value
    return None
