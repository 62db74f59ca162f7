"""When the Kafka client itself gives up, the worker says so and ends: somebody can then start it again."""

from __future__ import annotations

import asyncio

import pytest

from tests.kafka import Topics
from tests.lanes import caught_up, make_bench, until
from tests.limits import HANG
from worker.errors import MAY_PASS, WorkerError


@pytest.mark.parametrize("part", ["fetching", "group"])
async def test_a_client_that_has_given_up_ends_the_worker(kafka_bootstrap: str, topics: Topics, part: str) -> None:
    bench = await make_bench(kafka_bootstrap, topics)
    async with bench.running() as supervisor:
        await until(caught_up(supervisor, partitions=1))
        consumer = supervisor._consumer
        task = consumer._fetcher._fetch_task if part == "fetching" else consumer._coordinator._coordination_task
        task.cancel()
        async with asyncio.timeout(HANG):
            with pytest.raises(WorkerError, match="the client has stopped for good") as ended:
                await supervisor.run()
    assert ended.value.exit_code == MAY_PASS
