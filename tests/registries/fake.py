"""A schema registry in this process, over HTTP: Confluent's API with GUIDs, metadata, contexts and logins, and faults
when a test wants them. What it has in common with a real one, both are held to by the same tests."""

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

Answer = tuple[int, Any]
NOT_FOUND = {"subject": 40401, "version": 40402, "schema": 40403}


@dataclass
class Registered:
    """One schema; ``places`` are (subject, version)."""

    number: int
    guid: str
    content: dict[str, Any]
    places: list[tuple[str, int]] = field(default_factory=list)


@dataclass
class FakeRegistry:
    """``with FakeRegistry() as registry:`` serves at ``registry.url``; ``stop`` and ``start`` keep what is registered.

    ``fault`` answers in place of everything else; ``refused`` are subjects that take nothing more; ``login`` is the
    authorization header that is asked for.
    """

    port: int = 0
    login: str = ""
    fault: Callable[[str], Answer | None] = lambda _path: None
    refused: set[str] = field(default_factory=set)
    guids: bool = True
    asked: list[str] = field(default_factory=list)
    trust: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self._schemas: list[Registered] = []
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"{'https' if self.trust else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        if self._server is None:
            self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
            self._server.daemon_threads = True
            if self.trust:
                self._server.socket = self.trust.wrap_socket(self._server.socket, server_side=True)
            self.port = self._server.server_address[1]
            threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    # What tests put there.

    def register(self, subject: str, schema: Any, **more: Any) -> int:
        """The id of a schema under a subject; ``schema`` is JSON or text, ``more`` what stands beside it."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        return self._register(subject, {"schema": text, "schemaType": "JSON", **more}).number

    def guid_of(self, number: int) -> str:
        return next(each.guid for each in self._schemas if each.number == number)

    def basic(self, user: str, password: str) -> None:
        self.login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    # What it answers.

    def answer(self, method: str, target: str, body: bytes, login: str) -> Answer:
        parts = urlsplit(target)
        self.asked.append(f"{method} {parts.path}")
        if found := self.fault(parts.path):
            return found
        if self.login and login != self.login:
            return 401, {"error_code": 401, "message": "Unauthorized"}
        context = parse_qs(parts.query).get("subject", [""])[0]
        content = json.loads(body) if body else {}
        for pattern, respond in _ROUTES.items():
            if match := re.fullmatch(pattern, f"{method} {parts.path}"):
                return respond(self, [unquote(each) for each in match.groups()], content, context)
        return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}

    def _register(self, subject: str, content: dict[str, Any]) -> Registered:
        kept = {key: content[key] for key in ("schema", "schemaType", "references", "metadata") if content.get(key)}
        found = next((each for each in self._schemas if each.content == kept), None)
        if found is None:
            found = Registered(len(self._schemas) + 1, str(uuid.uuid4()), kept)
            self._schemas.append(found)
        if subject not in dict(found.places):
            found.places.append((subject, 1 + len(self._versions(subject))))
        return found

    def _versions(self, subject: str) -> dict[int, Registered]:
        return {version: each for each in self._schemas for name, version in each.places if name == subject}

    def _shown(self, each: Registered) -> dict[str, Any]:
        return {**each.content, **({"guid": each.guid} if self.guids else {})}

    def by_id(self, found: list[str], _content: Any, context: str) -> Answer:
        each = next((each for each in self._schemas if str(each.number) == found[0]), None)
        if each is None or (context and not any(name.startswith(context) for name, _ in each.places)):
            return _missing("schema")
        return 200, self._shown(each)

    def versions_of(self, found: list[str], _content: Any, _context: str) -> Answer:
        each = next((each for each in self._schemas if str(each.number) == found[0]), None)
        if each is None:
            return _missing("schema")
        return 200, [{"subject": name, "version": version} for name, version in each.places]

    def by_guid(self, found: list[str], _content: Any, _context: str) -> Answer:
        each = next((each for each in self._schemas if self.guids and each.guid == found[0]), None)
        return (200, self._shown(each)) if each else _missing("schema")

    def ids_of(self, found: list[str], _content: Any, _context: str) -> Answer:
        each = next((each for each in self._schemas if self.guids and each.guid == found[0]), None)
        return (200, [{"context": ".", "id": each.number}]) if each else _missing("schema")

    def version(self, found: list[str], _content: Any, _context: str) -> Answer:
        versions = self._versions(found[0])
        if not versions:
            return _missing("subject")
        number = max(versions) if found[1] == "latest" else int(found[1])
        if number not in versions:
            return _missing("version")
        each = versions[number]
        return 200, {"subject": found[0], "version": number, "id": each.number, **self._shown(each)}

    def look_up(self, found: list[str], content: Any, _context: str) -> Answer:
        versions = self._versions(found[0])
        if not versions:
            return _missing("subject")
        for number, each in versions.items():
            if _plain(each.content) == _plain(content):
                return 200, {"subject": found[0], "version": number, "id": each.number, **self._shown(each)}
        return _missing("schema")

    def take(self, found: list[str], content: Any, _context: str) -> Answer:
        try:
            _plain(content)
        except ValueError:
            return 422, {"error_code": 42201, "message": "Either the input schema or one its references is invalid"}
        if found[0] in self.refused:
            return 409, {"error_code": 409, "message": "Schema being registered is incompatible"}
        made = self._register(found[0], content)
        return 200, {"id": made.number, **({"guid": made.guid} if self.guids else {})}

    def compatible(self, found: list[str], _content: Any, _context: str) -> Answer:
        if not self._versions(found[0]):
            return _missing("subject")
        return 200, {"is_compatible": found[0] not in self.refused}


def _missing(what: str) -> Answer:
    return 404, {"error_code": NOT_FOUND[what], "message": f"{what.capitalize()} not found."}


_ROUTES: dict[str, Callable[[FakeRegistry, list[str], Any, str], Answer]] = {
    r"GET /schemas/ids/(\d+)": FakeRegistry.by_id,
    r"GET /schemas/ids/(\d+)/versions": FakeRegistry.versions_of,
    r"GET /schemas/guids/([0-9a-f-]+)": FakeRegistry.by_guid,
    r"GET /schemas/guids/([0-9a-f-]+)/ids": FakeRegistry.ids_of,
    r"GET /subjects/([^/]+)/versions/(latest|\d+)": FakeRegistry.version,
    r"POST /subjects/([^/]+)": FakeRegistry.look_up,
    r"POST /subjects/([^/]+)/versions": FakeRegistry.take,
    r"POST /compatibility/subjects/([^/]+)/versions/latest": FakeRegistry.compatible,
}


def _handler(registry: FakeRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, found = registry.answer(self.command, self.path, body, self.headers.get("authorization") or "")
            content = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            self.send_header("content-type", "application/vnd.schemaregistry.v1+json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _respond  # noqa: N815  (http.server's names)

        def log_message(self, *_: Any) -> None:
            """Tests read what was asked from ``asked``."""

    return Handler


def _plain(content: Mapping[str, Any]) -> Any:
    """A schema less the spaces in its text. Raises ValueError where it has to be JSON and is not."""
    text = content["schema"]
    return text.split() if content.get("schemaType") == "PROTOBUF" else json.loads(text)
