"""What may pass is asked again: a cluster that has just started has no coordinators yet."""

from __future__ import annotations

from typing import Any, cast

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, GroupCoordinatorNotAvailableError, KafkaError

from worker.errors import WorkerError
from worker.kafka.clients import KafkaClients
from worker.replay.topics import groups_of, refuse_hidden


class Starting:
    """An admin client whose brokers answer with ``error`` twice, then as they should."""

    def __init__(self, error: type[KafkaError]) -> None:
        self._errors = [error, error]
        self.asked = 0

    def admin(self) -> Starting:
        return self

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def find_coordinator(self, _group: str) -> int:
        self.asked += 1
        if self._errors:
            raise self._errors.pop()
        return 1

    async def list_consumer_groups(self) -> list[Any]:
        return [("g", "consumer") for _ in range(await self.find_coordinator(""))]


async def test_what_may_pass_is_asked_again() -> None:
    brokers = Starting(GroupCoordinatorNotAvailableError)
    assert await groups_of(cast("KafkaClients", brokers)) == ["g"]
    assert brokers.asked == 3
    await refuse_hidden(cast("KafkaClients", Starting(GroupCoordinatorNotAvailableError)), "g-replay-")


async def test_what_does_not_pass_is_reported_at_once() -> None:
    brokers = Starting(GroupAuthorizationFailedError)
    with pytest.raises(WorkerError, match="g-replay-: the brokers deny access to the group: grant Read on all groups"):
        await refuse_hidden(cast("KafkaClients", brokers), "g-replay-")
    assert brokers.asked == 1
