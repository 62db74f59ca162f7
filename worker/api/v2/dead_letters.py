"""The dead letters of a route, by fault."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import APIRouter
from starlette.exceptions import HTTPException

from worker.api.bounded_thread import BoundedThread
from worker.api.documents import LetterGroup, LetterList, LetterPlace
from worker.api.problems import unavailable
from worker.api.v2.answers import may_answer
from worker.api.v2.chain import RouteName, chain_of
from worker.api.view import Lookups
from worker.routes.chains import RouteChain

FRESH_SECONDS = 10.0
"""Seconds for which an answer is reused: each reads the topic from its start."""


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

    @router.get("/dead-letters", tags=["dead letters"], responses=may_answer(404, 422))
    async def dead_letters(route: RouteName = None) -> LetterList:
        """What `upcast dlq list` prints: groups of one fault each. At most 10 s old."""
        return await aside.run(ask, chain_of(chains, route))


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
