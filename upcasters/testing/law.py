"""A law: one promise of a chain that can be tried, and what is said when it does not hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from upcasters.event import Event, Record
from upcasters.outcome import DeadLettered, Outcome, Passed, Skipped


class LawBroken(AssertionError):
    """A law does not hold. The text names the law, the steps, and the event, which no producer ever wrote."""


class LawNotTried(LawBroken):
    """Not one event got through, so that the law would hold of anything. It never counts as kept."""


@dataclass(frozen=True)
class Law:
    """``check`` gives the number of events that it was tried on and that got through, where the law holds; it raises
    LawBroken where it does not, and LawNotTried, which is one, where not one event got through.

    ``subject`` says what it is tried on: versions of a type, or a golden pair.
    """

    name: str
    subject: str
    check: Callable[[], int]

    @property
    def id(self) -> str:
        """One word for test reports: ``fused[task_context to 2.0]``."""
        return f"{self.name}[{self.subject}]"


def broken(law: str, subject: str, message: str, *facts: tuple[str, str]) -> LawBroken:
    """The error of a law, its facts aligned below each other."""
    return LawBroken(_told(law, subject, message, *facts))


def not_tried(law: str, subject: str, reason: str) -> LawNotTried:
    """The error of a law that no event got through, with the last reason why not."""
    message = (
        "it could not be tried on any event, so it says nothing; add a golden pair whose event gets through, "
        "or say in the model what its fields hold (Literal, pattern, Field)"
    )
    return LawNotTried(_told(law, subject, message, ("last event", reason)))


def _told(law: str, subject: str, message: str, *facts: tuple[str, str]) -> str:
    width = max((len(name) for name, _ in facts), default=0)
    lines = [f"  {name + ':':<{width + 1}} {text}" for name, text in facts]
    return "\n".join([f"{law}: {subject}: {message}", *lines])


def told_event(event: Event) -> str:
    """An event that a law made or found beside a step, in one line."""
    parts = [told(event.value)]
    if event.headers:
        parts.append("headers " + ", ".join(f"{name}={told(value)}" for name, value in event.headers))
    if event.key is not None:
        parts.append(f"key {told(event.key)}")
    return "; ".join(parts)


def told(value: bytes | None) -> str:
    """Bytes as text, as far as they are text."""
    return "null" if value is None else value.decode(errors="backslashreplace")


def told_outcome(outcome: Outcome, event: Event) -> str:
    """What became of an event, in one line."""
    if isinstance(outcome, DeadLettered):
        fault = outcome.fault
        place = "".join(f", {name} {text}" for name, text in (("step", fault.step), ("at", fault.path)) if text)
        return f"dead letter of stage {fault.stage}{place}: {fault.error_type}: {fault.message}"
    if isinstance(outcome, Passed):
        known = f"{outcome.passage.event_type} {outcome.passage.from_version}".strip()
        return f"passed as it is ({outcome.reason}) as {known}"
    if isinstance(outcome, Skipped):
        return f"skipped ({outcome.reason})"
    records = outcome.output(event)
    return f"upcast to {outcome.passage.to_version}: " + _told_records(records)


def _told_records(records: Sequence[Record]) -> str:
    return " and ".join(told_event(Event(one.value, one.key, one.headers)) for one in records)
