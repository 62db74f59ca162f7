"""What becomes of batches that nobody waits for any more."""

from __future__ import annotations

import asyncio
import gc
from typing import cast

from aiokafka import AIOKafkaProducer
from aiokafka.errors import CorruptRecordException

from worker.lanes.outbox import Outbox


async def test_batches_that_fail_after_they_were_forgotten_are_nothing_to_complain_of() -> None:
    """The producer keeps the future of a batch to itself, and gives out a shield of it."""
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    await _forget_one_that_fails()
    gc.collect()
    assert complaints == []


async def _forget_one_that_fails() -> None:
    kept = asyncio.get_running_loop().create_future()
    outbox = Outbox(cast("AIOKafkaProducer", None), 0)
    outbox._sent = [("current", asyncio.shield(kept), 1)]
    sending = asyncio.create_task(outbox.send_all())
    await asyncio.sleep(0)
    sending.cancel()
    await asyncio.wait([sending])
    outbox.forget()
    kept.set_exception(CorruptRecordException())
    await asyncio.sleep(0)
