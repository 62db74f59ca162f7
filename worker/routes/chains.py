"""Loads and checks the routes' chains and builds their upcasters; with the facts about topics it builds the routes of
lanes."""

from __future__ import annotations

import importlib.util
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from upcasters import Chain, ChainError, Detection, Event, Policy, Upcaster, Violation, load_chain
from upcasters.errors import Irreversible
from upcasters.event import Partition, SourceRecord
from upcasters.operations.events import SetKey
from upcasters.outcome import DeadLettered, Fault
from upcasters.reference import Trace
from upcasters.step import Step, walk
from worker.errors import MAY_PASS, WorkerError
from worker.extras import pip_install
from worker.preflight.facts import ChainTraits, ClusterFacts
from worker.routes.route import OutputTopic, RecordUpcaster, Route
from worker.settings import RouteSettings
from worker.settings.schemas import RegistrySettings

if TYPE_CHECKING:
    from worker.schemas.framing import Framing


@dataclass(frozen=True)
class RouteChain:
    """A route with its chain and upcaster."""

    route: RouteSettings
    chain: Chain
    upcaster: RecordUpcaster
    """For records as they stand in the source."""
    violations: list[Violation]
    """The upcaster adds the violations that it observes; the caller removes them."""
    framing: Framing | None = None
    """None where values are bare JSON in both topics."""

    @cached_property
    def preview(self) -> Upcaster:
        """The same without observing, for values without a frame, to find out what would become of an event."""
        return self.chain.upcaster(self.route.policy())

    def framed(self, make: Callable[[Policy], RecordUpcaster]) -> RecordUpcaster:
        """What takes records as they stand in the source, out of what takes bare ones by a policy."""
        policy = self.route.policy()
        return self.framing.upcaster(make) if self.framing else make(policy)

    def bare(self, record: SourceRecord) -> Event | Fault:
        """A record without its frame, as ``preview`` takes it; why not, where that cannot be."""
        if self.framing:
            return self.framing.bare(record)
        return Event(record.value, record.key, record.headers, record.timestamp, record.offset)

    def trace(self, event: Event, source: Partition) -> tuple[Event, Trace]:
        """What becomes of a record, hop by hop, and the record as the hops see it: without a frame."""
        bare = self.bare(event)
        if isinstance(bare, Fault):
            return event, Trace(DeadLettered(bare))
        return bare, self.preview.trace(bare, source)

    async def begin(self) -> None:
        """Find the schemas that results are written by. Raises WorkerError."""
        if self.framing:
            await _answered(self.framing.begin())

    async def learn(self, records: Sequence[SourceRecord]) -> None:
        """Ask for the schemas of records before they are worked on. Raises WorkerError."""
        if self.framing:
            await _answered(self.framing.learn(records))

    @property
    def splits_values(self) -> bool:
        """Whether a reader may make several events of one value. Values with a frame have no readers."""
        return isinstance(self.upcaster, Upcaster) and self.upcaster.splits_values

    @property
    def traits(self) -> ChainTraits:
        """The traits of the steps up to the route's target; previews after it do not count."""
        steps = list(self._steps())
        return ChainTraits(
            changes_keys=any(isinstance(each, SetKey) for step in steps for each in walk(step.operations)),
            splits=self.splits_values or any(step.splits for step in steps),
            makes_tombstones=any(step.may_tombstone for step in steps),
        )

    def _steps(self) -> Iterator[Step]:
        targets = self.route.policy().target
        for version in self.chain.versions:
            with suppress(Irreversible):  # such an event ends as a dead letter
                for hop in self.chain.path(version, targets):
                    yield from hop.steps


async def _answered(asking: Awaitable[None]) -> None:
    """A command does not wait for a registry."""
    from worker.schemas.registry import RegistryError

    try:
        await asking
    except RegistryError as error:
        raise WorkerError(str(error), MAY_PASS) from None


def load_chains(routes: Iterable[RouteSettings], registry: RegistrySettings | None = None) -> Mapping[str, RouteChain]:
    """By source topic; raises ``WorkerError`` with a line for each thing that is wrong. ``registry`` is what routes
    whose values have a frame ask: without it they could only be taken for bare."""
    loaded: dict[str, RouteChain] = {}
    problems: list[str] = []
    for route in routes:
        assert not route.framed or registry is not None, route.source  # noqa: S101  (a mistake of the caller's)
        try:
            loaded[route.source] = load_route_chain(route, registry)
        except ChainError as error:
            problems += [f"chain {route.chain}: {line}" for line in str(error).splitlines()]
    if problems:
        raise WorkerError("\n".join(dict.fromkeys(problems)))
    return loaded


def load_route_chain(route: RouteSettings, registry: RegistrySettings | None = None) -> RouteChain:
    """Raises ``ChainError``; WorkerError where the values have a frame and there is nothing to ask a registry with."""
    policy = route.policy()
    chain = load_sound_chain(route.chain, policy.detection)
    violations: list[Violation] = []
    upcaster = chain.upcaster(policy, violations.append)
    given = RouteChain(route, chain, upcaster, violations)
    if not route.framed or registry is None:
        return given
    given = replace(given, framing=_framing(route, chain, registry))
    return replace(given, upcaster=given.framed(lambda each: chain.upcaster(each, violations.append)))


def _framing(route: RouteSettings, chain: Chain, registry: RegistrySettings) -> Framing:
    if importlib.util.find_spec("httpx") is None:
        raise WorkerError(
            f"{route.source}: its values have a frame, which needs the package httpx: {pip_install('registry')}"
        )
    from worker.schemas.framing import open_framing

    return open_framing(route, chain, registry)


def load_sound_chain(name: str, detection: Detection | None = None) -> Chain:
    """A chain whose steps take each version's model to the next one's. Raises ``ChainError``."""
    chain = load_chain(name)
    chain.check(detection)
    return chain


def build_route(given: RouteChain, facts: ClusterFacts) -> Route:
    settings = given.route
    return Route(
        source=settings.source,
        destination=output_topic(facts, settings.destination),
        dead_letter=output_topic(facts, settings.dead_letter),
        upcaster=given.upcaster,
        violations=given.violations,
        delivery=settings.delivery,
        lineage_headers=settings.lineage_headers,
        chain=given.chain.fingerprint,
        breaker=settings.breaker,
        limits=settings.limits,
        schemas=given.framing,
    )


def output_topic(facts: ClusterFacts, name: str) -> OutputTopic:
    topic = facts.topic(name)
    known = OutputTopic(
        name,
        topic.partitions,
        max_timestamp_ahead_ms=topic.number("message.timestamp.after.max.ms"),
        compacted=topic.has_policy("compact"),
    )
    size = topic.number("max.message.bytes")
    return known if size is None else replace(known, max_message_bytes=size)
