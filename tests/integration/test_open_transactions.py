"""Somebody else's transaction is open, and what is behind it cannot be read: it is never taken for absent."""

from __future__ import annotations

import asyncio
import re
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kafka import Record, Topics, open_transaction, produce, read_all
from tests.lanes import QUICK, caught_up, make_bench, until
from tests.redriving import Orders, make_orders, number
from tests.replaying import refused
from worker.dlq.listing import find_letter, find_letters, list_letters
from worker.dlq.report import listing_content, summary
from worker.errors import WorkerError
from worker.kafka import log_offsets
from worker.kafka.open_transactions import OpenTransaction
from worker.lanes import lag
from worker.replay.apply.receipt import read_receipt
from worker.replay.census.counting import Survey, survey
from worker.replay.census.report import content
from worker.replay.census.report import summary as counted
from worker.replay.census.retiring import retiring
from worker.replay.plan.file import Coordinates, Plan, read_plan
from worker.replay.plan.report import summary as planned
from worker.verifying import verification
from worker.verifying.findings import Result

HELD = f"somebody-else-{uuid.uuid4().hex[:12]}"
SAID = rf"an open transaction at offset 0 \(of {HELD}, producer id \d+, since 20\d\d-[^)]+Z\)"


@pytest.fixture
async def orders(kafka_bootstrap: str, topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Orders:
    """Nobody waits long for what will not end."""
    monkeypatch.setattr(log_offsets, "PATIENCE", 0.2)
    monkeypatch.setattr(verification, "PATIENCE", 0.2)
    return await make_orders(kafka_bootstrap, topics, tmp_path)


async def undecided(orders: Orders) -> list[str]:
    findings = (await orders.verify()).findings
    assert findings.result is Result.UNDECIDED, findings
    return findings.lines()


async def passed(orders: Orders) -> None:
    findings = (await orders.verify()).findings
    assert findings.result is Result.PASSED, findings


async def test_a_proof_is_undecided_where_the_records_may_be_hidden_and_passes_when_they_are_not(
    orders: Orders,
) -> None:
    await orders.fill(20)
    await orders.make_plan()
    async with open_transaction(orders.bootstrap, orders.destination, orders.dead_letter, name=HELD):
        await orders.replay()
        lines = await undecided(orders)
        assert re.match(
            rf"undecided: behind an open transaction: partition 0: {orders.destination} partition 0: {SAID}, hides \d+ "
            r"offsets; 10 records that were not found may stand there: let its producer end it, or "
            r"`upcast kafka transactions --bootstrap-server SERVER abort --topic \S+ --partition 0 --start-offset 0`, "
            r"then verify again$",
            lines[0],
        ), lines
        assert re.search(rf"{orders.dead_letter} partition 0: {SAID}", lines[1])
        assert len(lines) == 2, "partition 1 hides nothing"
    await passed(orders)


async def test_what_is_hidden_behind_all_that_was_found_may_be_there_twice(orders: Orders) -> None:
    await orders.fill(20)
    await orders.make_plan()
    await orders.replay()
    await passed(orders)
    async with open_transaction(orders.bootstrap, orders.destination):
        (line,) = await undecided(orders)
        assert "everything was found before it" in line
    await passed(orders)


async def test_what_is_missing_in_front_of_a_record_that_can_be_read_is_missing(orders: Orders, topics: Topics) -> None:
    await orders.fill(20)
    await orders.make_plan()
    await orders.replay()
    written = [each for each in await orders.outputs() if each.partition == 0]
    copy = await topics.create("copy", partitions=2)
    await produce(orders.bootstrap, copy, [each for each in written if each.offset != written[1].offset][:3])
    receipt = read_receipt(orders.receipt)
    receipt = receipt.model_copy(update={"route": receipt.route.model_copy(update={"destination": copy})})
    async with open_transaction(orders.bootstrap, copy):
        findings = (await orders.verify(receipt)).findings
    assert findings.result is Result.FAILED
    assert findings.counts["missing in the destination"] > 1, "in partition 0, and all of partition 1"
    assert any(line.startswith("missing in the destination: partition 0, source offset") for line in findings.lines())


async def test_a_transaction_that_ends_while_the_proof_waits_is_not_reported(
    orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "PATIENCE", 30)
    await orders.fill(20)
    await orders.make_plan()
    async with open_transaction(orders.bootstrap, orders.destination) as producer:
        await orders.replay()
        proof = asyncio.create_task(orders.verify())
        await asyncio.sleep(0)
        await producer.abort_transaction()
        assert (await proof).findings.result is Result.PASSED
        await producer.begin_transaction()


async def test_a_second_replay_doubles_nothing_that_is_hidden(orders: Orders) -> None:
    await orders.fill(20)
    await orders.make_plan()
    async with open_transaction(orders.bootstrap, orders.destination):
        await orders.replay()
        assert [each for each in await read_all(orders.bootstrap, orders.destination) if each.partition == 0] == []
        orders.receipt.unlink()
        again = await orders.make_plan()
        assert any("has read 20 of these offsets already" in each for each in again.warnings)
        await refused(orders, "has read 20 of these offsets already, and the replay would write them again")
    assert len(await orders.outputs()) == 8


async def test_a_replay_that_nobody_remembers_is_known_by_what_it_wrote_also_where_that_is_hidden(
    orders: Orders,
) -> None:
    await orders.fill(20)
    await orders.make_plan()
    async with open_transaction(orders.bootstrap, orders.destination) as producer:
        await producer.send_and_wait(orders.destination, b"{}", partition=1)
        await orders.replay()
        orders.group += "-forgotten"
        orders.configure()
        orders.receipt.unlink()
        (orders.folder / "upcast-ledger.db").unlink()
        await refused(orders, "was written by this replay")


async def test_letters_that_cannot_be_read_yet_are_reported(orders: Orders) -> None:
    async with open_transaction(orders.bootstrap, orders.dead_letter, name=HELD):
        await orders.bury(20)
        found = await list_letters(*orders.given, lambda _done, _total: None)
        first, second = summary(found, orders.dead_letter)
        assert "6 dead letters" in first, "those of partition 1"
        assert re.match(rf"not counted: {orders.dead_letter} partition 0: {SAID}, hides \d+ offsets: ", second), second
        (told,) = listing_content(found, orders.given[1])["hidden"]
        assert (told["partition"], told["offset"], told["transactional_id"]) == (0, 0, HELD)
        with pytest.raises(WorkerError, match=rf"partition 0: offset 1 cannot be read yet: {SAID}") as raised:
            await find_letter(*orders.given, Coordinates(partition=0, offset=1))
        assert raised.value.exit_code == 1
        with pytest.raises(WorkerError, match="no dead letter that can be read has the fingerprint") as raised:
            await find_letters(*orders.given, "0" * 16, 1, lambda _done, _total: None)
        assert raised.value.exit_code == 1
        (left_out,) = told_of(await orders.plan_redrive())
        assert re.match(rf"left out of this plan: {orders.dead_letter} partition 0: {SAID}", left_out)
        await orders.apply_redrive()
    rest = await orders.plan_redrive()
    assert told_of(rest) == []
    await orders.apply_redrive()
    written = [number(each) for each in await orders.outputs()]
    assert sorted(written) == [each for each in range(20) if each % 5 != 3], "each once"


async def test_a_census_and_a_plan_say_what_they_leave_out(orders: Orders) -> None:
    await orders.fill(10)
    async with open_transaction(orders.bootstrap, orders.source, name=HELD):
        await orders.fill(20, first=10)
        found = await counting(orders)
        assert found.census.records == 5 + 15
        assert re.match(
            rf"not counted: {orders.source} partition 0: {SAID.replace('offset 0', 'offset 5')}, hides 11",
            lines(found, orders)[1],
        )
        (told,) = content(found, orders.given[1])["hidden"]
        assert (told["offset"], told["hidden"], told["transactional_id"]) == (5, 11, HELD)
        (old,) = retiring(orders.given[1].chain, found.census, whole_range=found.whole, hidden=11)[:1]
        assert old.may_go != "yes"
        plan = await orders.make_plan()
        assert [(each.start, each.end) for each in plan.ranges] == [(0, 5), (0, 15)]
        (left_out,) = told_of(read_plan(orders.plan))
        assert "hides 11 offsets" in left_out
        before = await orders.make_plan(end="0:5,1:15")
        assert told_of(before) == [], "it asks for nothing that is hidden"
    assert len(lines(await counting(orders), orders)) == 1
    assert told_of(await orders.make_plan()) == []


def told_of(plan: Plan) -> list[str]:
    return [each for each in plan.warnings if each.startswith("left out of this plan:")]


async def counting(orders: Orders) -> Survey:
    return await survey(*orders.given, "earliest", "now", lambda _done, _total: None)


def lines(found: Survey, orders: Orders) -> list[str]:
    return list(counted(found, orders.given[1]))


async def test_a_range_of_which_nothing_can_be_read_is_not_called_empty_alone(orders: Orders) -> None:
    async with open_transaction(orders.bootstrap, orders.source):
        plan = await orders.make_plan()
        _, second, *warnings = planned(plan)
        assert second == "the range is empty: there is nothing to replay"
        assert warnings[-1].startswith("warning: left out of this plan:")


async def test_a_source_that_cannot_be_read_past_an_open_transaction_says_so(
    kafka_bootstrap: str, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lag is 0, for all that can be read is done."""
    monkeypatch.setattr(lag, "REPORT_AFTER", 0.5)
    bench = await make_bench(kafka_bootstrap, topics)
    await produce(kafka_bootstrap, bench.route.source, [Record(b"k", b"old 1")] * 5)
    name = f"somebody-{uuid.uuid4().hex[:12]}"
    async with bench.running(timeouts=replace(QUICK, held_back_after=0.5)) as supervisor:
        await until(caught_up(supervisor, partitions=1), "the first records")
        assert bench.total("upcaster_consumer_held_back_records") == 0
        async with open_transaction(kafka_bootstrap, bench.route.source, name=name):
            await until(lambda: bench.total("upcaster_consumer_held_back_records") == 1, "the open record")
            await until(lambda: supervisor.status()[0].reason, "a reason")
            assert supervisor.why_not_ready() == [], "nobody waits behind it yet"
            await produce(kafka_bootstrap, bench.route.source, [Record(b"k", b"old 2")] * 3)
            await until(supervisor.why_not_ready, "not ready")
            (reason,) = supervisor.why_not_ready()
            assert re.fullmatch(
                rf"{bench.route.source}:0: running \(held back by an open transaction at offset 5 \(of {name}, .*\)\)",
                reason,
            )
            assert bench.total("upcaster_consumer_held_back_seconds") >= 0.5
            assert bench.total("upcaster_consumer_lag") == 0
        await until(lambda: not supervisor.why_not_ready(), "ready again")
        await until(lambda: bench.total("upcaster_records_consumed_total") == 8, "all of them")
        assert bench.total("upcaster_consumer_held_back_records") == 0
        assert supervisor.status()[0].reason == ""


def test_what_is_not_told_is_left_out() -> None:
    held = OpenTransaction("orders", 0, 40, 2_100)
    assert str(held) == "orders partition 0: an open transaction at offset 40, hides 2,100 offsets"
    assert held.content()["since"] is None
    log = OpenTransaction("orders", 0, 40, 1, producer_id=7, last_record=0)
    assert log.cause == "an open transaction at offset 40 (producer id 7, last record 1970-01-01T00:00:00Z)"
