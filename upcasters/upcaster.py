"""The pure middle, as a route uses it: bytes and headers in, an outcome out, never an exception."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from upcasters.compile import Compiled, Fused, Shape, compile_hops, compile_shapes
from upcasters.context import Context
from upcasters.detect import shapes_of
from upcasters.detection import Always, FromHeader, FromShape
from upcasters.document import Object, decode_object, encode
from upcasters.event import Event, Header, Partition, Record, SourceRecord
from upcasters.middle import Middle, Node, Way
from upcasters.outcome import Outcome, Passage, Passed, Upcast
from upcasters.policy import Policy
from upcasters.reference import Reference, Trace

if TYPE_CHECKING:
    from upcasters.chain import Chain

# Ways are compiled when the upcaster is built as long as their operations together stay under this; the rest of a
# very long history is compiled when its first event comes.
_COMPILED_AT_START = 2_000

_NO_CONTEXT = Context(Event(None), None, None, [], "")


class Upcaster:
    """A chain as one route wants it, compiled.

    Takes events of any age and never raises: whatever cannot be upcast is a DeadLettered outcome. Keeps nothing of
    an event. ``reference`` does the same hop by hop.
    """

    def __init__(self, chain: Chain, policy: Policy) -> None:
        self.chain = chain
        self.policy = policy
        self._middle = Middle(chain, policy)
        self.reference = Reference(self._middle)
        self._compiled: dict[Node, Compiled] = {}
        self._compile_some()
        self._short_cut = _ShortCut.fitting(self._middle, self.compiled)

    def upcast(self, record: SourceRecord, source: Partition | None = None) -> Outcome:
        """What becomes of one event. ``source`` is its topic and partition, where it has them."""
        try:
            if self._short_cut is not None:
                outcome = self._short_cut.upcast(record)
                if outcome is not None:
                    return outcome
            return self._middle.process(record, source, self._run)
        except Exception:  # noqa: BLE001  # the reference finds out what it was, or that it was nothing
            return self.reference.upcast(record, source)

    def trace(self, record: SourceRecord, source: Partition | None = None) -> Trace:
        """What becomes of one event, with the document before and after each hop."""
        return self.reference.trace(record, source)

    def downcast_into(self, record: SourceRecord, older: bytes, source: Partition | None = None) -> Outcome:
        """Take an event down beside the older document that it once was, in the version where the way ends.

        What several older documents would have in common is decided by this one: a merged field gets its spelling back,
        a field that it had stays even where it equals its default. Never raises.
        """
        return self.reference.trace(record, source, older).outcome

    def compiled(self, node: Node) -> Compiled:
        """The generated function for the way from a version; its ``source`` is what ``upcast show --code`` prints."""
        found = self._compiled.get(node)
        if found is None:
            found = self._compiled[node] = compile_hops(self._middle.way(node).hops)
        return found

    def target(self, event_type: str, version: str) -> str:
        """The version to which an event of this type and version goes."""
        return self._middle.way((event_type, version)).end[1]

    def _run(self, way: Way, root: Object, context: Context) -> Object:
        return self.compiled(way.start).function(root, context)

    def _compile_some(self) -> None:
        budget = _COMPILED_AT_START
        for event_type, versions in self.chain.types.items():
            for version in reversed(versions):
                way = self._middle.way((event_type, version))
                budget -= sum(len(hop.operations) for hop in way.hops)
                if budget < 0:
                    return
                if way.hops:
                    self.compiled(way.start)


@dataclass(frozen=True)
class _Lane:
    """One version on the short cut: all that an event of it needs."""

    version: str
    passage: Passage
    passed: Passed
    function: Fused | None
    stamp: bytes
    looks_like: frozenset[str]
    check_source: Callable[[bytes], None] | None
    check_target: Callable[[bytes], None] | None


class _ShortCut:
    """The same as ``Middle.process`` for the plain case: a known type, a version by header or shape, one event out.

    Gives None for every event that is not so plain; the middle then does the work.
    """

    def __init__(self, middle: Middle, compiled: Callable[[Node], Compiled], event_type: str) -> None:
        policy = middle.policy
        rules = middle.detector.version_rules
        self._middle = middle
        self._compiled = compiled
        self._event_type = event_type
        self._tombstone = middle.tombstone
        self._header = next((rule.name for rule in rules if isinstance(rule, FromHeader)), None)
        self._shape: Shape | None = None
        if any(isinstance(rule, FromShape) for rule in rules):
            self._shape = compile_shapes(shapes_of(middle.chain, event_type))[0]
        self._default = next((rule.value for rule in rules if isinstance(rule, Always)), None)
        self._lanes: dict[str | None, _Lane | None] = {}
        self._by_header: dict[bytes | None, _Lane | None] = {}
        self._versions = frozenset(middle.chain.types[event_type])
        self._unread = self._shape is None and policy.validate_target == "never"
        self._sampling = "sampled" in (policy.validate_source, policy.validate_target)
        self._sample_every = policy.sample_every
        self._always = (policy.validate_source == "always", policy.validate_target == "always")
        self._source_sampled = policy.validate_source == "sampled"
        self._target_sampled = policy.validate_target == "sampled"

    @classmethod
    def fitting(cls, middle: Middle, compiled: Callable[[Node], Compiled]) -> _ShortCut | None:
        """A short cut for the route, or None where its rules need the middle for every event."""
        event_type = middle.detector.fixed_type
        rules = middle.detector.version_rules
        headers = [rule for rule in rules if isinstance(rule, FromHeader) and rule.pattern is None]
        plain = all(rule in headers or isinstance(rule, (FromShape, Always)) for rule in rules)
        if event_type not in middle.chain.types or not plain or len(headers) > 1:
            return None
        if middle.policy.duplicate_keys != "last-wins":
            return None
        assert event_type is not None
        return cls(middle, compiled, event_type)

    def _find(self, version: str | None) -> _Lane | None:
        """The lane of a version, made when its first event comes; None where the middle must do the work."""
        if version not in self._versions:
            return None
        assert version is not None
        if version not in self._lanes:
            self._lanes[version] = self._by_header[version.encode()] = self._open(version)
        return self._lanes[version]

    def _open(self, version: str) -> _Lane | None:
        way = self._middle.way((self._event_type, version))
        if way.broken or way.forks or any(hop.may_drop for hop in way.hops) or way.end[0] != self._event_type:
            return None
        if not way.hops:
            return self._lane(way, None)
        compiled = self._compiled(way.start)
        return None if compiled.needs_context else self._lane(way, compiled.function)

    def _lane(self, way: Way, function: Fused | None) -> _Lane:
        known = self._middle.chain.versions[way.start]
        source, target = self._middle.validator(way.start), self._middle.validator(way.end)
        return _Lane(
            version=way.start[1],
            passage=way.passage,
            passed=way.passed,
            function=function,
            stamp=way.end[1].encode(),
            looks_like=frozenset(known.looks_like),
            check_source=source.check if source and function else None,
            check_target=target.check if target else None,
        )

    def upcast(self, record: SourceRecord) -> Outcome | None:  # noqa: C901, PLR0911  # hot: calls cost more than ifs
        """The outcome of a plain event; None, or any exception, leaves the event to the middle."""
        value = record.value
        if value is None:
            return self._tombstone
        lane: _Lane | None = None
        stamped: Header | None = None
        if self._header is not None and record.headers:
            stamped = self._stamped(record.headers)
            if stamped is not None:
                answer = stamped[1]
                lane = self._by_header.get(answer) or self._find(None if answer is None else answer.decode())
                if lane is None:
                    return None
                if self._unread and lane.function is None:
                    return lane.passed
        if not value.isascii():
            value.decode()
        root = decode_object(value)
        lane = self._by_shape(lane, root) if self._shape else lane or self._find(self._default)
        if lane is None:
            return None
        source, target = self._checks(record) if self._sampling else self._always
        if lane.function is None:
            if target and lane.check_target is not None:
                lane.check_target(value)
            return lane.passed
        if source and lane.check_source is not None:
            lane.check_source(value)
        made = encode(lane.function(root, _NO_CONTEXT))
        if target and lane.check_target is not None:
            lane.check_target(made)
        if stamped is None:
            return Upcast(lane.passage, made)
        headers = _restamped(record.headers, stamped, lane.stamp)
        return Upcast(lane.passage, None, (Record(made, record.key, headers),))

    def _stamped(self, headers: Sequence[Header]) -> Header | None:
        found = None
        for pair in headers:
            if pair[0] == self._header:
                found = pair
        return found

    def _by_shape(self, lane: _Lane | None, root: Object) -> _Lane | None:
        assert self._shape is not None
        shape = self._shape(root)
        if lane is None:
            return self._lanes.get(shape) or self._find(shape)
        return lane if shape == lane.version or shape in lane.looks_like else None

    def _checks(self, record: SourceRecord) -> tuple[bool, bool]:
        """Whether this event's source and target are to be validated, where that depends on the sample."""
        offset = record.offset
        sampled = self._middle.sampled(record) if offset is None else not offset % self._sample_every
        source, target = self._always
        return source or (sampled and self._source_sampled), target or (sampled and self._target_sampled)


def _restamped(headers: Sequence[Header], old: Header, stamp: bytes) -> list[Header]:
    """The headers with a new value in the last place where the old one stands."""
    made = list(headers)
    index = len(made) - 1
    while made[index] is not old:
        index -= 1
    made[index] = (old[0], stamp)
    return made
