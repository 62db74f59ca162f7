"""The short cut of one route: generated functions from bytes to outcome, with no line that its rules do not need.

One function finds out type and version; it ends by calling that of the version, which is made when its first event
comes. Together they do what ``EventFlow.process`` does, for events that the chain knows. An event that is not so plain
is left to the event flow, and what raises an exception to the reference, which says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from msgspec import Raw

from upcasters.compile import emit_hops, emit_shapes, needs_context
from upcasters.compile.code import UNCHECKED, Code
from upcasters.compile.layouts import Unexpected, difference
from upcasters.context import Context, last_header
from upcasters.depth import MOST_ADDED, MOST_LEVELS, SHALLOW, is_too_deep
from upcasters.detect import DetectedDocument, restamp, shapes_of
from upcasters.detection import Always, FromField, FromHeader, FromShape
from upcasters.document import ExactFloat, JsonNode, decode_plain, encode, is_null, restamped
from upcasters.duplicates import may_lack_keys
from upcasters.event import Event, Header, Record, SourceRecord
from upcasters.event_flow import EventFlow, Runner, Way
from upcasters.native.extension import EXTENSION, STOPS
from upcasters.native.plan import MOST_VERSIONS, Checks, Plan, Result
from upcasters.operations.choice import walk
from upcasters.operations.events import put_header
from upcasters.operations.scopes import Subdocument
from upcasters.outcome import Outcome, Passage, Passed, Upcast
from upcasters.paths import path
from upcasters.step import VersionKey

RecordFunction = Callable[..., Outcome]
"""Takes a record and its source, and gives what becomes of it."""
Lane = Passed | Callable[..., Outcome] | None
"""One version on the short cut: its outcome where that is always the same, a function, or None for the event flow."""
_Reader = FromHeader | FromField
_SAMPLED = frozenset({"observe", "sampled"})

_NO_CONTEXT = Context(Event(None), None, None, [], "")


class Lanes(dict[str | None, Lane]):
    """The lane of each version of a type, made when its first event comes."""

    def __init__(self, event_type: str, route: _Route) -> None:
        self._event_type = event_type
        self._route = route

    def __missing__(self, version: str | None) -> Lane:
        if version is None:
            return None
        chain = self._route.flow.chain
        if (self._event_type, version) not in chain.versions:
            covering = chain.covering(self._event_type, version)
            return None if covering is None else self[covering]
        lane = self[version] = self._route.lane((self._event_type, version))
        return lane


class Plans(dict[bytes | None, Plan | None]):
    """The plan of each type by its name, None where the extension does nothing; made when its first event comes."""

    def __init__(self, route: _Route) -> None:
        self._route = route

    def __missing__(self, name: bytes | None) -> Plan | None:
        route = self._route
        event_type = next((known for known in route.flow.chain.types if known.encode() == name), None)
        if event_type is None:
            return None
        fields = [path(rule.path) for rule in route.versions if isinstance(rule, FromField)]
        try:
            plan = Plan(route.flow, event_type, fields[0] if fields else (), route.results(event_type))
        except STOPS:
            raise
        except BaseException:  # noqa: BLE001  # Unsupported, or a panic: events of this type go on without
            plan = None
        self[name] = plan
        return plan


@dataclass(frozen=True)
class ShortCut:
    """The function of a route, its source, the lanes of each type, and what gives the source of a version's lane.

    ``plans`` are those of the extension, None where the route has none.
    """

    function: RecordFunction
    source: str
    lanes: Mapping[str, Lanes]
    source_of: Callable[[Way], str]
    plans: Plans | None


def short_cut(flow: EventFlow, run: Runner, leave: RecordFunction, fail: RecordFunction) -> ShortCut | None:
    """The short cut of a route; None where the route's rules need the event flow for every event.

    ``leave`` takes what is not so plain, ``fail`` what raised an exception.
    """
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
    route = _Route(flow, {"run": run, "leave": leave, "fail": fail})
    source = route.source()
    return ShortCut(route.code.build(source, "short_cut", UNCHECKED), source, route.lanes, route.source_of, route.plans)


class _Route:
    """Writes the functions: detection, then what becomes of the event, in the order of ``EventFlow.process``."""

    def __init__(self, flow: EventFlow, exits: Mapping[str, Any]) -> None:
        detector = flow.detector
        self.flow = flow
        self.policy = flow.policy
        self.types = [rule for rule in detector.type_rules if isinstance(rule, (FromHeader, FromField))]
        self.versions = [rule for rule in detector.version_rules if isinstance(rule, (FromHeader, FromField))]
        self.headers = [rule.name for rule in (*self.types, *self.versions) if isinstance(rule, FromHeader)]
        self.shape = any(isinstance(rule, FromShape) for rule in detector.version_rules)
        self.fields = any(isinstance(rule, FromField) for rule in (*self.types, *self.versions))
        self.lanes = {event_type: Lanes(event_type, self) for event_type in flow.chain.types}
        self.scope = {**_SCOPE, **exits, "tombstone": flow.tombstone, "bring": flow.bring, "sampled": flow.sampled}
        self.scope["looks_like"] = detector.looks_like
        self.code = Code(constants=dict(self.scope))
        self.code.depth = 2
        self.plans = Plans(self) if EXTENSION is not None and self._is_native else None

    @property
    def _given(self) -> str:
        """What the function of a version is called with."""
        return ", ".join(["record", "source", "value", "root", "version", *map(self._pair, self.headers)])

    def _pair(self, name: str) -> str:
        return f"header_{self.headers.index(name)}"

    # From bytes to the version.

    def source(self) -> str:
        """The text of the function that finds the version."""
        self.code.line("value = record.value")
        self.code.line("if value is None: return tombstone")
        if self.headers:
            self._find_headers()
        looks = self.policy.validate_target == "always" or self.flow.observes(self.policy.validate_target)
        if not looks and not (self.shape or self.fields):
            self._find_lane()
            self.code.line("if type(lane) is Passed: return lane")
            self._run_natively()
            self._read()
        else:
            self._run_natively()
            self._read()
            self._find_lane()
            self.code.line("if type(lane) is Passed: return lane")
        self.code.line(f"return lane({self._given})")
        lines = "\n".join(self.code.lines)
        return (
            f"def short_cut(record, source=None):\n    try:\n{lines}\n"
            "    except Exception: pass\n    return fail(record, source)\n"
        )

    def _find_headers(self) -> None:
        pairs = [self._pair(name) for name in self.headers]
        self.code.line(f"{' = '.join(pairs)} = None")
        with self.code.block("for pair in record.headers:"):
            for number, (pair, header) in enumerate(zip(pairs, self.headers, strict=True)):
                self.code.line(f"{'elif' if number else 'if'} pair[0] == {header!r}: {pair} = pair")

    @property
    def _is_native(self) -> bool:
        """True where type and version are told by what the extension is given: a header each, one field, the shape."""
        headers = [rule for rule in self.versions if isinstance(rule, FromHeader)]
        fields = [rule for rule in self.versions if isinstance(rule, FromField)]
        types = all(isinstance(rule, FromHeader) for rule in self.types) and len(self.types) < 2
        return types and len(headers) < 2 and len(fields) < 2

    def _run_natively(self) -> None:
        """What the extension makes of the event, where it knows events of this kind."""
        fixed = self.flow.detector.fixed_type
        if self.plans is None or (fixed is not None and self.plans[fixed.encode()] is None):
            return
        header = next((self._pair(rule.name) for rule in self.versions if isinstance(rule, FromHeader)), None)
        plan = "plan."
        if fixed is None:
            default = next((rule.value for rule in self.flow.detector.type_rules if isinstance(rule, Always)), "")
            self.code.constants["plans"] = self.plans
            kind = self._pair(self.headers[0])
            named = f"{kind}[1] if {kind} is not None and {kind}[1] is not None else {default.encode()!r}"
            self.code.line(f"plan = plans[{named}]")
        else:
            only = self.plans[fixed.encode()]
            assert only is not None
            self.code.constants.update(numbers=only.numbers, run=only.run, missed=only.missed)
            plan = ""
        with self.code.block("if plan is not None:") if fixed is None else nullcontext():
            number = "-1"
            if header is not None:
                given = f"{header} is not None and {header}[1] is not None"
                self.code.line(f"number = {plan}numbers.get({header}[1], -2) if {given} else -1")
                number = "number"
            self.code.line(f"found = {plan}run(value, {number})")
            self._finish_natively()
            self.code.line(f"{plan}missed(value, {number})")

    def _finish_natively(self) -> None:
        """What is left to do. The extension says which functions may do it: as a rule none has to."""
        given = ", ".join(["record", "value", *map(self._pair, self.headers)])
        with self.code.block("if type(found) is tuple:"):
            self.code.line("(passage, finish, unsampled, mark), value = found")
            if self._samples:
                self.code.line("offset = record.offset")
                self.code.line(f"if offset is not None and offset % {self.policy.sample_every}: finish = unsampled")
            with self.code.block("if finish is None:"):
                if self.headers:
                    unmarked = " and ".join(f"{self._pair(name)} is None" for name in self.headers)
                    self.code.line(f"if not ({unmarked}): return mark({given})")
                self.code.line("return Upcast(passage, value)")
            self.code.line(f"return finish({given})")
        self.code.line("if found is not None: return found")

    @property
    def _samples(self) -> bool:
        """True where the policy asks the models of some events."""
        return any(map(self.flow.observes, (self.policy.validate_source, self.policy.validate_target)))

    def results(self, event_type: str) -> dict[str, Result]:
        """For each version of a type what the extension is to do, and what it gives then.

        That is, where it is no outcome, the passage and three functions that do what is left to do: for events that
        the policy samples, for others, and for those of which only headers are left. None stands for the last of them.
        """
        found: dict[str, Result] = {}
        for version in list(self.flow.chain.types[event_type])[-MOST_VERSIONS:]:
            way = self.flow.way((event_type, version))
            if not way.hops and not self._checks(self.policy.validate_target, way.end):
                found[version] = ("pass", way.passed, None)
            elif not way.broken:
                left = self._left(way, _SAMPLED | {"always"}, frozenset({"always"}))
                found[version] = ("change" if way.hops else "look", left, self._native_checks(way))
        return found

    def _native_checks(self, way: Way) -> Checks | None:
        """The shapes of the models that are asked of all events; None where there are none that know anything."""
        asked = [(self.policy.validate_source, way.start)] if way.hops else []
        shapes = []
        for choice, node in (*asked, (self.policy.validate_target, way.end)):
            validator = self.flow.validator(node) if choice == "always" else None
            shapes.append(None if validator is None else validator.shape)
            if validator is not None and validator.shape is None:
                return None
        if not any(shapes):
            return None
        left = self._left(way, _SAMPLED, frozenset()) if way.hops else way.passed
        return shapes[0] if way.hops else None, shapes[-1], left

    def _left(self, way: Way, sampled: frozenset[str], unsampled: frozenset[str]) -> tuple[Any, ...]:
        """The passage and the functions that do what is left, with the models asked whose choice is among these."""
        return way.passage, *(self._finish(way, choices) for choices in (sampled, unsampled)), self._mark(way)

    def _finish(self, way: Way, choices: frozenset[str]) -> Callable[..., Outcome] | None:
        """Asks the models; None where none is to be asked, and only headers are left."""
        code = Code(constants=dict(self.scope))
        if way.hops and self.policy.validate_source in choices:
            self._check(self.policy.validate_source, way.start, "record.value", code)
        if self.policy.validate_target in choices:
            self._check(self.policy.validate_target, way.end, "made", code)
        return self._mark(way, code) if code.lines or not way.hops else None

    def _mark(self, way: Way, code: Code | None = None) -> Callable[..., Outcome]:
        """Gives the outcome when the extension has made the new value, or has found that there is none."""
        code = code or Code(constants=dict(self.scope))
        code.constants.update(passage=way.passage, passed=way.passed)
        if way.hops:
            stamped = ((self.types, way.end[0]), (self.versions, way.end[1]))
            pairs = [(rule.name, name) for rules, name in stamped for rule in rules if isinstance(rule, FromHeader)]
            self._result(pairs, code, whole_context=False)
        else:
            code.result = "passed"
        given = ", ".join(["record", "made", *map(self._pair, self.headers)])
        finish: Callable[..., Outcome] = code.build(code.text(f"def finish({given}):"), "finish")
        return finish

    def _read(self) -> None:
        self.code.line(f"if len(value) > {2 * SHALLOW} and is_too_deep(value, {SHALLOW}): return leave(record, source)")
        self.code.line("if not value.isascii(): value.decode()")
        self.code.line("root = decode_object(value)")

    def _find_lane(self) -> None:
        """Type and version by the rules, and the lane that they name."""
        detector = self.flow.detector
        fixed = detector.fixed_type
        if fixed is None:
            self._agreed("event_type", self.types, detector.type_rules)
            self.code.constants["lanes"] = self.lanes
            self.code.line("if event_type not in lanes: return leave(record, source)")
        else:
            self.code.constants["lanes"] = self.lanes[fixed]
        if self.versions or not self.shape:
            self._agreed("version", self.versions, () if self.shape else detector.version_rules)
        if self.shape:
            self._ask_shape(fixed)
        self.code.line(f"lane = lanes{'[event_type]' if fixed is None else ''}[version]")
        self.code.line("if lane is None: return leave(record, source)")

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
                self.code.line(f"if {name} is not None: return leave(record, source)")
                self.code.line(f"{name} = other")
        if fallback is not None:
            self.code.line(f"if {name} is None: {name} = {fallback!r}")

    def _answer(self, reader: _Reader) -> str:
        if isinstance(reader, FromField):
            where = path(reader.path)
            return f"field_text({self.code.looked_at(where[:-1])}.get({where[-1]!r}))"
        pair = self._pair(reader.name)
        return f"{pair}[1].decode() if {pair} is not None and {pair}[1] is not None else None"

    def _ask_shape(self, fixed: str | None) -> None:
        """The version by its shape, where no other rule tells it; the two must not speak against each other."""
        shape = "shape" if self.versions else "version"
        if fixed is None:
            self.code.constants["shape_of"] = self.flow.detector.shape_of
            self.code.line(f"{shape} = shape_of(event_type, root)")
        else:
            emit_shapes(shapes_of(self.flow.chain, fixed), shape, self.code)
        if self.versions:
            self.code.line("if version is None: version = shape")
            with self.code.block("elif shape is not None and shape != version:"):
                like = f"looks_like({'event_type' if fixed is None else repr(fixed)}, version, shape)"
                self.code.line(f"if not {like}: return leave(record, source)")
        rules = self.flow.detector.version_rules
        fallback = next((rule.value for rule in rules if isinstance(rule, Always)), None)
        if fallback is not None:
            self.code.line(f"if version is None: version = {fallback!r}")

    # From the version to the outcome.

    def lane(self, node: VersionKey) -> Lane:
        """The lane of one version of the chain."""
        way = self.flow.way(node)
        if way.broken:
            return None
        if not way.hops and not self._checks(self.policy.validate_target, way.end):
            return way.passed
        code = Code(constants=dict(self.scope))
        source = self._lane_source(way, code)
        scope = {} if self._keeps_keys else UNCHECKED
        function: Callable[..., Outcome] = code.build(source, "upcast", scope)
        return function

    def source_of(self, way: Way) -> str:
        """The text of the function that brings an event of one version to its end."""
        return self._lane_source(way, Code(constants=dict(self.scope)))

    @property
    def _keeps_keys(self) -> bool:
        return self.policy.duplicate_keys != "last-wins"

    def _lane_source(self, way: Way, code: Code) -> str:
        code.constants.update(passage=way.passage, passed=way.passed, way=way)
        versions = " -> ".join([way.start[1], *(hop.target[1] for hop in way.hops)])
        inside = any(isinstance(op, Subdocument) for hop in way.hops for op in walk(hop.operations))
        if inside or way.forks or any(hop.may_drop for hop in way.hops):
            self._whole(way, code)
        elif way.hops:
            self._changed(way, code)
        else:
            self._check(self.policy.validate_target, way.end, "value", code)
            code.result = "passed"
        return code.text(f"def upcast({self._given}):  # {versions}")

    def _whole(self, way: Way, code: Code) -> None:
        """An event that may end, or become several."""
        if self._keeps_keys:
            code.line("again = encode(root)")
            code.line("if len(again) != len(value) and may_lack_keys(value, again): return leave(record, source)")
        code.result = f"bring(record, source, DetectedDocument({way.start[0]!r}, version, root), way, run)"

    def _changed(self, way: Way, code: Code) -> None:
        self._check(self.policy.validate_source, way.start, "value", code)
        operations = [operation for hop in way.hops for operation in hop.operations]
        whole_context = any(map(needs_context, operations))
        if whole_context:
            code.line(f"context = Context.of(record, source, {way.start[0]!r}, version)")
        else:
            code.constants["context"] = _NO_CONTEXT
        stamped = [
            (rule, name) for rules, name in ((self.types, way.end[0]), (self.versions, way.end[1])) for rule in rules
        ]
        fields = [(path(rule.path), name) for rule, name in stamped if isinstance(rule, FromField)]
        counts = all(len(where) == 1 for where, _ in fields)
        emit_hops([hop.operations for hop in way.hops], code, keeps_keys=self._keeps_keys, counts=counts)
        for where, name in fields:
            if code.counts:
                _stamp_and_count(str(where[0]), name, code)
            else:
                code.line(f"restamp(root, {code.constant(where, 'path')}, {name!r})")
        code.line("made = encode(root)")
        if code.counts:
            with code.block("if len(made) - len(value) != added:"):
                code.line("if may_lack_keys(value, made, quotes): return leave(record, source)")
        if code.levels > MOST_ADDED:
            code.line(f"if len(made) > {2 * MOST_LEVELS} and is_too_deep(made): return leave(record, source)")
        self._check(self.policy.validate_target, way.end, "made", code)
        headers = [(rule.name, name) for rule, name in stamped if isinstance(rule, FromHeader)]
        self._result(headers, code, whole_context=whole_context)

    def _result(self, headers: Sequence[tuple[str, str]], code: Code, *, whole_context: bool) -> None:
        if whole_context:
            for header, name in headers:
                code.line(f"put_again(context, {header!r}, {name!r})")
            code.result = "with_context(record, passage, context, made)"
            return
        code.result = "Upcast(passage, made)"
        if not headers:
            return
        pairs = [self._pair(header) for header, _ in headers]
        with code.block(f"if {' or '.join(f'{pair} is not None' for pair in pairs)}:"):
            code.line("headers = record.headers")
            for pair, (_, name) in zip(pairs, headers, strict=True):
                code.line(f"if {pair} is not None: headers = restamped(headers, {pair}, {name!r})")
            code.line(
                "if headers is not record.headers: return Upcast(passage, None, (Record(made, record.key, headers),))"
            )

    def _checks(self, choice: str, node: VersionKey) -> bool:
        return self.flow.validator(node) is not None and (choice == "always" or self.flow.observes(choice))

    def _check(self, choice: str, node: VersionKey, text: str, code: Code) -> None:
        """Ask the model of a version, where it has one and the policy wants that."""
        if not self._checks(choice, node):
            return
        validator = self.flow.validator(node)
        assert validator is not None
        call = f"{code.constant(validator.check, 'check')}({text})"
        if choice == "always":
            code.line(call)
            return
        code.line("offset = record.offset")
        code.line(f"if sampled(record) if offset is None else not offset % {self.policy.sample_every}: {call}")


def _stamp_and_count(key: str, text: str, code: Code) -> None:
    code.line(f"node = root.get({key!r})")
    with code.block("if node is not None:"):
        code.line(f"root[{key!r}], more_bytes, more_quotes = {code.constant(_Stamps(text), 'stamps')}[encode(node)]")
        code.line("added += more_bytes; quotes += more_quotes")


class _Stamps(dict[bytes, tuple[JsonNode, int, int]]):
    """What the text of a type or version becomes where it is to be another, and how many bytes and quotes that adds."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __missing__(self, old: bytes) -> tuple[JsonNode, int, int]:
        node = Raw(old)
        new = node if is_null(node) else restamped(node, self._text)
        found = (new, *difference(old, encode(new)))
        if len(self) < _MOST_SPELLINGS:
            self[old] = found
        return found


_MOST_SPELLINGS = 64


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
    "Passed": Passed,
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
