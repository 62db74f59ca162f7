"""Redrives that are started at the live worker, planned and applied as by the command; and one letter."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from tests.http import request
from tests.kafka import Topics
from tests.limits import HANG
from tests.redriving import Orders, make_orders, number
from tests.served_api import TOKEN
from tests.worker_process import running_worker
from worker.api.view import CannotRedriveError, RedriveWish
from worker.dlq.beside import Redrives
from worker.dlq.looking import look_at
from worker.errors import WorkerError
from worker.ledger import Run, open_ledger
from worker.ledger.records import SILENT
from worker.replay.apply.receipt import kept_receipt
from worker.replay.plan.file import Coordinates


@pytest.fixture
async def orders(kafka_bootstrap: str, topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Orders:
    """The mended chain takes all of their letters."""
    monkeypatch.setattr("tests.redriving.AMOUNTS", ("1.5", "2,5"))
    return await make_orders(kafka_bootstrap, topics, tmp_path)


def runs(orders: Orders) -> list[Run]:
    ledger = open_ledger(orders.given[0].ledger.url.get_secret_value())
    try:
        return [each for each in ledger.runs() if each.kind == "redrive"]
    finally:
        ledger.close()


async def until_run(orders: Orders, state: str) -> Run:
    async with asyncio.timeout(HANG):
        while True:
            found = [each for each in await asyncio.to_thread(runs, orders) if each.state == state]
            if found:
                return found[0]
            await asyncio.sleep(0.05)


async def test_a_redrive_begins_ends_and_leaves_its_receipt_in_the_ledger(orders: Orders) -> None:
    await orders.bury(40)
    settings, given = orders.given
    redrives = Redrives(settings)
    wish = RedriveWish(await orders.fingerprint(), None, "Ada: CHG-17")
    told = await asyncio.to_thread(redrives.start, given.route, wish)
    assert (told["letters"], told["destination"]) == (20, orders.destination)
    run = await until_run(orders, "finished")
    assert (run.replay_id, run.reason) == (told["replay_id"], "Ada: CHG-17")
    written = [number(each) for each in await orders.outputs()]
    assert sorted(written) == list(range(40))
    ledger = open_ledger(settings.ledger.url.get_secret_value())
    receipt = kept_receipt(ledger, run.replay_id)
    ledger.close()
    assert receipt is not None
    assert sum(each.counts.produced for each in receipt.partitions) == 20
    with pytest.raises(CannotRedriveError, match="no letter of this fault is left"):
        await asyncio.to_thread(redrives.start, given.route, wish)
    await redrives.stop()


async def test_one_that_is_stopped_goes_on_with_the_rest_when_asked_again(orders: Orders) -> None:
    await orders.bury(60)
    settings, given = orders.given
    fault = await orders.fingerprint()
    redrives = Redrives(settings)
    await asyncio.to_thread(redrives.start, given.route, RedriveWish(fault, 5, "slowly"))
    await until_run(orders, "running")
    with pytest.raises(CannotRedriveError, match="runs: wait for its end"):
        await asyncio.to_thread(redrives.start, given.route, RedriveWish(fault, None, ""))
    await redrives.stop()
    assert [each.state for each in runs(orders)] == ["stopped"]
    again = Redrives(settings)
    await asyncio.to_thread(again.start, given.route, RedriveWish(fault, None, "the rest"))
    await until_run(orders, "finished")
    await again.stop()
    assert sorted(number(each) for each in await orders.outputs()) == list(range(60))


async def test_nothing_begins_where_a_letter_would_become_one_again(
    orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.redriving.AMOUNTS", ("2,5", "none"))
    await orders.bury(10)
    settings, given = orders.given
    redrives, fault = Redrives(settings), await orders.fingerprint()
    with pytest.raises(CannotRedriveError, match=r"nothing was started: 5 dead letters, .*takes --allow"):
        await asyncio.to_thread(redrives.start, given.route, RedriveWish(fault, None, ""))
    await redrives.stop()
    assert runs(orders) == []


@pytest.mark.parametrize("include_values", [False, True])
async def test_values_of_a_letter_are_seen_with_the_token_where_the_route_allows_it(
    orders: Orders, include_values: bool
) -> None:
    await orders.bury(2)
    orders.configure(chain="tests.example_chains.orders:mended", include_values=include_values)
    settings, given = orders.given
    at = Coordinates(partition=1, offset=0)
    unknown, trusted = [await look_at(settings, given.route, at, trusted=each) for each in (False, True)]
    assert unknown["now"]["outcome"] == trusted["now"]["outcome"] == "upcast"
    assert (unknown["from_topic"], unknown["from_partition"], unknown["from_offset"]) == (orders.source, 1, 0)
    assert (unknown["recorded"], unknown["content"], unknown["now"]["hops"][0]["diff"]) == (None, None, None)
    assert "http.token" in unknown["withheld"]
    assert "2,5" not in str(unknown)
    assert trusted["recorded"]["trace"].startswith("stage upcast")
    if include_values:
        assert trusted["content"]["value"] == '{"number": 1, "amount": "2,5"}'
        assert trusted["content"]["headers"][0] == {"name": "number", "value": "1"}
        assert '+  "total": 2.5,' in trusted["now"]["hops"][0]["diff"]
        assert trusted["withheld"] == ""
    else:
        assert (trusted["content"], trusted["now"]["hops"][0]["diff"]) == (None, None)
        assert "include_values is off" in trusted["withheld"]
    with pytest.raises(WorkerError, match="there is no record at partition 0, offset 99"):
        await look_at(settings, given.route, Coordinates(partition=0, offset=99), trusted=True)


async def buried_by_the_worker(orders: Orders, count: int) -> None:
    await orders.fill(count)
    async with running_worker(orders.config, folder=orders.folder) as worker:
        await worker.until("/readyz", 200)
        await worker.caught_up(count)
        assert await worker.stop() == 0
    orders.configure(chain="tests.example_chains.orders:mended")


async def test_a_live_worker_lists_shows_and_redrives_its_dead_letters(orders: Orders) -> None:
    await buried_by_the_worker(orders, 10)
    authorised = {"authorization": f"Bearer {TOKEN}"}
    async with running_worker(orders.config, {"UPCAST_HTTP__TOKEN": TOKEN}, folder=orders.folder) as worker:
        await worker.until("/readyz", 200)
        (group,) = (await request(worker.address, "/v2/dead-letters")).json["groups"]
        place = "/".join(str(group["samples"][0][part]) for part in ("partition", "offset"))
        shown = (await request(worker.address, f"/v2/dead-letters/{place}")).json
        assert (shown["fingerprint"], shown["now"]["outcome"]) == (group["fingerprint"], "upcast")
        wish = {"fingerprint": group["fingerprint"]}
        path = "/v2/dead-letters/redrive?by=Ada&why=CHG-17"
        begun = await request(worker.address, path, "POST", authorised, wish)
        assert (begun.status, begun.json["letters"]) == (202, 5)
        run = await until_run(orders, "finished")
        assert (run.replay_id, run.reason) == (begun.json["replay_id"], "Ada: CHG-17")
        again = await request(worker.address, path, "POST", authorised, wish)
        assert (again.status, again.json["code"]) == (409, "UPC6409")
        assert await worker.stop() == 0
    assert sorted(number(each) for each in await orders.outputs()) == list(range(10))


async def test_a_worker_that_stops_lets_its_redrive_stop_first(orders: Orders) -> None:
    await buried_by_the_worker(orders, 60)
    async with running_worker(orders.config, {"UPCAST_HTTP__TOKEN": TOKEN}, folder=orders.folder) as worker:
        await worker.until("/readyz", 200)
        (group,) = (await request(worker.address, "/v2/dead-letters")).json["groups"]
        wish = {"fingerprint": group["fingerprint"], "records_per_second": 2}
        begun = await request(
            worker.address, "/v2/dead-letters/redrive", "POST", {"authorization": f"Bearer {TOKEN}"}, wish
        )
        assert begun.status == 202
        await until_run(orders, "running")
        assert await worker.stop() == 0
    assert [each.state for each in runs(orders)] == ["stopped"]


async def test_a_redrive_whose_worker_was_killed_is_interrupted_and_asked_for_again(orders: Orders) -> None:
    await buried_by_the_worker(orders, 60)
    path, authorised = "/v2/dead-letters/redrive", {"authorization": f"Bearer {TOKEN}"}
    async with running_worker(orders.config, {"UPCAST_HTTP__TOKEN": TOKEN}, folder=orders.folder) as worker:
        await worker.until("/readyz", 200)
        (group,) = (await request(worker.address, "/v2/dead-letters")).json["groups"]
        wish = {"fingerprint": group["fingerprint"], "records_per_second": 2}
        assert (await request(worker.address, path, "POST", authorised, wish)).status == 202
        killed = await until_run(orders, "running")
        worker.process.kill()
        await worker.process.wait()
    with closing(open_ledger(orders.given[0].ledger.url.get_secret_value())) as ledger:
        left = ledger.run(killed.replay_id)
        assert left is not None
        assert left.state == "running"
        # As if the time had passed.
        ledger.report(killed.replay_id, left.last_seen - 2 * SILENT)
    async with running_worker(orders.config, {"UPCAST_HTTP__TOKEN": TOKEN}, folder=orders.folder) as worker:
        await worker.until("/readyz", 200)
        (told,) = (await request(worker.address, "/v2/runs")).json["runs"]
        assert (told["replay_id"], told["state"]) == (killed.replay_id, "interrupted")
        assert datetime.fromisoformat(told["reported"]) == left.last_seen - 2 * SILENT
        rest = {"fingerprint": group["fingerprint"]}
        assert (await request(worker.address, path, "POST", authorised, rest)).status == 202
        await until_run(orders, "finished")
        assert await worker.stop() == 0
    assert sorted(number(each) for each in await orders.outputs()) == list(range(60))
