"""A topic in Protobuf, whose schemas import others, on a real broker and a real registry: counted, planned, replayed
through a kill, proved and redriven; and live while the registry does not answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_apicurio import apicurio
from tests.integration.test_avro_values import AvroOrders
from tests.integration.test_framed_values import framed, frozen, of
from tests.integration.test_replay import kill_after
from tests.kafka import Record, Topics, produce
from tests.registries.apicurio import Apicurio
from tests.replaying import FOREVER, STAMP
from tests.unit.schemas.test_protobuf_values import HERE, NEW, OLD, ONE, PART_TEXT, PROTOBUF, SECOND, TWO
from tests.worker_process import running_worker
from worker.replay.census.counting import survey
from worker.schemas.registry import Registry
from worker.settings.schemas import RegistrySettings

__all__ = ["apicurio"]

KINDS = 4
LATE, HOSTILE, CURRENT = 1, 2, 3
COUNT = 240


class ProtobufOrders(AvroOrders):
    """Orders of two versions. One in four names an id that nobody has registered, and one ends too early."""

    async def ask(self, subject: str, text: str, *, with_part: bool = True) -> int:
        asked = Registry(RegistrySettings(urls=(self.registry,)))
        part = {"name": "shop/part.proto", "subject": "shop/part.proto", "version": 1}
        body = {"schemaType": "PROTOBUF", "schema": text, "references": [part] if with_part else []}
        await asked.register(subject, body)
        return (await asked.version(subject)).number

    async def register_all(self) -> None:
        await self.ask("shop/part.proto", PART_TEXT, with_part=False)
        # Schemas of its own: the registry knows those of the other tests, and would give the same ids.
        own = f"message Own_{self.source.replace('-', '_')} {{}}"
        self.ids = {1: await self.ask(f"{self.source}-value", f"{OLD}\n{own}\n")}
        self.new = await self.ask(f"{self.destination}-value", f"{NEW}\n{own}\n")
        self.late = self.new + 1

    def message(self, number: int) -> Any:
        return ONE(id=f"o-{number}", price=f"{number}.5", part={"name": "wheel"})

    def current(self, number: int) -> Any:
        currency = "USD" if number % KINDS == CURRENT else "EUR"
        return TWO(id=f"o-{number}", total=number + 0.5, part={"name": "wheel"}, currency=currency)

    def value(self, number: int) -> bytes | None:
        old = self.message(number).SerializeToString()
        match number % KINDS:
            case 1:
                return framed(self.late, SECOND + old)
            case 2:
                return framed(self.ids[1], SECOND + old[:-1])
            case 3:
                return framed(self.new, b"\x00" + self.current(number).SerializeToString())
            case _:
                return framed(self.ids[1], SECOND + old)

    def event(self, number: int) -> Record:
        headers = [("number", b"%d" % number)]
        return Record(b"key-%d" % (number % 7), self.value(number), headers, STAMP + number, number % self.partitions)

    async def outputs_are_right(self, numbers: list[int]) -> None:
        written = await self.outputs()
        assert sorted(map(of, written)) == numbers
        for each in written:
            value = each.value or b""
            assert value.startswith(framed(self.new, b"\x00"))
            assert TWO.FromString(value[6:]) == self.current(of(each))


@pytest.fixture
async def orders(kafka_bootstrap: str, topics: Topics, tmp_path: Path, apicurio: Apicurio) -> ProtobufOrders:
    for name in ("old", "new", "old-dlt"):
        await topics.create(name, partitions=2, configs=FOREVER)
    source, destination, dead_letter, group = map(topics.name, ("old", "new", "old-dlt", "group"))
    made = ProtobufOrders(kafka_bootstrap, source, destination, dead_letter, group, tmp_path, 2)
    made.registry = apicurio.url
    made.configure(
        chain=HERE,
        event_type="order",
        version="shape",
        breaker={"rate": 1.0, "count": 0},
        reads=PROTOBUF,
        writes=PROTOBUF,
    )
    await made.register_all()
    return made


def numbers(*kinds: int) -> list[int]:
    return [number for number in range(COUNT) if number % KINDS in kinds]


@pytest.mark.long
async def test_a_topic_is_counted_planned_replayed_through_a_kill_proved_and_redriven(orders: ProtobufOrders) -> None:
    await orders.fill(COUNT)
    settings, given = orders.given
    found = await survey(settings, given, "earliest", "now", lambda _done, _total: None)
    kinds = {(kind.version, kind.problem, kind.schema): line.seen.records for kind, line in found.census.lines.items()}
    each = COUNT // KINDS
    assert kinds[("1", "", f"{orders.ids[1]} ({orders.source}-value version 1)")] == 2 * each
    assert kinds[("", "decode UnknownSchema", f"{orders.late}")] == each
    planned = await orders.make_plan()
    assert (planned.counts.upcast, planned.counts.passed, planned.counts.dead_lettered) == (each, each, 2 * each)
    assert not planned.loss.lost
    assert planned.determinism.different == 0
    tried = await orders.upcast("try", "--at", "0:0")
    assert (tried.code, '-  "price": "0.5"' in tried.out, '+  "total": 0.5' in tried.out) == (0, True, True), tried
    await kill_after(orders, 60)
    await orders.replay()
    await orders.outputs_are_right(numbers(0, CURRENT))
    verdict = await orders.verify()
    assert (verdict.findings.result, verdict.findings.lines()) == ("PASS", [])

    letters = {of(letter): letter for letter in await orders.dead()}
    assert sorted(letters) == numbers(LATE, HOSTILE)
    assert letters[HOSTILE].value == orders.value(HOSTILE), "as it came, with its frame"
    assert await orders.ask(f"{orders.source}-value", f"{OLD} message Late {{}}") == orders.late
    letter = next(each for each in await orders.dead() if of(each) == LATE)
    shown = await orders.upcast("dlq", "show", f"{letter.partition}:{letter.offset}")
    assert '"price":"1.5"' in shown.out
    await orders.redrive()
    await orders.outputs_are_right(numbers(0, CURRENT, LATE))
    assert (await orders.verify_redrive()).findings.lines() == []


@pytest.mark.long
async def test_lanes_wait_while_the_registry_is_frozen_and_go_on_by_themselves(
    orders: ProtobufOrders, apicurio: Apicurio
) -> None:
    """The worker has seen one schema when the registry stops, and needs another one, with what that imports."""
    orders.configure(cache=False)
    seen, unseen = numbers(CURRENT), numbers(0)
    async with running_worker(orders.config) as worker:
        await produce(orders.bootstrap, orders.source, [orders.event(number) for number in seen])
        await worker.caught_up(len(seen))
        with frozen(apicurio):
            await produce(orders.bootstrap, orders.source, [orders.event(number) for number in unseen])
            told = await worker.until("/readyz", 503)
            while "does not answer" not in json.dumps(told):
                told = await worker.until("/readyz", 503)
            assert await worker.metric("upcaster_records_consumed_total") == len(seen)
        await worker.caught_up(len(seen) + len(unseen))
        await worker.until("/readyz", 200)
    await orders.outputs_are_right(sorted([*seen, *unseen]))
    assert await orders.dead() == []
