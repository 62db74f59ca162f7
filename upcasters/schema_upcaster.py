"""A chain over records that are written by schemas: Avro and framed JSON in, Avro and framed JSON out.

What becomes of an event is decided as everywhere (``event_flow``). Here is what differs: the schema of a record is
handed in with it, its version may be told by that schema, and what comes out is written by the schema of its version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from upcasters.compile import compile_hops
from upcasters.context import Context
from upcasters.detect import DetectedDocument
from upcasters.document import BEYOND_JSON, Object, encode, read, readable
from upcasters.duplicates import duplicate_keys, refuse_anywhere
from upcasters.errors import ChainError, DecodeError, DetectionError, EventError, Problem, UnknownType, UnknownVersion
from upcasters.event import Event, Header, Partition, Record, SourceRecord, event_of, kind_of, partition_of
from upcasters.event_flow import EventFlow, FlowPosition, Observed, Runner, Way
from upcasters.formats import BARE_JSON, Encoding, Format, Reader, Schema, SchemaError, SchemaKind, Writer
from upcasters.formats.avro import AvroFormat
from upcasters.formats.json import JsonFormat
from upcasters.formats.protobuf import ProtobufFormat
from upcasters.framed_json import FramedJson, of_version, relabelled
from upcasters.operations.choice import walk
from upcasters.operations.scopes import Subdocument
from upcasters.outcome import DeadLettered, Outcome, Passage, Passed, Upcast, Violation
from upcasters.paths import Path
from upcasters.policy import Policy
from upcasters.reference import HopTrace, Trace, fault_of, operations_of
from upcasters.schema_shapes import version_by_shape
from upcasters.step import VersionKey
from upcasters.touched import touched_paths

if TYPE_CHECKING:
    from upcasters.version_graph import VersionGraph

FORMATS: Mapping[SchemaKind, Format] = {
    "avro": AvroFormat(),
    "json": JsonFormat(),
    "protobuf": ProtobufFormat(),
}
# So many schemas are kept at once; a topic with more of them has each made again now and then.
_MOST_SOURCES = 1_000


@dataclass(frozen=True)
class _Target:
    """How records of one version are written."""

    encoding: Encoding
    write: Writer


class _Told(NamedTuple):
    """Fingerprints of schemas and the version that each tells: ``surely``, or ``otherwise``, where no rule does."""

    surely: Mapping[str, VersionKey]
    otherwise: Mapping[str, VersionKey]


def by_fingerprint(schemas: Iterable[tuple[VersionKey, Schema]]) -> Mapping[str, VersionKey]:
    """A schema of several versions tells none."""
    found: dict[str, set[VersionKey]] = {}
    for node, schema in schemas:
        found.setdefault(schema.fingerprint, set()).add(node)
    return {name: nodes.pop() for name, nodes in found.items() if len(nodes) == 1}


class SchemaUpcaster:
    """A chain as one route wants it, for records whose values are written by schemas.

    ``targets`` says how the records of each version that a way may end in are written. ``known`` are schemas of older
    versions, beside those that steps and baselines name: a record that was written with one of them is of that version,
    whatever it holds; so is a record of a target's schema, unless a rule finds another version in it. A schema of
    several versions tells none. Everything else is as in ``Upcaster``: it never raises for what an event holds.

    A target's schema is what checks a result in Avro; a step's model checks what is JSON.
    Raises ChainError where a version has no target and its type has another one, and where the route has readers;
    SchemaError where a schema cannot be used.
    """

    def __init__(
        self,
        chain: VersionGraph,
        policy: Policy,
        targets: Mapping[VersionKey, Encoding],
        known: Mapping[VersionKey, Schema] | None = None,
        observe: Callable[[Violation], None] | None = None,
    ) -> None:
        self.chain = chain
        self.policy = policy
        self._flow = EventFlow(chain, policy, observe)
        if self._flow.reading is not None:
            what = "readers are for values that need no schema, and this route has some"
            raise ChainError([Problem("reader", what, "Say readers=[] for it.")])
        self._targets = {node: _Target(one, _writer(one)) for node, one in targets.items()}
        self._told = self._told_by_schema(targets, {**chain.schemas, **(known or {})})
        self._sources: dict[Encoding, _Source] = {}
        self._refuse_missing_targets()

    def upcast(self, record: SourceRecord, source: Partition | None = None, encoding: Encoding = BARE_JSON) -> Outcome:
        """What becomes of one event whose value is written as ``encoding`` says. ``source`` as for ``Upcaster``.

        Raises TypeError where ``record`` is no event, and says what to pass.
        """
        found = self._sources.get(encoding) or self._new_source(encoding)
        token = BEYOND_JSON.set(found.beyond_json)
        try:
            try:
                return found.upcast(record, source)
            except Exception:  # noqa: BLE001, S110  # step by step it is found out what it was, or that it was nothing
                pass  # and so lets go of the document that the exception holds
            return found.step_by_step(event_of(record), partition_of(source))
        finally:
            BEYOND_JSON.reset(token)

    def trace(self, record: SourceRecord, source: Partition | None = None, encoding: Encoding = BARE_JSON) -> Trace:
        """What becomes of one event, with the document as JSON before and after each hop. Raises as ``upcast``."""
        found = self._sources.get(encoding) or self._new_source(encoding)
        token = BEYOND_JSON.set(found.beyond_json)
        try:
            return found.trace(event_of(record), partition_of(source))
        finally:
            BEYOND_JSON.reset(token)

    def version_of_event(self, record: SourceRecord, encoding: Encoding = BARE_JSON) -> VersionKey:
        """The type and version that an event with a value is taken for. Raises EventError where none can be told."""
        found = self._sources.get(encoding) or self._new_source(encoding)
        token = BEYOND_JSON.set(found.beyond_json)
        try:
            return found.version_of_event(record)
        finally:
            BEYOND_JSON.reset(token)

    def version_of(self, schema: Schema) -> VersionKey | None:
        """The type and version whose schema this is, by its canonical form; None where it is none that is known."""
        return self._told.surely.get(schema.fingerprint) or self._told.otherwise.get(schema.fingerprint)

    def _told_by_schema(self, targets: Mapping[VersionKey, Encoding], known: Mapping[VersionKey, Schema]) -> _Told:
        """What the schemas that are handed in tell. Events of one schema may be of several versions where a rule reads
        the version from each; its target's is then assumed where the rule finds nothing."""
        detector = self._flow.detector
        written = [(node, one.schema) for node, one in targets.items() if one.schema is not None]
        if not detector.version_readers and detector.fixed_type is not None:
            return _Told(by_fingerprint([*written, *known.items()]), {})
        return _Told(by_fingerprint(known.items()), by_fingerprint(written))

    def _new_source(self, encoding: Encoding) -> _Source:
        if not isinstance(encoding, Encoding):
            raise TypeError(f"the encoding is {kind_of(encoding)}: pass an Encoding")
        if len(self._sources) >= _MOST_SOURCES:
            self._sources.clear()
            # What writes knows the schemas that have come, too.
            self._targets = {node: _Target(one.encoding, _writer(one.encoding)) for node, one in self._targets.items()}
        made = self._sources[encoding] = _Source(self._flow, encoding, self._targets, self._told)
        return made

    def _refuse_missing_targets(self) -> None:
        named = {event_type for event_type, _ in self._targets}
        ways = [self._flow.way(node) for node in self.chain.versions if node[0] in named]
        ends = {way.end for way in ways if not (way.broken or way.forks)}
        problems = [
            Problem("target", f"nothing says how {event_type} {version} is written", "Give an encoding for it.")
            for event_type, version in sorted(ends - self._targets.keys())
        ]
        if problems:
            raise ChainError(problems)


