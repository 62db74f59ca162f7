"""How the type and version of an event are found: rules, tried in order, that must not disagree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from upcasters.errors import Problem, StepError
from upcasters.operations.base import choice, listed
from upcasters.paths import path, text_of
from upcasters.patterns import compiled


def _text_given(name: object, rule: str) -> None:
    if not isinstance(name, str):
        raise StepError(f"{rule} is given a name of type {type(name).__name__}", "Give a str.", "detection")


@dataclass(frozen=True)
class UpTo:
    """Every version that compares no greater, number by number."""

    version: str

    def covers(self, version: str) -> bool:
        """True for a version that is meant."""
        asked, most = numbers_of(version), numbers_of(self.version)
        return asked is not None and most is not None and asked <= most

    def __str__(self) -> str:
        return f"up to {self.version}"


@dataclass(frozen=True)
class Like:
    """Every version of a pattern in which ``*`` stands for any text: ``0.*``."""

    pattern: str

    def covers(self, version: str) -> bool:
        """True for a version that is meant."""
        return re.fullmatch(".*".join(map(re.escape, self.pattern.split("*"))), version, re.DOTALL) is not None

    def __str__(self) -> str:
        return self.pattern


def up_to(version: str | int) -> UpTo:
    """For ``also``: every version that compares no greater, number by number: ``Baseline("order", "1.4",
    also=[up_to("1.4")])``."""
    found = UpTo(text_of(version))
    if numbers_of(found.version) is None:
        raise StepError(f"up_to({version!r}) names no version that compares", "Give numbers: up_to('1.4').", "option")
    return found


def other_versions(given: object) -> tuple[UpTo | Like, ...]:
    """What ``also`` names. Raises StepError."""
    remedy = "Give versions, patterns such as '0.*', or up_to('1.4')."
    found: tuple[Any, ...] = listed(given, str | int | UpTo | Like, "version", remedy)
    return tuple(one if isinstance(one, (UpTo, Like)) else Like(text_of(one)) for one in found)


def numbers_of(version: str) -> tuple[int, ...] | None:
    """What a version compares by: 2.0 is no newer than 2. None for a version that is not made of numbers."""
    if not re.fullmatch(r"v?[0-9]{1,1000}([.-][0-9]{1,1000})*", version):
        return None
    numbers = [int(part) for part in re.split(r"[.-]", version.removeprefix("v"))]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


@dataclass(frozen=True)
class FromHeader:
    """The value of the record header ``name`` (UTF-8; the last one counts).

    ``pattern`` is a regular expression whose first group is the answer; without one the whole value is.
    """

    name: str
    pattern: str | None = None

    def __post_init__(self) -> None:
        _text_given(self.name, "FromHeader")


@dataclass(frozen=True)
class FromField:
    """A string or number at ``path`` of the value; ``pattern`` as for a header."""

    path: str | tuple[str, ...]
    pattern: str | None = None


@dataclass(frozen=True)
class FromCloudEvents:
    """CloudEvents 1.0 attributes, in binary mode (``ce_*`` headers) or structured mode (the value is the envelope).

    ``attribute`` is ``type`` for types; for versions the extension or attribute that holds it.
    ``pattern`` as for a header.
    """

    attribute: str
    pattern: str | None = None

    def __post_init__(self) -> None:
        _text_given(self.attribute, "FromCloudEvents")


@dataclass(frozen=True)
class FromShape:
    """The shapes that the chain declares for the type: which fields are there."""


@dataclass(frozen=True)
class Always:
    """This answer, where no rule before it had one."""

    value: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", text_of(self.value))


TypeRule = FromHeader | FromField | FromCloudEvents | Always
VersionRule = FromHeader | FromField | FromCloudEvents | FromShape | Always
ReadingRule = FromHeader | FromField | FromCloudEvents
StampAt = Literal["found", "first"]


@dataclass(frozen=True)
class Detection:
    """The rules for the type and for the version, in order. Empty means: the chain's own.

    Every rule before the final ``Always`` that has an answer must have the same one, else the event is a dead
    letter of stage ``detect``; ``Always`` speaks only where the others were silent.

    ``stamp`` says where the new version is written: wherever a rule ``found`` the old one, which leaves an event whose
    version was only assumed without one; or also where the ``first`` rule that reads a place would read it, so that
    what comes out is told as current.
    """

    event_type: tuple[TypeRule, ...] = ()
    version: tuple[VersionRule, ...] = ()
    stamp: StampAt = "found"

    def __post_init__(self) -> None:
        choice(self.stamp, get_args(StampAt), "stamp")
        for name, kinds in (("event_type", TypeRule), ("version", VersionRule)):
            remedy = f"Use {', '.join(kind.__name__ for kind in get_args(kinds))}."
            object.__setattr__(self, name, listed(getattr(self, name), kinds, f"rule for {name}", remedy, "detection"))

    def or_those_of(self, other: Detection) -> Detection:
        """These rules, and the other's where there are none."""
        stamp = self.stamp if self.version or self.stamp != "found" else other.stamp
        return Detection(self.event_type or other.event_type, self.version or other.version, stamp)


def wrong_rules(rules: Detection) -> Iterator[Problem]:
    """Rules that cannot be asked, whatever the chain is."""
    for rule in (*rules.event_type, *rules.version):
        yield from _wrong_rule(rule)
    if rules.stamp == "first" and rules.version and not any(isinstance(rule, ReadingRule) for rule in rules.version):
        message = "stamp='first' has no rule that reads a version from a place"
        yield Problem("detection", message, "Put a header or a field before the default.")


def _wrong_rule(rule: TypeRule | VersionRule) -> Iterator[Problem]:
    try:
        if isinstance(rule, FromField):
            path(rule.path)
        pattern = rule.pattern if isinstance(rule, ReadingRule) else None
        wrong = pattern and compiled(pattern).groups != 1
    except (ValueError, re.error) as error:
        yield Problem("detection", f"a detection rule is wrong: {error}", "Mend the rule.")
        return
    if wrong:
        message = "a detection rule's pattern does not have exactly one group"
        yield Problem("detection", message, "Put the version, and only it, into ( ).")
