"""Finding type and version by a route's rules, and writing the new version where the old one was found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from upcasters.compile import ShapeMatcher, compile_shapes
from upcasters.context import CLOUD_EVENTS_PREFIX, Context, last_header
from upcasters.detection import (
    Always,
    Detection,
    FromCloudEvents,
    FromField,
    FromHeader,
    FromShape,
    ReadingRule,
    TypeRule,
    VersionRule,
    wrong_rules,
)
from upcasters.document import Object, is_null, json_text, json_type, open_object, plain, read, restamped
from upcasters.errors import ChainError, DecodeError, DetectionError, EventError, Problem, UnreadableStamp, WrongType
from upcasters.event import SourceRecord
from upcasters.operations.events import put_header
from upcasters.paths import Path, path, show
from upcasters.patterns import compiled
from upcasters.readers import OF_EVERY_ENVELOPE
from upcasters.traversal import MISSING, find, parent_of

if TYPE_CHECKING:
    from upcasters.version_graph import VersionGraph

Rule = TypeRule | VersionRule


@dataclass(frozen=True)
class DetectedDocument:
    """A document's type and version; its body; and, in CloudEvents' structured mode, the envelope around it.

    ``no_body`` says why there is no document in the envelope, where there is none: its data may be anything, or absent.
    The same goes for a record whose headers are the envelope.
    """

    event_type: str
    version: str
    body: Object
    envelope: Object | None = None
    no_body: EventError | None = None
    stated: str = ""
    """The version as the event names it, where the chain takes it for another one."""

    @property
    def root(self) -> Object:
        """The value as it came, opened: the envelope where there is one."""
        return self.body if self.envelope is None else self.envelope


class Detector:
    """The rules of one route over one chain."""

    def __init__(self, chain: VersionGraph, detection: Detection) -> None:
        self._chain = chain
        self._shapes: dict[str, ShapeMatcher] = {}
        rules = detection.or_those_of(chain.detection)
        self.type_rules = rules.event_type or _only_type(chain)
        self.version_rules = rules.version or _by_shape_or_only(chain)
        problems = [*wrong_rules(Detection(self.type_rules, self.version_rules, rules.stamp))]
        if problems:
            raise ChainError(problems)
        self._type_readers = _readers(self.type_rules)
        self.version_readers = _readers(self.version_rules)
        self.stamps_first = rules.stamp == "first"
        self._type_default = _default(self.type_rules)
        self._version_default = _default(self.version_rules)
        self._asks_shape = any(isinstance(rule, FromShape) for rule in self.version_rules)
        self._cloud_events = any(
            isinstance(rule, FromCloudEvents) for rule in (*self._type_readers, *self.version_readers)
        )

    def with_shapes(self, shapes: Mapping[str, ShapeMatcher]) -> Detector:
        """The same rules, where the versions of these types are told by something else than their shapes."""
        made = copy(self)
        vars(made)["_shapes"] = dict(shapes)
        return made

    def with_default(self, version: str) -> Detector:
        """The same rules, and this version where none of them finds one."""
        made = copy(self)
        vars(made)["_version_default"] = version
        return made

    @property
    def assumed_version(self) -> str | None:
        """The version of events of which no rule tells it; None where there is no such rule."""
        return self._version_default

    @property
    def asks_shape(self) -> bool:
        """True where the shape of a document may tell its version."""
        return self._asks_shape

    @property
    def fixed_type(self) -> str | None:
        """The type of every event, where the rules say so without looking."""
        first = self.type_rules[0]
        return first.value if isinstance(first, Always) else None

    def foreign(self, record: SourceRecord) -> DecodeError | None:
        """Why the value is not to be read, in CloudEvents' binary mode: it may be anything, and the headers say that it
        is not JSON."""
        if not self._cloud_events or last_header(record.headers, CLOUD_EVENTS_PREFIX + "specversion") is None:
            return None
        if _is_json_type(last_header(record.headers, "content-type")):
            return None
        return DecodeError("the record's content type says that its value is not JSON")

    def look(self, record: SourceRecord) -> DetectedDocument:
        """Type and version of a record, as ``detect``. Raises EventError also for what is no document."""
        foreign = self.foreign(record)
        return self.detect(record, {} if foreign is not None else read(record.value or b""), foreign)

    def detect(self, record: SourceRecord, root: Object, foreign: DecodeError | None = None) -> DetectedDocument:
        """Type and version of one event. Raises DetectionError where there is no answer, or more than one.

        ``foreign`` is why its value was not read, where it was not: what the headers say has to be enough.
        """
        body, envelope, no_body = (root, None, foreign) if foreign is not None else self._body(record, root)
        event_type = _agreed("type", self._type_readers, record, body, envelope)
        if event_type is None:
            event_type = self._type_default
        if event_type is None:
            raise DetectionError(f"no rule could tell the type{_asked(self.type_rules)}")
        if event_type not in self._chain.types:
            return DetectedDocument(event_type, self._version_if_told(record, body, envelope), body, envelope, no_body)
        try:
            version = self._version(event_type, record, body, envelope, asks_shape=self._asks_shape and no_body is None)
        except DetectionError:
            if no_body is not None:
                raise no_body from None  # where the version would stand
            raise
        known = (event_type, version) in self._chain.versions
        covering = None if known else self._chain.covering(event_type, version)
        if covering is not None:
            return DetectedDocument(event_type, covering, body, envelope, no_body, version)
        return DetectedDocument(event_type, version, body, envelope, no_body)

    def _version_if_told(self, record: SourceRecord, body: Object, envelope: Object | None) -> str:
        """The version that an event of a type unknown to the chain names; its fate does not depend on it."""
        try:
            answer = _agreed("version", self.version_readers, record, body, envelope)
        except DetectionError:
            answer = None
        return answer or self._version_default or ""

    def names_version(self, record: SourceRecord) -> bool:
        """True where a header, field or attribute tells the version; False for what is assumed, or cannot be read."""
        try:
            foreign = self.foreign(record) is not None
            body, envelope, _ = ({}, None, None) if foreign else self._body(record, read(record.value or b""))
            return _agreed("version", self.version_readers, record, body, envelope) is not None
        except EventError:
            return False

    def _body(self, record: SourceRecord, root: Object) -> tuple[Object, Object | None, EventError | None]:
        if not self._cloud_events or not _is_envelope(record, root):
            return root, None, None
        if "data" not in root:
            return {}, root, WrongType("the CloudEvents envelope has no data that is JSON", ("data",))
        try:
            body = root["data"] = open_object(root["data"], ("data",))
        except WrongType as error:
            return {}, root, error
        return body, root, None

    def _version(
        self, event_type: str, record: SourceRecord, body: Object, envelope: Object | None, *, asks_shape: bool
    ) -> str:
        known = self._chain.versions
        answer = _agreed(
            "version", self.version_readers, record, body, envelope, lambda answer: (event_type, answer) in known
        )
        if asks_shape:
            shape = self.shape_of(event_type, body)
            if answer is None:
                answer = shape
            elif shape is not None and not self.looks_like(event_type, answer, shape):
                raise DetectionError("the shape is that of another version than the one named")
        if answer is None:
            answer = self._version_default
        if answer is None:
            raise DetectionError(f"no rule could tell the version{_asked(self.version_rules)}")
        return answer

    def shape_of(self, event_type: str, body: Object) -> str | None:
        """The newest version whose shape the document has, or None."""
        shape = self._shapes.get(event_type)
        if shape is None:
            if event_type not in self._chain.types:
                return None
            shape = self._shapes[event_type] = compile_shapes(shapes_of(self._chain, event_type))[0]
        return shape(body)

    def looks_like(self, event_type: str, version: str, shape: str) -> bool:
        """True where a document of ``version`` may have the shape of ``shape``; an unknown version may look anyhow."""
        known = self._chain.versions.get((event_type, version))
        if known is None:
            known = self._chain.versions.get((event_type, self._chain.covering(event_type, version) or ""))
        return known is None or version == shape or shape in known.looks_like or known.shape is None

    def stamps(self) -> tuple[Stamp, ...]:
        """What writes the new type and version where the old ones were found, and the ids of a split's children."""
        types = map(TypeStamp, self._type_readers)
        create = (self.stamps_first, *(False,) * len(self.version_readers))
        versions = map(VersionStamp, self.version_readers, create)
        ids = (IdStamp(FromCloudEvents("id")),) if self._cloud_events else ()
        return (*types, *versions, *ids)


