"""Confluent's own client and the worker understand each other: each reads what the other one writes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import pytest
from confluent_kafka import schema_registry, serialization
from confluent_kafka.schema_registry import avro, json_schema, protobuf

from tests.registries.apicurio import Apicurio, UnavailableError
from tests.registries.fake import FakeRegistry
from tests.unit.schemas.test_by_schema import HERE as IN_AVRO
from tests.unit.schemas.test_by_schema import ONE, THREE
from tests.unit.schemas.test_framed import HERE
from tests.unit.schemas.test_protobuf_values import HERE as IN_PROTOBUF
from tests.unit.schemas.test_protobuf_values import NEW as NEW_PROTOBUF
from tests.unit.schemas.test_protobuf_values import ONE as ONE_PROTOBUF
from tests.unit.schemas.test_protobuf_values import PART_TEXT
from tests.unit.schemas.test_protobuf_values import TWO as TWO_PROTOBUF
from upcasters.event import Event, Record
from upcasters.outcome import Upcast
from worker.routes.chains import load_route_chain
from worker.settings import RouteSettings
from worker.settings.schemas import RegistrySettings

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

# Else these clients first ask for associations, which Apicurio does not have: once it never answered.
BY_TOPIC = {"subject.name.strategy": schema_registry.topic_subject_name_strategy}


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


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("writes", ["confluent", "confluent-header"])
def test_its_serialiser_is_read_and_its_deserialiser_reads_us(url: str, writes: str, closing: ExitStack) -> None:
    client = closing.enter_context(schema_registry.SchemaRegistryClient({"url": url}))
    client.register_schema("new-value", schema_registry.Schema(json.dumps(NEW), "JSON"))
    context = serialization.SerializationContext("old", serialization.MessageField.VALUE, headers=[])
    value = json_schema.JSONSerializer(json.dumps(OLD), client, conf=BY_TOPIC)({"amt": 1.5}, context)

    settings = {"chain": HERE, "reads": {"frame": "confluent"}, "writes": {"frame": writes}}
    record = brought(url, value, [], version=[{"schema": {"field": "x-version"}}], **settings)
    headers: list[Any] = list(record.headers)
    assert bool(headers) == (writes == "confluent-header")
    context = serialization.SerializationContext("new", serialization.MessageField.VALUE, headers=headers)
    read = json_schema.JSONDeserializer(None, schema_registry_client=client, conf=BY_TOPIC)(record.value, context)
    assert read == {"amount": 1.5, "unit": "EUR"}


@pytest.mark.parametrize("writes", ["confluent", "confluent-header"])
def test_its_avro_serialiser_is_read_and_its_deserialiser_reads_us(url: str, writes: str, closing: ExitStack) -> None:
    """Also what names its schema in a header, by a GUID, where the registry has GUIDs."""
    client = closing.enter_context(schema_registry.SchemaRegistryClient({"url": url}))
    client.register_schema("new-avro-value", schema_registry.Schema(json.dumps({**THREE, "doc": writes}), "AVRO"))
    headers: list[Any] = []
    context = serialization.SerializationContext("old-avro", serialization.MessageField.VALUE, headers=headers)
    options: dict[str, Any] = {**BY_TOPIC}
    if writes == "confluent-header" and "ccompat" not in url:
        options["schema.id.serializer"] = schema_registry.header_schema_id_serializer
    value = avro.AvroSerializer(client, json.dumps({**ONE, "doc": writes}), conf=options)(
        {"id": "o-1", "price": "12.50", "note": None}, context
    )
    assert bool(headers) == ("schema.id.serializer" in options)

    settings = {"reads": {"frame": "confluent", "format": "avro"}, "writes": {"frame": writes, "format": "avro"}}
    topics = {"source": "old-avro", "destination": "new-avro"}
    record = brought(url, value, headers, chain=IN_AVRO, **topics, **settings)
    made: list[Any] = list(record.headers)
    assert bool(made) == (writes == "confluent-header")
    context = serialization.SerializationContext("new-avro", serialization.MessageField.VALUE, headers=made)
    read = avro.AvroDeserializer(client, conf=BY_TOPIC)(record.value, context)
    assert read == {"id": "o-1", "total": Decimal("12.50"), "note": None, "currency": "EUR"}


@pytest.mark.parametrize("writes", ["confluent", "confluent-header"])
def test_its_protobuf_serialiser_is_read_and_its_deserialiser_reads_us(
    url: str, writes: str, closing: ExitStack
) -> None:
    """With what the schema imports, and the place of the message behind the schema's id."""
    client = closing.enter_context(schema_registry.SchemaRegistryClient({"url": url}))
    client.register_schema("shop/part.proto", schema_registry.Schema(PART_TEXT, "PROTOBUF"))
    references = [schema_registry.SchemaReference("shop/part.proto", "shop/part.proto", 1)]
    text = NEW_PROTOBUF if writes == "confluent" else f"{NEW_PROTOBUF}\n"
    client.register_schema("new-proto-value", schema_registry.Schema(text, "PROTOBUF", references))
    headers: list[Any] = []
    context = serialization.SerializationContext("old-proto", serialization.MessageField.VALUE, headers=headers)
    options: dict[str, Any] = {**BY_TOPIC, "use.deprecated.format": False}
    if writes == "confluent-header" and "ccompat" not in url:
        options["schema.id.serializer"] = schema_registry.header_schema_id_serializer
    message = ONE_PROTOBUF(id="o-1", price="12.5", part={"name": "wheel"})
    value = protobuf.ProtobufSerializer(ONE_PROTOBUF, client, conf=options)(message, context)
    assert bool(headers) == ("schema.id.serializer" in options)

    settings = {
        "reads": {"frame": "confluent", "format": "protobuf"},
        "writes": {"frame": writes, "format": "protobuf"},
    }
    topics = {"source": "old-proto", "destination": "new-proto"}
    record = brought(url, value, headers, chain=IN_PROTOBUF, **topics, **settings)
    made: list[Any] = list(record.headers)
    assert bool(made) == (writes == "confluent-header")
    context = serialization.SerializationContext("new-proto", serialization.MessageField.VALUE, headers=made)
    # Without the client: it would ask for compiled schemas, which Apicurio does not give as it should.
    reader = protobuf.ProtobufDeserializer(TWO_PROTOBUF, {**BY_TOPIC, "use.deprecated.format": False})
    assert reader(record.value, context) == TWO_PROTOBUF(id="o-1", total=12.5, part={"name": "wheel"}, currency="EUR")


def brought(url: str, value: bytes, headers: list[Any], **route: Any) -> Record:
    """What the worker makes of a record."""
    settings = RouteSettings.model_validate({"source": "old", "destination": "new", **route})
    given = load_route_chain(settings, RegistrySettings(urls=(url,)))
    event = Event(value, b"k", headers)

    async def upcast() -> Any:
        await given.begin()
        await given.learn([event])
        return given.upcaster.upcast(event)

    outcome = asyncio.run(upcast())
    assert isinstance(outcome, Upcast), outcome
    (record,) = outcome.output(event)
    return record
