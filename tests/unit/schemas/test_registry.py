"""The client of a registry: what it relies on, held against the one in this process; and what only that can do."""

from __future__ import annotations

import json
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.registries.contract import Contract, body, json_schema
from tests.registries.fake import FakeRegistry
from tests.secure_kafka import make_certificates
from worker.schemas.frames import SchemaId
from worker.schemas.known import Place
from worker.schemas.registry import MOST_REFERENCES, Registry, RegistryError
from worker.settings.schemas import RegistrySettings


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as serving:
        yield serving


def client(*urls: str, **settings: object) -> Registry:
    return Registry(RegistrySettings.model_validate({"urls": urls, **settings}))


class TestContract(Contract):
    """Of the registry in this process."""

    @pytest.fixture
    def registry_url(self, fake: FakeRegistry) -> str:
        return fake.url


async def test_a_guid_names_a_schema_too(fake: FakeRegistry) -> None:
    number = fake.register("o-value", {"a": 1})
    guid = fake.guid_of(number)
    found = await client(fake.url).schema(SchemaId(guid=guid))
    assert (found.number, found.guid, found.places) == (number, guid, (Place("o-value", 1),))
    assert (await client(fake.url).version("o-value")).schema_id == SchemaId(number, guid)


async def test_metadata_comes_along(fake: FakeRegistry) -> None:
    number = fake.register("o-value", {}, metadata={"properties": {"chain": "2.0"}})
    assert (await client(fake.url).schema(SchemaId(number))).properties == {"chain": "2.0"}


async def test_a_context_holds_ids_and_subjects(fake: FakeRegistry) -> None:
    blue = client(fake.url, context="blue")
    fake.register("o-value", {"of": "all"})
    await blue.register("o-value", body(json_schema(of="blue")))
    found = await blue.version("o-value")
    assert (json.loads(found.text)["of"], found.places) == ("blue", (Place("o-value", 1),))
    assert (await blue.schema(SchemaId(found.number))).places == (Place("o-value", 1),)
    assert "POST /subjects/%3A.blue%3Ao-value/versions" in fake.asked


@pytest.mark.parametrize("right", [True, False])
async def test_basic_authentication(fake: FakeRegistry, right: bool) -> None:
    number = fake.register("o-value", {})
    fake.basic("me", "pässword")
    asked = client(fake.url, username="me", password="pässword" if right else "wrong")
    if right:
        assert (await asked.schema(SchemaId(number))).number == number
    else:
        with pytest.raises(RegistryError, match="refuses us with status 401") as raised:
            await asked.schema(SchemaId(number))
        assert "wrong" not in str(raised.value)


async def test_a_bearer_token_is_read_again_from_its_file(fake: FakeRegistry, tmp_path: Path) -> None:
    number, token = fake.register("o-value", {}), tmp_path / "token"
    token.write_text("first\n")
    asked = client(fake.url, token_file=str(token))
    for text in ("first", "second"):
        token.write_text(text + "\n")
        fake.login = f"Bearer {text}"
        assert (await asked.schema(SchemaId(number))).number == number
    token.unlink()
    with pytest.raises(RegistryError, match="token_file: cannot read"):
        await asked.schema(SchemaId(number))


async def test_the_next_url_is_asked_where_one_is_silent_and_stays_the_first(fake: FakeRegistry) -> None:
    number = fake.register("o-value", {})
    with FakeRegistry() as broken:
        broken.fault = lambda _path: (503, {"error_code": 50301, "message": "no leader"})
        asked = client(f"http://127.0.0.1:{free_port()}", broken.url, fake.url)
        assert (await asked.schema(SchemaId(number))).number == number
        await asked.schema(SchemaId(number))
        assert len(broken.asked) == 1


async def test_who_is_silent_is_named(fake: FakeRegistry) -> None:
    fake.fault = lambda _path: (500, b"<html>")
    gone = free_port()
    with pytest.raises(RegistryError) as raised:
        await client(f"http://127.0.0.1:{gone}", fake.url).version("o-value")
    assert str(raised.value) == (
        f"schema registry: 127.0.0.1:{gone} does not answer (ConnectError), 127.0.0.1:{fake.port} answers with status "
        "500: it is asked again; see schema_registry.urls"
    )


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (404, b""),
        (404, {"error_code": 404, "message": "HTTP 404 Not Found"}),
        (404, b"<html>not a registry</html>"),
        (200, b"<html>"),
        (200, {"no": "schema"}),
        (200, {"schema": "{}", "references": [{}]}),
        (302, b""),
    ],
)
async def test_what_is_no_registry_is_not_taken_for_one_without_the_schema(
    fake: FakeRegistry, status: int, content: object
) -> None:
    """Else every record would become a dead letter where the URL lacks its path."""
    fake.fault = lambda _path: (status, content)
    with pytest.raises(RegistryError):
        await client(fake.url).schema(SchemaId(1))


async def test_references_end(fake: FakeRegistry) -> None:
    round_about = [{"name": "a.json", "subject": "a", "version": 1}]
    fake.register("a", {"in": "a circle"}, references=round_about)
    known = await client(fake.url).version("a")
    assert list(await client(fake.url).with_references(known)) == ["a.json"]
    more = [{"name": f"{number}.json", "subject": "a", "version": 1} for number in range(MOST_REFERENCES + 1)]
    fake.register("many", {}, references=more)
    with pytest.raises(RegistryError, match="not followed further"):
        await client(fake.url).with_references(await client(fake.url).version("many"))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")
async def test_mutual_tls(tmp_path: Path) -> None:
    make_certificates(tmp_path)
    trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tmp_path / "ca.crt")
    trust.load_cert_chain(tmp_path / "broker.pem")
    trust.verify_mode = ssl.CERT_REQUIRED
    names = {"ssl_cafile": "ca.crt", "ssl_certfile": "client.crt", "ssl_keyfile": "client.key"}
    files = {name: str(tmp_path / file) for name, file in names.items()}
    with FakeRegistry(trust=trust) as serving:
        number = serving.register("o-value", {})
        assert (await client(serving.url, **files).schema(SchemaId(number))).number == number
        for wrong in ({"ssl_cafile": files["ssl_cafile"]}, {}):
            with pytest.raises(RegistryError, match="does not answer"):
                await client(serving.url, **wrong).schema(SchemaId(number))
        with pytest.raises(RegistryError, match="cannot use the certificate files"):
            await client(serving.url, ssl_cafile=str(tmp_path / "none.pem")).schema(SchemaId(number))
