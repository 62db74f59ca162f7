"""Applying a redrive's plan: a replay whose source is the dead-letter topic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import structlog

from worker.dlq.bounds import RedriveBounds
from worker.dlq.redriver import Redriver
from worker.dlq.selection import selection_of
from worker.dlq.taken import RedriveScope
from worker.lanes.supervisor import Supervisor
from worker.preflight import Backlog, ClusterFacts, ask_brokers
from worker.replay.apply.running import Replay, settings_of_pass
from worker.replay.plan.file import Plan
from worker.replay.plan.fitness import judged
from worker.routes.route import Route
from worker.service import Service
from worker.settings import Settings

log = structlog.get_logger(__name__)


class Redriving(Replay):
    """One process's work on a redrive. The live worker may be at work beside it, so it takes any free port."""

    word = "redrive"
    make_bounds = RedriveBounds

    @staticmethod
    def settings_for(settings: Settings, plan: Plan) -> Settings:
        place = RedriveScope(plan.cluster_id, plan.route.source, plan.topic, settings.kafka.group_id)
        found = settings_of_pass(settings, plan, place.redrives)
        return found.model_copy(update={"http": settings.http.model_copy(update={"port": 0})})

    def _service(self) -> Service:
        """What is read, paused and shown is the dead-letter topic; what is asked about the topics is the route's."""
        lane = self._given.route.model_copy(update={"source": self._plan.topic})
        return Service(
            settings=self._settings.model_copy(update={"routes": (lane,)}),
            chains={self._plan.topic: replace(self._given, route=lane)},
            clients=self._clients,
            make_supervisor=self._supervisor,
            prepare=self._prepare,
            check_topics=self._check_topics,
        )

    async def _check_topics(self) -> ClusterFacts:
        """Nothing is read from the source, which may be gone by now."""
        assert self._plan.redrive is not None  # noqa: S101  (it is a redrive's)
        facts = await ask_brokers(self._clients, self._settings, start_producers=True)
        backlog = Backlog(self._plan.counts.produced, self._plan.redrive.oldest)
        for warning in judged(self._settings, self._given, facts, backlog, but=self._given.route.source):
            log.warning("preflight", found=warning)
        return facts

    def _supervisor(self, routes: Sequence[Route]) -> Supervisor:
        lane = self._route(routes)
        route = replace(lane, source=self._given.route.source)
        selection = selection_of(self._plan)
        return self._new_supervisor(lane, partial(Redriver, route=route, selection=selection))
