"""Orders with dead letters among them, and redrives of those, in this process."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.integration.replay_setting import until_settled
from tests.kafka import Record, Topics, produce, read_all
from tests.replaying import FOREVER, STAMP, Stage
from worker.dlq.listing import Group, LetterFault, list_letters
from worker.dlq.redrive import Redriving
from worker.dlq.redrive_plan import RedriveOptions, plan_redrive
from worker.ledger import open_ledger
from worker.replay.apply.receipt import Receipt, read_receipt
from worker.replay.apply.running import ReplayOptions, apply
from worker.replay.plan.dry_run import PlanOptions as PlanWishes
from worker.replay.plan.file import Plan, read_plan, write_plan
from worker.verifying.verification import ReceiptVerdict, verify

AMOUNTS = ("1.5", "2,5", "3.25", "none", "4,75")
"""Two of five have a comma, and one is no amount at all."""
ORDERS = "tests.example_chains.orders"


class Orders(Stage):
    """A topic of orders. ``replay`` makes letters of those that the broken step does not understand."""

    def event(self, number: int) -> Record:
        value = b'{"number": %d, "amount": "%s"}' % (number, AMOUNTS[number % len(AMOUNTS)].encode())
        headers = [("number", b"%d" % number)]
        return Record(b"key-%d" % (number % 7), value, headers, STAMP + number, number % self.partitions)

    @property
    def redrive_plan(self) -> Path:
        return self.folder / "redrive.json"

    @property
    def redrive_receipt(self) -> Path:
        return self.folder / f"redrive-{read_plan(self.redrive_plan).replay_id}.receipt.json"

    async def bury(self, count: int) -> None:
        """So many orders go through the broken chain."""
        await self.fill(count)
        await self.make_plan()
        await self.replay()
        self.configure(chain=f"{ORDERS}:mended")

    async def letters(self) -> dict[LetterFault, Group]:
        return (await list_letters(*self.given, lambda _done, _total: None)).groups

    async def fingerprint(self) -> str:
        """Of the letters that the broken step has made."""
        (found,) = {fault.fingerprint for fault in await self.letters() if fault.fingerprint}
        return found

    async def plan_redrive(self, *fingerprints: str, rounds: int = 5, allow: bool = True) -> Plan:
        """What would fail again is allowed."""
        settings, given = self.given
        ledger = open_ledger(settings.ledger.url.get_secret_value())
        chosen = RedriveOptions(fingerprints or ("*",), rounds)
        made = await plan_redrive(settings, given, chosen, PlanWishes(), ledger, lambda _done, _total: None)
        ledger.close()
        if allow:
            made = made.model_copy(update={"allowed": tuple(each.fingerprint for each in made.dead_letters)})
        write_plan(made, self.redrive_plan)
        return made

    async def apply_redrive(self, stop: asyncio.Event | None = None, **wishes: Any) -> Receipt:
        """Raises WorkerError."""
        plan, asked = read_plan(self.redrive_plan), ReplayOptions(self.redrive_receipt, **wishes)
        return await apply(*self.given, plan, asked, lambda _: None, stop or asyncio.Event(), Redriving)

    async def redrive(self, *fingerprints: str, rounds: int = 5) -> Receipt:
        await self.plan_redrive(*fingerprints, rounds=rounds)
        return await self.apply_redrive()

    async def verify_redrive(self) -> ReceiptVerdict:
        """Raises WorkerError."""
        return await verify(*self.given, read_receipt(self.redrive_receipt), lambda _done, _total: None)

    async def outputs(self) -> list[Record]:
        await until_settled(self.bootstrap, self.destination)
        return await read_all(self.bootstrap, self.destination)

    async def dead(self) -> list[Record]:
        await until_settled(self.bootstrap, self.dead_letter)
        return await read_all(self.bootstrap, self.dead_letter)

    async def bury_by_hand(self, *records: Record) -> None:
        await produce(self.bootstrap, self.dead_letter, records)


async def make_orders(
    bootstrap: str, topics: Topics, folder: Path, partitions: int = 2, dead_letter_partitions: int | None = None
) -> Orders:
    for name in ("old", "new"):
        await topics.create(name, partitions=partitions, configs=FOREVER)
    await topics.create("old-dlt", partitions=dead_letter_partitions or partitions, configs=FOREVER)
    source, destination, dead_letter, group = map(topics.name, ("old", "new", "old-dlt", "group"))
    orders = Orders(bootstrap, source, destination, dead_letter, group, folder, partitions)
    orders.configure(chain=f"{ORDERS}:broken", event_type="order", breaker={"rate": 1.0})
    return orders


def number(record: Record) -> int:
    return int(dict(record.headers)["number"])


def header(record: Record, name: str) -> bytes:
    return dict(record.headers)[name]


def moved(record: Record, **changes: Any) -> Record:
    return replace(record, **changes)
