"""The questions of the start, asked again while the worker runs: topics change under it, and where a lane waits for
days the records before it may become older than a destination keeps them."""

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
    """``refusals`` are what a start would now be refused for; the lanes go on all the same."""

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
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self._ask()
            except (WorkerError, KafkaError, TimeoutError, OSError) as error:
                log.warning("topics could not be checked again", reason=in_words(error))

    async def _ask(self) -> None:
        facts = await ask_brokers(self._clients, self._settings, starts=self._starts)
        found = of_severity(judge(facts, self._settings, self._traits), "refuse")
        for finding in found:
            log.error("preflight", topic=finding.topic, found=finding.found, fix=finding.fix)
        self.refusals = [str(finding) for finding in found]
