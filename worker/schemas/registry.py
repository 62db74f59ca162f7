"""The schema registry, asked over HTTP: the requests that Confluent's API has for schemas, subjects and compatibility.

Each question opens a connection of its own: there is one for each schema that was never seen, so that nothing has to be
kept open, and whatever loop a command runs in may ask.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from worker.schemas.frames import SchemaId, guid_of
from worker.schemas.known import JSON, KnownSchema, Place, RawReference
from worker.settings.schemas import RegistrySettings
from worker.settings.sections import read_secret

NOT_FOUND = frozenset({40401, 40402, 40403})
"""No such subject, version, schema. Any other 404 is of something else than a registry."""
CONFLICT, UNPROCESSABLE = 409, 422
MOST_REFERENCES = 200
MOST_TEXT = 300
CONTENT = "application/vnd.schemaregistry.v1+json"


class RegistryError(Exception):
    """The registry gave no usable answer: it is not there, refuses us, or is none. It may do so later."""


class TooManyReferencesError(RegistryError):
    """A schema refers to more others than anybody follows."""


class NotFoundError(Exception):
    """The registry is there, and has no such schema or subject."""


class RefusedError(Exception):
    """The registry does not take a schema; it says why."""


class Registry:
    """``transport`` is what carries requests, where that is not the network."""

    def __init__(self, settings: RegistrySettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._transport = transport
        self._urls = list(settings.urls)
        self._context = f":.{settings.context}:" if settings.context else ""

    async def schema(self, schema: SchemaId) -> KnownSchema:
        """A schema and where it is registered. Raises NotFoundError, RegistryError."""
        if schema.guid:
            found = await self._ask("GET", f"/schemas/guids/{schema.guid}")
            number = await self._number_of(schema.guid)
        else:
            number = schema.number
            found = await self._ask("GET", f"/schemas/ids/{number}", query=self._within)
        places = await self._places(number) if number else ()
        return await self._whole(_known(found, number, places))

    async def version(self, subject: str, version: int | str = "latest") -> KnownSchema:
        """What stands under a subject. Raises NotFoundError, RegistryError."""
        found = await self._ask("GET", f"/subjects/{self._subject(subject)}/versions/{quote(str(version), safe='')}")
        return await self._whole(self._of_subject(found))

    async def look_up(self, subject: str, schema: Mapping[str, Any]) -> KnownSchema:
        """This very schema under a subject. Raises NotFoundError, RegistryError."""
        found = await self._ask("POST", f"/subjects/{self._subject(subject)}", schema)
        known = self._of_subject(found)
        if not found.get("schemaType"):  # Avro's, or any other one of Apicurio's, which leaves it out here
            return await self.version(subject, known.places[0].version)
        return await self._whole(known)

    async def register(self, subject: str, schema: Mapping[str, Any]) -> None:
        """Raises RefusedError where the registry does not take it, RegistryError."""
        await self._ask("POST", f"/subjects/{self._subject(subject)}/versions", schema)

    async def is_compatible(self, subject: str, schema: Mapping[str, Any]) -> bool | None:
        """Whether readers of the newest schema take this one, by the subject's own rule; None where the registry cannot
        say, which Apicurio cannot of schemas with references."""
        try:
            found = await self._ask("POST", f"/compatibility/subjects/{self._subject(subject)}/versions/latest", schema)
        except NotFoundError:
            return True
        except (RefusedError, RegistryError):
            return None
        with _well_formed():
            return bool(found["is_compatible"])

    async def with_references(self, schema: KnownSchema) -> dict[str, KnownSchema]:
        """All that a schema refers to, directly or not, by the name that is used for it. Names are data: they are kept
        apart from files, whatever they look like. Raises NotFoundError, RegistryError."""
        found: dict[str, KnownSchema] = {}
        waiting = list(schema.references)
        while waiting:
            each = waiting.pop()
            if each.name in found:
                continue
            if len(found) >= MOST_REFERENCES:
                raise TooManyReferencesError(
                    f"a schema refers to more than {MOST_REFERENCES} others: it is not followed further"
                )
            subject, version = self._subject(each.subject), each.version
            found[each.name] = known = self._of_subject(
                await self._ask("GET", f"/subjects/{subject}/versions/{version}")
            )
            waiting += known.references
        return found

    async def _whole(self, known: KnownSchema) -> KnownSchema:
        """With what it refers to, where values cannot be read without. What is not there is missed by whoever parses
        the schema."""
        if known.kind == JSON or not known.references:
            return known
        with suppress(NotFoundError, TooManyReferencesError):
            return msgspec.structs.replace(known, used=await self.with_references(known))
        return known

    async def _number_of(self, guid: str) -> int:
        """The id that belongs to a GUID; 0 where the registry does not say."""
        try:
            ids = await self._ask("GET", f"/schemas/guids/{guid}/ids")
        except NotFoundError:
            return 0
        ours = self._settings.context or "."
        with _well_formed():
            numbers = [int(each["id"]) for each in ids if each.get("context", ".").strip(":") in {ours, f".{ours}"}]
        return numbers[0] if numbers else 0

    async def _places(self, number: int) -> tuple[Place, ...]:
        try:
            found = await self._ask("GET", f"/schemas/ids/{number}/versions", query=self._within)
        except NotFoundError:
            return ()
        prefix = len(self._context)
        with _well_formed():
            return tuple(Place(each["subject"][prefix:], int(each["version"])) for each in found)

    def _of_subject(self, found: Any) -> KnownSchema:
        with _well_formed():
            place = Place(found["subject"].removeprefix(self._context), int(found["version"]))
            return _known(found, int(found["id"]), (place,))

    @property
    def _within(self) -> Mapping[str, str]:
        """An id belongs to a context."""
        return {"subject": self._context} if self._context else {}

    def _subject(self, name: str) -> str:
        """For a path: a name may hold anything."""
        return quote(self._context + name, safe="")

    async def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Mapping[str, str] | None = None
    ) -> Any:
        """Each URL once, the one that answered last first."""
        silent: list[str] = []
        async with self._client() as client:
            for url in list(self._urls):
                try:
                    answer = await client.request(method, url + path, json=body, params=query)
                except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:  # TLS alerts come as they are
                    silent.append(f"{_host(url)} does not answer ({type(error).__name__})")
                    continue
                if answer.status_code >= 500 or answer.status_code == 429:
                    silent.append(f"{_host(url)} answers with status {answer.status_code}")
                    continue
                self._urls.remove(url)
                self._urls.insert(0, url)
                return _judged(answer, _host(url))
        raise RegistryError(f"schema registry: {', '.join(silent)}: it is asked again; see schema_registry.urls")

    def _client(self) -> httpx.AsyncClient:
        settings = self._settings
        login = None
        if settings.username and settings.password:
            login = httpx.BasicAuth(settings.username, settings.password.get_secret_value())
        headers = {"accept": CONTENT, "content-type": CONTENT} | self._bearer()
        # What the environment says of proxies and logins is meant for others.
        return httpx.AsyncClient(
            auth=login,
            headers=headers,
            timeout=settings.timeout,
            verify=self._trust() if any(url.startswith("https") for url in settings.urls) else False,
            transport=self._transport,
            trust_env=False,
        )

    def _bearer(self) -> dict[str, str]:
        settings = self._settings
        try:
            token = read_secret(settings.token_file) if settings.token_file else None
        except (OSError, UnicodeDecodeError):
            raise RegistryError(f"schema_registry.token_file: cannot read {settings.token_file}") from None
        token = token or (settings.token.get_secret_value() if settings.token else None)
        if token and not token.isascii():
            raise RegistryError("schema_registry.token: a token has ASCII letters, digits and signs only")
        return {"authorization": f"Bearer {token}"} if token else {}

    def _trust(self) -> ssl.SSLContext:
        settings = self._settings
        try:
            context = ssl.create_default_context(cafile=settings.ssl_cafile)
            if settings.ssl_certfile:
                password = settings.ssl_password.get_secret_value() if settings.ssl_password else ""
                context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, password)
        except OSError as error:
            why = error.strerror or "not PEM, or not of one another"
            raise RegistryError(f"schema_registry.ssl_*: cannot use the certificate files: {why}") from None
        return context


def _judged(answer: httpx.Response, host: str) -> Any:
    """What it says. Raises what stands for its status."""
    try:
        found = msgspec.json.decode(answer.content)
    except (msgspec.DecodeError, RecursionError):
        found = None
    told = found if isinstance(found, dict) else {}
    code = told.get("error_code")
    if answer.status_code == 404 and isinstance(code, int) and code in NOT_FOUND:
        raise NotFoundError(_text(told))
    if answer.status_code in {CONFLICT, UNPROCESSABLE} and answer.request.method == "POST":
        raise RefusedError(_text(told))
    if answer.status_code in {401, 403}:
        raise RegistryError(
            f"schema registry: {host} refuses us with status {answer.status_code}: see schema_registry.username, token "
            "and ssl_certfile"
        )
    if answer.status_code != 200 or found is None:
        raise RegistryError(
            f"schema registry: {host} answers {answer.request.method} with status {answer.status_code}, which no "
            "registry does: see whether the path of its API belongs to schema_registry.urls"
        )
    return found


def _as_text(schema: object) -> str:
    if not isinstance(schema, str):
        raise TypeError
    return schema


def _text(told: Mapping[str, Any]) -> str:
    return " ".join(str(told.get("message", "it does not say why")).split())[:MOST_TEXT]


def _host(url: str) -> str:
    return urlsplit(url).netloc


@contextmanager
def _well_formed() -> Iterator[None]:
    """Raises RegistryError where a field is missing, or is another than it should be."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RegistryError(
            f"schema registry: its answer is none of a registry ({type(error).__name__}): see schema_registry.urls"
        ) from None


def _known(found: Any, number: int, places: Sequence[Place]) -> KnownSchema:
    with _well_formed():
        metadata = (found.get("metadata") or {}).get("properties") or {}
        return KnownSchema(
            kind=str(found.get("schemaType") or "AVRO"),
            text=_as_text(found["schema"]),
            number=number,
            guid=guid_of(str(found.get("guid") or "")),
            references=tuple(
                RawReference(str(each["name"]), str(each["subject"]), int(each["version"]))
                for each in found.get("references") or ()
            ),
            properties={str(name): str(value) for name, value in metadata.items()},
            places=tuple(places),
        )
