"""The bodies of requests and answers in the current version. Fields are snake_case; `/v1` is derived from them."""

from __future__ import annotations

from datetime import date, datetime
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

from worker.api.view import Decided, RouteStatus, Status
from worker.replay.apply.receipt import Receipt


class Answer(BaseModel):
    """A body that the worker sends; filled from any object with these attributes."""

    model_config = ConfigDict(from_attributes=True)


class Asked(BaseModel):
    """A body that a caller sends: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


def _no_text(given: Any) -> Any:
    """Numbers are JSON's numbers: pydantic would read them out of text, too."""
    if isinstance(given, str | bool):
        raise ValueError("must be a number")  # noqa: TRY004  # pydantic takes ValueErrors
    return given


NUMBER = BeforeValidator(_no_text)
Amount = Annotated[float, Field(gt=0, allow_inf_nan=False), NUMBER]
PartitionNumber = Annotated[int, Field(ge=0, lt=2**31), NUMBER]
Offset = Annotated[int, Field(ge=0, lt=2**63), NUMBER]


# Errors.


class Fault(Answer):
    pointer: str = Field(description="JSON Pointer into the request: `/body/…`, `/query/…` or `/path/…`.")
    detail: str


class Problem(Answer):
    """RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str = Field("", description="Stable; `upcast explain` and docs/codes.md know it.")
    errors: list[Fault] = Field([], description="Where the request is not as the API describes it.")


# The rate of a route.


class Rate(Asked):
    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    records_per_second: Amount | None = Field(None, description="None lifts the limit.")
    bytes_per_second: Amount | None = Field(None, description="Of keys and values. None lifts the limit.")

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name records_per_second or bytes_per_second; null lifts the limit")
        return self


# Where a partition goes on.


class Decision(Asked):
    go_on_at: Offset | Literal["found", "end"] = Field(
        description="An offset; `found`: where the partition ended when checked; `end`: where the source ends now."
    )


# The chain of a route.


class ChainVersion(Answer):
    version: str = Field(description="Empty for events without a version.")
    step: str = Field(description="Id of the step or baseline that makes it.")
    summary: str
    marks: list[str] = Field(description="`current`, `preview`, `baseline`.")
    leads_to: list[str] = Field(description="Other types that its events become.")


class ChainType(Answer):
    event_type: str
    current: str
    newest: str | None = Field(description="None where all of its events become other types.")
    versions: list[ChainVersion] = Field(description="Oldest first.")


class ChainDescription(Answer):
    chain: str = Field(description="As the configuration names it.")
    fingerprint: str = Field(description="Hash of the chain's content.")
    routes: list[str] = Field(description="Sources of the routes that use it.")
    types: list[ChainType]


class MappingChange(Answer):
    depth: int = Field(description="How many operations it stands inside.")
    text: str
    reads: list[str]
    writes: list[str]
    way_back: str
    why: str = Field(description="Why the way back is not exact.")


class FieldDifference(Answer):
    path: str
    before: str = Field(description="Its type in the older model; empty where it is not there.")
    after: str


class HopMapping(Answer):
    event_type: str
    from_version: str
    to_type: str
    to_version: str
    step: str
    changes: list[MappingChange]
    fields: list[FieldDifference] = Field(description="What the models declare differently.")


class MappingTable(Answer):
    fingerprint: str
    hops: list[HopMapping]


class MatrixRow(Answer):
    event_type: str
    source: str
    target: str
    path: str = Field(description="Direct, Guided or Complex.")
    hops: int
    complexity: str
    way_back: str
    why: str
    notes: str


class CompatibilityMatrix(Answer):
    fingerprint: str
    rows: list[MatrixRow]


class GraphNode(Answer):
    id: str
    event_type: str
    version: str
    marks: list[str]


class GraphEdge(Answer):
    source: str = Field(description="Id of a node.")
    target: str
    step: str
    preview: bool
    way_back: str


class ChainGraph(Answer):
    fingerprint: str
    nodes: list[GraphNode]
    edges: list[GraphEdge]


# Upcasting events.


class RecordHeader(Asked):
    name: str
    value: str | None = Field(None, description="UTF-8.")


class GivenEvent(Asked):
    value: Any = Field(
        description="The event; null is a tombstone. Numbers come out as they are written. On a route that reads Avro "
        "it is the record's value in base64, with its frame."
    )
    key: str | None = None
    headers: list[RecordHeader] = []
    partition: PartitionNumber | None = Field(None, description="Ids of a split are made of its coordinates.")
    offset: Offset | None = None


class UpcastRequest(Asked):
    events: list[GivenEvent] = Field(min_length=1, max_length=100)
    route: str | None = Field(None, description="Source of the route to take; may be left out where there is one.")
    target: str | None = Field(None, description="Version to bring events to, if not the route's.")
    trace: StrictBool = Field(False, description="Show each hop with the document before and after it.")


class EventFault(Answer):
    fingerprint: str = Field(description="Same fault, same string.")
    stage: str
    error_type: str
    message: str
    event_type: str = ""
    from_version: str = ""
    to_version: str = ""
    step: str = ""
    path: str = ""


class OutputRecord(Answer):
    key: str | None
    headers: list[RecordHeader]
    value: Any


class HopTaken(Answer):
    step: str
    from_version: str
    to_version: str
    before: Any
    after: Any
    position: int | None = Field(None, description="Of the event in its record, from 0, where that holds several.")


class EventOutcome(Answer):
    event: int = Field(description="Its place in the request, from 1.")
    outcome: Literal["upcast", "passed", "skipped", "dead-lettered"]
    fault: EventFault | None = None
    event_type: str | None = None
    from_version: str | None = None
    to_version: str | None = None
    hops: int | None = None
    reason: str | None = Field(None, description="Why it was passed or skipped.")
    records: list[OutputRecord] | None = Field(None, description="What would be produced.")
    read_by: list[str] | None = Field(None, description="The readers that had to change the value before it was JSON.")
    trace: list[HopTaken] | None = None


class UpcastAnswer(Answer):
    route: str
    fingerprint: str
    events: list[EventOutcome]


# The ledger.


class RunSummary(Answer):
    replay_id: str
    kind: str = Field(description="`replay` or `redrive`.")
    route: str
    state: str = Field(
        description="`running`, `stopped`, `finished`, `failed`, or `interrupted`: no process has worked on it since "
        "`reported`. The same command goes on with it."
    )
    started: datetime
    ended: datetime | None
    reported: datetime | None = Field(description="When a process that works on it last said so.")
    reason: str
    plan_digest: str
    cluster_id: str
    worker_version: str


class RunList(Answer):
    runs: list[RunSummary] = Field(description="Newest first.")
    truncated: bool = Field(description="There are more.")


class RunProgress(Answer):
    """`[start, committed)` of `[start, end)` is done."""

    topic: str
    partition: int
    start: int
    end: int
    committed: int


class DeadLetterGroup(Answer):
    """Dead letters with one fault. Times in milliseconds; -1 is unknown."""

    fingerprint: str
    count: int
    stage: str
    error_type: str
    event_type: str
    from_version: str
    to_version: str
    step: str
    first_seen: int
    last_seen: int


class RunDetails(RunSummary):
    progress: list[RunProgress]
    dead_letters: list[DeadLetterGroup]


# Dead letters.


class LetterPlace(Answer):
    partition: int
    offset: int


class LetterGroup(Answer):
    """Dead letters with one fault. Times in milliseconds; -1 is unknown."""

    fingerprint: str = Field(description="Empty for records that this worker did not write.")
    topic: str = Field(description="Where they came from.")
    stage: str
    error_type: str
    event_type: str
    from_version: str
    to_version: str
    step: str
    records: int
    left: int = Field(description="How many no redrive has taken yet.")
    rounds: int = Field(description="How often the one redriven most was redriven.")
    first_seen: int
    last_seen: int
    samples: list[LetterPlace]


class LetterList(Answer):
    route: str
    topic: str = Field(description="The dead-letter topic.")
    records: int
    made: datetime
    groups: list[LetterGroup] = Field(description="Most first.")


class LetterHop(Answer):
    step: str
    event_type: str
    from_version: str
    to_type: str
    to_version: str
    diff: list[str] | None = Field(description="Lines of the document that differ; None where values are withheld.")


class LetterNow(Answer):
    """What the route's chain, as this worker runs it, makes of the letter's record."""

    outcome: str = Field(description="`upcast`, `passed`, `skipped` or `dead-lettered`.")
    stage: str = Field(description="Of the fault; empty where there is none.")
    error_type: str
    step: str
    message: str | None = Field(description="None where it may hold values that are withheld.")
    hops: list[LetterHop]


class RecordedTexts(Answer):
    """What was written into the letter's headers when it became one."""

    message: str
    trace: str


