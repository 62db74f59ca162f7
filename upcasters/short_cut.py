"""The short cut of one route: one generated function from bytes to outcome, with no line that its rules do not need.

It does what ``EventFlow.process`` does, for events that the chain knows. It gives None, or leaves by any exception,
where an event is not so plain: then the event flow or the reference does the work and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from upcasters.compile import Compiled, Fused, compile_shapes
from upcasters.compile.code import UNCHECKED, Code
from upcasters.compile.layouts import Unexpected
from upcasters.context import Context, last_header
from upcasters.depth import MOST_ADDED, MOST_LEVELS, SHALLOW, is_too_deep
from upcasters.detect import DetectedDocument, restamp, shapes_of
from upcasters.detection import Always, FromField, FromHeader, FromShape
from upcasters.document import ExactFloat, decode_plain, encode
from upcasters.duplicates import may_lack_keys
from upcasters.event import Event, Header, Partition, Record, SourceRecord
from upcasters.event_flow import EventFlow, Runner, Way
from upcasters.operations.events import put_header
from upcasters.operations.scopes import Subdocument
from upcasters.outcome import Outcome, Passage, Passed, Upcast
from upcasters.paths import path
from upcasters.step import VersionKey, walk

RecordFunction = Callable[[SourceRecord, Partition | None], Outcome | None]
_Reader = FromHeader | FromField

_NO_CONTEXT = Context(Event(None), None, None, [], "")


@dataclass(frozen=True, slots=True)
class ShortCut:
    """One version on the short cut: all that an event of it needs.

    ``whole`` where an event may end or become several; ``deepens`` where a shallow document may become too deep;
    ``needs_context`` where more than the document is changed.
    """

    way: Way
    passage: Passage
    passed: Passed
    function: Fused | None
    whole: bool
    deepens: bool
    needs_context: bool
    event_type_stamp: str
    version_stamp: str
    looks_like: frozenset[str]
    check_source: Callable[[bytes], None]
    check_target: Callable[[bytes], None]


class ShortCuts(dict[str | None, ShortCut | None]):
    """The short cut of each version, made when its first event comes; None where the event flow does the work."""

    def __init__(self, event_type: str, flow: EventFlow, compiled: Callable[[VersionKey], Compiled]) -> None:
        self._event_type = event_type
        self._flow = flow
        self._compiled = compiled

    def __missing__(self, version: str | None) -> ShortCut | None:
        if version is None:
            return None
        if (self._event_type, version) not in self._flow.chain.versions:
            covering = self._flow.chain.covering(self._event_type, version)
            return None if covering is None else self[covering]
        lane = self[version] = self._opened(self._flow.way((self._event_type, version)))
        return lane

    def _opened(self, way: Way) -> ShortCut | None:
        if way.broken:
            return None
        compiled = self._compiled(way.start) if way.hops else None
        inside = any(isinstance(op, Subdocument) for hop in way.hops for op in walk(hop.operations))
        source, target = self._flow.validator(way.start), self._flow.validator(way.end)
        return ShortCut(
            way=way,
            passage=way.passage,
            passed=way.passed,
            function=compiled.function if compiled else None,
            whole=inside or way.forks or any(hop.may_drop for hop in way.hops),
            deepens=bool(compiled and compiled.levels > MOST_ADDED),
            needs_context=bool(compiled and compiled.needs_context),
            event_type_stamp=way.end[0],
            version_stamp=way.end[1],
            looks_like=frozenset({way.start[1], *self._flow.chain.versions[way.start].looks_like}),
            check_source=source.check if source and way.hops else _unchecked,
            check_target=target.check if target else _unchecked,
        )


def _unchecked(_: bytes) -> None:
    """What has no model fits."""


def short_cut(
    flow: EventFlow, compiled: Callable[[VersionKey], Compiled], run: Runner
) -> tuple[RecordFunction, str] | None:
    """The function for a route and its source; None where the route's rules need the event flow for every event."""
    rules = (*flow.detector.type_rules, *flow.detector.version_rules)
    headers = [rule.name for rule in rules if isinstance(rule, FromHeader)]
    plain = all(
        rule.pattern is None if isinstance(rule, (FromHeader, FromField)) else isinstance(rule, (FromShape, Always))
        for rule in rules
    )
    if not plain or len(set(headers)) != len(headers) or flow.policy.duplicate_keys == "refuse":
        return None
    if flow.detector.stamps_first:
        return None
    lanes = {event_type: ShortCuts(event_type, flow, compiled) for event_type in flow.chain.types}
    writer = _Writer(flow, lanes, run)
    source = writer.source()
    return writer.code.build(source, "short_cut", UNCHECKED), source


