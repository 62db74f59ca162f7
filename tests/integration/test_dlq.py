"""Dead letters on a real broker: listed, shown, and redriven exactly once, whatever is killed when."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.integration.test_replay import TAMPERING, of_other_topics
from tests.kafka import Record, Topics, committed_offsets, produce
from tests.redriving import ORDERS, Orders, header, make_orders, number
from tests.replaying import FOREVER, STAMP
from tests.unit.dlq.letters import written
from upcasters.event import Event, Header
from worker.dead_letters import FINGERPRINT
from worker.dlq.letters import read_letter
from worker.errors import WorkerError
from worker.replay.apply.receipt import Receipt, write_receipt


@pytest.fixture
async def orders(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> Orders:
    return await make_orders(kafka_bootstrap, topics, tmp_path)


def with_comma(numbers: range) -> list[int]:
    return [each for each in numbers if each % 5 in {1, 4}]


async def test_letters_come_back_to_their_place_and_the_rest_stays(orders: Orders) -> None:
    foreign = Record(b"k", b"not ours", [("__connect.errors.topic", b"elsewhere")], 5, 0)
    await orders.bury_by_hand(foreign)
    await orders.bury(100)
    before = await orders.dead()
    name = await orders.fingerprint()
    plan = await orders.plan_redrive(name)
    assert (plan.counts.read, plan.counts.upcast, plan.counts.dead_lettered) == (61, 40, 20)
    assert plan.counts.skipped == {"not-ours": 1}
    receipt = await orders.apply_redrive(reason="the comma")
    assert (receipt.reason, sum(each.counts.produced for each in receipt.partitions)) == ("the comma", 40)

    redriven = [each for each in await orders.outputs() if b"upcaster.dlq.offset" in names(each)]
    assert sorted(map(number, redriven)) == with_comma(range(100))
    for each in redriven:
        origin = number(each)
        place = f"{orders.source}/{origin % 2}/{origin // 2}"
        assert json.loads(each.value or b"")["id"] == place
        assert header(each, "upcaster.source.offset") == b"%d" % (origin // 2)
        assert (each.key, each.timestamp, each.partition) == (
            b"key-%d" % (origin % 7),
            orders.event(origin).timestamp,
            origin % 2,
        )
    for partition in (0, 1):
        in_order = [number(each) for each in redriven if each.partition == partition]
        assert in_order == sorted(in_order)

    after = await orders.dead()
    assert [each for each in after if each in before] == before, "what was there is as it was"
    again = [each for each in after if each not in before]
    assert sorted(map(number, again)) == [each for each in range(100) if each % 5 == 3]
    assert {header(each, "upcaster.dlq.redrive.count") for each in again} == {b"1"}
    assert {header(each, "__connect.errors.topic") for each in again} == {orders.source.encode()}
    assert [int(header(each, "__connect.errors.offset")) for each in again] == [number(each) // 2 for each in again]
    await proved(orders, letters=20)


async def proved(orders: Orders, letters: int) -> None:
    verdict = await orders.verify_redrive()
    assert (verdict.findings.lines(), verdict.dead_letters) == ([], letters)


def names(record: Record) -> set[bytes]:
    return {name.encode() for name, _ in record.headers}


async def test_nothing_is_ever_redriven_twice(orders: Orders) -> None:
    await orders.bury(50)
    name = await orders.fingerprint()
    await orders.redrive(name)
    assert len(await orders.outputs()) == 20 + 20
    (group,) = [group for fault, group in (await orders.letters()).items() if fault.fingerprint == name]
    assert (group.records, group.left, group.rounds) == (40, 10, 1)
    for rounds in (5, 1):
        plan = await orders.plan_redrive(name, rounds=rounds)
        assert plan.counts.upcast == 0
    # The ten that failed again are as many as may be tried again.
    for left in (10, 10, 0):
        receipt = await orders.redrive(name, rounds=3)
        assert sum(each.counts.dead_lettered for each in receipt.partitions) == left
    assert len(await orders.outputs()) == 40
    receipt = await orders.redrive("*", rounds=4)
    assert sum(each.counts.dead_lettered for each in receipt.partitions) == 10


async def test_the_ledger_knows_what_kafka_has_forgotten(orders: Orders) -> None:
    await orders.bury(50)
    await orders.redrive(await orders.fingerprint())
    orders.group += "-forgotten"
    orders.configure()
    assert (await orders.plan_redrive("*")).counts.upcast == 0
    (orders.folder / "upcast-ledger.db").unlink()
    assert (await orders.plan_redrive("*")).counts.upcast == 20


async def test_kafka_knows_what_the_ledger_has_lost(orders: Orders) -> None:
    await orders.bury(50)
    await orders.redrive(await orders.fingerprint())
    (orders.folder / "upcast-ledger.db").unlink()
    assert (await orders.plan_redrive("*")).counts.upcast == 0


async def test_of_two_plans_of_the_same_letters_one_is_done(orders: Orders) -> None:
    await orders.bury(50)
    first = await orders.plan_redrive("*")
    whole = orders.redrive_plan.read_text()
    second = await orders.plan_redrive(await orders.fingerprint())
    assert first.replay_id != second.replay_id
    await orders.apply_redrive()
    orders.configure(chain=f"{ORDERS}:broken")
    orders.redrive_plan.write_text(whole)
    with pytest.raises(WorkerError, match="changed: step order:1->2: make a new plan"):
        await orders.apply_redrive()
    orders.configure(chain=f"{ORDERS}:mended")
    with pytest.raises(WorkerError, match="another redrive of this route has run since the plan was made"):
        await orders.apply_redrive()
    assert len(await orders.outputs()) == 40


async def test_a_redrive_goes_on_where_it_was_stopped(orders: Orders) -> None:
    await orders.bury(200)
    plan = await orders.plan_redrive("*")
    stop = asyncio.Event()
    redriving = asyncio.create_task(orders.apply_redrive(stop, records_per_second=100))
    while not sum((await committed_offsets(orders.bootstrap, f"{orders.group}-redrive-{orders.source}")).values()):
        await asyncio.sleep(0.05)
        assert not redriving.done(), redriving.exception()
    stop.set()
    with pytest.raises(WorkerError, match="offsets left: run the same command again"):
        await redriving
    receipt = await orders.apply_redrive()
    assert sum(each.counts.produced for each in receipt.partitions) == plan.counts.produced == 80
    redriven = [each for each in await orders.outputs() if b"upcaster.dlq.offset" in names(each)]
    assert Counter(map(number, redriven)) == Counter(with_comma(range(200)))
    await proved(orders, letters=40)


async def test_fewer_partitions_of_dead_letters(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> None:
    orders = await make_orders(kafka_bootstrap, topics, tmp_path, partitions=3, dead_letter_partitions=2)
    await orders.bury(60)
    await orders.redrive("*")
    redriven = [each for each in await orders.outputs() if b"upcaster.dlq.offset" in names(each)]
    assert sorted(map(number, redriven)) == with_comma(range(60))
    assert all(each.partition == number(each) % 3 for each in redriven)
    await proved(orders, letters=12)
    # What failed again stands behind the letters of then, and may be of any of them.
    await orders.redrive("*")
    await proved(orders, letters=12)


async def test_letters_that_are_hard_to_restore(orders: Orders) -> None:
    orders.configure(chain=f"{ORDERS}:mended")
    value = b'{"amount": "1,5"}'
    broken_name = Event(value, b"raw", [("n", b"1"), ("\udcff", b"2")], STAMP, 42)
    own: list[Header] = [("__connect.errors.topic", b"mine"), (FINGERPRINT, b"mine"), ("upcaster.replay.id", b"x")]
    letters = [
        written(Event(value, b"late", own, STAMP, 40), topic=orders.source, restamped=True),
        written(broken_name, topic=orders.source),
        written(Event(value, b"short", own, STAMP, 41), topic=orders.source, room=0),
    ]
    records = [Record(each.key, each.value, tuple(each.headers), each.timestamp, 1) for each in letters]  # type: ignore[arg-type]  # aiokafka has no types
    await orders.bury_by_hand(*records)
    await orders.redrive("*")
    late, short = await orders.outputs()
    assert (late.key, late.timestamp, late.partition, late.headers[:3]) == (b"late", STAMP, 1, tuple(own))
    assert (short.key, header(short, "upcaster.source.topic"), header(short, "upcaster.source.offset")) == (
        b"short",
        orders.dead_letter.encode(),
        b"2",
    )
    again = read_letter(event_of((await orders.dead())[3]))
    assert again is not None
    assert (again.restored(), again.rounds) == (broken_name, 1)
    assert again.text("__connect.errors.exception.class.name") == "HeaderNameNotUtf8"
    await proved(orders, letters=1)


def event_of(record: Record) -> Event:
    return Event(record.value, record.key, list(record.headers), record.timestamp, record.offset)


REDRIVEN = b"upcaster.dlq.offset"


async def test_every_change_after_a_redrive_is_seen(orders: Orders, topics: Topics) -> None:
    await orders.bury(60)
    # In a topic without markers of transactions, so that copies of it have the same offsets.
    old = await orders.dead()
    await with_letters(orders, topics, "letters", old)
    receipt = await orders.redrive("*")
    written, letters = await orders.outputs(), await orders.dead()
    again = [each for each in letters if REDRIVEN in names(each)]
    redriven = [each for each in written if REDRIVEN in names(each)]
    for name, (tamper, _) in TAMPERING.items():
        orders.destination = await topics.create(f"copy-{name.replace(' ', '-')}", partitions=2, configs=FOREVER)
        await produce(orders.bootstrap, orders.destination, tamper(redriven))
        await judged(orders, receipt, name)
    orders.destination = await topics.create("copy-again", partitions=2, configs=FOREVER)
    await produce(orders.bootstrap, orders.destination, redriven)
    for name in ("nothing", "removed", "doubled", "swapped", "value", "key", "timestamp", "headers"):
        await with_letters(orders, topics, f"letters-{name}", [*old, *TAMPERING[name][0](again)])
        await judged(orders, receipt, name)


async def with_letters(orders: Orders, topics: Topics, name: str, letters: Sequence[Record]) -> None:
    orders.dead_letter = await topics.create(name, partitions=2, configs=FOREVER)
    await produce(orders.bootstrap, orders.dead_letter, letters)
    orders.configure()


async def judged(orders: Orders, receipt: Receipt, name: str) -> None:
    """As if the redrive had written to what the orders name now."""
    starts = tuple(each.model_copy(update={"destination_start": 0}) for each in receipt.partitions)
    write_receipt(of_other_topics(orders, receipt).model_copy(update={"partitions": starts}), orders.redrive_receipt)
    findings = (await orders.verify_redrive()).findings
    assert bool(findings) is (name != "nothing"), (name, findings.lines())
