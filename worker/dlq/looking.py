"""One dead letter for the API and its page: where it came from, why it is one, and what today's chain makes of it.

Who has the token also sees the recorded texts, and the record itself where the route has ``include_values``.
"""

from __future__ import annotations

from typing import Any

from upcast_authoring.trying import KINDS, Tried, tried_hop
from upcasters.outcome import DeadLettered
from upcasters.reference import HopTrace
from worker.dead_letters import MESSAGE, TRACE
from worker.dlq import report
from worker.dlq.letters import Letter
from worker.dlq.listing import FoundLetter, fault_of, find_letter, foreign_fault
from worker.kafka.fetched import timestamp_of
from worker.replay.plan.file import Coordinates
from worker.routes.chains import RouteChain, load_route_chain
from worker.settings import RouteSettings, Settings

MOST_SHOWN = 64 * 1024
"""Characters of a value, and bytes of one whose hops are compared line by line."""
NEEDS_TOKEN = "the recorded message and trace, key, headers and value: send the token of http.token"  # noqa: S105  # no secret: a sentence
NEEDS_SETTING = "key, headers and value: the route's include_values is off; `upcast dlq show` shows them"


async def look_at(settings: Settings, route: RouteSettings, place: Coordinates, *, trusted: bool) -> dict[str, Any]:
    """The fields of the API's answer. ``trusted``: whoever asks has sent the token. Raises WorkerError."""
    values = trusted and route.include_values
    # A chain of its own, in the loop that asks; its messages hold values only where those may be shown.
    given = load_route_chain(route.model_copy(update={"include_values": values}), settings.schema_registry)
    found = await find_letter(settings, given, place)
    letter = found.letter
    fault = foreign_fault(found.record) if letter is None else fault_of(letter)
    told = fault._asdict()
    return {
        "route": route.source,
        "topic": route.dead_letter,
        "place": found.place,
        "ours": letter is not None,
        "from_topic": told.pop("topic") or None,
        **told,
        "value_bytes": None if found.record.value is None else len(found.record.value),
        **_origin(found, letter),
        "recorded": _recorded(letter) if trusted and letter else None,
        "content": _content(found, given) if values else None,
        "now": _now(found, given, values=values),
        "withheld": "" if values else NEEDS_SETTING if trusted else NEEDS_TOKEN,
    }


def _origin(found: FoundLetter, letter: Letter | None) -> dict[str, Any]:
    if letter is None:
        timestamp = timestamp_of(found.record.timestamp)
        return {"from_partition": None, "from_offset": None, "buried": -1, "timestamp": timestamp, "rounds": 0}
    return {
        "from_partition": letter.partition,
        "from_offset": letter.offset,
        "buried": letter.buried,
        "timestamp": -1 if letter.timestamp is None else letter.timestamp,
        "rounds": letter.rounds,
    }


def _recorded(letter: Letter) -> dict[str, str]:
    return {"message": letter.text(MESSAGE), "trace": letter.text(TRACE)}


def _content(found: FoundLetter, given: RouteChain) -> dict[str, Any]:
    headers = found.record.headers if found.letter is None else found.letter.headers
    return {
        "key": None if found.record.key is None else report.as_text(found.record.key),
        "headers": [{"name": report.name_text(name), "value": report.as_text(value)} for name, value in headers],
        "value": None if found.record.value is None else _cut(report.value_text(found, given)),
    }


def _cut(text: str) -> str:
    more = len(text) - MOST_SHOWN
    return text if more <= 0 else f"{text[:MOST_SHOWN]}… and {more:,} characters more: `upcast dlq show --raw` has all"


def _now(found: FoundLetter, given: RouteChain, *, values: bool) -> dict[str, Any] | None:
    tried = report.tried(found, given)
    if tried is None:
        return None
    outcome = tried.trace.outcome
    fault = outcome.fault if isinstance(outcome, DeadLettered) else None
    return {
        "outcome": KINDS[type(outcome)],
        "stage": fault.stage if fault else "",
        "error_type": fault.error_type if fault else "",
        "step": fault.step if fault else "",
        "message": fault.message if fault else "",
        "hops": [_hop(hop, values=values and _is_short(tried)) for hop in tried.trace.hops],
    }


def _is_short(tried: Tried) -> bool:
    return len(tried.event.value or b"") <= MOST_SHOWN


def _hop(taken: HopTrace, *, values: bool) -> dict[str, Any]:
    (event_type, from_version), (to_type, to_version) = taken.hop.source, taken.hop.target
    return {
        "step": taken.hop.id,
        "event_type": event_type,
        "from_version": from_version,
        "to_type": to_type,
        "to_version": to_version,
        "diff": list(tried_hop(taken).diff) if values else None,
    }
