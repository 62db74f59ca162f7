"""Topics in Avro on a real broker and a real registry: read by the schema of each record, written by that of the newest
version; counted, planned, replayed, proved and redriven; while the registry is frozen; and JSON that becomes Avro."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.test_apicurio import apicurio
from tests.integration.test_framed_values import framed, frozen, of
from tests.integration.test_replay import kill_after
from tests.kafka import Record, Topics, produce
from tests.redriving import Orders
from tests.registries.apicurio import Apicurio
from tests.replaying import FOREVER, STAMP
from tests.unit.schemas.test_by_schema import AVRO, HERE, ONE, THREE, TWO, avro, of_avro
from tests.worker_process import running_worker
from worker.dead_letters import SCHEMA
from worker.replay.census.counting import survey
from worker.schemas.registry import Registry
from worker.settings.schemas import RegistrySettings

__all__ = ["apicurio"]

KINDS = 8
GOOD = {0, 2, 4, 5, 6, 7}
LATE = 1
HOSTILE = 3


class AvroOrders(Orders):
    """Orders of three versions, each by a schema of its own. One in eight names an id that nobody has registered, and
    one is not what its schema says."""

    registry: str
    written: list[dict[str, Any]]
    ids: dict[int, int]
    new: int
    late: int

    def configure(self, *, cache: bool = True, **route: Any) -> None:
        super().configure(**route)
        content = yaml.safe_load(self.config.read_text())
        content["schema_registry"] = {"urls": self.registry, "timeout": 1}
        if cache:
            content["schema_registry"]["cache"] = str(self.folder / "schemas")
        self.config.write_text(yaml.safe_dump(content))

    async def register(self, subject: str, schema: dict[str, Any]) -> int:
        asked = Registry(RegistrySettings(urls=(self.registry,)))
        await asked.register(subject, {"schemaType": "AVRO", "schema": json.dumps(schema)})
        return (await asked.version(subject)).number

    async def register_all(self) -> None:
        """Each test has ids of its own: a registry gives one schema one id."""
        named = [{**schema, "doc": self.source} for schema in (ONE, TWO, THREE)]
        self.ids = {place: await self.register(f"{self.source}-value", each) for place, each in enumerate(named, 1)}
        await self.register_destination()
        self.late = self.new + 1

    async def register_destination(self) -> None:
        """The schema by which results are written."""
        self.new = await self.register(f"{self.destination}-value", {**THREE, "doc": self.destination})

    def value(self, number: int) -> bytes | None:
        old = avro(ONE, {"id": f"o-{number}", "price": f"{number}.50", "note": None})
        current = {"id": f"o-{number}", "total": Decimal(f"{number}.50"), "note": "n"}
        values = {
            0: framed(self.ids[3], avro(THREE, {**current, "currency": "USD"})),
            LATE: framed(self.late, old),
            2: None,
            HOSTILE: framed(self.ids[1], old[:-1] + b"\xff"),
            4: old,
            5: framed(self.ids[2], avro(TWO, current)),
        }
        return values.get(number % KINDS, framed(self.ids[1], old))

    def event(self, number: int) -> Record:
        headers = [("number", b"%d" % number)]
        if number % KINDS == 4:
            headers.append(("__value_schema_id", framed(self.ids[1], b"")))
        return Record(b"key-%d" % (number % 7), self.value(number), headers, STAMP + number, number % self.partitions)

    def wanted(self, number: int) -> dict[str, Any] | None:
        kind = number % KINDS
        if kind == 2:
            return None
        note, currency = ("n" if kind in {0, 5} else None), ("USD" if kind == 0 else "EUR")
        return {"id": f"o-{number}", "total": Decimal(f"{number}.50"), "note": note, "currency": currency}

    async def outputs_are_right(self, numbers: list[int]) -> None:
        written = await self.outputs()
        assert sorted(map(of, written)) == numbers
        for each in written:
            wanted = self.wanted(of(each))
            if wanted is None:
                assert each.value is None
                continue
            assert (each.value or b"")[:5] == framed(self.new, b"")
            assert of_avro(THREE, (each.value or b"")[5:]) == wanted
            assert "__value_schema_id" not in dict(each.headers)


@pytest.fixture
async def orders(kafka_bootstrap: str, topics: Topics, tmp_path: Path, apicurio: Apicurio) -> AvroOrders:
    for name in ("old", "new", "old-dlt"):
        await topics.create(name, partitions=2, configs=FOREVER)
    source, destination, dead_letter, group = map(topics.name, ("old", "new", "old-dlt", "group"))
    made = AvroOrders(kafka_bootstrap, source, destination, dead_letter, group, tmp_path, 2)
    made.registry = apicurio.url
    made.configure(
        chain=HERE, event_type="order", version="shape", reads=AVRO, writes=AVRO, breaker={"rate": 1.0, "count": 0}
    )
    await made.register_all()
    return made


def numbers(count: int, kinds: set[int]) -> list[int]:
    return [number for number in range(count) if number % KINDS in kinds]


@pytest.mark.long
async def test_a_topic_is_counted_planned_replayed_through_kills_proved_and_redriven(orders: AvroOrders) -> None:
    await orders.fill(800)
    settings, given = orders.given
    found = await survey(settings, given, "earliest", "now", lambda _done, _total: None)
    kinds = {(kind.version, kind.problem, kind.schema): line.seen.records for kind, line in found.census.lines.items()}
    source, ids = f"{orders.source}-value", orders.ids
    assert kinds == {
        ("1", "", f"{ids[1]} ({source} version 1)"): 400,
        ("2", "", f"{ids[2]} ({source} version 2)"): 100,
        ("3", "", f"{ids[3]} ({source} version 3)"): 100,
        ("", "decode UnknownSchema", f"{orders.late}"): 100,
        ("", "tombstone", ""): 100,
    }
    planned = await orders.make_plan()
    assert (planned.counts.upcast, planned.counts.passed, planned.counts.dead_lettered) == (500, 100, 200)
    assert planned.loss.compared > 0
    assert not planned.loss.lost
    assert planned.determinism.different == 0
    tried = await orders.upcast("try", "--at", "0:3")
    assert (tried.code, '-  "price": "6.50"' in tried.out, '+  "total": 6.50,' in tried.out) == (0, True, True), tried
    await kill_after(orders, 150)
    await kill_after(orders, 300)
    receipt = await orders.replay()
    assert sum(each.counts.produced for each in receipt.partitions) == 600
    await orders.outputs_are_right(numbers(800, GOOD))
    verdict = await orders.verify()
    assert (verdict.findings.result, verdict.findings.lines()) == ("PASS", [])

    await late_letters_are_redriven(orders)


async def late_letters_are_redriven(
    orders: AvroOrders, history: range = range(800), before: Sequence[int] = ()
) -> None:
    """``history`` holds events of all kinds; ``before`` are good ones that are in the destination, too."""

    def those(kinds: set[int]) -> list[int]:
        return [number for number in history if number % KINDS in kinds]

    letters = {of(each): each for each in await orders.dead()}
    assert sorted(letters) == those({LATE, HOSTILE})
    first = those({LATE})[0]
    assert letters[first].value == orders.value(first), "as it came, with its frame"
    assert dict(letters[first].headers)[SCHEMA] == b"%d" % orders.late
    shown = await orders.upcast("dlq", "show", f"{letters[first].partition}:{letters[first].offset}")
    assert "UnknownSchema" in shown.out
    again = await orders.redrive()
    assert sum(each.counts.produced for each in again.partitions) == 0, "it is unknown still"

    assert await orders.register(f"{orders.source}-value", {**ONE, "namespace": "late"}) == orders.late
    letter = next(each for each in await orders.dead() if of(each) == first)
    shown = await orders.upcast("dlq", "show", f"{letter.partition}:{letter.offset}")
    assert f'"price":"{first}.50"' in shown.out
    assert f'+  "total": {first}.50,' in shown.out
    redriven = await orders.redrive()
    assert sum(each.counts.produced for each in redriven.partitions) == len(those({LATE}))
    await orders.outputs_are_right(sorted([*before, *those(GOOD | {LATE})]))
    assert (await orders.verify_redrive()).findings.lines() == []


@pytest.mark.long
async def test_lanes_wait_while_the_registry_is_frozen_and_go_on_by_themselves(
    orders: AvroOrders, apicurio: Apicurio
) -> None:
    orders.configure(cache=False)
    good = numbers(160, GOOD)
    async with running_worker(orders.config) as worker:
        await worker.until("/readyz", 200)
        with frozen(apicurio):
            await produce(orders.bootstrap, orders.source, [orders.event(number) for number in good])
            told = await worker.until("/readyz", 503)
            while "does not answer" not in json.dumps(told):
                told = await worker.until("/readyz", 503)
            assert await worker.metric("upcaster_records_consumed_total") == 0
        await worker.caught_up(len(good))
        await worker.until("/readyz", 200)
    await orders.outputs_are_right(good)
    assert await orders.dead() == []


@pytest.mark.long
async def test_a_topic_in_json_becomes_avro_by_a_schema_that_the_start_registers(
    orders: AvroOrders, tmp_path: Path
) -> None:
    file = tmp_path / "order-3.avsc"
    file.write_text(json.dumps({**THREE, "doc": f"of {orders.destination}"}))
    orders.configure(reads={"frame": "none"}, writes={**AVRO, "schemas": {"3": str(file)}, "register": True})
    values = [b'{"id":"o-%d","price":"%d.50","note":null}' % (number, number) for number in range(40)]
    values[7] = b'{"id":"o-7","price":"7.505","note":null}'
    sent = [Record(b"k", value, [("number", b"%d" % number)], STAMP, number % 2) for number, value in enumerate(values)]
    await produce(orders.bootstrap, orders.source, sent)
    async with running_worker(orders.config) as worker:
        await worker.until("/readyz", 200)
        await worker.caught_up(40)
    orders.new = await orders.register(f"{orders.destination}-value", json.loads(file.read_text()))
    written = {of(each): each.value or b"" for each in await orders.outputs()}
    assert sorted(written) == [number for number in range(40) if number != 7]
    for number, value in written.items():
        assert value[:5] == framed(orders.new, b"")
        assert of_avro(THREE, value[5:])["total"] == Decimal(f"{number}.50")
    (letter,) = await orders.dead()
    assert letter.value == values[7], "three decimals have no place there, and are not rounded"


@pytest.mark.long
async def test_check_says_what_is_missing_and_what_differs(orders: AvroOrders) -> None:
    found = await orders.upcast("check", "--broker")
    assert (found.code, f"ok: schemas of {orders.destination}" in found.out.splitlines()) == (0, True), found
    orders.configure(writes={**AVRO, "subject": "record"})
    found = await orders.upcast("check", "--broker")
    assert (found.code, "order: the schema registry has no such subject" in found.out) == (1, True), found
