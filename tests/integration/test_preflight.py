"""The questions to a real broker, and its answers."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from tests import warm_start
from tests.faults.cluster import configure_topic
from tests.kafka import Record, Topics, produce
from tests.lanes import until
from tests.worker_process import write_config
from worker.dead_letters import Reporter
from worker.errors import NEEDS_A_PERSON, WorkerError
from worker.kafka.clients import KafkaClients
from worker.lanes.supervisor import Supervisor
from worker.metrics import WorkerMetrics
from worker.preflight.asking import ask_brokers, refuse_what_cannot_work
from worker.preflight.facts import ClusterFacts
from worker.routes.chains import load_chains
from worker.service import Service
from worker.settings import KafkaSettings, RouteSettings, Settings

FOREVER = {"retention.ms": "-1"}
YEAR = 365 * 24 * 3_600_000


def settings_for(bootstrap: str, topics: Topics, **kafka: Any) -> Settings:
    names = {
        "source": topics.name("legacy"),
        "destination": topics.name("current"),
        "dead_letter": topics.name("dlt"),
    }
    return Settings.model_construct(
        kafka=KafkaSettings(bootstrap_servers=bootstrap, group_id=topics.name("group"), **kafka),
        routes=(RouteSettings.model_validate(names),),
    )


async def gather(settings: Settings) -> ClusterFacts:
    return await ask_brokers(KafkaClients(settings.kafka), settings, start_producers=True)


async def create_all(topics: Topics, **destination: str) -> None:
    await topics.create("legacy", partitions=2, configs=FOREVER)
    await topics.create("current", partitions=2, configs=FOREVER | destination)
    await topics.create("dlt", partitions=2, configs=FOREVER)


async def test_facts(kafka_bootstrap: str, topics: Topics) -> None:
    await create_all(topics, **{"max.message.bytes": "2000000"})
    stamp = int(time.time() * 1000) - YEAR
    records = [Record(b"k", b"v" * 99, timestamp=stamp + i, partition=1) for i in range(50)]
    await produce(kafka_bootstrap, topics.name("legacy"), records)
    settings = settings_for(kafka_bootstrap, topics)
    before = int(time.time() * 1000)
    facts = await gather(settings)
    assert before <= facts.now <= time.time() * 1000
    route = settings.routes[0]
    assert facts.denied == ()
    assert facts.topic(route.source).partitions == 2
    assert facts.topic(route.destination).number("max.message.bytes") == 2_000_000
    backlog = facts.backlogs[route.source]
    assert backlog.records == 50
    assert backlog.oldest == stamp
    assert backlog.bytes_of_largest == 5000


async def test_what_the_group_has_read_is_no_backlog(kafka_bootstrap: str, topics: Topics) -> None:
    await create_all(topics)
    await produce(kafka_bootstrap, topics.name("legacy"), [Record(None, b"v", timestamp=i) for i in range(9)])
    settings = settings_for(kafka_bootstrap, topics)
    await commit(settings, offset=7)
    backlog = (await gather(settings)).backlogs[topics.name("legacy")]
    assert (backlog.records, backlog.oldest) == (2, 7)
    await commit(settings, offset=9)
    backlog = (await gather(settings)).backlogs[topics.name("legacy")]
    assert (backlog.records, backlog.oldest) == (0, None)


async def test_a_missing_topic_is_not_created_by_asking(kafka_bootstrap: str, topics: Topics) -> None:
    await topics.create("legacy")
    settings = settings_for(kafka_bootstrap, topics)
    for _ in range(2):
        facts = await gather(settings)
        assert facts.topic(settings.routes[0].destination).partitions == 0


async def test_refusals_are_one_line_each(kafka_bootstrap: str, topics: Topics) -> None:
    await create_all(topics, **{"retention.ms": "604800000", "message.timestamp.type": "LogAppendTime"})
    stamp = int(time.time() * 1000) - YEAR
    await produce(kafka_bootstrap, topics.name("legacy"), [Record(None, b"v", timestamp=stamp)])
    settings = settings_for(kafka_bootstrap, topics)
    with pytest.raises(WorkerError) as caught:
        await refuse_what_cannot_work(KafkaClients(settings.kafka), settings, {})
    assert caught.value.exit_code == NEEDS_A_PERSON
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert all(line.startswith(topics.name("current") + ": ") for line in lines)
    assert "--add-config retention.ms=-1" in lines[0]
    assert "LogAppendTime" in lines[1]


async def test_nothing_to_refuse(kafka_bootstrap: str, topics: Topics) -> None:
    await create_all(topics)
    settings = settings_for(kafka_bootstrap, topics)
    facts = await refuse_what_cannot_work(KafkaClients(settings.kafka), settings, {})
    assert facts.topic(topics.name("current")).partitions == 2


async def test_a_new_group_at_a_destination_with_records(kafka_bootstrap: str, topics: Topics) -> None:
    await create_all(topics)
    settings, source, destination = settings_for(kafka_bootstrap, topics), topics.name("legacy"), topics.name("current")
    assert (await ask_brokers(KafkaClients(settings.kafka), settings)).filled == frozenset()
    await produce(kafka_bootstrap, destination, [Record(None, b"v", timestamp=int(time.time() * 1000))])
    facts = await ask_brokers(KafkaClients(settings.kafka), settings)
    assert (facts.filled, facts.backlogs[source].new) == (frozenset({destination}), True)
    await commit(settings, 0)
    facts = await ask_brokers(KafkaClients(settings.kafka), settings)
    assert (facts.filled, facts.backlogs[source].new) == (frozenset(), False)


async def test_what_changes_while_the_worker_runs_is_reported(kafka_bootstrap: str, topics: Topics) -> None:
    """A lane that was paused on Friday goes on, on Monday, into a topic that keeps two days."""
    await create_all(topics)
    settings = settings_for(kafka_bootstrap, topics)
    clients, metrics = KafkaClients(settings.kafka), WorkerMetrics(CollectorRegistry(), settings.kafka.group_id)
    service = Service(
        settings,
        load_chains(settings.routes),
        clients,
        lambda routes: Supervisor(routes, clients, metrics, Reporter("g", "0", "test")),
        check_seconds=0.2,
    )
    stop, current = asyncio.Event(), topics.name("current")
    running = asyncio.create_task(service.run(stop))
    await until(lambda: not service.why_not_ready(), "the worker to be ready")
    service.pause(topics.name("legacy"))
    stamp = int(time.time() * 1000) - YEAR
    await produce(kafka_bootstrap, topics.name("legacy"), [Record(None, b"v", timestamp=stamp)])
    await configure_topic(kafka_bootstrap, current, {"retention.ms": str(2 * 24 * 3_600_000)})
    await until(service.why_not_ready, "the refusal")
    assert "Kafka would delete it on arrival" in service.why_not_ready()[0]
    assert service.status().why_not_ready == service.why_not_ready()
    await configure_topic(kafka_bootstrap, current, FOREVER)
    await until(lambda: not service.why_not_ready(), "the refusal to go")
    stop.set()
    await running


async def commit(settings: Settings, offset: int) -> None:
    consumer = KafkaClients(settings.kafka).group_consumer()
    await consumer.start()
    partition = TopicPartition(settings.routes[0].source, 0)
    consumer.assign([partition])
    await consumer.commit({partition: offset})
    await consumer.stop()


async def test_check_with_broker_finds_the_same(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> None:
    source = await topics.create("legacy")
    route = {"source": source, "destination": topics.name("current")}
    config = write_config(tmp_path / "c.yaml", kafka_bootstrap, topics.name("group"), route)
    process = await warm_start.begin("check", "--broker", "--json", "-c", str(config))
    printed, _ = await process.communicate()
    assert process.returncode == 1
    chain, *_, broker = json.loads(printed)
    assert chain["ok"] is True
    assert [line.partition(":")[0] for line in broker["problems"]] == [topics.name("current"), f"{source}-dlt"]
