"""Null values that a chain makes on purpose, on a real broker: run, counted, replayed with a proof, and refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kafka import Record, Topics
from tests.redriving import Orders
from tests.replaying import FOREVER, STAMP
from tests.worker_process import running_worker

DELETED, KEYLESS = b'{"op":"d","after":null}', 11


class Changes(Orders):
    """Every third change deletes a row, every fifth is a null value already, and one that deletes has no key."""

    def event(self, number: int) -> Record:
        value = None if number % 5 == 4 else DELETED if number % 3 == 2 else b'{"op":"u","after":{"n":%d}}' % number
        key = None if number == KEYLESS else b"key-%d" % (number % 7)
        return Record(key, value, [("number", b"%d" % number)], STAMP + number, number % self.partitions)

    @property
    def values(self) -> dict[int, bytes | None]:
        """What is to come out of the first thirty, by number."""
        sent = {number: self.event(number).value for number in range(30) if number != KEYLESS}
        renamed = {number: value and value.replace(b"after", b"row") for number, value in sent.items()}
        return {number: None if sent[number] == DELETED else value for number, value in renamed.items()}

    async def written(self) -> dict[int, bytes | None]:
        return {int(dict(each.headers)["number"]): each.value for each in await self.outputs()}


TOMBSTONES = sum(number % 3 == 2 and number % 5 != 4 for number in range(30)) - 1


@pytest.fixture
async def changes(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> Changes:
    await topics.create("old", partitions=2, configs=FOREVER)
    await topics.create("kept", partitions=2, configs=FOREVER)
    await topics.create("new", partitions=2, configs={"cleanup.policy": "compact"})
    await topics.create("old-dlt", partitions=2, configs=FOREVER)
    source, destination, dead_letter, group = map(topics.name, ("old", "new", "old-dlt", "group"))
    made = Changes(kafka_bootstrap, source, destination, dead_letter, group, tmp_path, 2)
    made.configure(chain="tests.example_chains.changes:chain", event_type="change", breaker={"rate": 1.0})
    await made.fill(30)
    return made


async def test_a_route_makes_them_and_the_metric_counts_them(changes: Changes) -> None:
    async with running_worker(changes.config) as worker:
        await worker.caught_up(30)
        assert await worker.metric("upcaster_records_tombstones_total", topic=changes.source) == TOMBSTONES
        assert await worker.metric("upcaster_records_dead_lettered_total", error_type="MissingField") == 1
        assert await worker.stop() == 0
    assert await changes.written() == changes.values
    (letter,) = await changes.dead()
    assert letter.value == DELETED


async def test_a_replay_counts_and_proves_them(changes: Changes) -> None:
    plan = await changes.make_plan()
    assert (plan.counts.tombstones, plan.counts.dead_lettered) == (TOMBSTONES, 1)
    receipt = await changes.replay()
    assert sum(each.counts.tombstones for each in receipt.partitions) == TOMBSTONES
    assert await changes.written() == changes.values
    verdict = await changes.verify()
    assert (verdict.findings.result, verdict.findings.lines()) == ("PASS", [])
    assert {group.records for group in (await changes.letters()).values()} == {1}


async def test_no_worker_starts_where_nothing_would_delete_them(changes: Changes, topics: Topics) -> None:
    changes.configure(**changes.route | {"destination": topics.name("kept")})
    async with running_worker(changes.config) as worker:
        assert await worker.wait() != 0
    assert "is not compacted, and the chain makes tombstones" in "\n".join(worker.errors)
