"""Loads and checks the routes' chains and builds their upcasters; with the facts about topics it builds the routes of
lanes."""

from __future__ import annotations

import importlib.util
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from upcasters import Chain, ChainError, Event, Policy, Upcaster, Violation
from upcasters.errors import Irreversible
from upcasters.event import Partition, SourceRecord
from upcasters.event_flow import EventFlow
from upcasters.loading import load_sound_chain
from upcasters.outcome import DeadLettered, Fault
from upcasters.reference import Reference, Trace
from upcasters.step import Step
from worker.codes import chain_lines
from worker.errors import MAY_PASS, WorkerError
from worker.extras import pip_install
from worker.preflight.facts import ChainTraits, ClusterFacts
from worker.routes.route import OutputTopic, RecordUpcaster, Route
from worker.schemas.set_keys import keys_of
from worker.settings import KafkaSettings, RouteSettings
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

    def built(
        self,
        change: Callable[[Policy], Policy] = lambda policy: policy,
        observe: Callable[[Violation], None] | None = None,
        *,
        step_by_step: bool = False,
    ) -> RecordUpcaster:
        """What takes records as they stand in the source, by the route's policy as it is after ``change``."""
        chain = self.chain

        def make(policy: Policy) -> RecordUpcaster:
            chosen = change(policy)
            return Reference(EventFlow(chain, chosen)) if step_by_step else chain.upcaster(chosen, observe)

        if self.framing is None:
            return make(self.route.policy())
        return self.framing.upcaster(make, change, observe, step_by_step=step_by_step)

    def bare(self, record: SourceRecord) -> Event | Fault:
        """A record without its frame, as ``preview`` takes it; why not, where that cannot be."""
        if self.framing:
            return self.framing.bare(record)
        return Event(record.value, record.key, record.headers, record.timestamp, record.offset)

    def trace(self, event: Event, source: Partition | None) -> tuple[Event, Trace]:
        """What becomes of a record, hop by hop, and the record as the hops see it: without a frame, as JSON."""
        if self.framing and (readable := self.framing.readable_trace(event, source)):
            return readable
        bare = self.bare(event)
        if isinstance(bare, Fault):
            return event, Trace(DeadLettered(bare))
        return bare, self.preview.trace(bare, source)

    def readable(self, record: SourceRecord) -> Event | Fault:
        """The record for people, its value as JSON; why not, where it cannot be read."""
        return self.framing.readable(record) if self.framing else self.bare(record)

    async def begin(self) -> None:
        """Find the schemas that results are written by. Raises WorkerError."""
        if self.framing:
            await _answered(self.framing.begin())

    async def begin_to_show(self, *, leniently: bool = False) -> None:
        """The same for whoever writes no results. Raises WorkerError."""
        if self.framing:
            await _answered(self.framing.begin_to_show(leniently=leniently))

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
            changes_keys=any(keys_of(self.route, self.chain)),
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
        raise WorkerError(str(error), MAY_PASS, code="UPC2208") from None


def load_chains(routes: Iterable[RouteSettings], registry: RegistrySettings | None = None) -> Mapping[str, RouteChain]:
    """By source topic; raises ``WorkerError`` with a line for each thing that is wrong. ``registry`` is what routes
    whose values have a frame ask: without it they could only be taken for bare."""
    loaded: dict[str, RouteChain] = {}
    problems: list[tuple[str, str]] = []
    for route in routes:
        assert not route.framed or registry is not None, route.source  # noqa: S101  (a mistake of the caller's)
        try:
            loaded[route.source] = load_route_chain(route, registry)
        except ChainError as error:
            problems += [(f"chain {route.chain}: {line}", code) for line, code in chain_lines(error)]
    if problems:
        raise WorkerError.of_lines(dict.fromkeys(problems))
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
    return replace(given, upcaster=given.built(observe=violations.append))


def _framing(route: RouteSettings, chain: Chain, registry: RegistrySettings) -> Framing:
    if importlib.util.find_spec("httpx") is None:
        raise WorkerError(
            f"{route.source}: its values have a frame, which needs the package httpx: {pip_install('registry')}",
            code="UPC1006",
        )
    key = route.writes.key
    formats = {route.reads.format, route.writes.format, key.format if key else "json"}
    if "protobuf" in formats and importlib.util.find_spec("grpc_tools") is None:
        raise WorkerError(
            f"{route.source}: its values are Protobuf, which needs the package grpcio-tools: {pip_install('protobuf')}",
            code="UPC1006",
        )
    if "avro" in formats and importlib.util.find_spec("fastavro") is None:
        raise WorkerError(
            f"{route.source}: its values or keys are Avro, which needs the package fastavro: {pip_install('avro')}",
            code="UPC1006",
        )
    from worker.schemas.framing import open_framing

    return open_framing(route, chain, registry)


def build_route(given: RouteChain, facts: ClusterFacts, kafka: KafkaSettings) -> Route:
    settings = given.route
    compression = settings.compression_beside(kafka)
    return Route(
        source=settings.source,
        destination=replace(output_topic(facts, settings.destination), compression=compression),
        dead_letter=replace(output_topic(facts, settings.dead_letter), compression=compression),
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