def _is_json_type(content_type: bytes | None) -> bool:
    """True for a media type of JSON, and where none is named."""
    name = (content_type or b"").partition(b";")[0].strip().lower()
    return not name or name in {b"application/json", b"text/json"} or name.endswith(b"+json")


def _is_envelope(record: SourceRecord, root: Object) -> bool:
    """True for a CloudEvents envelope: by its data, by the record's content type, or by what every envelope has."""
    if "specversion" not in root:
        return False
    if "data" in root or "data_base64" in root:
        return True
    content_type = last_header(record.headers, "content-type") or b""
    if content_type.lower().startswith(b"application/cloudevents"):
        return True
    return root.keys() >= OF_EVERY_ENVELOPE and last_header(record.headers, CLOUD_EVENTS_PREFIX + "id") is None


def shapes_of(chain: VersionGraph, event_type: str) -> list[tuple[str, Any]]:
    """The shapes that a type's versions declare, newest first."""
    versions = reversed(chain.types.get(event_type, ()))
    found = [(version, chain.versions[event_type, version].shape) for version in versions]
    return [(version, shape) for version, shape in found if shape is not None]


def _readers(rules: Sequence[Rule]) -> tuple[ReadingRule, ...]:
    return tuple(rule for rule in rules if not isinstance(rule, (Always, FromShape)))


