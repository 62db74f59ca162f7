"""What many partitions cost: `make bench WHAT=partitions` starts the real worker on 1,000 partitions in 20 routes.

One real broker; sources are empty at first, then each partition gets some records. Memory is PSS of the worker's whole
process tree, CPU is user and system time. Exit code 1 where a scrape takes more than a tenth of the scrape interval.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.sidecar import caught_up, cpu, pss, tree, wait
from upcast_demo.history import make_history
from upcast_demo.kafka import create_topics, write
from upcast_demo.local_kafka import LocalKafka
from upcast_demo.worker_process import WorkerProcess, running

SCRAPE_INTERVAL = 15.0
SETTLED = 10.0
PATIENCE = 600.0


def routes(number: int) -> list[dict[str, str]]:
    return [
        {"source": f"source-{each:02}", "destination": f"destination-{each:02}", "dead_letter": f"dead-{each:02}"}
        for each in range(number)
    ]


async def make_topics(bootstrap_servers: str, number: int, partitions: int) -> None:
    for route in routes(number):
        await create_topics(bootstrap_servers, dict.fromkeys(route.values(), partitions))
    # The brokers have topics of their own to make for the first group and the first transaction.
    async with (
        AIOKafkaConsumer(routes(1)[0]["source"], bootstrap_servers=bootstrap_servers, group_id="first") as consumer,
        AIOKafkaProducer(bootstrap_servers=bootstrap_servers, transactional_id="first"),
    ):
        while not consumer.assignment():
            await consumer.getmany(timeout_ms=100)


def get(worker: WorkerProcess, path: str) -> tuple[int, bytes, float]:
    """Status (0 where there is no answer), body, and seconds."""
    began = time.monotonic()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}{path}", timeout=60) as answer:
            return answer.status, answer.read(), time.monotonic() - began
    except urllib.error.HTTPError as error:
        return error.code, error.read(), time.monotonic() - began
    except OSError:
        return 0, b"", time.monotonic() - began


class Probing(threading.Thread):
    """Asks for /livez all the time, as an orchestrator would, only more often."""

    def __init__(self, worker: WorkerProcess) -> None:
        super().__init__(daemon=True)
        self._worker = worker
        self._over = threading.Event()
        self._seen = False
        self.longest = 0.0
        self.not_live = 0

    def run(self) -> None:
        while not self._over.wait(0.1):
            status, _, seconds = get(self._worker, "/livez")
            self._seen = self._seen or bool(status)
            if self._seen:
                self.longest = max(self.longest, seconds)
                self.not_live += status != 200

    def end(self) -> None:
        self._over.set()
        self.join()


@contextmanager
def probing(worker: WorkerProcess) -> Iterator[Probing]:
    probe = Probing(worker)
    probe.start()
    try:
        yield probe
    finally:
        probe.end()


def files(pid: int) -> int:
    return sum(len(list(Path(f"/proc/{each}/fd").iterdir())) for each in tree(pid))


def await_ready(worker: WorkerProcess, partitions: int) -> int:
    """Bytes of the longest answer of /readyz on the way."""
    deadline, longest = time.monotonic() + PATIENCE, 0
    while True:
        status, body, _ = get(worker, "/readyz")
        longest = max(longest, len(body))
        if status == 200 and worker.metrics().get("upcaster_assigned_partitions") == partitions:
            return longest
        assert worker.process.poll() is None, f"the worker ended: {worker.log.read_text()[-2000:]}"
        assert time.monotonic() < deadline, f"not ready: {body[:500]!r}"
        time.sleep(0.2)  # each look costs the worker an answer


def scrapes(worker: WorkerProcess) -> tuple[list[float], int]:
    """Seconds of each scrape, and bytes."""
    found = [get(worker, "/metrics") for _ in range(10)]
    return [seconds for _, _, seconds in found], len(found[-1][1])


def line(name: str, value: str) -> None:
    print(f"{name:<52}{value}", flush=True)


def watch_start(worker: WorkerProcess, partitions: int) -> None:
    began = time.monotonic()
    with probing(worker) as probe:
        longest = await_ready(worker, partitions)
    line("start to all lanes running", f"{time.monotonic() - began:.1f} s, {cpu(worker.process.pid):.1f} s of CPU")
    line("longest answer of /livez meanwhile", f"{probe.longest:.2f} s, {probe.not_live} not 200")
    line("longest answer of /readyz meanwhile", f"{longest:,} bytes")


def watch_idle(worker: WorkerProcess, seconds: float) -> None:
    time.sleep(SETTLED)  # what belongs to the start is over
    before, began = cpu(worker.process.pid), time.monotonic()
    time.sleep(seconds)  # what is measured
    share = (cpu(worker.process.pid) - before) / (time.monotonic() - began)
    line("idle, CPU", f"{share * 100:.1f} % of a core")
    line("idle, memory", f"{pss(worker.process.pid):.0f} MB PSS")
    line("idle, open files", f"{files(worker.process.pid):,}")


def watch_scrapes(worker: WorkerProcess) -> bool:
    with probing(worker) as probe:
        seconds, size = scrapes(worker)
    line("scrape", f"{statistics.median(seconds):.3f} s, longest {max(seconds):.3f} s, {size:,} bytes")
    line("longest answer of /livez meanwhile", f"{probe.longest:.3f} s")
    return max(seconds) <= SCRAPE_INTERVAL / 10


async def fill(bootstrap_servers: str, number: int, partitions: int, records: int) -> None:
    for route in routes(number):
        history = make_history(records * partitions, partitions)
        await write(bootstrap_servers, route["source"], history, lambda _: None)


def watch_traffic(worker: WorkerProcess, bootstrap_servers: str, given: argparse.Namespace) -> None:
    total = given.routes * given.partitions * given.records
    before, began = cpu(worker.process.pid), time.monotonic()
    with probing(worker) as probe:
        asyncio.run(fill(bootstrap_servers, given.routes, given.partitions, given.records))
        written = time.monotonic() - began
        await_caught_up(worker, total)
    used, took = cpu(worker.process.pid) - before, time.monotonic() - began
    line("records to all partitions", f"{total:,}, written in {written:.1f} s, all committed after {took:.1f} s")
    line("CPU for them", f"{used:.1f} s")
    line("longest answer of /livez meanwhile", f"{probe.longest:.2f} s, {probe.not_live} not 200")
    line("memory, open files", f"{pss(worker.process.pid):.0f} MB PSS, {files(worker.process.pid):,}")


def await_caught_up(worker: WorkerProcess, total: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while worker.metrics().get("upcaster_records_consumed_total", 0) < total:
        assert time.monotonic() < deadline, "the worker takes too long"
        time.sleep(0.5)  # each look costs the worker an answer


async def trickle(bootstrap_servers: str, given: argparse.Namespace) -> None:
    """A record a second for each partition, or as many as the broker takes: it is the worker that is measured, so the
    producer does not give up."""
    value = next(iter(make_history(1, 1))).value
    partitions = [(route["source"], each) for route in routes(given.routes) for each in range(given.partitions)]
    patience = int(PATIENCE * 1000)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers, request_timeout_ms=patience) as producer:
        for _ in range(given.trickle):
            second = asyncio.create_task(asyncio.sleep(1))  # the rate is what is measured
            sent = [await producer.send(topic, value, partition=partition) for topic, partition in partitions]
            await asyncio.gather(second, *sent)


def latency(worker: WorkerProcess) -> tuple[float, float]:
    """Sum of seconds, and records."""
    found = worker.metrics()
    name = "upcaster_record_e2e_latency_seconds"
    return found[f"{name}_sum"], found[f"{name}_count"]


def watch_trickle(worker: WorkerProcess, bootstrap_servers: str, given: argparse.Namespace) -> None:
    used, began, (seconds, records) = cpu(worker.process.pid), time.monotonic(), latency(worker)
    with probing(worker) as probe:
        asyncio.run(trickle(bootstrap_servers, given))
    took = time.monotonic() - began
    share, rounds = (cpu(worker.process.pid) - used) / took, given.trickle / took
    wait(lambda: caught_up(worker), PATIENCE)
    after = latency(worker)
    line("a record a second for each partition, CPU", f"{share * 100:.0f} % of a core, {rounds:.2f} rounds a second")
    line("from its timestamp to its commit, on average", f"{(after[0] - seconds) / (after[1] - records):.2f} s")
    line("longest answer of /livez meanwhile", f"{probe.longest:.2f} s, {probe.not_live} not 200")


def stop(worker: WorkerProcess) -> None:
    began = time.monotonic()
    worker.stop()
    line("stop", f"{time.monotonic() - began:.1f} s")


def config(bootstrap_servers: str, number: int) -> dict[str, Any]:
    return {"kafka": {"bootstrap_servers": bootstrap_servers, "group_id": "many"}, "routes": routes(number)}


def main() -> int:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # of this script's clients: a broker is not ready at once
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--routes", type=int, default=20)
    parser.add_argument("--partitions", type=int, default=50, help="of each route")
    parser.add_argument("--records", type=int, default=20, help="for each partition")
    parser.add_argument("--trickle", type=int, default=30, help="seconds with a record a second for each partition")
    parser.add_argument("--seconds", type=float, default=60, help="how long to watch it idle")
    given = parser.parse_args()
    partitions = given.routes * given.partitions
    with LocalKafka.start_or_exit() as broker, tempfile.TemporaryDirectory() as temporary:
        asyncio.run(make_topics(broker.bootstrap_servers, given.routes, given.partitions))
        line("partitions", f"{partitions:,} in {given.routes} routes")
        settings = config(broker.bootstrap_servers, given.routes)
        with running(settings, Path(temporary)) as worker:
            watch_start(worker, partitions)
            watch_idle(worker, given.seconds)
            good = watch_scrapes(worker)
            watch_traffic(worker, broker.bootstrap_servers, given)
            good = watch_scrapes(worker) and good
            watch_trickle(worker, broker.bootstrap_servers, given)
            stop(worker)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
