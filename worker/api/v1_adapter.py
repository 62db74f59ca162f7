"""`/v1`: its requests are upcast to those of `/v2` and the answers of `/v2` downcast, by the same engine as events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from upcasters import CAMEL_CASE, DeadLettered, Event, Passed, Policy, Skipped, Upcaster
from worker.api.bounded_thread import BoundedThread
from worker.api.deprecation_headers import notice_headers
from worker.api.documents import Decision, Problem, Rate, UpcastRequest
from worker.api.history import TYPE, VERSION, chain
from worker.api.limits import STREAMS, read_body, replaying
from worker.api.problems import MEDIA_TYPE, problem
from worker.deprecation import find

OLDER, CURRENT = "/v1", "/v2"

NOTICE = notice_headers(find(OLDER))

REQUESTS = MappingProxyType(
    {"limit_rate": Rate.__name__, "decide": Decision.__name__, "upcast": UpcastRequest.__name__}
)
"""The type of the request body of an endpoint, by the name of its function."""


ONLY_CURRENT = STREAMS | {"/v2/dead-letters/{partition}/{offset}", "/v2/dead-letters/redrive"}


def older_path(route: APIRoute) -> str | None:
    """The path of an endpoint in the older version; None for what is new."""
    return None if route.path in ONLY_CURRENT else OLDER + route.path.removeprefix(CURRENT)


class Untranslatable(Exception):
    """The document cannot be translated. The message holds no value of it."""


class Translator:
    """Documents of the API from one version to another."""

    def __init__(self) -> None:
        self._up = chain.upcaster(Policy())
        self._down = chain.upcaster(Policy(target=dict.fromkeys(chain.types, "1")))

    def upcast(self, name: str, document: bytes) -> bytes:
        return _translated(self._up, name, "1", document)

    def downcast(self, name: str, document: bytes) -> bytes:
        return _translated(self._down, name, "2", document)


def _translated(upcaster: Upcaster, name: str, version: str, document: bytes) -> bytes:
    event = Event(document, None, [(TYPE, name.encode()), (VERSION, version.encode())])
    outcome = upcaster.upcast(event)
    if isinstance(outcome, DeadLettered):
        raise Untranslatable(outcome.fault.message)
    if isinstance(outcome, (Passed, Skipped)):
        return document
    return outcome.output(event)[0].value or b""


class V1Adapter:
    """ASGI middleware before the current version, which does all the work. New things, such as streams, stay new."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute], aside: BoundedThread) -> None:
        self._app = app
        self._routes = [route for route in routes if isinstance(route, APIRoute) and older_path(route)]
        self._aside = aside
        self._translator = Translator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if not path.startswith(f"{OLDER}/") or path == f"{OLDER}/openapi.json":
            await self._app(scope, receive, send)
            return
        newer = CURRENT + path.removeprefix(OLDER)
        inner = {**scope, "path": newer, "raw_path": newer.encode()}
        route = self._route(inner)
        if route is None:
            inner = dict(scope)
        else:
            scope["route_template"] = older_path(route)
        answer = _Answer()
        try:
            body = await self._request(route, await read_body(scope, receive))
        except Untranslatable as error:
            refusal = problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"the body is not as the API describes it: {error}")
            await refusal(scope, receive, answer)
        else:
            MutableHeaders(scope=inner)["content-length"] = str(len(body))
            await self._app(inner, replaying(body, receive), answer)
        await self._downcast(answer, route)
        await answer.send({**NOTICE, "link": _links(newer if route else f"{CURRENT}/status")}, send)

    def _route(self, scope: Scope) -> APIRoute | None:
        """The route that will answer, if only to say that it has no such method."""
        found = [(match, route) for route in self._routes if (match := route.matches(scope)[0]) is not Match.NONE]
        return min(found, key=lambda each: each[0] is not Match.FULL)[1] if found else None

    async def _request(self, route: APIRoute | None, body: bytes) -> bytes:
        name = REQUESTS.get(route.name) if route else None
        return await self._aside.run(self._translator.upcast, name, body) if name and body else body

    async def _downcast(self, answer: _Answer, route: APIRoute | None) -> None:
        kind = answer.headers.get("content-type")
        if kind == MEDIA_TYPE:
            name = Problem.__name__
        elif kind == "application/json" and route is not None:
            name = route.response_model.__name__
        else:
            return
        answer.body = await self._aside.run(self._translator.downcast, name, answer.body)


class _Answer:
    """Collects an answer until it is whole; a ``send`` for the app."""

    def __init__(self) -> None:
        self.status = HTTPStatus.OK.value
        self.headers = MutableHeaders()
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = MutableHeaders(raw=list(message["headers"]))
        else:
            self.body += message.get("body", b"")

    async def send(self, headers: Mapping[str, str], send: Send) -> None:
        """Let it go, with these headers beside its own."""
        self.headers.update({**headers, "content-length": str(len(self.body))})
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers.raw})
        await send({"type": "http.response.body", "body": self.body})


def _links(newer: str) -> str:
    """The same thing in the current version, and what is said about the older one."""
    return f'<{quote(newer)}>; rel="successor-version", <{CURRENT}/deprecations>; rel="deprecation"'


def older_document(document: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document of `/v1`, out of that of `/v2`: the same with every field in its older spelling."""
    older: dict[str, Any] = _respelled(document)
    older["info"] = {**document["info"], "version": "1", "description": f"Deprecated: use {CURRENT}."}
    older["paths"] = {
        OLDER + path.removeprefix(CURRENT): {method: _deprecated(each) for method, each in methods.items()}
        for path, methods in older["paths"].items()
        if path not in ONLY_CURRENT
    }
    return older


def _deprecated(operation: dict[str, Any]) -> dict[str, Any]:
    return {**operation, "operationId": f"{operation['operationId']}_older", "deprecated": True}


def _respelled(schema: Any) -> Any:
    """Only names of fields: an object's ``properties`` and which of them are ``required``."""
    if isinstance(schema, list):
        return [_respelled(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _respelled(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        made["properties"] = {CAMEL_CASE(name): _respelled(value) for name, value in schema["properties"].items()}
        made["required"] = [CAMEL_CASE(name) for name in schema.get("required", ())]
    return made