def _default(rules: Sequence[Rule]) -> str | None:
    return next((rule.value for rule in rules if isinstance(rule, Always)), None)


def _agreed(
    what: str,
    rules: Sequence[ReadingRule],
    record: SourceRecord,
    body: Object,
    envelope: Object | None,
    is_known: Callable[[str], bool] | None = None,
) -> str | None:
    """What the rules say with one voice, or None. With ``is_known``, what says nothing is no answer unless it is known
    all the same."""
    answer: str | None = None
    for rule in rules:
        found = answer_of(rule, record, body, envelope)
        if found is not None and is_known is not None and says_nothing(found) and not is_known(found):
            continue
        if found is not None and answer is not None and found != answer:
            raise DetectionError(f"two rules disagree about the {what}; the second is {_name(rule)}")
        answer = found if answer is None else answer
    return answer


def answer_of(rule: ReadingRule, record: SourceRecord, body: Object, envelope: Object | None) -> str | None:
    """What one rule says, or None. Raises DetectionError where it finds something that is no answer."""
    if isinstance(rule, FromHeader):
        return _matched(_text(last_header(record.headers, rule.name), rule), rule)
    if isinstance(rule, FromField):
        return _matched(_field(body, path(rule.path)), rule)
    if envelope is not None:
        return _matched(_field(envelope, (rule.attribute,)), rule)
    return _matched(_text(last_header(record.headers, CLOUD_EVENTS_PREFIX + rule.attribute), rule), rule)


def _text(value: bytes | None, rule: ReadingRule) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        raise DetectionError(f"{_name(rule)} is not UTF-8") from None


def _field(body: Object, where: Path) -> str | None:
    node = find(body, where)
    if node is MISSING or is_null(node):
        return None
    kind = json_type(node)
    if kind == "string":
        text: str = plain(node)
        return text
    if kind == "number":
        return json_text(node).decode()
    raise WrongDetectionField(f"{show(where)} is neither a string nor a number", where)


class WrongDetectionField(WrongType, DetectionError):
    """The field that should hold the type or version holds something else."""

    stage = "detect"


def _matched(value: str | None, rule: ReadingRule) -> str | None:
    if value is None or rule.pattern is None:
        return value
    match = compiled(rule.pattern).search(value)
    if match is None:
        if says_nothing(value):
            return None
        raise DetectionError(f"{_name(rule)} does not match its pattern")
    return match.group(1)


def says_nothing(version: str) -> bool:
    """True for a place that holds no version: empty, blank, or a null written as text."""
    return not version or version.isspace() or version == "null"


def _name(rule: ReadingRule) -> str:
    if isinstance(rule, FromHeader):
        return f"header {rule.name}"
    if isinstance(rule, FromField):
        return f"field {show(path(rule.path))}"
    return f"CloudEvents attribute {rule.attribute}"


def _asked(rules: Sequence[Rule]) -> str:
    names = (_name(rule) if isinstance(rule, ReadingRule) else "the shape" for rule in rules)
    return f" (asked: {', '.join(names)})"


