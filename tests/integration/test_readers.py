"""Values that are nearly JSON on a real broker: read, split, replayed with a proof, and redriven."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.test_replay import redirect
from tests.kafka import Record, Topics
from tests.redriving import ORDERS, Orders, make_orders
from tests.replaying import STAMP
from worker.replay.census.counting import survey

READERS = ["byte-order-mark", "utf-16", "nan-as-null", "json-text", "array"]


def order(number: int) -> str:
    return json.dumps({"number": number, "amount": "1.5"})


def values(number: int) -> list[bytes]:
    """An order as six producers write it; the last one's array has an order in it that is none."""
    text = order(number)
    return [
        text.encode(),
        b"\xef\xbb\xbf" + text.encode(),
        text.encode("utf-16"),
        json.dumps(text).encode(),
        f"[{text}, {text}, {text}]".encode(),
        f'[{text}, {{"number": {number}, "amount": "none"}}]'.encode(),
    ]


class NearlyJson(Orders):
    """A topic of orders that six producers write, each in its own way."""

    def event(self, number: int) -> Record:
        value = values(number)[number // self.partitions % 6]
        headers = [("number", b"%d" % number)]
        return Record(b"key-%d" % (number % 7), value, headers, STAMP + number, number % self.partitions)

    def expected(self, numbers: range) -> list[tuple[int, str]]:
        """The partition and id of every order that comes out, of those that need a reader or are one."""
        found = []
        for number in numbers:
            partition, offset, kind = number % self.partitions, number // self.partitions, number // self.partitions % 6
            place = f"{self.source}/{partition}/{offset}"
            ids = [f"{place}/{item}" for item in range(3)] if kind == 4 else [] if kind == 5 else [place]
            found += [(partition, each) for each in ids]
        return sorted(found, key=lambda each: each[0])


@pytest.fixture
async def orders(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> NearlyJson:
    made = await make_orders(kafka_bootstrap, topics, tmp_path)
    found = NearlyJson(
        made.bootstrap, made.source, made.destination, made.dead_letter, made.group, made.folder, made.partitions
    )
    found.configure(**made.route | {"chain": f"{ORDERS}:mended"})
    return found


async def ids(orders: NearlyJson) -> list[tuple[int, str]]:
    """In the order of each partition."""
    written = await orders.outputs()
    return sorted(((each.partition, json.loads(each.value or b"")["id"]) for each in written), key=lambda each: each[0])


async def test_a_replay_with_readers_is_proved_part_by_part(orders: NearlyJson, topics: Topics) -> None:
    orders.configure(readers=READERS)
    await orders.fill(120)
    plan = await orders.make_plan()
    assert (plan.counts.read, plan.counts.upcast, plan.counts.dead_lettered, plan.counts.produced) == (
        120,
        100,
        20,
        140,
    )
    assert plan.loss.lost == ()
    receipt = await orders.replay()
    assert sum(each.counts.produced for each in receipt.partitions) == 140
    assert await ids(orders) == orders.expected(range(120))
    assert (await orders.verify()).findings.result == "PASS"

    written = await orders.outputs()
    part = next(place for place, each in enumerate(written) if json.loads(each.value or b"")["id"].endswith("/1"))
    await redirect(orders, topics, receipt, "one-part-less", [*written[:part], *written[part + 1 :]])
    assert any(line.startswith("missing") for line in (await orders.verify()).findings.lines())


async def test_what_no_reader_read_is_redriven_by_one(orders: NearlyJson) -> None:
    await orders.fill(60)
    plan = await orders.make_plan()
    assert (plan.counts.upcast, plan.counts.dead_lettered) == (10, 50)
    assert {each.stage for each in plan.dead_letters} == {"decode"}
    await orders.replay()

    orders.configure(readers=READERS)
    redrive = await orders.plan_redrive("*")
    assert (redrive.counts.upcast, redrive.counts.dead_lettered, redrive.counts.produced) == (40, 10, 60)
    await orders.apply_redrive()
    assert sorted(await ids(orders)) == sorted(orders.expected(range(60)))
    verdict = await orders.verify_redrive()
    assert (verdict.findings.lines(), verdict.dead_letters) == ([], 10)


async def test_a_census_counts_the_events_in_an_array(orders: NearlyJson) -> None:
    orders.configure(readers=READERS)
    await orders.fill(24)
    found = await survey(*orders.given, "earliest", "now", lambda _done, _total: None)
    assert (found.census.records, found.census.events) == (24, 4 * (1 + 1 + 1 + 1 + 3 + 2))
    assert {(kind.event_type, kind.version) for kind in found.census.lines} == {("order", "1")}


async def test_one_record_of_the_topic_is_tried_as_the_route_does_it(orders: NearlyJson) -> None:
    orders.configure(readers=READERS)
    empty = await orders.upcast("try", "--at", "1:0")
    assert (empty.code, "the partition is empty" in empty.errors) == (2, True), empty
    await orders.fill(24)
    done = await orders.upcast("try", "--at", "1:4")
    assert (done.code, "read by array, which makes 3 events of it" in done.out) == (0, True), done
    assert f"{orders.source}/1/4/2" in done.out
    beyond = await orders.upcast("try", "--at", "1:12")
    assert (beyond.code, "the partition holds 0 to 12" in beyond.errors) == (2, True), beyond
    nowhere = await orders.upcast("try", "--at", "2:0")
    assert (nowhere.code, "it has 2 partitions" in nowhere.errors) == (2, True), nowhere
