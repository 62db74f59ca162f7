"""Events made up for a version of a type: valid ones, near misses, and bytes that are no document at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import msgspec
from hypothesis import strategies as st

from upcasters.chain import Chain
from upcasters.checks.avro_shape import json_schema_of
from upcasters.detection import Detection
from upcasters.document import plain, read, write
from upcasters.errors import EventError
from upcasters.event import Event, Header, SourcePartition
from upcasters.paths import Path
from upcasters.testing.disguises import disguised
from upcasters.testing.documents import Documents, documents_like, documents_of, near_misses
from upcasters.testing.draws import drawn
from upcasters.testing.golden import Golden, event_of
from upcasters.testing.hints import Hints, hints_of, schema_of, wanted
from upcasters.testing.routes import attributes_of, headers_of, stamp

Values = st.SearchStrategy[bytes]

MOST_PATHS = 6
"""Paths in one made up document beyond those that it needs."""
MOST_KINDS = 8

SOURCE = SourcePartition("laws", 0)
_RUBBISH = [b"", b"{", b"null", b"[]", b"7", b'{"a":NaN}', b"\xff", b"\xef\xbb\xbf{}", b'{"a":"\\ud800"}']


@dataclass
class Inputs:
    """Makes events for the versions of one chain; the golden pairs' events are among them.

    Strategies take longer to build than to draw from, so each is built once.
    """

    chain: Chain
    goldens: Sequence[Golden]
    _built: dict[tuple[str, str], Documents] = field(default_factory=dict)
    _any: dict[tuple[str, str, Detection], st.SearchStrategy[Event]] = field(default_factory=dict)

    @cached_property
    def _hints(self) -> Hints:
        return hints_of(self.chain)

    def valid(self, event_type: str, version: str, rules: Detection) -> st.SearchStrategy[Event]:
        """Events that most likely fit the version's model."""
        return self._events(self._documents(event_type, version), event_type, version, rules)

    def any(self, event_type: str, version: str, rules: Detection) -> st.SearchStrategy[Event]:
        """Valid events, also as the chain's readers would have them, near misses of them, and rubbish."""
        wanted = (event_type, version, rules)
        if wanted not in self._any:
            documents = self._documents(event_type, version)
            self._any[wanted] = (
                self._events(documents, *wanted)
                | self._events(near_misses(documents), *wanted)
                | self._made(st.sampled_from(_RUBBISH), [])
            )
            if self.chain.readers:
                self._any[wanted] |= self._events(documents, *wanted, partial(disguised, self.chain.readers))
            here = [event_of(self.chain, one) for one in self._goldens(event_type, version)]
            if here:
                self._any[wanted] |= st.sampled_from(here)
        return self._any[wanted]

    def drawn(self, event_type: str, version: str, rules: Detection, many: int) -> list[Event]:
        """So many events of ``any``, the same ones each time."""
        return drawn(self.any(event_type, version, rules), many)

    def _documents(self, event_type: str, version: str) -> Documents:
        node = (event_type, version)
        if node not in self._built:
            self._built[node] = self._build(event_type, version)
        return self._built[node]

    def _build(self, event_type: str, version: str) -> Documents:
        known = self.chain.versions[event_type, version]
        if known.model is not None:
            made = documents_of(known.model, self._hints)
        elif known.schema is not None:
            made = documents_like(json_schema_of(known.schema), self._hints)
        else:
            made = self._without_model(event_type, version)
        values = [one.before for one in self._goldens(event_type, version) if _document(one.before) is not None]
        return made | st.sampled_from(values).map(_document) if values else made

    def _goldens(self, event_type: str, version: str) -> list[Golden]:
        return [one for one in self.goldens if (one.event_type, one.source) == (event_type, version)]

    def _without_model(self, event_type: str, version: str) -> Documents:
        """Documents that have what the next hop needs and some of what it reads, and some of what any hop reads.

        The paths are dealt out to a few kinds of documents, the same each time, so that an event takes no longer to
        make where the chain reads more.
        """
        hop = self.chain.hops.get((event_type, version))
        operations = hop.operations if hop else ()
        strict = [path for each in operations if getattr(each, "missing", "error") == "error" for path in each.reads()]
        read_next = [path for each in operations for path in each.reads() if path not in strict]
        seed = f"{event_type} {version}"
        dealt = [*_dealt(read_next, seed), *_dealt(self._hints.paths, seed)[:MOST_KINDS]]
        own = [path for path in wanted(self.chain.versions[event_type, version].shape) if path]
        kinds = [[], *([own] if own else []), *dealt]
        return st.one_of([documents_like(schema_of([*strict, *some]), self._hints) for some in kinds])

    def _events(
        self,
        documents: Documents,
        event_type: str,
        version: str,
        rules: Detection,
        written: Callable[[Values], Values] = lambda values: values,
    ) -> st.SearchStrategy[Event]:
        attributes = attributes_of(rules, event_type, version)

        def bytes_of(document: Any, structured: bool, indent: int) -> bytes:
            stamp(rules, event_type, version, document)
            if structured:
                document = {"specversion": "1.0", "id": "1", "source": "/laws", **attributes, "data": document}
            return msgspec.json.format(write(document), indent=indent)

        objects = documents.filter(lambda document: isinstance(document, dict))
        modes = st.booleans() if attributes else st.just(False)
        values = st.builds(bytes_of, objects, modes, st.sampled_from([-1, 0, 2]))
        return self._made(written(values), headers_of(rules, event_type, version))

    def _made(self, values: st.SearchStrategy[bytes], headers: list[Header]) -> st.SearchStrategy[Event]:
        read_too = [
            st.lists(st.just((name, value)), max_size=1)
            for name in sorted(self._hints.headers - {name for name, _ in headers})
            for value in (b"text",)
        ]
        more: st.SearchStrategy[list[Header]] = st.tuples(*read_too).map(
            lambda lists: [pair for pairs in lists for pair in pairs]
        )
        named = st.sampled_from([headers, []]) if headers else st.just([])
        return st.builds(
            lambda value, key, given, read, offset: Event(value, key, [*given, *read], 1_700_000_000_000, offset),
            values,
            st.sampled_from([None, b"key", b"\xff"]),
            named,
            more,
            st.integers(0, 1000),
        )


def _dealt(paths: Iterable[Path], seed: str) -> list[list[Path]]:
    """The paths a few at a time, in an order that only the seed decides."""
    shuffled = sorted(set(paths), key=lambda path: hashlib.sha256(f"{seed} {path!r}".encode()).digest())
    return [shuffled[start : start + MOST_PATHS] for start in range(0, len(shuffled), MOST_PATHS)]


def _document(value: bytes) -> Any:
    try:
        return plain(read(value))
    except EventError:
        return None
