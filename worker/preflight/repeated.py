"""Repeats the checks of the start while the worker runs: topics change, and while a lane waits its records may become
older than the destination's retention."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from worker.errors import WorkerError
from worker.kafka.clients import KafkaClients
from worker.kafka.refusals import in_words
from worker.preflight.asking import ask_brokers
from worker.preflight.facts import ChainTraits
from worker.preflight.judge import judge, of_severity
from worker.settings import Settings

log = structlog.get_logger(__name__)

SECONDS = 600.0


class RepeatedChecks:
    """``refusals`` are the reasons for which a start would now be refused; running lanes go on."""

    def __init__(
        self,
        clients: KafkaClients,
        settings: Settings,
        traits: Mapping[str, ChainTraits],
        starts: Mapping[TopicPartition, int],
        seconds: float = SECONDS,
    ) -> None:
        self.refusals: list[str] = []
        self._clients = clients
        self._settings = settings
        self._traits = traits
        self._starts = starts
        self._seconds = seconds

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self._ask()
            except (WorkerError, KafkaError, TimeoutError, OSError) as error:
                log.warning("the topics could not be checked", reason=in_words(error))

    async def _ask(self) -> None:
        facts = await ask_brokers(self._clients, self._settings, starts=self._starts)
        found = of_severity(judge(facts, self._settings, self._traits), "refuse")
        for finding in found:
            log.error("preflight", topic=finding.topic, found=finding.found, fix=finding.fix, code=finding.code)
        self.refusals = [str(finding) for finding in found]
