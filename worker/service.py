"""The worker as a service: starts, runs and stops its parts, and gives the API its view of them."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from enum import StrEnum

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from worker.api.view import CannotDecideError, Decided, NotRunningError, RouteStatus, Status
from worker.kafka.clients import KafkaClients
from worker.kafka.members import SourceUse
from worker.kafka.refusals import unanswered
from worker.kafka.waiting import wait_for_broker
from worker.lanes.decisions import NothingToDecideError, Target, WrongPlaceError, decide
from worker.lanes.state import LaneStatus
from worker.lanes.supervisor import Supervisor
from worker.loop import done_before, spare_the_collector
from worker.open_files import refuse_too_few
from worker.preflight.asking import refuse_what_cannot_work
from worker.preflight.facts import ClusterFacts
from worker.preflight.members import Count, MemberWatch
from worker.preflight.repeated import SECONDS, RepeatedChecks
from worker.routes.chains import RouteChain, build_route
from worker.routes.route import Route
from worker.runtime import VERSION
from worker.settings import RouteSettings, Settings

log = structlog.get_logger(__name__)

# Of the ten seconds that a stop may take; the HTTP server needs some of them.
STOP_SECONDS = 8.5

Preparation = Callable[[], Awaitable[None]]
TopicCheck = Callable[[], Awaitable[ClusterFacts]]


class Phase(StrEnum):
    STARTING = "starting"
    WAITING_FOR_KAFKA = "waiting for kafka"
    WAITING_FOR_REGISTRY = "waiting for the schema registry"
    CHECKING_TOPICS = "checking topics"
    RUNNING = "running"
    STOPPING = "stopping"


class Service:
    """Starts, runs and stops the worker. Answers the API at any time meanwhile.

    ``prepare`` is awaited when the brokers answer and nothing is read yet; ``starts`` are the first offsets of
    partitions for which the group has none. ``check_topics`` replaces the usual checks of the topics, which are
    repeated every ``check_seconds``. ``processes`` is the number of processes that share the partitions;
    ``count_members`` is called with the number of members that use another chain or destination.
    """

    def __init__(
        self,
        settings: Settings,
        chains: Mapping[str, RouteChain],
        clients: KafkaClients,
        make_supervisor: Callable[[Sequence[Route]], Supervisor],
        prepare: Preparation | None = None,
        starts: Mapping[TopicPartition, int] | None = None,
        check_topics: TopicCheck | None = None,
        check_seconds: float = SECONDS,
        processes: int = 1,
        count_members: Count | None = None,
    ) -> None:
        self.phase = Phase.STARTING
        self._why_waiting = ""
        self._settings = settings
        self._chains = chains
        self._clients = clients
        self._make_supervisor = make_supervisor
        self._prepare = prepare
        self._starts = starts or {}
        self._traits = {source: given.traits for source, given in chains.items()}
        self._check_topics = check_topics or self._refuse_what_cannot_work
        self._checks = RepeatedChecks(clients, settings, self._traits, self._starts, check_seconds)
        self._checks_again = check_topics is None
        self._processes = processes
        ways = {source: SourceUse(given.route.destination, given.chain.fingerprint) for source, given in chains.items()}
        self._members = MemberWatch(clients, ways, count_members) if count_members else None
        self._supervisor: Supervisor | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set; then everything is committed or aborted. Raises ``WorkerError`` where it cannot go
        on."""
        starting = asyncio.create_task(self._start(), name="start")
        if not await done_before(stop, starting):
            return
        self._supervisor = supervisor = starting.result()
        self.phase = Phase.RUNNING
        log.info("running", routes=len(self._chains), consumer_group=self._settings.kafka.group_id)
        looking = [asyncio.create_task(self._checks.run(), name="checks")] if self._checks_again else []
        if self._members:
            looking.append(asyncio.create_task(self._members.run(), name="members"))
        try:
            await done_before(stop, asyncio.create_task(supervisor.run(), name="work"))
        finally:
            for task in looking:
                task.cancel()
            self.phase = Phase.STOPPING
            await _stop(supervisor)

    async def _start(self) -> Supervisor:
        self.phase = Phase.WAITING_FOR_KAFKA
        await wait_for_broker(self._clients)
        await self._find_schemas()
        if self._prepare:
            await self._prepare()
        self.phase, self._why_waiting = Phase.CHECKING_TOPICS, ""
        facts = await self._check_topics()
        refuse_too_few(self._partitions(facts), facts.brokers, self._processes)
        supervisor = self._make_supervisor(
            [build_route(given, facts, self._settings.kafka) for given in self._chains.values()]
        )
        spare_the_collector()
        await _join(supervisor)
        return supervisor

    async def _find_schemas(self) -> None:
        """Those that results are written by; as long as the registry does not answer, nothing is read."""
        framings = [given.framing for given in self._chains.values() if given.framing]
        if framings:
            from worker.schemas.framing import begin_in_time

            self.phase = Phase.WAITING_FOR_REGISTRY
            for framing in framings:
                await begin_in_time(framing, self._tell_of_registry)

    def _tell_of_registry(self, why: str) -> None:
        """The same is told once."""
        if why != self._why_waiting:
            log.warning("waiting for the schema registry", reason=why)
        self._why_waiting = why

    def _partitions(self, facts: ClusterFacts) -> int:
        return sum(facts.topic(source).partitions for source in self._chains)

    async def _refuse_what_cannot_work(self) -> ClusterFacts:
        return await refuse_what_cannot_work(self._clients, self._settings, self._traits, self._starts)

    # What the API shows and does.

    def why_not_live(self) -> list[str]:
        return self._supervisor.why_not_live() if self._supervisor else []

    def why_not_ready(self) -> list[str]:
        if self._supervisor is None or self.phase is not Phase.RUNNING:
            return [": ".join(filter(None, (self.phase.value, self._why_waiting)))]
        return self._supervisor.why_not_ready() + self._checks.refusals

    def status(self) -> Status:
        return Status(
            version=VERSION,
            state=self.phase,
            consumer_group=self._settings.kafka.group_id,
            why_not_ready=self.why_not_ready(),
            routes=self._routes_status(),
        )

    def route_chains(self) -> Mapping[str, RouteChain]:
        return self._chains

    def pause(self, source: str) -> None:
        self._running().pause(source)

    def resume(self, source: str) -> None:
        self._running().resume(source)

    def limit_rate(self, source: str, records_per_second: float | None, bytes_per_second: float | None = None) -> None:
        self._running().limit_rate(source, records_per_second, bytes_per_second)

    async def decide(self, source: str, partition: int, go_on_at: Target) -> Decided:
        supervisor, group = self._running(), self._settings.kafka.group_id
        lanes = supervisor.lanes.of_route(source)
        try:
            made = await decide(self._clients, group, TopicPartition(source, partition), go_on_at, time.time())
        except (NothingToDecideError, WrongPlaceError) as error:
            raise CannotDecideError(str(error)) from error
        for lane in lanes:
            lane.wake()
        return Decided(before=made.before, go_on_at=made.to, first_left_out=made.first, left_out=made.left_out)

    def _running(self) -> Supervisor:
        if self._supervisor is None:
            raise NotRunningError(self.phase)
        return self._supervisor

    def _routes_status(self) -> list[RouteStatus]:
        lanes = defaultdict[str, list[LaneStatus]](list)
        for lane in self._supervisor.status() if self._supervisor else ():
            lanes[lane.topic].append(lane)
        return [self._route_status(route, lanes[route.source]) for route in self._settings.routes]

    def _route_status(self, route: RouteSettings, lanes: Iterable[LaneStatus]) -> RouteStatus:
        supervisor = self._supervisor
        throttle = supervisor.lanes.throttles[route.source] if supervisor else None
        return RouteStatus(
            source=route.source,
            destination=route.destination,
            dead_letter=route.dead_letter,
            chain=route.chain,
            fingerprint=self._chains[route.source].chain.fingerprint,
            delivery=route.delivery,
            paused=supervisor is not None and route.source in supervisor.lanes.paused,
            records_per_second=throttle.records_per_second if throttle else route.limits.records_per_second,
            bytes_per_second=throttle.bytes_per_second if throttle else None,
            disagreeing=list(self._members.disagreements.get(route.source, ())) if self._members else [],
            lanes=list(lanes),
        )


async def _join(supervisor: Supervisor) -> None:
    try:
        await supervisor.start()
    except BaseException as error:
        await _stop(supervisor)
        if isinstance(error, KafkaError):
            raise unanswered(error, "cannot join the consumer group") from error
        raise


async def _stop(supervisor: Supervisor) -> None:
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await supervisor.stop()
    except TimeoutError:
        log.warning("the lanes did not stop in time, the brokers abort their open transactions", seconds=STOP_SECONDS)
