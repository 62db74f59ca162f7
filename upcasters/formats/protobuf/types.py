"""Messages as their schema declares them: what stands under which number, and how it is seen in a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Kind = Literal[
    "bool",
    "int32",
    "int64",
    "uint32",
    "uint64",
    "sint32",
    "sint64",
    "fixed32",
    "fixed64",
    "sfixed32",
    "sfixed64",
    "float",
    "double",
    "enum",
    "string",
    "bytes",
    "message",
]
WellKnown = Literal["", "timestamp", "duration", "wrapper", "struct", "list", "value"]

VARINT: Final = 0
EIGHT: Final = 1
LENGTH: Final = 2
GROUP: Final = 3
END: Final = 4
FOUR: Final = 5
"""How a record goes on behind its tag, whose last three bits say it."""

WIRES: Final[Mapping[str, int]] = {
    **dict.fromkeys(("fixed64", "sfixed64", "double"), EIGHT),
    **dict.fromkeys(("fixed32", "sfixed32", "float"), FOUR),
    **dict.fromkeys(("string", "bytes", "message"), LENGTH),
}

UNKNOWN: Final = "unknown fields"
"""The key of a document under which stands, as bytes, what its schema does not have. No field has such a name."""

NO_ONEOF: Final = -1

WELL_KNOWN: Final[Mapping[str, WellKnown]] = {
    "google.protobuf.Timestamp": "timestamp",
    "google.protobuf.Duration": "duration",
    "google.protobuf.Struct": "struct",
    "google.protobuf.ListValue": "list",
    "google.protobuf.Value": "value",
    **{
        f"google.protobuf.{name}Value": "wrapper"
        for name in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
    },
}


@dataclass(eq=False, repr=False)
class EnumType:
    """An enum. Several names may have one number; the first one is the one that is read."""

    name: str
    numbers: Mapping[str, int]
    names: Mapping[int, str]


@dataclass(eq=False, repr=False)
class FieldType:
    """A field of a message, or one item of a repeated one (``item``).

    ``has_presence`` is true where a message can say that it is not set; a field without it, which is neither repeated
    nor a map, is its default where it is not written. ``wire`` is that of one value; GROUP where a message stands
    between two tags.
    """

    name: str
    number: int
    kind: Kind
    wire: int
    is_repeated: bool = False
    is_packed: bool = False
    has_presence: bool = False
    is_required: bool = False
    is_checked_text: bool = False
    """Whether every reader of the schema looks whether its text is UTF-8."""
    oneof: int = NO_ONEOF
    """Which of the message's ``oneofs`` it belongs to."""
    message: MessageType | None = None
    enum: EnumType | None = None
    key: FieldType | None = None
    """Of a map: the keys of its entries; ``item`` is then their values."""
    item: FieldType | None = None
    tag: bytes = b""
    opens_to_null: bool = False
    """Whether a value of it may be the null of a ``google.protobuf.Value``."""

    @property
    def nests(self) -> bool:
        """Whether it is one message with fields of its own."""
        return self.message is not None and not self.is_repeated and not self.message.well_known

    @property
    def is_map(self) -> bool:
        return self.key is not None

    @property
    def well_known(self) -> WellKnown:
        return self.message.well_known if self.message else ""

    @property
    def of_message(self) -> MessageType:
        assert self.message is not None
        return self.message

    @property
    def of_item(self) -> FieldType:
        assert self.item is not None
        return self.item


@dataclass(eq=False, repr=False)
class MessageType:
    """A message by its full name. Each is one object in the schema that it comes from, wherever it is used."""

    name: str
    well_known: WellKnown = ""
    fields: tuple[FieldType, ...] = ()
    by_name: dict[str, FieldType] = field(default_factory=dict)
    by_number: dict[int, FieldType] = field(default_factory=dict)
    by_tag: dict[int, FieldType] = field(default_factory=dict)
    """By the number that stands before a value; a field that may be packed has two."""
    always: dict[str, Any] = field(default_factory=dict)
    """What stands in each document where the value does not say otherwise: fields without presence."""
    oneofs: tuple[tuple[FieldType, ...], ...] = ()
    """Members of which at most one is set."""