def _format(encoding: Encoding) -> Format:
    found = FORMATS.get(encoding.kind)
    if found is None:
        raise SchemaError(f"there is no format for schemas of kind {encoding.kind}", f"Use {', '.join(FORMATS)}.")
    return found


def _writer(encoding: Encoding) -> Writer:
    return _format(encoding).writer(encoding.schema)  # type: ignore[arg-type]  # JSON takes None


class _Source:
    """One encoding in which records come: what reads them, and which version they have where their schema tells."""

    def __init__(
        self,
        flow: EventFlow,
        encoding: Encoding,
        targets: Mapping[VersionKey, _Target],
        told: _Told,
    ) -> None:
        self._encoding = encoding
        self._flow = _SchemaFlow.of(flow, encoding, targets)
        self._functions: dict[VersionKey, Any] = {}
        self._problem: EventError | None = None
        try:
            self._flow.settle(told)
        except SchemaError as error:
            self._problem = DecodeError(error.problems[0].message)
        except EventError as error:
            self._problem = error
        self._fast = None if self._problem else self._flow.fast_way(self._function)
        kinds = {encoding.kind, *(target.encoding.kind for target in targets.values())}
        self.beyond_json = kinds != {"json"}
        """Whether its documents may hold what JSON does not have."""

    def upcast(self, record: SourceRecord, source: Partition | None) -> Outcome:
        """The quick way. Raises whatever goes wrong."""
        if self._fast is not None and record.value is not None:
            return self._fast(record, source)
        return self._process(record, source, self._run)

    def _process(
        self, record: SourceRecord, source: Partition | None, run: Runner, notes: FlowPosition | None = None
    ) -> Outcome:
        if self._problem is not None and record.value is not None:
            raise self._problem
        with duplicate_keys(self._flow.policy.duplicate_keys):
            return self._flow.process(record, source, run, notes, self._teller(notes) if notes else None)

    def trace(self, record: SourceRecord, source: Partition | None) -> Trace:
        """Operation by operation, with every hop. Never raises."""
        hops: list[HopTrace] = []
        return Trace(self.step_by_step(record, source, hops), hops)

    def step_by_step(
        self, record: SourceRecord, source: Partition | None, hops: list[HopTrace] | None = None
    ) -> Outcome:
        """Operation by operation; ``hops`` takes each hop. Never raises."""
        notes = FlowPosition()
        try:
            return self._process(record, source, _StepByStep(notes, hops), notes)
        except Exception as error:  # noqa: BLE001  # whatever it is, it ends as this event's dead letter
            return DeadLettered(fault_of(error, notes, self._flow))

    def version_of_event(self, record: SourceRecord) -> VersionKey:
        """As ``SchemaUpcaster`` has it."""
        if self._problem is not None:
            raise self._problem
        with duplicate_keys("last-wins"):  # what is only looked at loses nothing
            return self._flow.version_of_event(record)

    def _teller(self, notes: FlowPosition) -> Observed | None:
        observe = self._flow.observe
        if observe is None:
            return None

        def tell(error: Any, node: VersionKey) -> None:
            observe(Violation(*node, fault_of(error, notes, self._flow)))

        return tell

    def _run(self, way: Way, root: Object, context: Context) -> Object:
        changed: Object = self._function(way)(root, context)
        return changed

    def _function(self, way: Way) -> Any:
        found = self._functions.get(way.start)
        if found is None:
            keeps_keys = self._encoding.kind == "json" and self._flow.policy.duplicate_keys != "last-wins"
            found = self._functions[way.start] = compile_hops(way.hops, keeps_keys=keeps_keys).function
        return found


