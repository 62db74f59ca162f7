"""The plan of one event type on one route: what is alike runs natively, and what is not known yet is learned.

A layout is learned when it is seen again, so that keys that are others in every event take no room. Only an object's
keys are learned from; that the same keys mean the same program follows from the operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import DecodeError, Raw
from msgspec.json import Decoder

from upcasters.compile.groups import FlatGroup, grouped
from upcasters.compile.hops import needs_context
from upcasters.compile.layouts import MOST_KEYS, MOST_LAYOUTS, MOST_LETTERS, Unexpected, added_levels
from upcasters.conditions import Anything, Condition, Present, leaves
from upcasters.depth import MOST_LEVELS
from upcasters.detect import says_nothing, shapes_of
from upcasters.document import Object, decode_object, decode_whole, encode, is_null, json_type, plain, restamped
from upcasters.errors import EventError
from upcasters.event_flow import EventFlow, Way
from upcasters.native import programs
from upcasters.native.choices import Texts, all_groups, questions_of, settled
from upcasters.native.extension import EXTENSION, STOPS
from upcasters.native.places import Place, Places, Unsupported, is_in_order
from upcasters.operations.base import Operation
from upcasters.operations.choice import walk
from upcasters.operations.scopes import Subdocument
from upcasters.paths import EACH, Path, show
from upcasters.traversal import MISSING, find

MOST_FIELDS = 64
"""Fields that shapes ask for."""
MOST_LEARNED_FROM = 65_536
MOST_VERSIONS = 64
"""The newest versions of a type, which run natively; events of older ones are few."""
MOST_TEXTS = 256
MOST_SHAPES = 1_024
MOST_PROGRAMS = 4_096
MOST_VARIANTS = 256
MOST_PAUSE = 64
"""Events that are not looked at after one from which nothing was learned, at most."""
ROUND = 4_096
"""After so many events that were left to Python it is asked whether the plan is worth its while."""
MOST_REST = 1 << 20

Checks = tuple[Any, Any, Any]
"""The extension's shapes of models that an event has to fit before and after, and what is given where it does."""
Result = tuple[str, Any, Checks | None]
"""What becomes of a version: ``leave``, ``pass``, ``look`` or ``change``, and what ``run`` gives then."""
LEAVE: Result = ("leave", None, None)
Groups = Sequence[FlatGroup]
Tokens = tuple[str | None, ...]
"""Keys by name, and None for a run of others."""

_decode_items = Decoder(list[Raw]).decode


