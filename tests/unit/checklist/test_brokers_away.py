"""A checklist without brokers says which one does not answer and why, as every other command does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from worker.checklist.events import group_in_step
from worker.checklist.evidence import Facts
from worker.errors import WorkerError
from worker.kafka.clients import KafkaClients
from worker.settings import KafkaSettings


async def test_the_reason_is_that_of_the_connection() -> None:
    clients = KafkaClients(KafkaSettings(bootstrap_servers="127.0.0.1:1", group_id="g"))
    facts = cast("Facts", SimpleNamespace(clients=clients))
    with pytest.raises(WorkerError, match=r"^kafka: no broker at 127\.0\.0\.1:1 \(connection refused\): try again"):
        await group_in_step(facts)
