"""Settings, chains and what the brokers say about the topics, put together into the lanes' routes."""

from __future__ import annotations

from dataclasses import replace

from worker.preflight.facts import ClusterFacts
from worker.routes.chains import RouteChain
from worker.routes.route import OutputTopic, Route


def build_route(given: RouteChain, facts: ClusterFacts) -> Route:
    settings = given.route
    return Route(
        source=settings.source,
        destination=output_topic(facts, settings.destination),
        dead_letter=output_topic(facts, settings.dead_letter),
        upcaster=given.upcaster,
        violations=given.violations,
        delivery=settings.delivery,
        lineage_headers=settings.lineage_headers,
        chain=given.chain.fingerprint,
        breaker=settings.breaker,
        limits=settings.limits,
    )


def output_topic(facts: ClusterFacts, name: str) -> OutputTopic:
    topic = facts.topic(name)
    known = OutputTopic(
        name,
        topic.partitions,
        max_timestamp_ahead_ms=topic.number("message.timestamp.after.max.ms"),
        compacted=topic.has_policy("compact"),
    )
    size = topic.number("max.message.bytes")
    return known if size is None else replace(known, max_message_bytes=size)