class LetterContent(Answer):
    key: str | None
    headers: list[RecordHeader]
    value: str | None = Field(description="As JSON where it can be read; cut where it is long.")


class ShownLetter(Answer):
    """Times in milliseconds; -1 is unknown."""

    route: str
    topic: str = Field(description="The dead-letter topic.")
    place: LetterPlace
    ours: bool = Field(description="Whether this worker wrote it.")
    fingerprint: str
    stage: str
    error_type: str
    event_type: str
    from_version: str
    to_version: str
    step: str
    from_topic: str | None = Field(description="Where the record came from; None where there was no room to say so.")
    from_partition: int | None
    from_offset: int | None
    buried: int = Field(description="When it became a dead letter.")
    timestamp: int = Field(description="The record's own.")
    rounds: int = Field(description="How often it was redriven.")
    value_bytes: int | None = Field(description="None for a tombstone.")
    recorded: RecordedTexts | None = Field(description="Only with the token.")
    content: LetterContent | None = Field(description="Only with the token, and where the route has `include_values`.")
    now: LetterNow | None = Field(description="None where this worker did not write the letter.")
    withheld: str = Field(description="What is not shown, and what would show it.")


class AskedRedrive(Asked):
    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{16}$", description="Of the group.")]
    records_per_second: Amount | None = Field(None, description="At most so many letters a second.")


