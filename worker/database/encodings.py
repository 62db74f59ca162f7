"""How a column holds its documents: as JSON, or as bytes by the schemas that the chain's versions name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, Protocol, get_args

from upcasters import Chain, DeadLettered, Event, EventError, Fault, Outcome, Passed, Policy
from upcasters.document import same
from upcasters.formats import Encoding, Schema, SchemaError
from upcasters.schema_upcaster import FORMATS, SchemaUpcaster
from worker.database.failures import AtRestError

EncodingName = Literal["json", "avro", "avro-single-object", "protobuf"]
ENCODINGS: tuple[str, ...] = get_args(EncodingName)
VERSION_HEADER = "upcast-version"
"""How a version that stands in a column of its own is handed to the chain, and comes back."""

SINGLE_OBJECT = b"\xc3\x01"
"""Begins Avro's single-object encoding: behind it the fingerprint of the schema, then the value."""
FINGERPRINT_BYTES = 8

TEXTS = ("text", "blob")
SHORT = 100
"""Bytes of a document that may be a null with blanks around it."""
NUMBERS = ("integer", "real")
"""What SQLite makes of a JSON number in a column of type JSON."""


class Documents(Protocol):
    """The documents of one type, as a column holds them."""

    @property
    def tell_no_version(self) -> bool:
        """Whether the version of a document stands neither in it nor in a column of its own."""

    def upcast(self, document: bytes, version: str | None) -> Outcome:
        """What the chain makes of it; ``version`` is that of a column of its own."""

    def is_null(self, document: bytes) -> bool:
        """Whether it is a null of the encoding's own, which stays."""

    def is_no_object(self, document: bytes | None, kind: str) -> bool:
        """Whether it is something else than an object, which stays. ``kind`` is how the database has stored it."""

    def misplaced(self, kind: str) -> Fault | None:
        """The fault of a row that the database has stored as what no document is."""

    def same(self, one: bytes, other: bytes, version: str) -> bool:
        """Whether two documents of a version say the same, digit for digit."""


def documents_of(
    encoding: str, chain: Chain, policy: Policy, event_type: str, *, versioned: bool, silent: str | None
) -> Documents:
    """Raises AtRestError, and ChainError where the chain cannot bring such documents to the policy's targets."""
    if encoding not in ENCODINGS:
        raise AtRestError(f"encoding {encoding!r}: use one of {', '.join(ENCODINGS)}", code="UPC1916")
    if encoding == "json":
        return JsonDocuments(chain, policy, versioned=versioned)
    return SchemaDocuments(encoding, chain, policy, event_type, versioned=versioned, silent=silent)


