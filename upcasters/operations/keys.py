"""Keys are respelled by a rule."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from upcasters.context import Context
from upcasters.document import Object, json_type
from upcasters.errors import Ambiguous, StepError, WrongType
from upcasters.operations.base import ON_EXISTS, Inverse, OnExists, Operation, Reversibility, checked, choice
from upcasters.operations.fields import replace_keys
from upcasters.operations.opened import open_deeper
from upcasters.paths import EACH, Path, PathLike, show
from upcasters.patterns import compiled
from upcasters.traversal import ON_MISSING, ON_WRONG_TYPE, OnMissing, OnWrongType, containers


@dataclass(frozen=True)
class KeyRule:
    """How keys are respelled. ``back`` is the rule that undoes it, where there is one."""

    name: str
    pattern: str = ""
    replacement: str = ""
    back: tuple[str, str] | None = None

    def __call__(self, key: str) -> str:
        if self.name == "snake_case":
            return _snake(key)
        if self.name == "camelCase":
            return _camel(key)
        if self.name == "lower case":
            return key.lower()
        return compiled(self.pattern).sub(self.replacement, key)

    def inverse(self) -> KeyRule | None:
        """The rule back, or None."""
        if self.name == "snake_case":
            return CAMEL_CASE
        if self.name == "camelCase":
            return SNAKE_CASE
        if self.back is None:
            return None
        return KeyRule("pattern", self.back[0], self.back[1], (self.pattern, self.replacement))

    def __str__(self) -> str:
        return self.name if self.name != "pattern" else f"{self.pattern!r} -> {self.replacement!r}"


SNAKE_CASE = KeyRule("snake_case")
"""`taskId` becomes `task_id`, and back."""


CAMEL_CASE = KeyRule("camelCase")
"""`task_id` becomes `taskId`, and back."""


LOWER_CASE = KeyRule("lower case")
"""`TaskId` becomes `taskid`; there is no way back."""


_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


_UNDERSCORE = re.compile(r"(?<=[A-Za-z0-9])_([a-z0-9])")


def _snake(key: str) -> str:
    return _HUMP.sub("_", key).lower() if key.isascii() and key.isidentifier() else key


def _camel(key: str) -> str:
    if not (key.isascii() and key.isidentifier()):
        return key
    return _UNDERSCORE.sub(lambda match: match.group(1).upper(), key)


def key_pattern(pattern: str, replacement: str, back: tuple[str, str] | None = None) -> KeyRule:
    """Respell keys by a regular expression; ``back`` is the pattern and replacement that undo it."""
    for one, other in ((pattern, replacement), back or ("", "")):
        try:
            compiled(one).sub(other, "")
        except re.error as error:
            message = f"{one!r} and {other!r} are not a regular expression and its replacement: {error}"
            raise StepError(message, "Mend the pattern.", "option") from None
    return KeyRule("pattern", pattern, replacement, back)


@dataclass(frozen=True)
class RenameKeys(Operation):
    """Every key of the objects at ``at`` is respelled by a rule; in the whole subtree if asked."""

    at: Path
    rule: KeyRule
    subtree: bool = False
    missing: OnMissing = "error"
    exists: OnExists = "error"
    wrong_type: OnWrongType = "error"
    checks_way_back: bool = False

    def apply(self, root: Object, context: Context) -> None:
        for target in containers(root, self.at, self.missing, self.wrong_type):
            self._respell(target, 0)

    def _respell(self, target: Any, depth: int) -> None:
        if type(target) is dict:
            replace_keys(target, self._names(target), self.exists, self.at)
        elif not self.subtree and self.wrong_type == "error":
            raise WrongType(f"{show(self.at)} is an array, not an object", self.at)
        if not self.subtree:
            return
        for key in target if type(target) is dict else range(len(target)):
            if json_type(target[key]) in ("object", "array"):
                target[key] = open_deeper(target[key], depth)
                self._respell(target[key], depth + 1)

    def _names(self, target: Object) -> dict[str, str]:
        names = {key: new for key in target if (new := self.rule(key)) != key}
        if self.checks_way_back:
            self._check(target)
        return names

    def _check(self, target: Object) -> None:
        back = self.rule.inverse()
        if back is not None and any(back(self.rule(key)) != key for key in target):
            raise Ambiguous(f"a key of {show(self.at) or 'the document'} has no older spelling of its own", self.at)

    def reads(self) -> tuple[Path, ...]:
        return ((*self.at, EACH),)

    def writes(self) -> tuple[Path, ...]:
        return ((*self.at, EACH),)

    def inverse(self) -> Inverse:
        rule = self.rule.inverse()
        if rule is None:
            return Inverse.lossy(f"{self} has no rule back")
        back = RenameKeys(self.at, rule, self.subtree, self.missing, "error", self.wrong_type, True)
        return Inverse((back,), Reversibility.EQUIVALENT, f"keys of {show(self.at)} are written as {rule}")

    def __str__(self) -> str:
        reach = "the whole subtree of " if self.subtree else ""
        return f"respell the keys of {reach}{show(self.at) or 'the document'} as {self.rule}"


def rename_keys(
    at: PathLike,
    rule: KeyRule,
    *,
    subtree: bool = False,
    missing: OnMissing = "error",
    exists: OnExists = "error",
    wrong_type: OnWrongType = "error",
) -> Operation:
    """Respell every key of the objects at ``at``: ``rename_keys("nodes.*", SNAKE_CASE)``.

    The other rules are ``CAMEL_CASE``, ``LOWER_CASE`` (which has no way back) and what ``key_pattern`` makes. Two keys
    that become one are an error, or fine where their values are the ``same``.
    """
    choice(missing, ON_MISSING, "missing")
    choice(exists, ON_EXISTS, "exists")
    choice(wrong_type, ON_WRONG_TYPE, "wrong_type")
    return RenameKeys(checked(at), rule, subtree, missing, exists, wrong_type)