class _Writer:
    """Writes the function: detection, then what becomes of the event, in the order of ``EventFlow.process``."""

    def __init__(self, flow: EventFlow, lanes: Mapping[str, ShortCuts], run: Runner) -> None:
        detector = flow.detector
        self.code = Code()
        self.flow = flow
        self.policy = flow.policy
        self.types = [rule for rule in detector.type_rules if isinstance(rule, (FromHeader, FromField))]
        self.versions = [rule for rule in detector.version_rules if isinstance(rule, (FromHeader, FromField))]
        self.headers = [rule.name for rule in (*self.types, *self.versions) if isinstance(rule, FromHeader)]
        self.shape = any(isinstance(rule, FromShape) for rule in detector.version_rules)
        self.fields = any(isinstance(rule, FromField) for rule in (*self.types, *self.versions))
        self.lanes = lanes
        self.code.constants.update(_SCOPE, tombstone=flow.tombstone, bring=flow.bring, run=run)
        self.code.constants.update(sampled=flow.sampled, no_context=_NO_CONTEXT)

    def source(self) -> str:
        """The text of the function."""
        self.code.line("value = record.value")
        self.code.line("if value is None: return tombstone")
        if self.headers:
            self._find_headers()
        looks = self.policy.validate_target == "always" or self.flow.observes(self.policy.validate_target)
        if not looks and not (self.shape or self.fields):
            self._answers()
            self.code.line("if lane.function is None: return lane.passed")
            self._read()
        else:
            self._read()
            self._answers()
        self._outcome()
        return self.code.function("def short_cut(record, source):", self._result())

    def _find_headers(self) -> None:
        names = [f"header_{number}" for number in range(len(self.headers))]
        self.code.line(f"{' = '.join(names)} = None")
        with self.code.block("for pair in record.headers:"):
            for number, (name, header) in enumerate(zip(names, self.headers, strict=True)):
                self.code.line(f"{'elif' if number else 'if'} pair[0] == {header!r}: {name} = pair")

    def _read(self) -> None:
        self.code.line(f"if len(value) > {2 * SHALLOW} and is_too_deep(value, {SHALLOW}): return None")
        self.code.line("if not value.isascii(): value.decode()")
        self.code.line("root = decode_object(value)")

    def _answers(self) -> None:
        """Type and version by the rules, and the lane that they name."""
        detector = self.flow.detector
        self._agreed("event_type", self.types, detector.type_rules)
        self._agreed("version", self.versions, () if self.shape else detector.version_rules)
        if self.shape:
            self._ask_shape()
        fixed = detector.fixed_type
        self.code.constants["lanes"] = self.lanes if fixed is None else self.lanes[fixed]
        if fixed is None:
            self.code.line("if event_type not in lanes: return None")
        self.code.line(f"lane = lanes{'[event_type]' if fixed is None else ''}[version]")
        self.code.line("if lane is None: return None")
        if self.shape and self.versions:
            self.code.line("if shape is not None and shape not in lane.looks_like: return None")

    def _agreed(self, name: str, readers: Sequence[_Reader], rules: Iterable[Any]) -> None:
        fallback = next((rule.value for rule in rules if isinstance(rule, Always)), None)
        if not readers:
            self.code.line(f"{name} = {fallback!r}")
            return
        for number, reader in enumerate(readers):
            answer = self._answer(reader)
            if number == 0:
                self.code.line(f"{name} = {answer}")
                continue
            self.code.line(f"other = {answer}")
            with self.code.block(f"if other is not None and other != {name}:"):
                self.code.line(f"if {name} is not None: return None")
                self.code.line(f"{name} = other")
        if fallback is not None:
            self.code.line(f"if {name} is None: {name} = {fallback!r}")

    def _answer(self, reader: _Reader) -> str:
        if isinstance(reader, FromField):
            where = path(reader.path)
            return f"field_text({self.code.looked_at(where[:-1])}.get({where[-1]!r}))"
        pair = self._pair(reader)
        return f"{pair}[1].decode() if {pair} is not None and {pair}[1] is not None else None"

    def _pair(self, reader: FromHeader) -> str:
        return f"header_{self.headers.index(reader.name)}"

    def _ask_shape(self) -> None:
        fixed = self.flow.detector.fixed_type
        if fixed is None:
            self.code.constants["shape_of"] = self.flow.detector.shape_of
            self.code.line("shape = shape_of(event_type, root)")
        else:
            self.code.constants["shape_of"] = compile_shapes(shapes_of(self.flow.chain, fixed))[0]
            self.code.line("shape = shape_of(root)")
        self.code.line("if version is None: version = shape")
        rules = self.flow.detector.version_rules
        fallback = next((rule.value for rule in rules if isinstance(rule, Always)), None)
        if fallback is not None:
            self.code.line(f"if version is None: version = {fallback!r}")

    def _outcome(self) -> None:
        """What becomes of an event whose lane is known."""
        with self.code.block("if lane.whole:"):
            if self.policy.duplicate_keys != "last-wins":
                self.code.line("again = encode(root)")
                self.code.line("if len(again) != len(value) and may_lack_keys(value, again): return None")
            self.code.line("return bring(record, source, DetectedDocument(event_type, version, root), lane.way, run)")
        if any(map(self.flow.observes, (self.policy.validate_source, self.policy.validate_target))):
            every = self.policy.sample_every
            self.code.line("offset = record.offset")
            self.code.line(f"sample = sampled(record) if offset is None else not offset % {every}")
        with self.code.block("if lane.function is None:"):
            self._check(self.policy.validate_target, "lane.check_target(value)")
            self.code.line("return lane.passed")
        self._check(self.policy.validate_source, "lane.check_source(value)")
        self.code.line(
            "context = Context.of(record, source, event_type, version) if lane.needs_context else no_context"
        )
        self.code.line("root, added, quotes = lane.function(root, context, value)")
        for name, readers in (("event_type", self.types), ("version", self.versions)):
            for reader in readers:
                if isinstance(reader, FromField):
                    where = self.code.constant(path(reader.path), "path")
                    self.code.line(f"restamp(root, {where}, lane.{name}_stamp)")
        self.code.line("made = encode(root)")
        with self.code.block("if added is not None and len(made) - len(value) != added:"):
            self.code.line("if may_lack_keys(value, made, quotes): return None")
        self.code.line(f"if lane.deepens and len(made) > {2 * MOST_LEVELS} and is_too_deep(made): return None")
        self._check(self.policy.validate_target, "lane.check_target(made)")

    def _check(self, choice: str, call: str) -> None:
        if choice == "always":
            self.code.line(call)
        elif self.flow.observes(choice):
            self.code.line(f"if sample: {call}")

    def _result(self) -> str:
        names = {"event_type": self.types, "version": self.versions}
        stamps = [(name, rule) for name, rules in names.items() for rule in rules if isinstance(rule, FromHeader)]
        with self.code.block("if context is not no_context:"):
            for name, rule in stamps:
                self.code.line(f"put_again(context, {rule.name!r}, lane.{name}_stamp)")
            self.code.line("return with_context(record, lane.passage, context, made)")
        if not stamps:
            return "Upcast(lane.passage, made)"
        self.code.line("headers = record.headers")
        for name, rule in stamps:
            pair = self._pair(rule)
            self.code.line(f"if {pair} is not None: headers = restamped(headers, {pair}, lane.{name}_stamp)")
        self.code.line("if headers is record.headers: return Upcast(lane.passage, made)")
        return "Upcast(lane.passage, None, (Record(made, record.key, headers),))"


