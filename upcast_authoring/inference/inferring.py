"""From events before and after a change to the operations of a step, tried on the same events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from upcast_authoring.errors import CommandError
from upcast_authoring.inference.aligning import Aligned, align
from upcast_authoring.inference.calls import Call, shown
from upcast_authoring.inference.columns import MISSING, MOST_LEVELS, loads, same
from upcast_authoring.inference.schemas import events_of
from upcast_authoring.inference.scope import changes_between
from upcasters import Always, Baseline, Chain, ChainError, DeadLettered, Detection, Event, Policy, Step, Upcaster

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
    """Each event of ``befores`` has become the one of the same place in ``afters``. Raises CommandError."""
    if len(befores) != len(afters):
        raise CommandError(
            f"infer: of the events there are {len(befores)} before and {len(afters)} after: give pairs", code="UPC2105"
        )
    if not befores:
        raise CommandError("infer: there is no event", code="UPC2105")
    old, new = _objects(befores, "before"), _objects(afters, "after")
    found = changes_between(old, new)
    return Inferred(found.calls, found.unexplained, befores, old, new, _tried(found.calls, befores, new))


def infer_unpaired(befores: Sequence[bytes], afters: Sequence[bytes], *, by_values: bool) -> Inferred:
    """Events of two versions that are not the same events. ``by_values``: they are real ones. Raises CommandError."""
    old, new = _objects(befores, "before"), _objects(afters, "after")
    if not old or not new:
        raise CommandError(f"infer: there is no event {'after' if old else 'before'}", code="UPC2105")
    return _of_aligned(befores, align(old, new, by_values=by_values))


def infer_models(before: Mapping[str, Any], after: Mapping[str, Any]) -> Inferred:
    """From two JSON Schemas, by events that are made up of them. Raises CommandError."""
    befores, afters = events_of(before, with_defaults=False), events_of(after, with_defaults=True)
    new = _objects(afters, "after")
    aligned = align(_objects(befores, "before"), new, by_values=False)
    if aligned.stuck:
        # A text that becomes a number: no text has shown that it may be one.
        befores = events_of(before, with_defaults=False, numeric={place[-1] for place in aligned.stuck})
        aligned = align(_objects(befores, "before"), new, by_values=False)
    return _of_aligned(befores, aligned)


def _of_aligned(befores: Sequence[bytes], aligned: Aligned) -> Inferred:
    found = infer(befores, [_dumps(each) for each in aligned.afters])
    stuck = [
        f"{shown(place)}: has another type afterwards, and its values do not tell which" for place in aligned.stuck
    ]
    calls = [aligned.marked(call) for call in found.calls]
    return replace(found, calls=calls, unexplained=[*found.unexplained, *stuck])


def events_in(file: Path) -> list[bytes]:
    """The events of a file, one a line; or one event, or a list of them, printed over several. Raises CommandError."""
    try:
        content = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", code="UPC1005") from error
    try:
        whole = loads(content)
    except ValueError:
        return [line for line in content.splitlines() if line.strip()]
    return [_dumps(each) for each in whole] if isinstance(whole, list) else [content]


def _objects(events: Iterable[bytes], what: str) -> list[dict[str, Any]]:
    found = []
    for number, event in enumerate(events, 1):
        try:
            document = loads(event)
        except ValueError as error:
            what = f"{what} is not JSON, or has more than {MOST_LEVELS} levels or a number beyond all floats"
            raise CommandError(f"infer: event {number} {what}", code="UPC2105") from error
        if not isinstance(document, dict):
            raise CommandError(f"infer: event {number} {what} is not a JSON object", code="UPC2105")
        found.append(document)
    return found


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
        came_out = _read(outcome.output(Event(before))[0].value)
        if not same(came_out, after):
            wrong.append((number, f"{_difference(came_out, after) or 'the event'} comes out otherwise"))
    return wrong


def _read(value: bytes | None) -> Any:
    """What came out; ``MISSING`` where it has become too deep, as no event after the step is."""
    try:
        return loads(value or b"null")
    except ValueError:
        return MISSING


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