def _only_type(chain: VersionGraph) -> tuple[TypeRule, ...]:
    starts = {base.event_type for base in chain.baselines} or set(chain.types)
    made = {end[0] for step in chain.steps for end in step.ends if end[0] != step.event_type}
    roots = sorted(starts - made) or sorted(chain.types)
    if len(roots) == 1:
        return (Always(roots[0]),)
    names = ", ".join(roots)
    message = f"the chain has several event types ({names}) and nothing says how to tell them apart"
    raise ChainError([Problem("detection", message, "Give the route an event_type: a name, a header or a field.")])


def _by_shape_or_only(chain: VersionGraph) -> tuple[VersionRule, ...]:
    if any(known.shape is not None or known.schema is not None for known in chain.versions.values()):
        return (FromShape(),)
    message = "no version of the chain declares a shape or a schema and nothing says where an event's version stands"
    raise ChainError([Problem("detection", message, "Give the route version rules: a header, a field or a default.")])


# Stamping: the new type and version go where the old ones were.


@dataclass(frozen=True)
class Stamp(ABC):
    """Writes into the place that a rule reads, where something stands there already or ``create`` says so."""

    rule: ReadingRule
    create: bool = False

    def write(self, body: Object, envelope: Object | None, context: Context, text: str) -> None:
        rule = self.rule
        if isinstance(rule, FromField):
            restamp(body, path(rule.path), text, rule.pattern, create=self.create)
        elif isinstance(rule, FromCloudEvents) and envelope is not None:
            restamp(envelope, (rule.attribute,), text, rule.pattern, create=self.create)
        else:
            self._write_header(rule, context, text)

    def _write_header(self, rule: FromHeader | FromCloudEvents, context: Context, text: str) -> None:
        name = rule.name if isinstance(rule, FromHeader) else CLOUD_EVENTS_PREFIX + rule.attribute
        old = last_header(context.headers, name)
        if old is not None or self.create:
            new = text if rule.pattern is None else replaced((old or b"").decode(), rule.pattern, text)
            put_header(context, name, new.encode())

    @abstractmethod
    def apply(self, body: Object, envelope: Object | None, context: Context, event_type: str, version: str) -> None:
        """Write what this stamp is for."""


class TypeStamp(Stamp):
    """Writes the type."""

    def apply(self, body: Object, envelope: Object | None, context: Context, event_type: str, version: str) -> None:
        self.write(body, envelope, context, event_type)


class VersionStamp(Stamp):
    """Writes the version."""

    def apply(self, body: Object, envelope: Object | None, context: Context, event_type: str, version: str) -> None:
        self.write(body, envelope, context, version)


class IdStamp(Stamp):
    """Writes the id of a split's child: no two CloudEvents of one source may have the same."""

    def apply(self, body: Object, envelope: Object | None, context: Context, event_type: str, version: str) -> None:
        if context.lineage:
            self.write(body, envelope, context, context.origin)


def in_place(old: str, pattern: str, text: str) -> str:
    """``old`` with ``text`` where the pattern finds its answer; ``old`` itself where it finds none."""
    match = compiled(pattern).search(old)
    if match is None or match.group(1) is None:
        return old
    return old[: match.start(1)] + text + old[match.end(1) :]


def replaced(old: str, pattern: str, text: str) -> str:
    """``old`` with ``text`` where the pattern found the answer, or ``text`` alone: what the pattern can read again.

    Raises UnreadableStamp where it can read neither: the event would be taken for another one the next time.
    """
    match = compiled(pattern).search(old)
    said_nothing = match is None or match.group(1) is None
    if said_nothing and not says_nothing(old):
        return old
    for new in (in_place(old, pattern, text), text):
        again = compiled(pattern).search(new)
        if again is not None and again.group(1) == text:
            return new
    if said_nothing and old:
        return old
    raise UnreadableStamp(f"the detection rule's pattern cannot read {text} again where it would be written")


def restamp(body: Object, where: Path, text: str, pattern: str | None = None, *, create: bool = False) -> None:
    """Write a type or version where another stands; where nothing does, only if ``create`` says so."""
    parent = body
    if len(where) > 1:
        parent = {} if find(body, where) is MISSING and not create else parent_of(body, where, create=create)
    node = parent.get(where[-1])
    if create or not is_null(node):
        new = text if pattern is None else replaced(_field(body, where) or "", pattern, text)
        parent[where[-1]] = restamped(node, new) if not is_null(node) else new