class StartedRedrive(Answer):
    replay_id: str = Field(description="`/v2/runs` tells how far it is.")
    letters: int = Field(description="How many it takes.")
    destination: str
    warnings: list[str]


# The checklist.


class ChecklistLine(Answer):
    name: str
    group: str = Field(description="The migration guide's list that it belongs to.")
    text: str = Field(description="The guide's own.")
    status: str = Field(description="`pass`, `fail`, `not checked` or `attested`.")
    evidence: list[str]


class Checklist(Answer):
    made: datetime
    failed: list[str] = Field(description="Names of the lines that fail.")
    lines: list[ChecklistLine]


# Deprecations.


class DeprecationNotice(Answer):
    kind: str = Field(description="`schema`, `setting` or `endpoint`.")
    name: str
    replacement: str
    notice: str = Field(description="Minor version that gave notice.")
    removal: str = Field(description="First minor version that may be without it.")
    noticed: date
    sunset: date


class DeprecationList(Answer):
    deprecations: list[DeprecationNotice]


MODELS: tuple[type[BaseModel], ...] = (
    *(Problem, Status, RouteStatus, Rate, Decision, Decided),
    *(ChainDescription, MappingTable, CompatibilityMatrix, ChainGraph),
    *(UpcastRequest, UpcastAnswer),
    *(RunList, RunDetails, Receipt),
    *(LetterList, Checklist, DeprecationList),
)

DOCUMENTS = MappingProxyType({model.__name__: model for model in MODELS})
"""Every document that has a version, by the name of its type in the chain."""
