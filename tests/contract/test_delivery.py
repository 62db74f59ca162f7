"""One contract for what a lane delivers through: a real broker's transactions, and the fake that unit tests use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import pytest
from aiokafka import TopicPartition

from tests.fakes import broker as fakes
from tests.kafka import Topics, admin_of
from tests.lanes import QUICK, PlainClients, read_settled
from worker.kafka.stable_offsets import committed_by_group
from worker.lanes.delivery import Delivery, ExactlyOnce
from worker.lanes.faults import FENCED
from worker.lanes.outbox import Outbox, OutgoingRecord
from worker.routes.route import OutputTopic


class Setting(Protocol):
    """One partition of a source, one destination, and whoever works on it."""

    destination: OutputTopic

    def delivery(self) -> Delivery: ...

    async def values(self) -> list[bytes | None]:
        """What readers of committed records see in the destination."""

    async def committed(self) -> fakes.Committed | None: ...


class InMemory:
    def __init__(self) -> None:
        self.destination = OutputTopic("destination", 1)
        self._broker = fakes.Broker()
        self._partition = TopicPartition("source", 0)

    def delivery(self) -> Delivery:
        return fakes.Delivery(self._broker, "group:source:0", self._partition)

    async def values(self) -> list[bytes | None]:
        return [record.value for record in self._broker.visible("destination")]

    async def committed(self) -> fakes.Committed | None:
        return self._broker.offsets.get(self._partition)


class OnKafka:
    def __init__(self, bootstrap: str, group: str, source: str, destination: str) -> None:
        self.destination = OutputTopic(destination, 1)
        self._bootstrap = bootstrap
        self._partition = TopicPartition(source, 0)
        self._clients = PlainClients(bootstrap, group)
        self.made: list[Delivery] = []

    def delivery(self) -> Delivery:
        made = ExactlyOnce(self._clients, self._clients.group, self._partition, 900_000, QUICK)
        self.made.append(made)
        return made

    async def values(self) -> list[bytes | None]:
        return [record.value for record in await read_settled(self._bootstrap, self.destination.name)]

    async def committed(self) -> fakes.Committed | None:
        async with admin_of(self._bootstrap) as admin:
            found = await committed_by_group(admin, self._clients.group, [self._partition])
        offset = found.get(self._partition)
        return None if offset is None else fakes.Committed(offset.offset, offset.metadata)


@pytest.fixture
def in_memory() -> Setting:
    return InMemory()


@pytest.fixture
async def on_kafka(kafka_bootstrap: str, topics: Topics) -> AsyncIterator[Setting]:
    names = [await topics.create(name, partitions=1) for name in ("source", "destination")]
    made = OnKafka(kafka_bootstrap, topics.name("group"), *names)
    yield made
    for delivery in made.made:
        await delivery.discard()


@pytest.fixture(params=["in_memory", "on_kafka"])
def setting(request: pytest.FixtureRequest) -> Setting:
    found: Setting = request.getfixturevalue(request.param)
    return found


async def started(setting: Setting) -> Delivery:
    delivery = setting.delivery()
    await delivery.start()
    return delivery


async def write(setting: Setting, delivery: Delivery, *values: bytes) -> Outbox:
    outbox = Outbox(delivery.producer, 0)
    for value in values:
        assert outbox.put(setting.destination, OutgoingRecord(1_000, b"key", value, []))
    await outbox.send_all()
    return outbox


async def test_output_offset_and_note_are_seen_together(setting: Setting) -> None:
    delivery = await started(setting)
    assert await setting.committed() is None
    await delivery.begin()
    await write(setting, delivery, b"one", b"two")
    open_before = delivery.left_open
    await delivery.commit(7, "note")
    assert (open_before, delivery.left_open) == (True, False)
    assert await setting.values() == [b"one", b"two"]
    assert await setting.committed() == fakes.Committed(7, "note")


async def test_one_transaction_follows_the_other(setting: Setting) -> None:
    delivery = await started(setting)
    for number in range(3):
        await delivery.begin()
        outbox = await write(setting, delivery, b"%d" % number)
        await delivery.commit(number + 1)
        last = outbox.last_written[setting.destination.name]
        assert last is not None
        assert last.topic == setting.destination.name
    assert await setting.values() == [b"0", b"1", b"2"]
    assert await setting.committed() == fakes.Committed(3)


async def test_an_offset_is_committed_without_output(setting: Setting) -> None:
    delivery = await started(setting)
    await delivery.begin()
    await delivery.commit(5, "alone")
    assert (await setting.values(), await setting.committed()) == ([], fakes.Committed(5, "alone"))


async def test_what_is_aborted_is_seen_by_nobody(setting: Setting) -> None:
    delivery = await started(setting)
    await delivery.begin()
    await write(setting, delivery, b"wrong")
    await delivery.abort()
    assert not delivery.left_open
    await delivery.begin()
    await write(setting, delivery, b"right")
    await delivery.commit(1)
    assert (await setting.values(), await setting.committed()) == ([b"right"], fakes.Committed(1))


async def test_a_new_producer_fences_the_last_one_and_ends_what_he_left_open(setting: Setting) -> None:
    before = await started(setting)
    await before.begin()
    await write(setting, before, b"never seen")
    after = await started(setting)
    with pytest.raises(FENCED):
        await before.commit(1)
    await before.abort()
    await after.begin()
    await write(setting, after, b"seen")
    await after.commit(1)
    assert (await setting.values(), await setting.committed()) == ([b"seen"], fakes.Committed(1))


async def test_a_producer_that_is_thrown_away_leaves_its_transaction_open_for_the_next(setting: Setting) -> None:
    before = await started(setting)
    await before.begin()
    await write(setting, before, b"never seen")
    await before.discard()
    assert before.left_open
    await started(setting)
    assert (await setting.values(), await setting.committed()) == ([], None)


async def test_clearing_leftovers_moves_no_offset(setting: Setting) -> None:
    delivery = await started(setting)
    await delivery.begin()
    await delivery.commit(4, "note")
    await delivery.clear_leftovers()
    assert await setting.committed() == fakes.Committed(4, "note")
    await delivery.begin()
    await write(setting, delivery, b"next")
    await delivery.commit(5)
    assert (await setting.values(), await setting.committed()) == ([b"next"], fakes.Committed(5))