def _put_again(context: Context, name: str, text: str) -> None:
    """A new value for a header that has one."""
    if last_header(context.headers, name) is not None:
        put_header(context, name, text.encode())


def _with_context(record: SourceRecord, passage: Passage, context: Context, made: bytes) -> Upcast:
    """What comes out where key and headers may be others now."""
    if context.key == record.key and context.headers == list(record.headers):
        return Upcast(passage, made)
    return Upcast(passage, None, (Record(made, context.key, context.headers),))


def _restamped(headers: Sequence[Header], old: Header, text: str) -> Sequence[Header]:
    """The headers with a new value in the last place where the old one stands; the same ones where it is no other."""
    stamp = text.encode()
    if old[1] is None or old[1] == stamp:
        return headers
    made = list(headers)
    index = len(made) - 1
    while made[index] is not old:
        index -= 1
    made[index] = (old[0], stamp)
    return made


def _field_text(node: Any) -> str | None:
    """A string, or a number as it is written; None for null and for what is not there."""
    if node is None:
        return None
    value = decode_plain(node)
    if type(value) is str or value is None:
        return value
    if type(value) is int and value > 0:
        return str(value)
    if type(value) is int or type(value) is ExactFloat:
        return bytes(node).decode()
    raise Unexpected


_SCOPE: dict[str, Any] = {
    "Context": Context,
    "DetectedDocument": DetectedDocument,
    "Record": Record,
    "Upcast": Upcast,
    "encode": encode,
    "field_text": _field_text,
    "is_too_deep": is_too_deep,
    "may_lack_keys": may_lack_keys,
    "put_again": _put_again,
    "restamp": restamp,
    "restamped": _restamped,
    "with_context": _with_context,
}
