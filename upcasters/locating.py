"""Which of many items a fault is about, found by running the operation that failed again, on fewer and fewer of them.

Operations say ``items.*.price``: they need not know how far they have come, and so cost nothing where nothing fails.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from upcasters.document import Object, read, write
from upcasters.errors import EventError
from upcasters.paths import Each, Item, Place, Segment, of_any_item
from upcasters.traversal import container_at


def locate(error: EventError, document: bytes, apply: Callable[[Object], None]) -> Place:
    """The place of an error that ``apply`` raises for ``document``, each ``EACH`` in it an item where that is found."""
    place: list[Segment | Item] = list(error.place)
    left = list(place)  # the same place in what is left of the document
    for depth, segment in enumerate(error.place):
        if not isinstance(segment, Each):
            continue
        found = _Search(error, tuple(left[:depth]), apply).find(document)
        if found is None:
            break
        place[depth], left[depth], document = Item(found.item), Item(found.left), found.document
    return tuple(place)


class _Found(NamedTuple):
    """An item, a smaller document that fails by it too, and which of the items there it is."""

    item: int
    document: bytes
    left: int


class _Search:
    """For one item of an array, or value of an object, at ``at``."""

    def __init__(self, error: EventError, at: Place, apply: Callable[[Object], None]) -> None:
        self._error = error
        self._at = at
        self._apply = apply

    def find(self, document: bytes) -> _Found | None:
        """None where the error is not about one of the items."""
        try:
            count = len(container_at(read(document), self._at))
        except (EventError, LookupError):
            return None
        if not count or self._fails(self._cut(document, 0, 0)):
            return None
        return self._alone(document, count) or self._behind_others(document, count)

    def _alone(self, document: bytes, count: int) -> _Found | None:
        """The first item that fails by itself: half of the rest is left out each time."""
        item = 0
        while count > 1:
            half = count // 2
            first = self._cut(document, 0, half)
            if self._fails(first):
                document, count = first, half
            else:
                document = self._cut(document, half, count)
                item, count = item + half, count - half
        return _Found(item, document, 0) if self._fails(document) else None

    def _behind_others(self, document: bytes, count: int) -> _Found:
        """The item that fails because of those before it, such as one with the key of another."""
        enough, most = 0, count
        while most - enough > 1:
            flow = (enough + most) // 2
            if self._fails(self._cut(document, 0, flow)):
                most = flow
            else:
                enough = flow
        return _Found(most - 1, self._cut(document, 0, most), most - 1)

    def _cut(self, document: bytes, start: int, end: int) -> bytes:
        """The document with these of the items alone."""
        root = read(document)
        container = container_at(root, self._at)
        if type(container) is list:
            container[:] = container[start:end]
        else:
            kept = dict(islice(container.items(), start, end))
            container.clear()
            container.update(kept)
        return write(root)

    def _fails(self, document: bytes) -> bool:
        try:
            self._apply(read(document))
        except EventError as again:
            return type(again) is type(self._error) and of_any_item(again.place) == of_any_item(self._error.place)
        except Exception:  # noqa: BLE001  # a function's own, of a document that it never gets
            return False
        return False
