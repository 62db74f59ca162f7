"""Replays and redrives as the ledger has them: runs, how far they are, their receipts and their dead letters."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, TypeVar

from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException

from worker.api.bounded_thread import BoundedThread
from worker.api.documents import DeadLetterGroup, RunDetails, RunList, RunProgress, RunSummary
from worker.api.problems import unavailable
from worker.api.v2.answers import may_answer
from worker.api.view import Lookups
from worker.replay.apply.receipt import Receipt, kept_receipt

if TYPE_CHECKING:
    from worker.ledger import Ledger, Run

T = TypeVar("T")


TAGS: list[str | Enum] = ["runs"]


def add_runs(router: APIRouter, lookups: Lookups, aside: BoundedThread) -> None:
    async def ask(question: Callable[[Ledger], T | None]) -> T | None:
        return await aside.run(_asked, lookups, question)

    @router.get("/runs", tags=TAGS, responses=may_answer(422))
    async def runs(limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 100) -> RunList:
        """All bounded passes over old offsets, newest first."""
        found = await ask(lambda ledger: ledger.runs()) or []
        return RunList(
            runs=[_summary(run) for run in found[:limit]],
            truncated=len(found) > limit,
        )

    @router.get("/runs/{replay_id}", tags=TAGS, responses=may_answer(404, 422))
    async def run(replay_id: str) -> RunDetails:
        """One run, how far it is in each partition, and its dead letters by fault."""
        return _found(await ask(lambda ledger: _details(ledger, replay_id)), "run")

    @router.get("/runs/{replay_id}/receipt", tags=TAGS, responses=may_answer(404, 422))
    async def receipt(replay_id: str) -> Receipt:
        """The receipt of a run that is finished."""
        return _found(await ask(lambda ledger: kept_receipt(ledger, replay_id)), "receipt")


def _asked(lookups: Lookups, question: Callable[[Ledger], T | None]) -> T | None:
    """What the ledger answers; None where there is none. Raises HTTPException (503) where it cannot be read."""
    with unavailable():
        ledger = lookups.open_ledger()
        if ledger is None:
            return None
        with closing(ledger):
            return question(ledger)


def _summary(run: Run) -> RunSummary:
    return RunSummary.model_validate(run.as_of(datetime.now(UTC)))


def _details(ledger: Ledger, replay_id: str) -> RunDetails | None:
    run = ledger.run(replay_id)
    if run is None:
        return None
    return RunDetails(
        **_summary(run).model_dump(),
        progress=[RunProgress.model_validate(each) for each in ledger.progress(replay_id)],
        dead_letters=[DeadLetterGroup.model_validate(each) for each in ledger.dead_letters(replay_id)],
    )


def _found(answer: T | None, what: str) -> T:
    if answer is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"the ledger has no such {what}")
    return answer
