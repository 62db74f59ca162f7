"""A real registry does what the one in the tests' process does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.registries.apicurio import Apicurio, UnavailableError
from tests.registries.contract import Contract, body, json_schema
from worker.schemas.registry import RefusedError, Registry
from worker.settings.schemas import RegistrySettings


@pytest.fixture(scope="module")
def apicurio() -> Iterator[Apicurio]:
    try:
        registry = Apicurio.start()
    except UnavailableError as error:
        pytest.skip(str(error))
    yield registry
    registry.stop()


class TestContract(Contract):
    """Of Apicurio Registry."""

    @pytest.fixture
    def registry_url(self, apicurio: Apicurio) -> str:
        return apicurio.url


async def test_compatibility_of_schemas_with_references_cannot_be_checked(apicurio: Apicurio) -> None:
    registry = Registry(RegistrySettings(urls=(apicurio.url,)))
    await registry.register("inner-value", body(json_schema()))
    reference = {"name": "inner.json", "subject": "inner-value", "version": 1}
    outer = body(json_schema(properties={"a": {"$ref": "inner.json"}}), references=[reference])
    await registry.register("outer-value", outer)
    assert await registry.is_compatible("outer-value", outer) is None


async def test_what_is_incompatible_is_refused_where_the_subject_says_so(apicurio: Apicurio) -> None:
    registry = Registry(RegistrySettings(urls=(apicurio.url,)))
    await registry.register("strict-value", body(json_schema()))
    await registry._ask("PUT", "/config/strict-value", {"compatibility": "BACKWARD"})
    other = body({**json_schema(), "type": "string"})
    assert await registry.is_compatible("strict-value", other) is False
    with pytest.raises(RefusedError, match="Incompatible"):
        await registry.register("strict-value", other)
