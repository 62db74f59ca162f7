"""What can go wrong: a chain that must not start (``ChainError``) and an event that cannot be upcast (``EventError``).

Messages name paths, steps and classes; never a value of an event.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Self

from upcasters.depth import MOST_LEVELS
from upcasters.outcome import Stage
from upcasters.paths import Member, Place, show


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a chain. ``code`` is stable, for machines; the rest is for people."""

    code: str
    message: str
    remedy: str
    file: str = ""
    step: str = ""

    def __str__(self) -> str:
        place = ", ".join(part for part in (self.file, self.step and f"step {self.step}") if part)
        return f"{place + ': ' if place else ''}{self.message}. {self.remedy}"


class ChainError(Exception):
    """The chain, a step or a policy is wrong; nothing starts. ``problems`` lists everything that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class StepError(ChainError):
    """One step or operation is written wrongly; raised where it is written."""

    def __init__(self, message: str, remedy: str, code: str = "step") -> None:
        super().__init__([Problem(code, message, remedy)])


class EventError(Exception):
    """One event cannot be upcast. ``path`` is the place in the document, empty where there is none."""

    stage: Stage = "upcast"

    def __init__(self, message: str, path: Place = ()) -> None:
        self._message = message
        self._path = path
        self._within: Place = ()
        super().__init__(message)

    @property
    def place(self) -> Place:
        """The place from the top of the document, as far as it is known."""
        return (*self._within, *self._path)

    @property
    def path(self) -> str:
        return show(self.place)

    def inside(self, path: Place) -> Self:
        """The same error, met by an operation that works on the objects at ``path``."""
        self._within = (*path, *self._within)
        return self

    def found_at(self, place: Place) -> None:
        """Say of which item it is: ``place`` is the same place, with items instead of ``EACH``."""
        before, inner = self._path, len(self._within)
        self._within, self._path = place[:inner], place[inner:]
        for length in range(len(before), 0, -1):
            self._respell(show(before[:length]), show(self._path[:length]))

    def tell_keys(self, known: Callable[[], Collection[str]]) -> None:
        """Name the values of objects by those of their keys that may be told."""
        place = self.place
        if any(isinstance(part, Member) for part in place):
            names = known()
            self.found_at(tuple(part.key if isinstance(part, Member) and part.key in names else part for part in place))

    def _respell(self, old: str, new: str) -> None:
        if old != new:
            self._message = re.sub(rf'(?<![\w."\]]){re.escape(old)}', lambda _: new, self._message)

    def __str__(self) -> str:
        within = f" (in {show(self._within)})" if self._within else ""
        return self._message + within


class DecodeError(EventError):
    """The value is not one UTF-8 JSON object that can be read."""

    stage: Stage = "decode"


class ReaderError(DecodeError):
    """A reader in front of the decoder cannot read a value that is meant for it."""


class TooManyEvents(DecodeError):
    """A value holds more events than one record may become, or more bytes of them."""


class TooDeep(EventError):
    """The event, a text in it, or what it became is nested deeper than any document may be."""

    def __init__(self, what: str, stage: Stage, path: Place = ()) -> None:
        super().__init__(f"{what} is nested deeper than {MOST_LEVELS} levels", path)
        self.stage = stage


class DetectionError(EventError):
    """Type or version cannot be told, or two rules disagree."""

    stage: Stage = "detect"


class UnknownType(DetectionError):
    """No step and no baseline knows this type."""


class UnknownVersion(DetectionError):
    """The chain knows the type but not this version."""


class FutureVersion(DetectionError):
    """The version is newer than the newest that the chain knows."""


class InvalidEvent(EventError):
    """The event does not fit the model of its version."""

    stage: Stage = "validate"


class EncodeError(EventError):
    """The result cannot be written as JSON (NaN, a lone surrogate, a type that JSON does not have)."""

    stage: Stage = "encode"


class MissingField(EventError):
    """A field that the operation needs is not there."""


class WrongType(EventError):
    """A value, or a parent on the way to it, has another JSON type than the operation needs."""


class FieldExists(EventError):
    """The target is there already and nothing says what to do about it."""


class Conflict(EventError):
    """Two fields that mean the same have different values."""


class UnmappedValue(EventError):
    """A value that the operation's table does not have."""


class FunctionFailed(EventError):
    """A function given to an operation raised; the message names the class of what it raised."""


class Ambiguous(EventError):
    """Several older documents would give this one; which of them it was cannot be told."""


class Irreversible(EventError):
    """The way down leads over a step that cannot be undone."""


class TooManyHops(EventError):
    """Steps of splits and renamed types led in circles."""


class TooLarge(EventError):
    """The children of a split would be too much together, as what they share is written for each; or a copy, or what is
    done at any depth, makes an event too long."""


class UnreadableStamp(EncodeError):
    """The rule that read the old version could not read the new one from where it would be written."""


class NoCoordinates(EventError):
    """A split needs the source coordinates for its ids and there are none (a database row, an API call)."""


class FormatMismatch(EventError):
    """A string does not have the form that the operation takes apart or puts together."""
