"""A service of old, which sends task contexts of every version: fifty a second until it is stopped.

`producer.py --poison 900` sends so many that no upcaster can help, all to partition 0, and ends: the breaker opens.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import signal
import time

from aiokafka import AIOKafkaProducer

from upcast_demo.history import EXPECTED, HistoryKind, MadeEvent, make_history

TOPIC = "devteam.task-context.legacy"
PARTITIONS = 6
A_SECOND = 50


def events(poison: bool):
    """Without end; the same few thousand come round again."""
    helped = {kind for kind, fate in EXPECTED.items() if fate != "dead-lettered"}
    wanted = {HistoryKind.NO_TASK_ID} if poison else helped
    history = [event for event in make_history(20_000, PARTITIONS, seed=int(time.time())) if event.kind in wanted]
    return itertools.cycle(history)


async def send(producer: AIOKafkaProducer, event: MadeEvent, partition: int) -> None:
    await producer.send(TOPIC, event.value, event.key, partition=partition, headers=list(event.headers))


async def poison(producer: AIOKafkaProducer, count: int) -> None:
    for event in itertools.islice(events(poison=True), count):
        await send(producer, event, 0)
    await producer.flush()
    print(f"sent {count} events that no upcaster can help")


async def go_on(producer: AIOKafkaProducer, stop: asyncio.Event) -> None:
    for event in events(poison=False):
        await send(producer, event, event.partition)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1 / A_SECOND)
        if stop.is_set():
            return


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--poison", type=int, metavar="COUNT")
    arguments = parser.parse_args()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with AIOKafkaProducer(bootstrap_servers=os.environ["KAFKA"]) as producer:
        await (poison(producer, arguments.poison) if arguments.poison else go_on(producer, stop))


asyncio.run(main())
