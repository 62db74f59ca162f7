"""How the comparison before and after reads values and makes up others: bare JSON, or by the schemas of a route."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

from upcasters import Chain, Upcaster
from upcasters.detect import Detector
from upcasters.document import BEYOND_JSON, Object, decode_plain, encode, plain, read, readable
from upcasters.errors import EventError
from upcasters.event import Event, Record
from upcasters.outcome import Fault
from upcasters.policy import Policy
from upcasters.step import VersionKey
from worker.routes.chains import RouteChain
from worker.routes.route import RecordUpcaster
from worker.schemas.by_schema import SchemaRecords


class Values(Protocol):
    """``upcaster`` takes the samples as they are."""

    upcaster: RecordUpcaster

    def document(self, event: Event) -> Any:
        """The value as Python objects; None where it cannot be read: it is then left out of the comparison."""

    def written(self, event: Event, document: Any) -> bytes | None:
        """Another document as the value of this event; None where its schema has no place for it."""

    def result(self, value: bytes | None, event: Event) -> Any:
        """What came out of the event, as Python objects."""

    def opened(self, event: Event) -> tuple[VersionKey, Object]:
        """The version and the document, for operations to work on. Raises EventError."""

    def at_work(self) -> Any:
        """A context in which operations may work on such documents."""


def unvalidated(policy: Policy) -> Policy:
    """Values that are made up need not be valid."""
    return replace(policy, validate_target="never", validate_source="never", readers=())


class JsonValues:
    """Bare JSON."""

    def __init__(self, chain: Chain, policy: Policy) -> None:
        self.upcaster: RecordUpcaster = Upcaster(chain, unvalidated(policy))
        self._detector = Detector(chain, policy.detection)

    def document(self, event: Event) -> Any:
        return self.result(event.value, event)

    def written(self, event: Event, document: Any) -> bytes | None:
        return encode(document)

    def result(self, value: bytes | None, event: Event) -> Any:
        try:
            return decode_plain(value) if value is not None else None
        except (ValueError, RecursionError):
            return None

    def opened(self, event: Event) -> tuple[VersionKey, Object]:
        found = self._detector.detect(event, read(event.value or b""))
        return (found.event_type, found.version), found.body

    @contextmanager
    def at_work(self) -> Iterator[None]:
        yield


class SchemaValues:
    """By the schemas that records of a route name."""

    def __init__(self, given: RouteChain) -> None:
        records = given.built(unvalidated)
        assert isinstance(records, SchemaRecords)  # noqa: S101  (the caller has looked)
        self.upcaster: RecordUpcaster = records
        self._records = records

    def document(self, event: Event) -> Any:
        found = self._records.opened(event)
        return None if isinstance(found, Fault) else _plain(found)

    def written(self, event: Event, document: Any) -> bytes | None:
        return self._records.written_as(event, document)

    def result(self, value: bytes | None, event: Event) -> Any:
        found = self._records.opened_result(Record(value, event.key, event.headers))
        return None if found is None else _plain(found)

    def opened(self, event: Event) -> tuple[VersionKey, Object]:
        node, root = self._records.version_of(event), self._records.opened(event)
        if isinstance(node, Fault) or isinstance(root, Fault):
            raise EventError("the event cannot be read")
        return node, root

    @contextmanager
    def at_work(self) -> Iterator[None]:
        token = BEYOND_JSON.set(True)
        try:
            yield
        finally:
            BEYOND_JSON.reset(token)


def values_of(given: RouteChain) -> Values:
    """How the values of a route are read."""
    return SchemaValues(given) if given.route.by_schema else JsonValues(given.chain, given.route.policy())


def told(root: Object) -> bytes:
    """The same for documents that hold the same, in any format."""
    return encode(readable(root))


def _plain(root: Object) -> Any:
    try:
        return plain(root)
    except (EventError, RecursionError):
        return None
