"""Watches the group for members that use another chain or destination for the same source.

The output of a record then depends on who owns its partition. That is normal while a new version is rolled out; a
member that differs for longer was forgotten, or has another configuration.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

import structlog
from aiokafka.errors import KafkaError

from worker.kafka.clients import KafkaClients, started
from worker.kafka.members import GroupMember, SourceUse, members_of
from worker.times import utc

log = structlog.get_logger(__name__)

SECONDS = 30.0
"""Seconds between two checks."""
ROLLING = 600.0
"""Seconds that a rolling update may take before a difference is reported: some minutes a Pod, with its drain."""
ANSWER = 10.0

Count = Callable[[str, int], None]
"""Called with a source, and the number of members that use another chain or destination for it."""


def differing(ours: Mapping[str, SourceUse], members: Iterable[GroupMember]) -> dict[str, list[str]]:
    """By source: a line for each member that uses another chain or destination. Members of older versions say nothing
    and are left out."""
    found = defaultdict[str, list[str]](list)
    for member in sorted(members, key=lambda each: each.name):
        for source, way in ours.items():
            theirs = member.uses.get(source)
            if theirs is not None and theirs != way:
                found[source].append(_told(member.name, way, theirs))
    return dict(found)


def _told(name: str, ours: SourceUse, theirs: SourceUse) -> str:
    if theirs.destination != ours.destination:
        return f"{name} writes to {theirs.destination}"
    return f"{name} has chain {theirs.chain}"


class MemberWatch:
    """``disagreements`` has, by source, a line for each member that has differed for longer than a rolling update
    takes."""

    def __init__(
        self,
        clients: KafkaClients,
        ours: Mapping[str, SourceUse],
        count: Count,
        clock: Callable[[], float] = time.time,
        rolling: float = ROLLING,
    ) -> None:
        self.disagreements: Mapping[str, list[str]] = {}
        self._clients = clients
        self._ours = ours
        self._count = count
        self._clock = clock
        self._rolling = rolling
        self._since: dict[str, float] = {}

    async def run(self, seconds: float = SECONDS) -> None:
        """Check until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            try:
                self.note(await self._ask())
            except (KafkaError, TimeoutError, OSError) as error:
                log.debug("the members of the group could not be listed", error=type(error).__name__)

    async def _ask(self) -> list[GroupMember]:
        async with asyncio.timeout(ANSWER), started(self._clients.admin()) as admin:
            return await members_of(admin, self._clients.kafka.group_id)

    def note(self, members: Iterable[GroupMember]) -> None:
        """Note the group's members as of now. During a rebalance they say nothing, and nothing changes."""
        found = list(members)
        if any(member.topics is None for member in found):
            return
        now, others = self._clock(), differing(self._ours, found)
        self._since = {source: self._since.get(source, now) for source in others}
        told = {source: each for source, each in others.items() if now - self._since[source] >= self._rolling}
        for source in self._ours:
            self._count(source, len(others.get(source, ())))
        for source in told.keys() - self.disagreements.keys():
            self._tell(source, told[source])
        self.disagreements = told

    def _tell(self, source: str, others: list[str]) -> None:
        log.warning(
            "members of the group use another chain or destination",
            topic=source,
            chain=self._ours[source].chain,
            destination=self._ours[source].destination,
            others=others,
            since=utc(self._since[source]),
            fix="start all workers of the group with the same release and configuration",
        )