class Plan:
    """Runs the events of one type, and learns.

    ``results`` has for each version what is to happen there. ``field`` is the one that states the version, empty for
    none. Raises Unsupported where no way is the extension's.
    """

    def __init__(self, flow: EventFlow, event_type: str, field: Path, results: Mapping[str, Result]) -> None:
        self._detector = flow.detector
        self._type = event_type
        self._field = field
        self._versions = list(flow.chain.types[event_type])
        self.numbers = {version.encode(): number for number, version in enumerate(self._versions)}
        ways = [flow.way((event_type, version)) for version in self._versions]
        self._ends = [way.end[1] for way in ways]
        oldest = len(ways) - MOST_VERSIONS
        self._operations = [operations_of(way) if number >= oldest else None for number, way in enumerate(ways)]
        self._changes = [
            bool(way.hops) and found is not None for way, found in zip(ways, self._operations, strict=True)
        ]
        if not any(self._changes):
            raise Unsupported
        self._questions = [{} if found is None else questions_of(found) for found in self._operations]
        # By version, then by variant; none where the operations depend on answers.
        self._groups = [
            None if found is None or asked else groups_of(found)
            for found, asked in zip(self._operations, self._questions, strict=True)
        ]
        self._asks_shape = self._detector.asks_shape
        shapes = shapes_of(flow.chain, event_type) if self._asks_shape else []
        self._asked = list(dict.fromkeys(path for _, shape in shapes for path in _fields(shape)))
        if len(self._asked) > MOST_FIELDS:
            raise Unsupported
        self._native = self._built(results)
        self.run = self._native.run
        for version in self._versions:
            for shape, _ in shapes:
                if self._detector.looks_like(event_type, version, shape):
                    self._native.add_alike(self._versions.index(version), self._versions.index(shape))
        self._forget()

    def _forget(self) -> None:
        """Nothing is known of events."""
        self._layouts: dict[tuple[int, Tokens], int] = {}
        self._counts = [0] * len(self._places)
        self._seen: set[int] = set()
        self._programs: dict[tuple[int, int, int], Any] = {}
        self._variants: dict[tuple[int, ...], int | None] = {}
        self._texts: dict[bytes, int | None] = {}
        self._shapes: dict[int, int | None] = {}
        self._misses = self._next = self._pause = self._hits = 0
        self._round, self._rest = ROUND, ROUND

    def _built(self, results: Mapping[str, Result]) -> Any:
        """The extension's side of it, with places and questions, and without layouts."""
        self._places = Places([one for found in self._operations for one in all_groups(found or ())], self._asked)
        stated = self._places.ask(self._field) if self._field else []
        if self._field and self._places[self._field[:-1]].child(str(self._field[-1])) is not None:
            raise Unsupported
        asked = [(number, self._places.ask(path), texts) for number, path, texts in self._all_questions()]
        self._places.check()
        native = self._planned(results, stated)
        for number, way_there, texts in asked:
            native.add_question(number, way_there, sorted(texts))
        return native

    def _all_questions(self) -> Iterator[tuple[int, Path, Texts]]:
        for number, questions in enumerate(self._questions):
            for path, texts in questions.items():
                yield number, path, texts

    def _planned(self, results: Mapping[str, Result], stated: list[int]) -> Any:
        lanes = [
            results.get(version, LEAVE) if operations is not None else LEAVE
            for version, operations in zip(self._versions, self._operations, strict=True)
        ]
        assumed = self._detector.assumed_version
        number = self._versions.index(assumed) if assumed in self._versions else None
        places = [
            (*place.given, [self._takes_arrays(place, groups) for groups in self._groups])
            for place in self._places.values()
        ]
        return EXTENSION.Plan(places, lanes, number, self._asks_shape, stated, decode_whole, programs.finish)

    def _takes_arrays(self, place: Place, groups: Groups | None) -> bool:
        ats = [group.at for group in groups or ()]
        return place.path not in ats and any(at[: len(place.path)] == place.path for at in ats)

    @property
    def counts(self) -> tuple[int, int, int]:
        """Events that ran natively, that were left to Python, and programs that were dropped after a panic."""
        hits, misses, panics = self._native.counts()
        return hits, misses, panics

    def listed(self, value: bytes, version: str) -> Iterator[str]:
        """The programs of the objects of a document of a version, for people. Raises EventError where it is none."""
        number = self.numbers[version.encode()]
        operations = self._operations[number]
        if operations is None:
            yield "none: these operations are left to Python"
        if operations is None or not self._changes[number]:
            return
        try:
            found = list(dict.fromkeys(self._read(self._places[()], Raw(value))))
            groups = groups_of(list(settled(operations, decode_object(value))))
        except (DecodeError, EventError, Unexpected):
            return
        if groups is None:
            yield "none: these operations are left to Python"
            return
        for place, tokens in found:
            try:
                told = programs.listed(self._program(place, tokens, groups, number), place, tokens)
            except Unexpected:
                told = "left to Python"
            yield f"{show(place.path) or 'the document'}: {told}"

    def missed(self, value: bytes, number: int) -> None:
        """Told of an event that was left to Python, and of the version that a header says (-1 where none does)."""
        self._misses += 1
        if self._misses >= self._round:
            self._weigh()
        elif self._misses >= self._next:
            try:
                learned = len(value) <= MOST_LEARNED_FROM and self._learn(value, number)
            except STOPS:
                raise
            except BaseException:  # noqa: BLE001  # whatever it is: Python's path finds out, and nothing is learned
                learned = False
            self._pause = 0 if learned else min(2 * self._pause + 1, MOST_PAUSE)
            self._next = self._misses + 1 + self._pause

    def _weigh(self) -> None:
        """Let a plan rest that mostly misses, longer each time."""
        hits = self.counts[0]
        if hits - self._hits < ROUND // 8:
            self._rest = min(8 * self._rest, MOST_REST)
            self._native.rest(self._rest)
            self._next = self._misses + self._rest
            self._round = self._next + ROUND
        else:
            self._rest = ROUND
            self._round = self._misses + ROUND
        self._hits = hits

    # Learning.

    def _learn(self, value: bytes, number: int) -> bool:
        """Learn from one event; False where there was nothing new in it."""
        found = list(dict.fromkeys(self._read(self._places[()], Raw(value))))
        mask = sum(_mask(place, tokens) for place, tokens in found)
        known = self._known()
        version = self._version(value, number, mask)
        layouts = [self._layout(place, tokens) for place, tokens in found]
        if version is not None and self._questions[version]:
            version = self._variant(value, number)
        for (place, tokens), layout in zip(found, layouts, strict=True):
            if layout is not None and version is not None:
                self._add_program(place, tokens, layout, version)
        return known != self._known()

    def _known(self) -> tuple[int, ...]:
        return len(self._layouts), len(self._programs), len(self._texts), len(self._shapes), len(self._variants)

    def _variant(self, value: bytes, number: int) -> int | None:
        """The number of the variant that a document's answers lead to; None where the reference is to do it."""
        answered = self._native.answers(value, number)
        if answered is None:
            return None
        version, answers = answered
        key = (version, *answers)
        if key not in self._variants:
            if len(self._variants) >= MOST_VARIANTS:
                raise Unexpected
            try:
                groups = groups_of(list(settled(self._operations[version] or (), decode_object(value))))
            except EventError:
                groups = None
            variant = None
            if groups is not None:
                variant = len(self._groups)
                self._groups.append(groups)
                self._changes.append(True)
                self._ends.append(self._ends[version])
            arrays = [self._takes_arrays(place, groups) for place in self._places.values()]
            self._native.add_variant(version, answers, variant, arrays)
            self._variants[key] = variant
        return self._variants[key]

    def _read(self, place: Place, text: Raw) -> Iterator[tuple[Place, Tokens]]:
        """The layouts of all objects that the plan knows a place of."""
        if place.each is not None and memoryview(text)[0] == ord("["):
            for item in _decode_items(text):
                yield from self._read(place.each, item)
            return
        fields = decode_object(text)
        yield place, _tokens(place, fields)
        for key, node in fields.items():
            child = place.child(key)
            if child is not None:
                yield from self._read(child, node)

    def _version(self, value: bytes, number: int, mask: int) -> int | None:
        """The number of the version, as the extension tells it; None where it does not."""
        said = {number} - {-1}
        if self._field:
            node = find(decode_object(value), self._field)
            stated = None if node is MISSING else self._stated(node)
            if stated is not None:
                said.add(stated)
        if self._asks_shape:
            shape = self._shape(mask)
            if shape is not None and not said:
                said = {shape}
        if not said:
            assumed = self._detector.assumed_version
            return self._versions.index(assumed) if assumed in self._versions else None
        return said.pop() if len(said) == 1 else None

    def _stated(self, node: Raw) -> int | None:
        text = bytes(node)
        if text not in self._texts:
            if is_null(node):
                number = None
            else:
                version = str(plain(node)) if json_type(node) == "string" else text.decode()
                if json_type(node) not in ("string", "number") or says_nothing(version):
                    raise Unexpected
                number = self.numbers[version.encode()]
            if len(self._texts) >= MOST_TEXTS or len(text) > MOST_FIELDS:
                raise Unexpected
            self._native.add_text(text, number)
            self._texts[text] = number
        return self._texts[text]

    def _shape(self, mask: int) -> int | None:
        """The version of a shape, asked of a document that has these fields and no others."""
        if mask not in self._shapes:
            if len(self._shapes) >= MOST_SHAPES:
                raise Unexpected
            root: Object = {}
            there = [path for number, path in enumerate(self._asked) if mask >> number & 1]
            for path in sorted(there, key=len, reverse=True):
                node = root
                for key in path[:-1]:
                    node = node.setdefault(key, {})
                node.setdefault(path[-1], "")
            version = self._detector.shape_of(self._type, root)
            number = None if version is None else self._versions.index(version)
            self._native.add_shape(mask, number)
            self._shapes[mask] = number
        return self._shapes[mask]

    def _layout(self, place: Place, tokens: Tokens) -> int | None:
        """The number of a layout, None where it is seen for the first time, or there are too many."""
        key = (place.number, tokens)
        found = self._layouts.get(key)
        if found is not None or self._counts[place.number] >= MOST_LAYOUTS:
            return found
        if hash(key) not in self._seen:
            if len(self._seen) >= MOST_LAYOUTS * len(self._places):
                self._seen.clear()
            self._seen.add(hash(key))
            return None
        numbers = [None if name is None else self._name(place, name) for name in tokens]
        asked = [tokens.index(name) if name in tokens else None for name in place.asked]
        number: int = self._native.add_layout(place.number, numbers, _mask(place, tokens), asked)
        self._layouts[key] = number
        self._counts[place.number] += 1
        return number

    def _name(self, place: Place, key: str) -> int:
        if key not in place.names:
            place.names[key] = self._native.name(place.number, encode(key) + b":")
        return place.names[key]

    def _add_program(self, place: Place, tokens: Tokens, layout: int, version: int) -> None:
        key = (place.number, layout, version)
        groups = self._groups[version]
        full = len(self._programs) >= MOST_PROGRAMS
        if key in self._programs or groups is None or not self._changes[version] or full:
            return
        try:
            program = self._program(place, tokens, groups, version)
        except Unexpected:
            program = None
        if program is not None:
            self._native.add_program(*key, program)
        self._programs[key] = program

    def _program(self, place: Place, tokens: Tokens, groups: Groups, version: int) -> tuple[Any, ...]:
        depth = len(place.path)
        below = [group for group in groups if len(group.at) > depth and group.at[:depth] == place.path]
        for group in below:
            key = group.at[depth]
            if key is not EACH and key not in tokens and not group.optional:
                raise Unexpected
        work = programs.Work(place, tokens, {group.at[depth] for group in below})
        here = [group for group in groups if group.at == place.path]
        for group in here:
            work.run(group.operations)
        if self._field and place.path == self._field[:-1]:
            end = self._ends[version]
            number = restamped(Raw(b"0"), end)
            work.stamp(str(self._field[-1]), bytes(number) if type(number) is Raw else None, encode(end))
        looked_at = any((one.bits or one.asked) and one.path[:depth] == place.path for one in self._places.values())
        stamps = depth < len(self._field) and place.path == self._field[:depth]
        return work.program(opened=bool(below or here or not depth or stamps), looked_at=looked_at)


