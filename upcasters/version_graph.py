"""All steps of all types, frozen: the map of versions that routes are planned on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from pydantic import BaseModel

from upcasters.conditions import Condition
from upcasters.detection import Detection, Like, UpTo, numbers_of, other_versions
from upcasters.errors import Irreversible, StepError
from upcasters.fingerprint import chain_fingerprint
from upcasters.formats import Schema
from upcasters.operations.base import Reversibility, listed
from upcasters.paths import text_of
from upcasters.readers import ReaderName, ValueReader, readers_of
from upcasters.step import Baseline, Hop, Step, VersionKey, VersionLike, version_text


@dataclass(frozen=True)
class Version:
    """What is known of one version of one type."""

    event_type: str
    version: str
    model: type[BaseModel] | None = None
    shape: Condition | None = None
    looks_like: tuple[str, ...] = ()
    file: str = ""
    step: str = ""
    also: tuple[UpTo | Like, ...] = ()
    schema: Schema | None = None


@dataclass(frozen=True)
class VersionGraph:
    """The versions of any number of types and the hops between them. ``Chain`` is one that was checked."""

    steps: tuple[Step, ...]
    baselines: tuple[Baseline, ...] = ()
    pinned: Mapping[str, str] = field(default_factory=dict)
    detection: Detection = field(default_factory=Detection)
    name: str = ""
    readers: tuple[ValueReader, ...] = ()

    def __init__(
        self,
        steps: Iterable[Step],
        baselines: Iterable[Baseline] = (),
        *,
        current: Mapping[str, VersionLike] | None = None,
        detection: Detection | None = None,
        name: str = "",
        readers: Sequence[ReaderName | ValueReader] = (),
    ) -> None:
        object.__setattr__(self, "steps", listed(steps, Step, "Step", "List Steps only."))
        object.__setattr__(self, "baselines", listed(baselines, Baseline, "Baseline", "List Baselines only."))
        pinned = {text_of(event_type): version_text(version) for event_type, version in (current or {}).items()}
        object.__setattr__(self, "pinned", MappingProxyType(pinned))
        object.__setattr__(self, "detection", _rules(detection))
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "readers", readers_of(readers))

    @cached_property
    def hops(self) -> Mapping[VersionKey, Hop]:
        """The one way up from each version that has one."""
        grouped: dict[VersionKey, list[Step]] = {}
        for step in self.steps:
            grouped.setdefault((step.event_type, str(step.source)), []).append(step)
        return MappingProxyType({node: _hop(node, steps) for node, steps in grouped.items()})

    @cached_property
    def versions(self) -> Mapping[VersionKey, Version]:
        """Every version of every type."""
        found: dict[VersionKey, Version] = {}
        for step in self.steps:
            for node in ((step.event_type, str(step.source)), *step.ends):
                found.setdefault(node, Version(*node, file=step.file, step=step.id))
        for base in self.baselines:
            node = (base.event_type, str(base.version))
            likes = tuple(map(str, base.looks_like))
            also, schema = other_versions(base.also), _known(base.schema)
            found[node] = Version(*node, base.model, base.shape, likes, base.file, base.id, also, schema)
        for step in self.steps:
            node = (step.target_type, str(step.target))
            if not step.stays or not (step.model or step.shape or step.looks_like or step.also or step.schema):
                continue
            likes = tuple(map(str, step.looks_like))
            also, schema = other_versions(step.also), _known(step.schema)
            found[node] = Version(*node, step.model, step.shape, likes, step.file, step.id, also, schema)
        return MappingProxyType(found)

    @property
    def schemas(self) -> Mapping[VersionKey, Schema]:
        """The schemas that steps and baselines name, by version."""
        return {node: known.schema for node, known in self.versions.items() if known.schema is not None}

    def covering(self, event_type: str, version: str) -> str | None:
        """The oldest version of a type that says of another one that it is meant ``also``; None where there is none."""
        for known, also in self._also.get(event_type, ()):
            if also.covers(version):
                return known
        return None

    @cached_property
    def _also(self) -> Mapping[str, tuple[tuple[str, UpTo | Like], ...]]:
        found: dict[str, tuple[tuple[str, UpTo | Like], ...]] = {}
        for event_type, versions in self.types.items():
            known = [self.versions[event_type, version] for version in versions]
            found[event_type] = tuple((one.version, also) for one in known for also in one.also)
        return MappingProxyType(found)

    @cached_property
    def types(self) -> Mapping[str, tuple[str, ...]]:
        """Every type with its versions, oldest first."""
        order: dict[str, dict[str, None]] = {}
        starts = [node for node in self.versions if node not in self._reached]
        for start in (*starts, *self.versions):
            if start[1] in order.get(start[0], ()):
                continue
            for node in self.upwards(start):
                order.setdefault(node[0], {}).setdefault(node[1])
        return MappingProxyType({event_type: tuple(versions) for event_type, versions in order.items()})

    @cached_property
    def _reached(self) -> frozenset[VersionKey]:
        return frozenset(end for hop in self.hops.values() for end in hop.ends)

    def upwards(self, start: VersionKey) -> Iterator[VersionKey]:
        """``start`` and every version above it, as far as the way is fixed."""
        seen = set()
        node: VersionKey | None = start
        while node is not None and node not in seen:
            seen.add(node)
            yield node
            hop = self.hops.get(node)
            node = None if hop is None or hop.forks else hop.target

    def newest(self, event_type: str) -> str | None:
        """The last version of a type that the chain can reach; None where all of its events become other types."""
        ends = (version for version in self.types[event_type] if (event_type, version) not in self.hops)
        last = next(ends, None)
        return self.resting(event_type) if last is None else last

    @cached_property
    def _current(self) -> Mapping[str, str]:
        return MappingProxyType({event_type: self._find_current(event_type) for event_type in self.types})

    def _find_current(self, event_type: str) -> str:
        rest = self.resting(event_type)
        hops = (self.hops.get((event_type, version)) for version in self.types[event_type])
        leaving = (hop.target[1] for hop in hops if hop is not None and (hop.forks or hop.target[0] != event_type))
        return next(leaving) if rest is None else rest

    def current(self, event_type: str) -> str:
        """The version of a type that is declared current (the newest unless a later step is a preview).

        Where all events leave the type, the version that they have then, as another type.
        """
        return self._current[event_type]

    def older(self, event_type: str, than: str | None = None) -> tuple[str, ...]:
        """The versions of a type below ``than`` (the current one), oldest first.

        All of them where the way there leaves the type: what splits or gets a new type is current in no version.
        """
        versions = self.types[event_type]
        newer = self.resting(event_type) if than is None else than
        return versions[: versions.index(newer)] if newer in versions else versions

    def resting(self, event_type: str) -> str | None:
        """The version at which events keep their type and go no further; None where they all leave the type."""
        if event_type in self.pinned:
            return self.pinned[event_type]
        hops = ((version, self.hops.get((event_type, version))) for version in self.types[event_type])
        return next((version for version, hop in hops if hop is None or hop.preview), None)

    @cached_property
    def _previewed(self) -> frozenset[VersionKey]:
        starts = [hop.target for hop in self.hops.values() if hop.preview]
        return frozenset(node for start in starts for node in self.upwards(start) if node[0] == start[0])

    def path(self, start: VersionKey, targets: Mapping[str, str] | None = None) -> tuple[Hop, ...]:
        """The hops from a version to its type's target (the current one unless ``targets`` names another).

        Ends early at a hop from which the way depends on the event. A type that no target names goes down, too, where
        it has come out of a version of another type that is one. Raises Irreversible where there is no way, and
        KeyError for a version that the chain does not have.
        """
        if start not in self.versions:
            raise KeyError(start)
        goals = {**self.pinned, **(targets or {})}
        if start[0] not in goals and (below := self.renamed_from(start, goals)) is not None:
            return self._way_down(start, below)
        return self._way(start, goals)

    def _way(self, start: VersionKey, goals: Mapping[str, str]) -> tuple[Hop, ...]:
        goal = goals.get(start[0])
        if goal is None and start in self._previewed:
            goal = self.current(start[0])
        if goal is not None and start != (start[0], goal) and start in self.above((start[0], goal)):
            return self._way_down(start, (start[0], goal))
        return self._way_up(start, goal, goals)

    def _way_up(self, start: VersionKey, goal: str | None, goals: Mapping[str, str]) -> tuple[Hop, ...]:
        hops: list[Hop] = []
        node = start
        while node != (start[0], goal):
            hop = self.hops.get(node)
            if hop is None and goal is not None:
                raise Irreversible(f"there is no way from {start[0]} {start[1]} to {goal}")
            if hop is None or (goal is None and hop.preview):
                break
            hops.append(hop)
            node = hop.target
            if hop.forks:
                break
            if node[0] != start[0]:
                return (*hops, *self._way(node, goals))
        return tuple(hops)

    @cached_property
    def _into(self) -> Mapping[VersionKey, tuple[Hop, ...]]:
        """The hops that lead to each version."""
        found: dict[VersionKey, list[Hop]] = {}
        for hop in self.hops.values():
            for end in hop.ends:
                found.setdefault(end, []).append(hop)
        return MappingProxyType({node: tuple(hops) for node, hops in found.items()})

    def above(self, start: VersionKey, *, splits: bool = True) -> set[VersionKey]:
        """``start`` and every version that events of it may reach, whatever their type is then; over splits or not."""
        found, waiting = {start}, [start]
        while waiting:
            hop = self.hops.get(waiting.pop())
            ends = set() if hop is None or (hop.splits and not splits) else set(hop.ends) - found
            found |= ends
            waiting += ends
        return found

    def renamed_from(self, start: VersionKey, goals: Mapping[str, str]) -> VersionKey | None:
        """The nearest of ``goals`` (type -> version) from which ``start`` came by new names for its type.

        None where there is none, or where more than one way leads down: what an event was before is not known then.
        """
        node = start
        while True:
            hops = self._into.get(node, ())
            if len(hops) != 1 or hops[0].splits:
                return None
            node = hops[0].source
            if goals.get(node[0]) == node[1]:
                return node

    def _way_down(self, start: VersionKey, end: VersionKey) -> tuple[Hop, ...]:
        above, hops = self.above(end), []
        node = start
        while node != end:
            into = [hop for hop in self._into[node] if hop.source in above]
            if len(into) > 1:
                ways = " and ".join(f"{hop.source[0]} {hop.source[1]}" for hop in into)
                raise Irreversible(f"{node[0]} {node[1]} comes from {ways}, and from which is not known afterwards")
            hops.append(into[0].reversed(node))
            node = into[0].source
        return tuple(hops)

    def irreversible(self, hops: Iterable[Hop]) -> Step | None:
        """The first step on the way down that cannot be undone, or None."""
        for hop in hops:
            if hop.down:
                for step in reversed(hop.steps):
                    if step.inverse().kind is Reversibility.LOSSY:
                        return step
        return None

    def is_newer(self, event_type: str, version: str) -> bool:
        """True where an unknown version compares greater than the newest; False where the two cannot be compared.

        Where all events leave the type, it has to be greater than all that the type had.
        """
        newest, asked = self.newest(event_type), numbers_of(version)
        known = [numbers_of(each) for each in (self.types[event_type] if newest is None else [newest])]
        return asked is not None and all(numbers is not None and asked > numbers for numbers in known)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that decides what comes out: its kind and 16 hex digits, such as ``2-0123456789abcdef``."""
        readers = (self.readers,) if self.readers else ()  # a chain without any keeps the one that it has always had
        return chain_fingerprint((self.steps, self.baselines, dict(self.pinned), self.detection, *readers))

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


def _known(schema: Schema | str | None) -> Schema | None:
    """A file that nobody has read is a problem that the chain's checks tell."""
    return None if isinstance(schema, str) else schema


def _hop(node: VersionKey, steps: list[Step]) -> Hop:
    ordered = order_steps(steps)
    return Hop(node, (ordered[-1].target_type, str(ordered[-1].target)), ordered)


def order_steps(steps: list[Step]) -> tuple[Step, ...]:
    """Steps of one hop, each behind the one that it names as ``after``."""
    ordered = [step for step in steps if not step.after]
    waiting = [step for step in steps if step.after]
    while waiting:
        ready = next((step for step in waiting if any(step.after == done.id for done in ordered)), None)
        if ready is None:
            return (*ordered, *waiting)
        waiting.remove(ready)
        ordered.append(ready)
    return tuple(ordered)


def _rules(given: object) -> Detection:
    if given is None:
        return Detection()
    if not isinstance(given, Detection):
        what = f"detection={type(given).__name__} is no Detection"
        raise StepError(what, "Put the rules into one: Detection(version=(rule,)).", "detection")
    return given
