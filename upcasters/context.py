"""What an operation may see and change beside the document: key, headers, type, and what becomes of the event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import NamedTuple

from upcasters.document import JsonNode, Object, same, weight
from upcasters.errors import NoCoordinates, TooLarge
from upcasters.event import Header, Item, Partition, SourceRecord
from upcasters.paths import EACH, Path
from upcasters.traversal import MISSING, find

KeyParts = Sequence[tuple[str, JsonNode]]
"""What a key is made of: values of the document, each with the name of its field."""


class KeyFormat(NamedTuple):
    """How keys are written that a step sets. ``write`` is given their parts, and the text that they make; ``stale`` are
    names of headers that tell how the old key was written, ``headers`` those that tell it of the new one."""

    write: Callable[[KeyParts, bytes], bytes]
    stale: frozenset[str]
    headers: tuple[Header, ...] = ()


KEY_FORMAT: ContextVar[KeyFormat | None] = ContextVar("KEY_FORMAT", default=None)
"""That of the route; where there is none a key is its text."""


class Child(NamedTuple):
    """One document out of a split: its body, type and version, and its key (None: the source's own)."""

    root: Object
    event_type: str
    version: str
    key: bytes | None = None
    key_parts: KeyParts = ()


FREE_GROWTH = 2**24
GROWTH = 64
"""How much longer operations at any depth may make an event: so many bytes, and so many more for each of its own. What
doubles an object at each level makes gigabytes of some hundred bytes; no honest event comes near this."""


@dataclass(slots=True)
class Growth:
    """By how many bytes operations at any depth made an event longer, its children and parts among it."""

    bytes: int = 0


@dataclass(slots=True)
class Context:
    """One event on its way through a path. ``headers`` and ``key`` are what will be written; ``key_text`` is what steps
    see of a key that one of them has set.

    ``older`` is the older document into which a newer one is merged on the way down, where there is one.
    ``bring`` takes a sub-document (type, version, object) to a version, the current one where that is None, in place,
    and names it. ``position`` is that of the item in whose operations the event is, from 0. ``version`` is the one that
    the event came with. ``at_any_depth`` says that what operations add is counted, in ``growth``: they run at any
    depth, or put what stands around the event into each of many items.
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
    at_any_depth: bool = False
    growth: Growth | None = None
    key_text: bytes | None = None

    @classmethod
    def of(cls, record: SourceRecord, source: Partition | None, event_type: str, version: str = "") -> Context:
        """The context at the start of a path."""
        return cls(record, source, record.key, list(record.headers), event_type, version)

    def copy(self) -> Context:
        """The same, for another run: what an operation changes in one is not seen in the other."""
        return replace(self, headers=list(self.headers))

    def child(self, position: int, child: Child) -> Context:
        """The context in which the ``position``-th child goes on."""
        lineage = (*self.lineage, position)
        version = child.version or self.version
        inside = Context(self.record, self.source, self.key, list(self.headers), child.event_type, version, lineage)
        inside.key_text = self.key_text
        inside.bring = self.bring
        inside.growth = self.all_growth()
        if child.key is not None:
            inside.set_key(child.key_parts, child.key)
        return inside

    def set_key(self, parts: KeyParts, text: bytes) -> None:
        """Give the event a key. Raises EventError where the route's format has no place for it."""
        written = KEY_FORMAT.get()
        self.key_text = text
        if written is None:
            self.key = text
            return
        self.key = written.write(parts, text)
        kept = [header for header in self.headers if header[0] not in written.stale]
        self.headers = [*kept, *written.headers]

    @property
    def read_key(self) -> bytes | None:
        """The key as steps see it."""
        return self.key if self.key_text is None else self.key_text

    def all_growth(self) -> Growth:
        """What counts how much longer the event got, for whatever is made of it."""
        if self.growth is None:
            self.growth = Growth()
        return self.growth

    def count(self, new: JsonNode, old: JsonNode = MISSING) -> None:
        """Count ``new``, which an operation at any depth puts in the place of ``old``. Raises TooLarge."""
        self.count_bytes(weight(new) - (0 if old is MISSING else weight(old)))

    def count_bytes(self, more: int) -> None:
        """The same for so many bytes."""
        growth = self.all_growth()
        growth.bytes += more
        most = FREE_GROWTH + GROWTH * len(self.record.value or b"")
        if growth.bytes > most:
            raise TooLarge(
                f"what is done at any depth or in each item would make the event more than {most} bytes longer"
            )

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
