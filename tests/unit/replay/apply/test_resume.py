"""Where a replay goes on: Kafka counts, the ledger stands in, and contradictions are told."""

from __future__ import annotations

import pytest

from upcasters.event import Event
from worker.errors import WorkerError
from worker.replay.apply.account import PartitionAccount
from worker.replay.apply.resume import ReplayPartition, resume
from worker.replay.plan.file import PlannedRange
from worker.replay.topics import Reached

PLACE = ReplayPartition(
    "0123456789ab", "group-replay-0123456789ab", "old", PlannedRange(partition=2, start=100, end=200)
)


def at(offset: int, replay_id: str = "0123456789ab") -> Reached:
    return Reached(offset, account_at(offset, replay_id).note)


def account_at(offset: int, replay_id: str = "0123456789ab") -> PartitionAccount:
    account = PartitionAccount(replay_id)
    account.read([Event(b"v", offset=each) for each in range(100, offset)])
    return account


def test_nothing_known_is_the_beginning() -> None:
    assert (resume(PLACE, None, None).offset, resume(PLACE, None, None).account) == (100, None)


@pytest.mark.parametrize(
    ("kafka", "ledger", "offset"),
    [
        (at(150), None, 150),
        (at(150), at(150), 150),
        (at(150), at(120), 150),
        (at(150), Reached(150, resume(PLACE, at(150), None).account.note), 150),  # type: ignore[union-attr]  # the test fails where it is another
        (None, at(120), 120),
        (at(200), at(200), 200),
        (at(100), None, 100),
    ],
)
def test_kafka_counts_where_it_is_there(kafka: Reached | None, ledger: Reached | None, offset: int) -> None:
    found = resume(PLACE, kafka, ledger)
    assert found.offset == offset
    assert found.account is not None
    assert found.account.source.text == account_at(offset).source.text
    assert found.account.stretches == ([offset] if 100 < offset < 200 else [])


@pytest.mark.parametrize(
    ("kafka", "ledger", "told"),
    [
        (at(150), at(151), "the ledger says that the replay is done up to offset 151, Kafka's group"),
        (at(150), Reached(150, at(149).note), "have different digests up to offset 150"),
        (at(150), Reached(150, resume(PLACE, at(149), None).account.note), "have different digests"),  # type: ignore[union-attr]  # the test fails where it is another
        (Reached(150, ""), None, "is at offset 150 without the account of replay 0123456789ab"),
        (at(150, "another-one!"), None, "without the account of replay"),
        (Reached(99, at(150).note), None, "is at offset 99, outside of the plan's 100 to 200"),
        (Reached(201, at(150).note), None, "is at offset 201, outside"),
        (None, Reached(201, at(150).note), "the ledger is at offset 201, outside"),
    ],
)
def test_contradictions_are_reported(kafka: Reached | None, ledger: Reached | None, told: str) -> None:
    with pytest.raises(WorkerError, match="old partition 2: ") as raised:
        resume(PLACE, kafka, ledger)
    assert told in str(raised.value)
