"""How the values of one route stand in their topics, from its settings to what lanes and commands need: ids learnt
ahead, an upcaster for records with a frame, and a record without it for whoever only looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from operator import attrgetter
from typing import TypeVar

import structlog

from upcasters import Chain, ChainError, Event
from upcasters.context import KeyFormat
from upcasters.detect import Detector
from upcasters.detection import Always, Detection, FromHeader
from upcasters.event import Header, Partition, SourceRecord
from upcasters.formats import BARE_JSON, Encoding, SchemaError
from upcasters.outcome import Fault, Violation
from upcasters.policy import Policy
from upcasters.reference import Trace
from upcasters.schema_upcaster import SchemaUpcaster, by_fingerprint
from upcasters.step import VersionKey
from worker.codes import chain_error
from worker.errors import WorkerError
from worker.schemas.answers import Answers, NoAnswerError, SchemaReader
from worker.schemas.by_schema import SchemaRecords, Traced, Way
from worker.schemas.encodings import KIND_OF, engine_schema, message_named, source_encoding
from worker.schemas.framed import FramedUpcaster, MakeUpcaster, RecordUpcaster
from worker.schemas.frames import MOST_MARKS, Frame, Mark, NotFramedError, SchemaId, frame_of, without_ids
from worker.schemas.keys import PLAIN, KeyedUpcaster, KeySchema
from worker.schemas.known import PROTOBUF, KnownSchema, SchemaFolder
from worker.schemas.learning import Schemas
from worker.schemas.registry import Registry, RegistryError
from worker.schemas.set_keys import keys_of
from worker.schemas.targets import Target, Targets, TargetSchemas, by_start, ends_of
from worker.settings import RouteSettings
from worker.settings.detection import SCHEMA_TYPE, SCHEMA_VERSION
from worker.settings.schemas import RegistrySettings

log = structlog.get_logger(__name__)

VALUE, HEADERS = attrgetter("value"), attrgetter("headers")
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds between two attempts to begin."""


ChangePolicy = Callable[[Policy], Policy]
Observe = Callable[[Violation], None]