def operations_of(way: Way) -> list[Operation] | None:
    """The operations of a way, none where an event stays; None where they are not the extension's."""
    operations = [operation for hop in way.hops for operation in hop.operations]
    inside = any(isinstance(operation, Subdocument) for operation in walk(operations))
    if (
        way.broken
        or way.forks
        or inside
        or any(hop.may_drop for hop in way.hops)
        or any(map(needs_context, operations))
    ):
        return None
    try:
        flat = [operation for group in all_groups(operations) for operation in group.operations]
        asked = questions_of(operations)
    except Unsupported:
        return None
    if not asked:
        # Conditions that ask nothing have one answer for every document.
        operations = list(settled(operations, {}))
    levels = sum(min(added_levels([operation]), programs.MOST_LEVELS) for operation in flat)
    if levels > MOST_LEVELS // 2 or not programs.knows(flat) or not (asked or groups_of(operations) is not None):
        return None
    return operations


def groups_of(operations: Sequence[Operation]) -> Groups | None:
    """The groups of operations of which none depends on an answer; None where one does, or where their order is not the
    extension's."""
    found = grouped(operations)
    groups = [group for group in found if isinstance(group, FlatGroup)]
    return groups if len(groups) == len(found) and is_in_order(groups) else None


def _fields(condition: Condition) -> Iterator[Path]:
    """The fields whose presence settles a shape. Raises Unsupported where something else does."""
    for leaf in leaves(condition):
        if isinstance(leaf, Present):
            yield leaf.path
        elif not isinstance(leaf, Anything):
            raise Unsupported


def _tokens(place: Place, fields: Object) -> Tokens:
    tokens: list[str | None] = []
    for key in fields:
        if key in place.names or place.whole:
            tokens.append(key)
        elif not tokens or tokens[-1] is not None:
            tokens.append(None)
    if len(tokens) > MOST_KEYS or sum(len(key or "") for key in tokens) > MOST_LETTERS:
        raise Unexpected
    return tuple(tokens)


def _mask(place: Place, tokens: Tokens) -> int:
    return sum(place.bits.get(key, 0) for key in tokens if key is not None)