class _SchemaFlow(EventFlow):
    """The way of an event that was written by a schema."""

    encoding: Encoding
    targets: Mapping[VersionKey, _Target]
    settled: VersionKey | None
    read: Reader

    @classmethod
    def of(cls, flow: EventFlow, encoding: Encoding, targets: Mapping[VersionKey, _Target]) -> _SchemaFlow:
        """The same chain and policy, and what is known of their ways, for one encoding."""
        made = cls.__new__(cls)
        made.__dict__.update(copy(flow.__dict__))
        made.encoding, made.targets, made.settled = encoding, targets, None
        return made

    # What the schema tells, once.

    def settle(self, told: _Told) -> None:
        """Find the version by the schema, where it tells. Raises SchemaError, and DetectionError where it misleads."""
        schema = self.encoding.schema
        self.settled = self.encoding.version or (None if schema is None else told.surely.get(schema.fingerprint))
        assumed = None if schema is None else told.otherwise.get(schema.fingerprint)
        if assumed is not None and assumed[0] == self.detector.fixed_type:
            self.detector = self.detector.with_default(assumed[1])
        self.read = _format(self.encoding).reader(schema)  # type: ignore[arg-type]  # JSON takes None
        if schema is None or self.encoding.kind == "json":
            return
        if self.settled is None and self.detector.asks_shape:
            self._settle_by_shape(schema)
        if self.settled is not None and self.settled in self.chain.versions:
            touched = touched_paths(self.way(self.settled).hops)
            self.read = _format(self.encoding).reader(schema, touched)

    def _settle_by_shape(self, schema: Schema) -> None:
        found = _format(self.encoding)

        def types_at(path: Path) -> Any:
            return found.types_at(schema, path)

        fixed = self.detector.fixed_type
        names = self.chain.types if fixed is None else (fixed,)
        shapes = {name: _always(version_by_shape(self.chain, name, types_at)) for name in names}
        self.detector = self.detector.with_shapes(shapes)
        if fixed is not None and not self.detector.version_readers:
            version = shapes[fixed]({}) or self.detector.assumed_version
            if version is None:
                raise DetectionError("the schema has the shape of no version")
            self.settled = (fixed, version)

    # What differs for each event.

    def process(
        self,
        record: SourceRecord,
        source: Partition | None,
        run: Runner,
        notes: FlowPosition | None = None,
        observed: Observed | None = None,
    ) -> Outcome:
        value = record.value
        if value is None:
            return self.tombstone
        notes = notes or FlowPosition()
        payload = self._payload(value)
        if self.encoding.kind == "json" and self.policy.duplicate_keys == "refuse":
            read(payload)
            refuse_anywhere(payload)
        root = self.read(payload)
        found = self._found(record, root)
        notes.event_type, notes.from_version = found.event_type, found.version
        let_through = self.let_through(found)
        if let_through is not None:
            return self._only_where_it_fits(let_through)
        way = self.way((found.event_type, found.version))
        notes.to_version = way.end[1]
        if not way.forks:
            self._target(way.end)
        return self.bring(record, source, found, way, run, observed)

    def version_of_event(self, record: SourceRecord) -> VersionKey:
        """The type and version that an event is taken for. Raises EventError."""
        if self.settled is not None:
            return self.settled
        found = self._found(record, self.read(self._payload(record.value or b"")))
        return found.event_type, found.version

    def _payload(self, value: bytes) -> bytes:
        frame = self.encoding.frame
        if not value.startswith(frame):
            raise DecodeError("the value does not begin with the frame of its schema")
        return value[len(frame) :]

    def _found(self, record: SourceRecord, root: Object) -> DetectedDocument:
        if self.settled is not None:
            return DetectedDocument(*self.settled, root)
        return self.detector.detect(record, root)

    def _only_where_it_fits(self, outcome: Outcome) -> Outcome:
        """What the policy lets through goes on as it is only where its format is one that is written."""
        kinds = {target.encoding.kind for target in self.targets.values()}
        if isinstance(outcome, Passed) and self.encoding.kind not in kinds:
            raise UnknownType("the chain does not know this event, and it is of another format than what is written")
        return outcome

    def stays(self, way: Way) -> bool:
        return self.encoding.is_as(self._target(way.end).encoding)

    def _target(self, node: VersionKey) -> _Target:
        found = self.targets.get(node)
        if found is None:
            raise UnknownVersion(f"nothing says how {' '.join(node)} is written")
        return found

    def check_source(self, record: SourceRecord, found: DetectedDocument, way: Way, observed: Observed | None) -> None:
        if self.encoding.kind == "json":
            super().check_source(self._bare(record), found, way, observed)

    def check_current(self, record: SourceRecord, found: DetectedDocument, way: Way, observed: Observed | None) -> None:
        if self.encoding.kind == "json":
            super().check_current(self._bare(record), found, way, observed)

    def _bare(self, record: SourceRecord) -> SourceRecord:
        value = record.value
        if value is None or not self.encoding.frame:
            return record
        return Event(self._payload(value), record.key, record.headers, record.timestamp, record.offset)

    def written(
        self,
        record: SourceRecord,
        body: Object,
        envelope: Object | None,
        context: Context,
        node: VersionKey,
        observed: Observed | None,
    ) -> Record:
        target = self._target(node)
        value = target.write(body if envelope is None else envelope)
        if target.encoding.kind == "json" and self.wants(self.policy.validate_target, record):
            self._validate(
                self.policy.validate_target, node, value if envelope is None else target.write(body), observed
            )
        return Record(target.encoding.frame + value, context.key, self.headers(context, node))

    def headers(self, context: Context, node: VersionKey) -> Sequence[Header]:
        # A null value needs no schema, so that its version may have none, as one that a step splits.
        target = self.targets.get(node)
        return context.headers if target is None else relabelled(context.headers, self.encoding, target.encoding)

    # The quick way, where the schema tells the version and one event becomes one.

    def fast_way(self, function_of: Callable[[Way], Any]) -> Callable[[SourceRecord, Partition | None], Outcome] | None:
        """One function for all events of the schema; None where the flow has to look at each."""
        node = self.settled
        if self.encoding.kind == "json":
            return self._framed_json()
        if node is None or node not in self.chain.versions:
            return None
        way = self.way(node)
        target = self.targets.get(way.end)
        if not way.hops and not way.broken and target is not None and self.encoding.is_as(target.encoding):
            return self._passing(way)
        if way.broken or not way.hops or not _is_one_to_one(way):
            return None
        if target is None or target.encoding.kind == "json":
            return None
        return self._fast(way, target, function_of(way))

    def _framed_json(self) -> FramedJson | None:
        """For JSON that becomes JSON; None where something else is written, a rule is left to be stamped, or the schema
        tells a version that the chain does not know."""
        if self.settled is not None and self.settled not in self.chain.versions:
            return None
        ways = [self.way(node) for node in self.chain.versions]
        plain = all(target.encoding.kind == "json" for target in self.targets.values())
        stamped = self.settled is not None and self.stamps
        if not plain or stamped or not all(way.broken or _is_one_to_one(way) for way in ways):
            return None
        policy = of_version(self.policy, self.settled)
        return FramedJson(self.chain, policy, self.observe, self.encoding, self._target_of)

    def _target_of(self, passage: Passage) -> Encoding | None:
        node = (passage.event_type, passage.from_version)
        return self._target(self.way(node).end).encoding if node in self.chain.versions else None

    def _passing(self, way: Way) -> Callable[[SourceRecord, Partition | None], Outcome]:
        """For what is current and written as it is to be: it is read where the policy wants to know that it can be."""
        read, looks = self.read, self.policy.validate_target == "always"

        def passed(record: SourceRecord, _source: Partition | None) -> Outcome:
            payload = self._payload(record.value or b"")
            if looks:
                read(payload)
            return way.passed

        return passed

    def _fast(self, way: Way, target: _Target, function: Any) -> Callable[[SourceRecord, Partition | None], Outcome]:
        read, write, stamps = self.read, target.write, self.stamps
        frame, skipped, new_frame = self.encoding.frame, len(self.encoding.frame), target.encoding.frame

        def upcast(record: SourceRecord, source: Partition | None) -> Outcome:
            value = record.value or b""
            if not value.startswith(frame):
                raise DecodeError("the value does not begin with the frame of its schema")
            context = Context.of(record, source, *way.start)
            root = function(read(value[skipped:] if skipped else value), context)
            for stamp in stamps:
                stamp.apply(root, None, context, *way.end)
            made = new_frame + write(root)
            headers = relabelled(context.headers, self.encoding, target.encoding)
            if context.key == record.key and headers == list(record.headers):
                return Upcast(way.passage, made)
            return Upcast(way.passage, None, (Record(made, context.key, headers),))

        return upcast