class Framing:
    """``begin`` once, ``learn`` before records are worked on, then the rest without waiting."""

    def __init__(self, route: RouteSettings, chain: Chain, registry: Registry, schemas: Schemas) -> None:
        self._route = route
        self._chain = chain
        self._frame: Frame | None = frame_of(route.reads.frame, route.reads.format)
        self._schemas = schemas
        self._reader = SchemaReader(route.event_type, route.version, route.reads.subject or f"{route.source}-value")
        target = self._written_frame = frame_of(route.writes.frame, route.writes.format)
        self._finding = TargetSchemas(route, chain, registry, target) if target else None
        self._targets: Mapping[VersionKey, Target] | None = None
        self._encodings: Mapping[VersionKey, Encoding] | None = None
        self._encodings_to_show: Mapping[VersionKey, Encoding] | None = None
        self._policy = route.policy()
        if chain.readers if self._policy.readers is None else self._policy.readers:
            raise WorkerError(
                f"{route.source}: its values have a frame, and readers are for values that are nearly JSON: set "
                "readers: []",
                code="UPC2207",
            )
        self._key = KeySchema(route, route.writes.key, chain, registry) if route.writes.key else None
        self._sets_keys = any(keys_of(route, chain))
        self._keys: tuple[KnownSchema, KeyFormat] | None = None
        self._beside = by_fingerprint(chain.schemas.items())
        self._settled: set[Mark] = set()
        self._shown: SchemaRecords | None = None
        if route.by_schema:
            self._shown = self._schema_records(lambda policy: policy, None, self._found_to_show)

    # What waits for the registry.

    async def begin(self) -> None:
        """Find the schemas that results are written by. Raises WorkerError where that cannot be, RegistryError."""
        with _told():
            if self._finding and self._targets is None:
                self._targets = await self._finding.find()
            if self._key and self._keys is None:
                self._keys = await self._key.find()
            if self._route.by_schema and self._encodings is None:
                self._encodings = self._encoded(self._targets)

    async def begin_to_show(self, *, leniently: bool = False) -> None:
        """For whoever shows events and writes none: nothing is registered. Where a schema of results is not there and
        that makes no difference (``leniently``), they are shown as JSON. Raises as ``begin``."""
        if not self._route.by_schema or self._encodings or self._encodings_to_show:
            return
        with _told():
            try:
                self._encodings_to_show = self._encoded(await self._finding.to_show() if self._finding else None)
            except WorkerError:
                if not leniently:
                    raise
                self._encodings_to_show = self._encoded(None)

    def _encoded(self, targets: Mapping[VersionKey, Target] | None) -> Mapping[VersionKey, Encoding]:
        """How results of each version are written. Raises ChainError where they cannot be."""
        ends = dict.fromkeys(end for _, end in ends_of(self._route, self._chain))
        encodings = {end: _encoding(targets[end]) if targets else BARE_JSON for end in ends}
        SchemaUpcaster(self._chain, self._policy, encodings)
        return encodings

    async def look(self) -> list[str]:
        """What may go wrong at a start, in words; nothing is registered. Raises as ``begin``."""
        with _told():
            doubts = await self._finding.look() if self._finding else []
            return [*doubts, *(await self._key.look() if self._key else ())]

    async def learn(self, records: Sequence[SourceRecord]) -> None:
        """Ask for the schemas of these records that nobody has seen yet. Raises RegistryError."""
        if self._frame is None:
            return
        marks = self._unsettled(self._frame, records)
        if not marks:
            return
        wanted = {mark: schema for mark in marks if (schema := self._schema_id(mark))}
        await self._schemas.learn(set(wanted.values()))
        for schema in set(wanted.values()):
            if (known := self._schemas.find(schema)) and self._reader.may_be_stale(known):
                await self._schemas.learn_anew(schema)
        self._settle(marks, wanted)

    def _unsettled(self, frame: Frame, records: Sequence[SourceRecord]) -> list[Mark]:
        settled = self._settled
        try:
            if not any(map(HEADERS, records)) and set(map(frame.start, map(VALUE, records))) <= settled:
                return []
        except TypeError:
            pass  # a tombstone
        marks = {frame.mark(record) for record in records if record.value is not None}
        return [mark for mark in marks if mark not in settled]

    def _schema_id(self, mark: Mark) -> SchemaId | None:
        try:
            return self._frame.schema_id(mark) if self._frame else None
        except NotFramedError:
            return None

    def _settle(self, marks: Iterable[Mark], wanted: dict[Mark, SchemaId]) -> None:
        """What is known is so for good; the rest is looked at again."""
        found = {mark for mark in marks if mark in wanted and self._schemas.find(wanted[mark])}
        if len(self._settled) + len(found) > MOST_MARKS:
            self._settled.clear()
        self._settled.update(found)

    # What does not.

    def upcaster(
        self,
        make: MakeUpcaster,
        change: ChangePolicy,
        observe: Observe | None = None,
        *,
        step_by_step: bool = False,
    ) -> RecordUpcaster:
        """For records with their frames. ``make`` makes what takes bare JSON by a policy; where values are of another
        format that is made here, by the route's policy as it is after ``change``."""
        made: RecordUpcaster
        if self._route.by_schema:
            records = self._schema_records(change, observe, self._found_encodings)
            made = Traced(records) if step_by_step else records
        else:
            made = FramedUpcaster(self._frame, self._opened, self._policy_for, self._lacking, make, self._found_targets)
        return KeyedUpcaster(made, self._key_format) if self._sets_keys else made

    def _key_format(self) -> KeyFormat:
        if self._key is None:
            return PLAIN
        if self._keys is None:
            raise NotLearntError("nobody has asked for the schema that keys are written by")
        return self._keys[1]

    def _schema_records(
        self, change: ChangePolicy, observe: Observe | None, targets: Callable[[], Mapping[VersionKey, Encoding]]
    ) -> SchemaRecords:
        made: dict[Answers, SchemaUpcaster] = {}

        def upcaster(answers: Answers) -> SchemaUpcaster:
            if answers not in made:
                policy = change(self._policy_for(answers))
                made[answers] = SchemaUpcaster(self._chain, policy, targets(), observe=observe)
            return made[answers]

        def opening(mark: Mark) -> Way | Fault:
            answers = self._opened(mark)
            if isinstance(answers, Fault):
                return answers
            known = self._schemas.find(self._frame.schema_id(mark)) if self._frame else None
            try:
                message = self._message(known, mark)
            except NotFramedError as error:
                return Fault("decode", "NotFramed", f"{error}: see reads.format of the route")
            encoding = source_encoding(known, mark, self._told_version(answers), message)
            return Way(encoding, upcaster(answers), self._lacking(answers))

        return SchemaRecords(
            self._frame,
            self._written_frame,
            opening,
            lambda: upcaster(Answers()),
            lambda: targets().values(),
        )

    def _message(self, known: KnownSchema | None, mark: Mark) -> str:
        """The message that a mark names, where schemas declare several. Raises NotFramedError."""
        if self._frame is None or known is None or not self._frame.behind:
            return ""
        which = self._frame.message(mark)
        try:
            return message_named(known, which)
        except SchemaError:
            return ""  # whoever reads by it says what is wrong with it

    def _told_version(self, answers: Answers) -> VersionKey | None:
        """Type and version, where the schema and the route tell both, and the chain knows them."""
        event_type = answers.event_type or Detector(self._chain, self._policy.detection).fixed_type
        node = (event_type or "", answers.version or "")
        return node if node in self._chain.versions else None

    def _found_encodings(self) -> Mapping[VersionKey, Encoding]:
        if self._encodings is None:
            raise NotLearntError("nobody has asked for the schemas that results are written by")
        return self._encodings

    def _found_to_show(self) -> Mapping[VersionKey, Encoding]:
        """What results are written by, or would be: nobody produces what is made with it."""
        return self._encodings_to_show or self._found_encodings()

    def readable_trace(self, record: SourceRecord, source: Partition | None) -> tuple[Event, Trace] | None:
        """The record and what becomes of it, every value as JSON for people; None where values are JSON anyway."""
        return self._shown.readable_trace(record, source) if self._shown else None

    def version_of(self, record: SourceRecord) -> VersionKey | Fault | None:
        """The type and version that a record is taken for; None where values are JSON, and anybody can tell."""
        return self._shown.version_of(record) if self._shown else None

    def readable(self, record: SourceRecord) -> Event | Fault:
        """The record without its frame, for people: its value as JSON."""
        return self._shown.readable(record) if self._shown else self.bare(record)

    def bare(self, record: SourceRecord) -> Event | Fault:
        """The record without its frame, and beside it headers that say what its schema says: for the route's own
        policy, which looks there."""
        value, frame = record.value, self._frame
        headers = list(record.headers)
        if value is None or frame is None:
            return Event(value, record.key, headers, record.timestamp, record.offset)
        mark = frame.mark(record)
        answers = self._opened(mark)
        if isinstance(answers, Fault):
            return answers
        plain = [*without_ids(headers), *_said(answers)]
        return Event(frame.body(mark, value), record.key, plain, record.timestamp, record.offset)

    def told(self, record: SourceRecord) -> str:
        """The schema that a record names, for a person: its id, and where it is registered as far as that is known."""
        if self._frame is None or record.value is None:
            return ""
        schema = self._schema_id(self._frame.mark(record))
        return str(self._schemas.find(schema) or schema) if schema else ""

    def written(self) -> dict[str, str]:
        """By type and version what results are written by: the same in a plan, its replay and its proof."""
        found = by_start(ends_of(self._route, self._chain), self._targets) if self._targets else {}
        written = {
            f"{event_type} {version}": str(target.schema)
            for event_type, versions in found.items()
            for version, target in versions.items()
        }
        return {**written, "key": str(self._keys[0])} if self._keys else written

    def _opened(self, mark: Mark) -> Answers | Fault:
        if self._frame is None:
            return Answers()
        try:
            schema = self._frame.schema_id(mark)
        except NotFramedError as error:
            return Fault("decode", "NotFramed", f"{error}: see reads.frame of the route")
        known = self._schemas.find(schema)
        if known is None:
            return self._not_known(schema)
        if known.kind != KIND_OF[self._route.reads.format]:
            told = (
                f"schema {known} is of kind {known.kind}, and reads.format of the route is {self._route.reads.format}"
            )
            return Fault("decode", "WrongSchemaKind", told)
        try:
            answers = self._reader.answers(known)
            return answers if any(answers) or not self._beside else self._by_equality(known)
        except NoAnswerError as error:
            return Fault("detect", "SchemaSaysNothing", str(error))

    def _by_equality(self, known: KnownSchema) -> Answers:
        """The version whose schema stands beside its step and is this one. Of Protobuf's the engine tells: it depends
        on the message."""
        if known.kind == PROTOBUF:
            return Answers()
        try:
            node = self._beside.get(engine_schema(known).fingerprint)
        except SchemaError:
            node = None
        return Answers(*node) if node else Answers()

    def _not_known(self, schema: SchemaId) -> Fault:
        if not self._schemas.was_asked(schema):
            raise NotLearntError(f"nobody has asked for schema {schema}")
        return Fault(
            "decode", "UnknownSchema", f"schema {schema} is not in the registry: register it again, then redrive"
        )

    def _found_targets(self) -> Targets | None:
        if self._finding and self._targets is None:
            raise NotLearntError("nobody has asked for the schemas that results are written by")
        return by_start(ends_of(self._route, self._chain), self._targets) if self._targets else None

    def _lacking(self, answers: Answers) -> list[Header]:
        """What the schema says, where the chain has no such type or version. The route's own policy decides then."""
        event_type, version = answers
        types = self._chain.types if event_type is None else {event_type} & self._chain.types.keys()
        known = version is None or any(
            (each, version) in self._chain.versions or self._chain.covering(each, version) for each in types
        )
        return [] if types and known else _said(answers)

    def _policy_for(self, answers: Answers) -> Policy:
        """The route's, with what the schema says in place of the rules that ask it."""
        if self._lacking(answers):
            return self._policy
        rules = self._policy.detection
        detection = Detection(
            answered(rules.event_type, SCHEMA_TYPE, answers.event_type),
            answered(rules.version, SCHEMA_VERSION, answers.version),
            rules.stamp,
        )
        return replace(self._policy, detection=detection)


