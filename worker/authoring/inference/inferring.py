"""From events before and after a change to the operations of a step, tried on the same events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from upcasters import Always, Baseline, Chain, ChainError, DeadLettered, Detection, Event, Policy, Step, Upcaster
from worker.authoring.inference.calls import Call
from worker.authoring.inference.columns import same
from worker.authoring.inference.scope import changes_between
from worker.errors import WorkerError

EVENT, BEFORE, AFTER = "event", "before", "after"
LOSSY = "inferred from events: say here why what is lost may be lost"


@dataclass(frozen=True)
class Inferred:
    """``events`` are the texts of ``befores``. ``wrong`` has the number (from 1) of each pair that the operations do
    not bring out as it is after, with why."""

    calls: Sequence[Call]
    unexplained: Sequence[str]
    events: Sequence[bytes]
    befores: Sequence[dict[str, Any]]
    afters: Sequence[dict[str, Any]]
    wrong: Sequence[tuple[int, str]]

    @property
    def right(self) -> int:
        return len(self.befores) - len(self.wrong)


def infer(befores: Sequence[bytes], afters: Sequence[bytes]) -> Inferred:
    """Each event of ``befores`` has become the one of the same place in ``afters``. Raises WorkerError."""
    if len(befores) != len(afters):
        raise WorkerError(f"infer: there are {len(befores)} events before and {len(afters)} after: give pairs")
    if not befores:
        raise WorkerError("infer: there is no event")
    old, new = _objects(befores, "before"), _objects(afters, "after")
    found = changes_between(old, new)
    return Inferred(found.calls, found.unexplained, befores, old, new, _tried(found.calls, befores, new))


def events_in(file: Path) -> list[bytes]:
    """The events of a file, one a line; or one event, or a list of them, printed over several. Raises WorkerError."""
    try:
        content = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise WorkerError(f"{file}: {error.strerror}") from error
    try:
        whole = _loads(content)
    except ValueError:
        return [line for line in content.splitlines() if line.strip()]
    return [_dumps(each) for each in whole] if isinstance(whole, list) else [content]


def _objects(events: Iterable[bytes], what: str) -> list[dict[str, Any]]:
    found = []
    for number, event in enumerate(events, 1):
        try:
            document = _loads(event)
        except ValueError as error:
            raise WorkerError(f"infer: event {number} {what} is not JSON") from error
        if not isinstance(document, dict):
            raise WorkerError(f"infer: event {number} {what} is not a JSON object")
        found.append(document)
    return found


def _loads(text: bytes) -> Any:
    return json.loads(text, parse_float=Decimal)


def _dumps(document: Any) -> bytes:
    return json.dumps(document, default=float).encode()


def _tried(calls: Sequence[Call], befores: Sequence[bytes], afters: Sequence[dict[str, Any]]) -> list[tuple[int, str]]:
    try:
        upcaster = upcaster_of(calls)
    except ChainError as error:
        reason = str(error).splitlines()[0]
        return [(number, reason) for number, _ in enumerate(befores, 1)]
    wrong = []
    for number, (before, after) in enumerate(zip(befores, afters, strict=True), 1):
        outcome = upcaster.upcast(Event(before))
        if isinstance(outcome, DeadLettered):
            wrong.append((number, f"{outcome.fault.path or 'the event'}: {outcome.fault.message}"))
            continue
        came_out = _loads(outcome.output(Event(before))[0].value or b"null")
        if not same(came_out, after):
            wrong.append((number, f"{_difference(came_out, after) or 'the event'} comes out otherwise"))
    return wrong


def upcaster_of(calls: Sequence[Call]) -> Upcaster:
    """Of this one step, to try it, whatever it loses. Raises ChainError."""
    return _chain(calls, lossy=LOSSY if loses(calls) else "").upcaster(
        Policy(detection=Detection((Always(EVENT),), (Always(BEFORE),)))
    )


def loses(calls: Sequence[Call]) -> bool:
    """Whether a step of these has to say why something may be lost."""
    try:
        _chain(calls)
    except ChainError as error:
        return "lossy=" in str(error)
    return False


def _chain(calls: Sequence[Call], lossy: str = "") -> Chain:
    step = Step(EVENT, BEFORE, AFTER, [call.operation() for call in calls], lossy=lossy)
    return Chain([step], [Baseline(EVENT, BEFORE)])


def _difference(one: Any, other: Any, at: str = "") -> str:
    """The path of the first difference."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys((*one, *other)):
            if key not in one or key not in other:
                return f"{at}.{key}".lstrip(".")
            if found := _difference(one[key], other[key], f"{at}.{key}"):
                return found
        return ""
    return "" if same(one, other) else at.lstrip(".")