def _always(version: str | None) -> Callable[[Object], str | None]:
    return lambda _: version


def _is_one_to_one(way: Way) -> bool:
    inside = any(isinstance(one, Subdocument) for hop in way.hops for one in walk(hop.operations))
    return not (inside or way.forks or any(hop.may_drop for hop in way.hops))


@dataclass
class _StepByStep:
    """Runs operations one after the other, and says which step is at work."""

    notes: FlowPosition
    hops: list[HopTrace] | None

    def __call__(self, way: Way, root: Object, context: Context) -> Object:
        for hop in way.hops:
            before = b"" if self.hops is None else _shown(root)
            for step, operation in operations_of(hop):
                self.notes.step = step.id
                operation.apply(root, context)
                if context.ended:
                    break
            if self.hops is not None:
                self.hops.append(HopTrace(hop, before, _shown(root)))
            if context.ended:
                break
        self.notes.step = ""
        return root


def opened_value(value: bytes, encoding: Encoding) -> Object:
    """The document of a value, its parts still unread. Raises EventError where it cannot be read."""
    if not value.startswith(encoding.frame):
        raise DecodeError("the value does not begin with the frame of its schema")
    try:
        read = _format(encoding).reader(encoding.schema)  # type: ignore[arg-type]  # JSON takes None
    except SchemaError as error:
        raise DecodeError(error.problems[0].message) from None
    return read(value[len(encoding.frame) :])


def readable_value(value: bytes, encoding: Encoding) -> bytes:
    """A value as JSON for people: what JSON does not have is a text. Raises EventError where it cannot be read."""
    return _shown(opened_value(value, encoding))


def written_value(root: Object, encoding: Encoding) -> bytes:
    """A document as a value. Raises EventError where the schema has no place for it, SchemaError where it is no use."""
    return encoding.frame + _writer(encoding)(root)


def _shown(root: Object) -> bytes:
    """The document as JSON for people: what JSON does not have is a text."""
    return encode(readable(root))
