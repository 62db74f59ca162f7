"""Containers opened to their last level in one pass, for operations that go to any depth.

Opened level by level, what is inside is read once for each level above it: a thousand times in a document nested a
thousand deep. So what lies deeper than ``DEEP`` levels is opened here, in linear time, and closed again where nothing
changed.
"""

from __future__ import annotations

import re
from typing import Any

from msgspec import Raw

from upcasters.document import Array, Object, decode_text, open_container
from upcasters.duplicates import refuse_twice

# Down to here a document is opened level by level, which is quicker for the shallow ones that nearly all are.
DEEP = 8

_PARTS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]|[^\s"{}\[\]:,]+', re.DOTALL)
_OPENING = {ord("{"): dict, ord("["): list}
_CLOSING = b"}]"


class Opened:
    """An object or array whose parts are all open; ``top`` is the outermost.

    What has not changed is the bytes it was again as soon as ``close`` or ``keep`` is told of what it stands in. So no
    key of it is lost that stands there twice.
    """

    def __init__(self, node: Raw) -> None:
        self._text = memoryview(bytes(node))
        # With each container itself, so that no other gets its id.
        self._places: dict[int, tuple[Any, int, int]] = {}
        self._closed: dict[int, tuple[Raw, Any]] = {}
        self._twice: dict[int, Object] = {}
        self.top: Object | Array = self._read()

    def _read(self) -> Any:
        outer: list[tuple[Any, str | None, int]] = []
        container: Any = []
        key: str | None = None
        start = 0
        for part in _PARTS.finditer(self._text):
            text: bytes = part[0]
            if text[0] in _OPENING:
                outer.append((container, key, start))
                container, key, start = _OPENING[text[0]](), None, part.start()
                continue
            if type(container) is dict and key is None and text[0] not in _CLOSING:
                key = decode_text(text)
                continue
            node: Any = Raw(text)
            if text[0] in _CLOSING:
                node = container
                self._places[id(node)] = (node, start, part.end())
                container, key, start = outer.pop()
            if type(container) is dict:
                if key in container:
                    self._twice[id(container)] = container
                container[key] = node
                key = None
            else:
                container.append(node)
        return container[0]

    def close(self, container: Object | Array) -> None:
        """What stands in ``container`` and has not changed is bytes again."""
        for key in container if type(container) is dict else range(len(container)):
            found = self._places.get(id(container[key]))
            if found is not None:
                child, start, end = found
                container[key] = raw = Raw(self._text[start:end])
                self._closed[id(raw)] = (raw, child)

    def keep(self, container: Object | Array) -> None:
        """``container`` has changed, or something in it: it stays open, and the rest in it is bytes again.

        Raises DecodeError where a key of it stands twice, unless the last is to win.
        """
        if id(container) in self._twice:
            refuse_twice()
        self._places.pop(id(container), None)
        self.close(container)

    def keep_all(self) -> Object | Array:
        """All of it stays open; raises DecodeError as ``keep`` does."""
        if self._twice:
            refuse_twice()
        return self.top

    def again(self, node: Raw) -> Any:
        """What was closed, open once more; None for bytes that have another origin."""
        found = self._closed.get(id(node))
        return None if found is None else found[1]


def open_deeper(node: Any, depth: int) -> Object | Array:
    """The object or array that a node is, by itself or, further down, with all that is in it."""
    return open_container(node) if depth < DEEP or type(node) is not Raw else Opened(node).keep_all()