class JsonDocuments:
    """Documents of JSON, in text or in the database's own types for it."""

    tell_no_version = False

    def __init__(self, chain: Chain, policy: Policy, *, versioned: bool) -> None:
        self._upcaster = chain.upcaster(policy)
        self._versioned = versioned

    def upcast(self, document: bytes, version: str | None) -> Outcome:
        headers = [(VERSION_HEADER, version.encode())] if self._versioned and version is not None else []
        return self._upcaster.upcast(Event(document, headers=headers))

    def is_null(self, document: bytes) -> bool:
        """JSON's null, which SQLAlchemy writes for Python's None."""
        return len(document) < SHORT and document.strip() == b"null"

    def is_no_object(self, document: bytes | None, kind: str) -> bool:
        """A list, a string, a number, true or false."""
        if kind in NUMBERS:
            return True
        try:
            found = json.loads(document or b"", parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return False
        return not isinstance(found, dict)

    def misplaced(self, kind: str) -> Fault | None:
        return None if kind in TEXTS else Fault("decode", "NotText", f"the column holds a {kind}, not JSON text")

    def same(self, one: bytes, other: bytes, version: str) -> bool:
        """A database may have other ideas of blanks and key order."""
        if one == other:
            return True
        try:
            return bool(_exact(one) == _exact(other))
        except (ValueError, RecursionError):
            return False


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _exact(document: bytes) -> Any:
    return json.loads(document, parse_float=Decimal, parse_int=Decimal)


class SchemaDocuments:
    """Documents of Avro or Protobuf, by the schema that the chain names for each version of their type.

    Avro's single-object encoding tells the schema. In the other encodings the version has to be known: from a column of
    its own (``versioned``), or ``silent`` is the one that all are at.
    """

    def __init__(
        self, encoding: str, chain: Chain, policy: Policy, event_type: str, *, versioned: bool, silent: str | None
    ) -> None:
        self._versioned, self._silent = versioned, silent
        self._frames = encoding == "avro-single-object"
        self._encodings = dict(_encodings(encoding, chain, event_type))
        self._by_frame = _by_frame(self._encodings) if self._frames else {}
        known = {(event_type, version): each for version, each in self._encodings.items()}
        try:
            self._upcaster = SchemaUpcaster(chain, policy, known)
        except SchemaError as error:
            raise AtRestError(str(error), code="UPC1916") from None

    @property
    def tell_no_version(self) -> bool:
        return not (self._frames or self._versioned)

    def upcast(self, document: bytes, version: str | None) -> Outcome:
        encoding = self._encoding_of(document, version)
        if isinstance(encoding, Fault):
            return DeadLettered(encoding)
        outcome = self._upcaster.upcast(Event(document), encoding=encoding)
        if isinstance(outcome, Passed) and (fault := self._unreadable(document, encoding)):
            return DeadLettered(fault)
        return outcome

    def is_null(self, document: bytes) -> bool:
        return False

    def is_no_object(self, document: bytes | None, kind: str) -> bool:
        return False

    def misplaced(self, kind: str) -> Fault | None:
        return None if kind == "blob" else Fault("decode", "NotBytes", f"the column holds a {kind}, not bytes")

    def same(self, one: bytes, other: bytes, version: str) -> bool:
        if one == other:
            return True
        encoding = self._encodings[version]
        try:
            return same(_read(one, encoding), _read(other, encoding))
        except EventError:
            return False

    def _encoding_of(self, document: bytes, version: str | None) -> Encoding | Fault:
        """How this one is written. ``version`` is what a column of its own says."""
        if self._frames:
            return self._framed(document, version)
        if not self._versioned:
            version = self._silent
        if version is None:
            return Fault("detect", "UnknownVersion", "the row does not say its version")
        if version not in self._encodings:
            return Fault("detect", "UnknownVersion", "the row has a version that the chain does not know")
        return self._encodings[version]

    def _framed(self, document: bytes, version: str | None) -> Encoding | Fault:
        found = self._by_frame.get(document[: len(SINGLE_OBJECT) + FINGERPRINT_BYTES], [])
        told = [each for each in found if version == each] if self._versioned else found
        if len(told) == 1:
            return self._encodings[told[0]]
        if not document.startswith(SINGLE_OBJECT):
            return Fault("decode", "DecodeError", "it does not begin as Avro's single-object encoding")
        of = "several versions" if told else "another version than the row's" if found else "no version of the chain"
        return Fault("detect", "UnknownVersion", f"the fingerprint of its schema is that of {of}")

    def _unreadable(self, document: bytes, encoding: Encoding) -> Fault | None:
        """What passes is not looked at by the chain: here it is, to its last byte."""
        try:
            _read(document, encoding)
        except EventError as error:
            return Fault("decode", type(error).__name__, str(error))
        return None


def _read(document: bytes, encoding: Encoding) -> Any:
    assert encoding.schema is not None  # noqa: S101  # each version here has one
    return FORMATS[encoding.kind].reader(encoding.schema)(document[len(encoding.frame) :])


def _encodings(encoding: str, chain: Chain, event_type: str) -> Iterator[tuple[str, Encoding]]:
    kind = "protobuf" if encoding == "protobuf" else "avro"
    for version in chain.types[event_type]:
        schema = chain.versions[event_type, version].schema
        if schema is None or schema.kind != kind:
            what = "none" if schema is None else f"one of {schema.kind}"
            raise AtRestError(
                f"{event_type} {version} has no schema of {kind}, but {what}: name one in the chain, "
                f"schema='{event_type}-{version}.{'proto' if kind == 'protobuf' else 'avsc'}'",
                code="UPC1916",
            )
        frame = SINGLE_OBJECT + avro_fingerprint(schema) if encoding == "avro-single-object" else b""
        yield version, Encoding(schema, frame, version=(event_type, version))


def _by_frame(encodings: Mapping[str, Encoding]) -> Mapping[bytes, Sequence[str]]:
    found: dict[bytes, list[str]] = {}
    for version, encoding in encodings.items():
        found.setdefault(encoding.frame, []).append(version)
    return found


def avro_fingerprint(schema: Schema) -> bytes:
    """The 8 bytes (CRC-64-AVRO, little-endian) that single-object encoding has for a schema, of its parsing canonical
    form. Raises AtRestError where it refers to others, or is none."""
    from fastavro.schema import fingerprint, to_parsing_canonical_form

    if schema.references:
        raise AtRestError("a schema of the chain refers to others: write it as one", code="UPC1916")
    try:
        return bytes.fromhex(fingerprint(to_parsing_canonical_form(json.loads(schema.text)), "CRC-64-AVRO"))
    except Exception as error:  # noqa: BLE001  # fastavro and json raise whatever the text leads them to
        raise AtRestError(f"a schema of the chain is no Avro ({type(error).__name__})", code="UPC1916") from None
