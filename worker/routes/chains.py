"""Loads and checks the routes' chains and builds their upcasters; with the facts about topics it builds the routes of
lanes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

from upcasters import Chain, ChainError, Detection, Upcaster, Violation, load_chain
from upcasters.errors import Irreversible
from upcasters.operations.events import SetKey
from upcasters.step import Step, walk
from worker.errors import WorkerError
from worker.preflight.facts import ChainTraits, ClusterFacts
from worker.routes.route import OutputTopic, Route
from worker.settings import RouteSettings


@dataclass(frozen=True)
class RouteChain:
    """A route with its chain and upcaster."""

    route: RouteSettings
    chain: Chain
    upcaster: Upcaster
    violations: list[Violation]
    """The upcaster adds the violations that it observes; the caller removes them."""

    @cached_property
    def preview(self) -> Upcaster:
        """The same without observing, to find out what would become of an event."""
        return self.chain.upcaster(self.route.policy())

    @property
    def traits(self) -> ChainTraits:
        """The traits of the steps up to the route's target; previews after it do not count."""
        steps = list(self._steps())
        return ChainTraits(
            changes_keys=any(isinstance(each, SetKey) for step in steps for each in walk(step.operations)),
            splits=self.upcaster.splits_values or any(step.splits for step in steps),
            makes_tombstones=any(step.may_tombstone for step in steps),
        )

    def _steps(self) -> Iterator[Step]:
        targets = self.route.policy().target
        for version in self.chain.versions:
            with suppress(Irreversible):  # such an event ends as a dead letter
                for hop in self.chain.path(version, targets):
                    yield from hop.steps


def load_chains(routes: Iterable[RouteSettings]) -> Mapping[str, RouteChain]:
    """By source topic; raises ``WorkerError`` with a line for each thing that is wrong."""
    loaded: dict[str, RouteChain] = {}
    problems: list[str] = []
    for route in routes:
        try:
            loaded[route.source] = load_route_chain(route)
        except ChainError as error:
            problems += [f"chain {route.chain}: {line}" for line in str(error).splitlines()]
    if problems:
        raise WorkerError("\n".join(dict.fromkeys(problems)))
    return loaded


def load_route_chain(route: RouteSettings) -> RouteChain:
    """Raises ``ChainError``."""
    policy = route.policy()
    chain = load_sound_chain(route.chain, policy.detection)
    violations: list[Violation] = []
    return RouteChain(route, chain, chain.upcaster(policy, violations.append), violations)


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
