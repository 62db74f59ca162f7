"""The migration guide's checklist, each line with its evidence."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import APIRouter
from starlette.exceptions import HTTPException

from worker.api.bounded_thread import BoundedThread
from worker.api.documents import Checklist, ChecklistLine
from worker.api.problems import unavailable
from worker.api.v2.answers import may_answer
from worker.api.view import Lookups


def add_checklist(router: APIRouter, lookups: Lookups, aside: BoundedThread) -> None:
    @router.get("/checklist", tags=["checklist"], responses=may_answer(404))
    async def checklist() -> Checklist:
        """What `upcast checklist` prints, without attested lines."""
        return await aside.run(_asked, lookups)


def _asked(lookups: Lookups) -> Checklist:
    with unavailable():
        lines = lookups.ask_checklist()
    if lines is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "this process has no checklist: ask the worker itself")
    return Checklist(
        made=datetime.now(UTC),
        failed=[line.item.name for line in lines if line.status == "fail"],
        lines=[
            ChecklistLine(
                name=line.item.name,
                group=line.item.group,
                text=line.item.text,
                status=line.status,
                evidence=list(line.evidence),
            )
            for line in lines
        ],
    )
