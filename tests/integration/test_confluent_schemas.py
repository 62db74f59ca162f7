"""Confluent's own client and the worker understand each other. Skipped where its schema serialisers are not installed:
`pip install 'confluent-kafka[json,schemaregistry]'`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.registries.apicurio import Apicurio, UnavailableError
from tests.registries.fake import FakeRegistry
from tests.unit.schemas.test_framed import HERE
from upcasters.event import Event
from upcasters.outcome import Upcast
from worker.routes.chains import load_route_chain
from worker.settings import RouteSettings
from worker.settings.schemas import RegistrySettings

json_schema = pytest.importorskip(
    "confluent_kafka.schema_registry.json_schema", reason="confluent-kafka has no schemas"
)
serialization = pytest.importorskip("confluent_kafka.serialization")
schema_registry = pytest.importorskip("confluent_kafka.schema_registry")

DIALECT = "http://json-schema.org/draft-07/schema#"
OLD = {
    "$schema": DIALECT,
    "title": "Order",
    "type": "object",
    "properties": {"amt": {"type": "number"}},
    "x-version": "1",
}
NEW = {
    "$schema": DIALECT,
    "title": "Order",
    "type": "object",
    "properties": {"amount": {"type": "number"}, "unit": {"type": "string"}},
    "required": ["amount", "unit"],
    "x-version": "3",
}


@pytest.fixture(params=["in this process", "Apicurio"], scope="module")
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "in this process":
        with FakeRegistry() as fake:
            yield fake.url
        return
    try:
        registry = Apicurio.start()
    except UnavailableError as error:
        pytest.skip(str(error))
    yield registry.url
    registry.stop()


@pytest.mark.parametrize("writes", ["confluent", "confluent-header"])
def test_its_serialiser_is_read_and_its_deserialiser_reads_us(url: str, writes: str) -> None:
    client = schema_registry.SchemaRegistryClient({"url": url})
    client.register_schema("new-value", schema_registry.Schema(json.dumps(NEW), "JSON"))
    context = serialization.SerializationContext("old", serialization.MessageField.VALUE, headers=[])
    value = json_schema.JSONSerializer(json.dumps(OLD), client)({"amt": 1.5}, context)

    settings = {
        "source": "old",
        "destination": "new",
        "chain": HERE,
        "reads": {"frame": "confluent"},
        "writes": {"frame": writes},
        "version": [{"schema": {"field": "x-version"}}],
    }
    given = load_route_chain(RouteSettings.model_validate(settings), RegistrySettings(urls=(url,)))
    event = Event(value, b"k", [])

    async def brought() -> Any:
        await given.begin()
        await given.learn([event])
        return given.upcaster.upcast(event)

    outcome = asyncio.run(brought())
    assert isinstance(outcome, Upcast), outcome
    (record,) = outcome.output(event)
    headers = list(record.headers)
    assert bool(headers) == (writes == "confluent-header")
    context = serialization.SerializationContext("new", serialization.MessageField.VALUE, headers=headers)
    read = json_schema.JSONDeserializer(None, schema_registry_client=client)(record.value, context)
    assert read == {"amount": 1.5, "unit": "EUR"}
