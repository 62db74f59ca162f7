"""Topics whose values have a frame, on a real broker and a real registry: run, counted, planned, replayed, proved and
redriven; and what happens while the registry does not answer."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.test_apicurio import apicurio
from tests.integration.test_replay import kill_after
from tests.kafka import Record, Topics, produce
from tests.redriving import Orders
from tests.registries.apicurio import Apicurio
from tests.registries.contract import body, json_schema
from tests.registries.fake import FakeRegistry
from tests.replaying import FOREVER, STAMP, refused
from tests.worker_process import running_worker
from worker.dead_letters import SCHEMA
from worker.replay.census.counting import survey
from worker.schemas.registry import Registry
from worker.settings.schemas import RegistrySettings

__all__ = ["apicurio"]

CHAIN = "tests.unit.schemas.test_framed:chain"
UNKNOWN = 1_999_999_999
FRAMED = {"frame": "confluent"}


class Framed(Orders):
    """Orders of version 1 and of version 3, behind frames. ``old``, ``current`` and ``new`` are ids of schemas: of the
    versions in the source, and of the one in the destination."""

    registry: str
    old: int
    current: int
    new: int
    missing = UNKNOWN

    def configure(self, **route: Any) -> None:
        super().configure(**route)
        content = yaml.safe_load(self.config.read_text())
        content["schema_registry"] = {"urls": self.registry, "timeout": 1, "cache": str(self.folder / "schemas")}
        self.config.write_text(yaml.safe_dump(content))

    async def register(self) -> None:
        self.old = await self._number(f"{self.source}-value", "1")
        self.current = await self._number(f"{self.source}-value", "3")
        await self.register_destination()

    async def register_destination(self) -> None:
        """The schema that results name."""
        self.new = await self._number(f"{self.destination}-value", "3")

    async def _number(self, subject: str, version: str) -> int:
        asked = Registry(RegistrySettings(urls=(self.registry,)))
        await asked.register(subject, body(json_schema(**{"x-version": version})))
        return (await asked.version(subject)).number

    def event(self, number: int) -> Record:
        kind, headers = number % 8, [("number", b"%d" % number)]
        values = {
            0: framed(self.current, b'{"amount": %d, "unit": "EUR"}' % number),
            1: framed(self.missing, b'{"amt": %d}' % number),
            2: None,
            3: b'{"amt": %d}' % number,
        }
        value = values.get(kind, framed(self.old, b'{"amt": %d}' % number))
        if kind == 4:
            value, headers = b'{"amt": %d}' % number, [*headers, ("__value_schema_id", framed(self.old, b""))]
        return Record(b"key-%d" % (number % 7), value, headers, STAMP + number, number % self.partitions)


async def make_framed(bootstrap: str, topics: Topics, folder: Path, registry: str, **route: Any) -> Framed:
    for name in ("old", "new", "old-dlt"):
        await topics.create(name, partitions=2, configs=FOREVER)
    source, destination, dead_letter, group = map(topics.name, ("old", "new", "old-dlt", "group"))
    made = Framed(bootstrap, source, destination, dead_letter, group, folder, 2)
    made.registry = registry
    rules = {"version": [{"schema": {"field": "x-version"}}], "reads": FRAMED, "writes": FRAMED}
    made.configure(chain=CHAIN, event_type="order", breaker={"rate": 1.0, "count": 0}, **{**rules, **route})
    await made.register()
    return made


@pytest.fixture
async def orders(kafka_bootstrap: str, topics: Topics, tmp_path: Path, apicurio: Apicurio) -> Framed:
    return await make_framed(kafka_bootstrap, topics, tmp_path, apicurio.url)


def framed(number: int, value: bytes) -> bytes:
    return b"\0" + number.to_bytes(4, "big") + value


def of(record: Record) -> int:
    return int(dict(record.headers)["number"])


def as_it_should_be(orders: Framed, number: int) -> bytes | None:
    """What the destination has of an event."""
    kind = number % 8
    if kind == 2:
        return None
    if kind == 0:
        return framed(orders.new, b'{"amount": %d, "unit": "EUR"}' % number)
    return framed(orders.new, b'{"amount":%d,"unit":"EUR"}' % number)


async def outputs_are_right(orders: Framed, count: int, *, missing: bool = False) -> None:
    written = await orders.outputs()
    wanted = [number for number in range(count) if number % 8 != 3 and (missing or number % 8 != 1)]
    assert sorted(map(of, written)) == wanted
    for each in written:
        assert each.value == as_it_should_be(orders, of(each)), of(each)
        assert "__value_schema_id" not in dict(each.headers)


async def test_a_worker_takes_frames_off_and_puts_others_on(orders: Framed) -> None:
    await orders.fill(160)
    async with running_worker(orders.config) as worker:
        await worker.until("/readyz", 200)
        await worker.caught_up(160)
        assert await worker.metric("upcaster_records_upcast_total") == 100
        assert await worker.metric("upcaster_records_passed_total") == 20
        assert await worker.metric("upcaster_records_dead_lettered_total", error_type="UnknownSchema") == 20
        assert await worker.metric("upcaster_records_dead_lettered_total", error_type="NotFramed") == 20
    await outputs_are_right(orders, 160)
    letters = {of(each): each for each in await orders.dead()}
    assert letters[1].value == orders.event(1).value, "as it came, with its frame"
    assert dict(letters[1].headers)[SCHEMA] == b"%d" % UNKNOWN
    assert SCHEMA not in dict(letters[3].headers)


@pytest.mark.long
async def test_census_plan_replay_killed_and_resumed_and_proof(orders: Framed) -> None:
    await orders.fill(1600)
    settings, given = orders.given
    found = await survey(settings, given, "earliest", "now", lambda _done, _total: None)
    kinds = {(kind.version, kind.problem, kind.schema): line.seen.records for kind, line in found.census.lines.items()}
    source = f"{orders.source}-value"
    assert kinds == {
        ("1", "", f"{orders.old} ({source} version 1)"): 800,
        ("3", "", f"{orders.current} ({source} version 2)"): 200,
        ("", "decode UnknownSchema", f"{UNKNOWN}"): 200,
        ("", "decode NotFramed", ""): 200,
        ("", "tombstone", ""): 200,
    }
    planned = await orders.make_plan()
    assert (planned.counts.upcast, planned.counts.passed, planned.counts.dead_lettered) == (1000, 200, 400)
    assert planned.loss.compared > 0
    assert not planned.loss.lost
    tried = await orders.upcast("try", "--at", "0:2")
    assert (tried.code, '+  "amount": 4,' in tried.out) == (0, True), tried
    unframed = await orders.upcast("try", "--at", "1:1")
    assert (unframed.code, "does not begin with the zero byte of a frame" in unframed.errors) == (2, True), unframed
    await kill_after(orders, 300)
    await kill_after(orders, 600)
    receipt = await orders.replay()
    await outputs_are_right(orders, 1600)
    assert sum(each.counts.produced for each in receipt.partitions) == 1200
    verdict = await orders.verify()
    assert (verdict.findings.result, verdict.findings.lines()) == ("PASS", [])
    await a_changed_byte_is_seen(orders)


async def a_changed_byte_is_seen(orders: Framed) -> None:
    """The proof compares frames, too: the same values behind another id are found."""
    written = await orders.outputs()
    wrong = [each for each in written if each.value][5]
    spoiled = Record(
        wrong.key, framed(orders.old, (wrong.value or b"")[5:]), wrong.headers, wrong.timestamp, wrong.partition
    )
    await produce(orders.bootstrap, orders.destination, [spoiled])
    assert (await orders.verify()).findings.result == "FAIL"


async def test_check_asks_the_registry_too(orders: Framed) -> None:
    found = await orders.upcast("check", "--broker")
    assert (found.code, f"ok: schemas of {orders.destination}" in found.out.splitlines()) == (0, True), found
    orders.configure(writes={**FRAMED, "subject": "record"})
    found = await orders.upcast("check", "--broker")
    assert (found.code, "order: the schema registry has no such subject" in found.out) == (1, True), found


async def test_a_target_whose_schema_is_another_one_by_now_needs_a_new_plan(orders: Framed) -> None:
    await orders.fill(80)
    await orders.make_plan()
    asked = Registry(RegistrySettings(urls=(orders.registry,)))
    await asked.register(f"{orders.destination}-value", body(json_schema(title="newer")))
    await refused(orders, "changed: setting schemas that results are written by")


async def test_letters_are_shown_and_redriven_when_their_schema_was_registered(
    kafka_bootstrap: str, topics: Topics, tmp_path: Path
) -> None:
    """A registry never gives out an id by wish, so here it is the one in this process."""
    with FakeRegistry() as fake:
        orders = await make_framed(kafka_bootstrap, topics, tmp_path, fake.url)
        orders.missing = orders.new + 1
        await orders.fill(80)
        await orders.make_plan()
        await orders.replay()
        place = next(each for each in await orders.dead() if of(each) == 1)
        shown = await orders.upcast("dlq", "show", f"{place.partition}:{place.offset}")
        assert f"schema:      {orders.missing}" in shown.out.splitlines()
        assert "UnknownSchema" in shown.out

        again = await orders.redrive()
        assert sum(each.counts.produced for each in again.partitions) == 0, "it is unknown still"

        assert fake.register(f"{orders.source}-value", {"x-version": "1", "late": True}) == orders.missing
        place = next(each for each in await orders.dead() if of(each) == 1)
        shown = await orders.upcast("dlq", "show", f"{place.partition}:{place.offset}")
        assert 'value:       {"amt": 1}' in shown.out.splitlines()
        assert '+  "amount": 1,' in shown.out
        receipt = await orders.redrive()
        assert sum(each.counts.produced for each in receipt.partitions) == 10
        await outputs_are_right(orders, 80, missing=True)
        assert (await orders.verify_redrive()).findings.lines() == []


async def test_while_the_registry_does_not_answer_lanes_wait_and_nothing_is_buried(
    orders: Framed, apicurio: Apicurio
) -> None:
    """A worker with no cache, so that it has to ask; the registry is frozen, as a long pause of its machine would."""
    content = yaml.safe_load(orders.config.read_text())
    del content["schema_registry"]["cache"]
    orders.config.write_text(yaml.safe_dump(content))
    good = [number for number in range(160) if number % 8 not in {1, 3}]
    async with running_worker(orders.config) as worker:
        await worker.until("/readyz", 200)
        with frozen(apicurio):
            await produce(orders.bootstrap, orders.source, [orders.event(number) for number in good])
            told = await worker.until("/readyz", 503)
            while "does not answer" not in json.dumps(told):
                told = await worker.until("/readyz", 503)
            assert "schema registry: 127.0.0.1" in json.dumps(told)
            assert await worker.metric("upcaster_records_consumed_total") == 0
        await worker.caught_up(len(good))
        await worker.until("/readyz", 200)
        assert await worker.metric("upcaster_records_dead_lettered_total") == 0
        with frozen(apicurio):
            more = [number for number in range(160, 320) if number % 8 not in {1, 3}]
            await produce(orders.bootstrap, orders.source, [orders.event(number) for number in more])
            await worker.caught_up(len(good) + len(more))
            await worker.until("/readyz", 200)
    written = await orders.outputs()
    assert sorted(map(of, written)) == [*good, *more]
    assert [each for each in written if each.value != as_it_should_be(orders, of(each))] == []
    assert await orders.dead() == []


async def test_a_start_waits_for_the_registry_and_says_so(orders: Framed, apicurio: Apicurio) -> None:
    await orders.fill(16)
    async with running_worker(orders.config) as worker:
        await worker.until("/livez", 200)
        await worker.caught_up(16)
    with frozen(apicurio):
        async with running_worker(orders.config) as worker:
            told = await worker.until("/readyz", 503)
            while "does not answer" not in json.dumps(told):
                told = await worker.until("/readyz", 503)
            assert "waiting for the schema registry" in json.dumps(told)
            os.kill(pid_of(apicurio), signal.SIGCONT)
            await worker.until("/readyz", 200)


def pid_of(registry: Apicurio) -> int:
    assert registry._process is not None
    return registry._process.pid


class frozen:  # noqa: N801  (reads as a statement)
    """The registry keeps what it has and answers nothing."""

    def __init__(self, registry: Apicurio) -> None:
        self._pid = pid_of(registry)

    def __enter__(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGCONT)
