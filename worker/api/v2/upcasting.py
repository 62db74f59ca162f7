"""Upcasts events with a route's chain, as the worker would; nothing is written."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus

import msgspec
from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from upcast_authoring.trying import Tried, shown, targets_of
from upcasters import ChainError, Event, SourcePartition, Upcaster
from upcasters.event import Header
from upcasters.reference import Trace
from worker.api.bounded_thread import BoundedThread
from worker.api.documents import GivenEvent, UpcastAnswer, UpcastRequest
from worker.api.problems import unavailable
from worker.api.v2.answers import may_answer
from worker.api.v2.chain import chain_of
from worker.errors import CommandError
from worker.routes.chains import RouteChain

MAX_ANSWER_BYTES = 8 * 1024 * 1024
MAX_SPLIT_BYTES = 16 * 1024
"""Bytes of an event in a chain that splits: each child may hold the whole rest of it."""

_NULL = msgspec.Raw(b"null")
_REQUEST = {
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/UpcastRequest"}}},
    "required": True,
}


def add_upcast(router: APIRouter, chains: Mapping[str, RouteChain], aside: BoundedThread) -> None:
    @router.post(
        "/upcast",
        tags=["upcast"],
        response_model=UpcastAnswer,
        response_model_exclude_unset=True,
        responses=may_answer(404, 422),
        openapi_extra={"requestBody": _REQUEST},
    )
    async def upcast(request: Request) -> Response:
        """What would become of these events on a route and, with `trace`, what each hop changes.

        Nothing is sent to Kafka. Every number comes out as it is written.
        """
        body = await request.body()
        asked, values = await aside.run(read_request, body)
        given = chain_of(chains, asked.route)
        if given.route.by_schema:
            values = await aside.run(_written_values, given, asked, values)
            await _ask_for_schemas(given, list(map(_event, asked.events, values)))
        return await aside.run(_answer, given, asked, values)


def _answer(given: RouteChain, asked: UpcastRequest, values: list[bytes]) -> Response:
    # A request may name any version.
    splits = given.splits_values or any(step.splits for step in given.chain.steps)
    if splits and any(len(value) > MAX_SPLIT_BYTES for value in values):
        detail = f"the chain splits events, so one may have at most {MAX_SPLIT_BYTES} bytes here"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    parts, size = [], 0
    for part in _outcomes(given, asked, values):
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            detail = f"the answer would have over {MAX_ANSWER_BYTES} bytes: send fewer events, or leave out trace"
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    head = msgspec.json.encode({"route": given.route.source, "fingerprint": given.chain.fingerprint})
    content = head[:-1] + b',"events":[' + b",".join(parts) + b"]}"
    return Response(content, media_type="application/json")


def read_request(body: bytes) -> tuple[UpcastRequest, list[bytes]]:
    """The request, and the events' values as they are written. Raises RequestValidationError."""
    values: list[bytes] = []
    try:
        top = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        events = msgspec.json.decode(top["events"], type=list[dict[str, msgspec.Raw]])
        values = [bytes(event["value"]) for event in events]
        # Without the values, which are no business of the model's: it would read their numbers.
        body = msgspec.json.encode({**top, "events": [{**event, "value": _NULL} for event in events]})
    except (msgspec.DecodeError, KeyError):
        values = []  # the model says what is wrong
    try:
        return UpcastRequest.model_validate_json(body), values
    except ValidationError as error:
        found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_url=False)]
        raise RequestValidationError(found) from None


def _to_version(given: RouteChain, target: str) -> Upcaster:
    try:
        targets = targets_of(given.chain, target)
        return given.chain.upcaster(replace(given.route.policy(), target=targets))
    except (ChainError, CommandError):
        detail = "the chain cannot upcast events to that target: see the compatibility matrix"
        raise HTTPException(HTTPStatus.NOT_FOUND, detail) from None


def _written_values(given: RouteChain, asked: UpcastRequest, values: list[bytes]) -> list[bytes]:
    """Values as they stand in a source whose values have schemas: given in base64, frame and all."""
    if asked.target is not None:
        detail = "results of this route are written by the schemas that it names: leave out target"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    if not given.route.reads.framed:
        return values
    try:
        texts = [msgspec.json.decode(value, type=str | None) for value in values]
        return [b"null" if text is None else base64.b64decode(text, validate=True) for text in texts]
    except (msgspec.ValidationError, binascii.Error):
        detail = "values of this route are written by schemas: give each in base64, with its frame"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from None


async def _ask_for_schemas(given: RouteChain, events: Sequence[Event]) -> None:
    """As lanes do before they work on records."""
    with unavailable():
        await given.begin_to_show()
        await given.learn(events)


def _outcomes(given: RouteChain, asked: UpcastRequest, values: list[bytes]) -> Iterator[bytes]:
    trace = given.trace if given.route.by_schema else _upcast(given, asked)
    for number, (each, value) in enumerate(zip(asked.events, values, strict=True), start=1):
        source = None if each.partition is None else SourcePartition(given.route.source, each.partition)
        event, found = trace(_event(each, value), source)
        yield msgspec.json.encode(shown(Tried(number, event, found), trace=asked.trace))


Tracing = Callable[[Event, SourcePartition | None], tuple[Event, Trace]]


def _upcast(given: RouteChain, asked: UpcastRequest) -> Tracing:
    upcaster = given.preview if asked.target is None else _to_version(given, asked.target)

    def upcast(event: Event, source: SourcePartition | None) -> tuple[Event, Trace]:
        return event, upcaster.trace(event, source) if asked.trace else Trace(upcaster.upcast(event, source))

    return upcast


def _event(given: GivenEvent, value: bytes) -> Event:
    key = None if given.key is None else given.key.encode()
    return Event(None if value == b"null" else value, key, _headers(given), offset=given.offset)


def _headers(given: GivenEvent) -> list[Header]:
    return [(header.name, None if header.value is None else header.value.encode()) for header in given.headers]
