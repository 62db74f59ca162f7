"""The dead letters of a route, by fault; one of them; and, with the token, a redrive of a group."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from enum import Enum
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import SecretStr
from starlette.exceptions import HTTPException

from worker.api.auth import bearer_token, sent_token
from worker.api.bounded_thread import BoundedThread
from worker.api.documents import AskedRedrive, LetterGroup, LetterList, LetterPlace, ShownLetter, StartedRedrive
from worker.api.problems import unavailable
from worker.api.v2.answers import may_answer
from worker.api.v2.chain import RouteName, chain_of
from worker.api.v2.status import By, PartitionNumber
from worker.api.view import CannotRedriveError, LetterAsked, Lookups, RedriveWish
from worker.errors import WorkerError
from worker.routes.chains import RouteChain

FRESH_SECONDS = 10.0
"""Seconds for which an answer is reused: each reads the topic from its start."""


NO_SUCH_LETTER = "UPC1619"

TAGS: list[str | Enum] = ["dead letters"]
OffsetNumber = Annotated[int, Path(ge=0, lt=2**63)]


def add_dead_letters(
    router: APIRouter, chains: Mapping[str, RouteChain], lookups: Lookups, aside: BoundedThread
) -> None:
    known: dict[str, tuple[float, LetterList]] = {}

    def ask(given: RouteChain) -> LetterList:
        when, answer = known.get(given.route.source, (0.0, None))
        if answer is None or time.monotonic() - when > FRESH_SECONDS:
            answer = _listed(lookups, given)
            known[given.route.source] = time.monotonic(), answer
        return answer

    @router.get("/dead-letters", tags=TAGS, responses=may_answer(404, 422))
    async def dead_letters(route: RouteName = None) -> LetterList:
        """What `upcast dlq list` prints: groups of one fault each. At most 10 s old."""
        return await aside.run(ask, chain_of(chains, route))


def add_letter(
    router: APIRouter, chains: Mapping[str, RouteChain], token: SecretStr | None, lookups: Lookups, aside: BoundedThread
) -> None:
    @router.get("/dead-letters/{partition}/{offset}", tags=TAGS, responses=may_answer(401, 404, 422))
    async def dead_letter(
        partition: PartitionNumber,
        offset: OffsetNumber,
        trusted: bool = Depends(sent_token(token)),
        route: RouteName = None,
    ) -> ShownLetter:
        """One dead letter, and what the chain would make of it now. With the token also the texts in its headers, and,
        where the route has `include_values`, the record itself."""
        asked = LetterAsked(partition, offset, trusted)
        return await aside.run(_looked_at, lookups, chain_of(chains, route), asked)


def _looked_at(lookups: Lookups, given: RouteChain, asked: LetterAsked) -> ShownLetter:
    with unavailable():
        try:
            found = lookups.look_at_letter(given, asked)
        except WorkerError as error:
            if error.code == NO_SUCH_LETTER:
                raise HTTPException(HTTPStatus.NOT_FOUND, str(error)) from None
            raise
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "this process shows no dead letters: ask the worker itself")
    return ShownLetter.model_validate(found)


def add_redrive(
    router: APIRouter, chains: Mapping[str, RouteChain], token: SecretStr | None, lookups: Lookups, aside: BoundedThread
) -> None:
    @router.post(
        "/dead-letters/redrive",
        tags=TAGS,
        status_code=HTTPStatus.ACCEPTED,
        dependencies=[Depends(bearer_token(token))],
        responses=may_answer(401, 403, 404, 409, 422),
    )
    async def redrive(asked: AskedRedrive, by: By, route: RouteName = None) -> StartedRedrive:
        """Start a redrive of the dead letters of one fault, as `upcast dlq redrive` does it: planned first, and not
        begun where something would be lost or become a dead letter again. It runs beside the lanes, and `/v2/runs`
        tells how far it is; after a restart of the worker ask again for the rest. `by` and `why` go into the log and
        the ledger."""
        given = chain_of(chains, route)
        wish = RedriveWish(asked.fingerprint, asked.records_per_second, by.reason)
        started = await aside.run(_started, lookups, given, wish)
        told = {"replay": started.replay_id, "fingerprint": wish.fingerprint, "letters": started.letters}
        by.note("redrive", given.route.source, **told)
        return started


def _started(lookups: Lookups, given: RouteChain, wish: RedriveWish) -> StartedRedrive:
    try:
        with unavailable():
            started = lookups.start_redrive(given, wish)
    except CannotRedriveError as error:
        raise HTTPException(HTTPStatus.CONFLICT, str(error)) from None
    if started is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "this process redrives nothing: ask the worker itself")
    return StartedRedrive.model_validate(started)


def _listed(lookups: Lookups, given: RouteChain) -> LetterList:
    with unavailable():
        listing = lookups.list_dead_letters(given)
    if listing is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "this process does not list dead letters: ask the worker itself")
    groups = [
        LetterGroup(
            **fault._asdict(),
            **{name: value for name, value in asdict(group).items() if name != "samples"},
            samples=[LetterPlace.model_validate(place) for place in group.samples],
        )
        for fault, group in listing.ordered()
    ]
    route = given.route
    return LetterList(
        route=route.source, topic=route.dead_letter, records=listing.records, made=datetime.now(UTC), groups=groups
    )
