"""The interface between the API and the worker: what it shows and can change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel, Field

from worker.lanes.state import LaneStatus

if TYPE_CHECKING:
    from worker.checklist.evidence import ChecklistLine
    from worker.dlq.listing import Listing
    from worker.ledger import Ledger
    from worker.routes.chains import RouteChain


@dataclass(frozen=True)
class Lookups:
    """What the API looks up apart from the worker, each in a thread. They return None where there is nothing, or where
    this process does not do it; WorkerError is answered with 503."""

    open_ledger: Callable[[], Ledger | None] = lambda: None
    """For one request."""
    ask_checklist: Callable[[], Sequence[ChecklistLine] | None] = lambda: None
    list_dead_letters: Callable[[RouteChain], Listing | None] = lambda _: None
    """Of a route, by fault."""
    look_at_letter: Callable[[RouteChain, LetterAsked], Mapping[str, Any] | None] = lambda _route, _asked: None
    """The fields of ``ShownLetter``."""
    start_redrive: Callable[[RouteChain, RedriveWish], Mapping[str, Any] | None] = lambda _route, _wish: None
    """The fields of ``StartedRedrive``, once it has begun. Also raises CannotRedriveError."""


@dataclass(frozen=True)
class LetterAsked:
    """``trusted``: whoever asks has sent the token."""

    partition: int
    offset: int
    trusted: bool


@dataclass(frozen=True)
class RedriveWish:
    """``reason``: who and why, for the ledger."""

    fingerprint: str
    records_per_second: float | None
    reason: str


class CannotRedriveError(Exception):
    """Nothing was started: another redrive runs, no letter is left, or the plan has objections."""


class RouteStatus(BaseModel):
    source: str
    destination: str
    dead_letter: str
    chain: str
    fingerprint: str = Field(description="Hash of the chain's content.")
    delivery: str
    paused: bool = False
    records_per_second: float | None = Field(None, description="Rate limit; None means none.")
    bytes_per_second: float | None = Field(None, description="Rate limit in bytes of keys and values.")
    disagreeing: list[str] = Field(
        [], description="Members of the group that have used another chain or destination for over ten minutes."
    )
    lanes: list[LaneStatus] = []


class Status(BaseModel):
    version: str
    state: str = Field(
        description="How far the worker has come: starting, waiting for kafka, checking topics, running or stopping."
    )
    consumer_group: str
    why_not_ready: list[str] = Field(description="The reasons of /readyz; empty where all assigned lanes run.")
    routes: list[RouteStatus]


class NotRunningError(Exception):
    """The worker is starting and has no lanes yet."""


class CannotDecideError(Exception):
    """The partition needs no decision, or has no such offset."""


class Decided(BaseModel):
    """Where a partition goes on after a person's decision, and what is skipped."""

    before: int = Field(description="The group's offset before.")
    go_on_at: int = Field(description="The group's offset now.")
    first_left_out: int = Field(description="The first offset that nobody has read.")
    left_out: int = Field(description="How many of them are gone past, from that one on.")


class WorkerView(Protocol):
    """The worker as the API sees it. Lists of lines are reasons; an empty list means that all is well.

    ``pause``, ``resume`` and ``limit_rate`` raise ``KeyError`` where no route has the source, and
    ``NotRunningError``.
    """

    def why_not_live(self) -> list[str]: ...

    def why_not_ready(self) -> list[str]: ...

    def status(self) -> Status: ...

    def route_chains(self) -> Mapping[str, RouteChain]:
        """The routes with their chains, by source topic."""

    def pause(self, source: str) -> None: ...

    def resume(self, source: str) -> None:
        """Also closes an open breaker."""

    def limit_rate(self, source: str, records_per_second: float | None, bytes_per_second: float | None = None) -> None:
        """None lifts a limit."""

    async def decide(self, source: str, partition: int, go_on_at: int | Literal["found", "end"]) -> Decided:
        """Decide where a blocked partition goes on. Also raises ``CannotDecideError`` and WorkerError."""