@contextmanager
def _told() -> Iterator[None]:
    """Raises WorkerError for a schema that cannot be used, or that does not go with the chain."""
    try:
        yield
    except ChainError as error:
        raise chain_error(error) from None


class NotLearntError(Exception):
    """A mistake of ours: ``begin`` and ``learn`` come first."""


R = TypeVar("R")


def answered(rules: tuple[R, ...], header: str, answer: str | None) -> tuple[R | Always, ...]:
    """The rules, with the schema's answer in the place of the one that asks it; without an answer the others are left,
    and that one where it is alone: a tombstone has none."""
    others = tuple(rule for rule in rules if not (isinstance(rule, FromHeader) and rule.name == header))
    return (others or rules) if answer is None else (Always(answer),)


def _encoding(target: Target) -> Encoding:
    return Encoding(engine_schema(target.schema, target.message), target.prefix, target.headers)


def _said(answers: Answers) -> list[Header]:
    """As headers, which the route's own rules read."""
    texts = ((SCHEMA_TYPE, answers.event_type), (SCHEMA_VERSION, answers.version))
    return [(name, text.encode()) for name, text in texts if text is not None]


def open_framing(route: RouteSettings, chain: Chain, registry: RegistrySettings) -> Framing:
    """For a route whose values have a frame in one of its topics."""
    asked = Registry(registry)
    folder = SchemaFolder(registry.cache, registry.urls, registry.context) if registry.cache else None
    return Framing(route, chain, asked, Schemas(asked, folder, registry.unknown_for))


async def begin_in_time(framing: Framing, tell: Callable[[str], None]) -> None:
    """Begin as soon as the registry answers; ``tell`` is told why it does not. Raises WorkerError where it does, and
    something is wrong."""
    pause = FIRST_PAUSE
    while True:
        try:
            await framing.begin()
        except RegistryError as error:
            tell(str(error))
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)
        else:
            return
