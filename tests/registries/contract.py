"""What the worker relies on of a registry, asked of each that tests know."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from upcasters.formats import Reference, Schema
from worker.errors import WorkerError
from worker.schemas.frames import SchemaId
from worker.schemas.known import Place
from worker.schemas.registry import NotFoundError, RefusedError, Registry
from worker.schemas.subjects import Subjects, Wanted
from worker.settings.schemas import RegistrySettings

DRAFT = "http://json-schema.org/draft-07/schema#"


def json_schema(**more: Any) -> dict[str, Any]:
    """Apicurio knows JSON Schema by its ``$schema`` alone."""
    return {"$schema": DRAFT, "type": "object", "x-made": uuid.uuid4().hex, **more}


def body(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"schemaType": "JSON", "schema": json.dumps(schema), **more}


class Contract:
    """``registry_url`` is a fixture of whoever holds a registry to it."""

    @pytest.fixture
    def registry(self, registry_url: str) -> Registry:
        return Registry(RegistrySettings(urls=(registry_url,)))

    @pytest.fixture
    def subject(self) -> str:
        return f"s-{uuid.uuid4().hex}-value"

    async def test_what_is_registered_is_found_by_subject_id_and_content(
        self, registry: Registry, subject: str
    ) -> None:
        schema = json_schema(title="Order")
        await registry.register(subject, body(schema))
        newest = await registry.version(subject)
        assert (newest.kind, json.loads(newest.text), newest.places) == ("JSON", schema, (Place(subject, 1),))
        by_id = await registry.schema(SchemaId(newest.number))
        assert (by_id.kind, json.loads(by_id.text), by_id.places) == ("JSON", schema, (Place(subject, 1),))
        assert by_id.number == newest.number
        looked_up = await registry.look_up(subject, body(schema))
        assert (looked_up.number, looked_up.places) == (newest.number, (Place(subject, 1),))

    async def test_registering_again_changes_nothing(self, registry: Registry, subject: str) -> None:
        schema = body(json_schema())
        await registry.register(subject, schema)
        before = await registry.version(subject)
        await registry.register(subject, schema)
        assert await registry.version(subject) == before

    async def test_one_schema_in_two_subjects_has_one_id(self, registry: Registry, subject: str) -> None:
        schema = body(json_schema())
        for name in (subject, subject + "-2"):
            await registry.register(name, schema)
        first, second = await registry.version(subject), await registry.version(subject + "-2")
        assert first.number == second.number
        found = await registry.schema(SchemaId(first.number))
        assert sorted(found.places) == [Place(subject, 1), Place(subject + "-2", 1)]

    async def test_versions_count_from_one_and_the_newest_is_the_last(self, registry: Registry, subject: str) -> None:
        schemas = [json_schema(title=title) for title in "ab"]
        for schema in schemas:
            await registry.register(subject, body(schema))
        assert json.loads((await registry.version(subject, 1)).text) == schemas[0]
        newest = await registry.version(subject)
        assert (json.loads(newest.text), newest.places) == (schemas[1], (Place(subject, 2),))

    async def test_what_is_not_there_is_not_found(self, registry: Registry, subject: str) -> None:
        asked = (
            registry.schema(SchemaId(2_000_000_000)),
            registry.version(subject),
            registry.look_up(subject, body(json_schema())),
        )
        for each in asked:
            with pytest.raises(NotFoundError):
                await each
        await registry.register(subject, body(json_schema()))
        with pytest.raises(NotFoundError):
            await registry.version(subject, 7)
        with pytest.raises(NotFoundError):
            await registry.look_up(subject, body(json_schema()))

    async def test_compatibility_is_reported_and_a_new_subject_has_no_readers(
        self, registry: Registry, subject: str
    ) -> None:
        assert await registry.is_compatible(subject, body(json_schema())) is True
        schema = body(json_schema())
        await registry.register(subject, schema)
        assert await registry.is_compatible(subject, schema) is True

    async def test_references_are_followed(self, registry: Registry, subject: str) -> None:
        inner, name = json_schema(title="Inner"), "../../inner.json"
        await registry.register(subject, body(inner))
        outer = json_schema(properties={"inner": {"$ref": name}})
        reference = {"name": name, "subject": subject, "version": 1}
        await registry.register(subject + "-outer", body(outer, references=[reference]))
        known = await registry.schema(SchemaId((await registry.version(subject + "-outer")).number))
        assert [tuple(each) for each in known.references] == [(name, subject, 1)]
        found = await registry.with_references(known)
        assert {each: json.loads(schema.text) for each, schema in found.items()} == {name: inner}

    async def test_any_name_may_be_a_subject(self, registry: Registry, subject: str) -> None:
        name = f"com.example/{subject} {{ü}}?#%2F"
        schema = json_schema()
        await registry.register(name, body(schema))
        found = await registry.version(name)
        assert (json.loads(found.text), found.places) == (schema, (Place(name, 1),))

    async def test_what_is_no_schema_is_refused(self, registry: Registry, subject: str) -> None:
        with pytest.raises(RefusedError):
            await registry.register(subject, {"schemaType": "AVRO", "schema": "{"})

    async def test_a_schema_is_registered_with_the_files_that_it_imports(
        self, registry: Registry, subject: str
    ) -> None:
        """Each under its own name, before what imports it."""
        unit, money = f"{subject}/unit.proto", f"{subject}/money.proto"
        files = {
            money: f'syntax = "proto3"; import "{unit}"; message Money {{ double sum = 1; Unit unit = 2; }}',
            unit: 'syntax = "proto3"; message Unit { string name = 1; }',
        }
        text = f'syntax = "proto3"; import "{money}"; message Order {{ Money total = 1; }}'
        references = tuple(Reference(name, Schema("protobuf", inner)) for name, inner in files.items())
        own = Schema("protobuf", text, references)
        wanted = Wanted(subject, "version 2", "results of version 2", "writes", "protobuf")
        with pytest.raises(
            WorkerError, match=f"{unit}: the schema of {unit}, which .* imports, is not registered there"
        ):
            await Subjects(registry, register=False).schema(wanted, own)
        found = await Subjects(registry, register=True).schema(wanted, own)
        assert sorted(found.used) == [money, unit]
        assert [each.name for each in found.references] == [money]
        again = await Subjects(registry, register=False).schema(wanted, own)
        assert (again.number, sorted(again.used)) == (found.number, sorted(found.used))
        assert (await registry.schema(SchemaId(found.number))).used.keys() == found.used.keys()
