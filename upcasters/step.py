"""One versioned change of one event type, and the version that a history starts with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, get_args

from pydantic import BaseModel

from upcasters.conditions import Condition
from upcasters.detection import Like, UpTo, other_versions
from upcasters.errors import StepError
from upcasters.formats import Schema
from upcasters.operations.base import Inverse, Operation, Reversibility, choice, undo
from upcasters.operations.choice import walk
from upcasters.operations.events import DropEvent, RenameType, SplitEach, SplitEvent, Tombstone
from upcasters.operations.scopes import any_number
from upcasters.paths import text_of

VersionLike = str | int | None
VersionKey = tuple[str, str]
"""An event type and one of its versions."""
Complexity = Literal["low", "medium", "high"]
Split = SplitEach | SplitEvent


def version_text(version: VersionLike) -> str:
    """A version as the chain writes it: ``7`` is ``"7"``; None, for events without versions, is ``""``."""
    return "" if version is None else text_of(version)


def _versions(listed: Sequence[VersionLike]) -> tuple[str, ...]:
    if isinstance(listed, (str, int)):
        raise StepError(f"looks_like={listed!r} is one version", f"Write a list: [{listed!r}].", "option")
    return tuple(map(version_text, listed))


def _check_schema(schema: object) -> None:
    if schema is not None and not isinstance(schema, (Schema, str)):
        what = f"schema={type(schema).__name__} is no schema"
        raise StepError(what, "Name its file beside the step, such as order-2.avsc, or pass a Schema.", "schema")


def _check(model: object, shape: object) -> None:
    if model is not None and not (isinstance(model, type) and issubclass(model, BaseModel)):
        what = f"model={getattr(model, '__name__', type(model).__name__)} is no pydantic model"
        raise StepError(what, "Give a class that derives from BaseModel; RootModel[…] makes one of any type.", "option")
    if shape is not None and not isinstance(shape, Condition):
        what = f"shape is a {type(shape).__name__}, not a condition"
        raise StepError(what, "Use present, equals, has_type and their like.", "option")
    if isinstance(shape, Condition) and shape.outside():
        what = f"shape asks for {shape.outside()[0]}, and a shape is told by the document alone"
        raise StepError(what, "Ask about fields; a header is a rule of detection.", "option")


@dataclass(frozen=True)
class Baseline:
    """The oldest version of a type: what there was before the first step, or the children of a split.

    ``shape`` is the question whose yes makes a document without a version one of this version; ``looks_like``
    lists versions whose shape a document of this version may also have. ``also`` are versions that the chain takes for
    this one: patterns such as ``0.*``, and ``up_to("1.4")``. ``schema`` is what values of this version are written by,
    in Avro or Protobuf or a JSON Schema, or the name of its file beside the step: a record of that schema is of this
    version.
    """

    event_type: str
    version: VersionLike
    model: type[BaseModel] | None = None
    shape: Condition | None = None
    looks_like: Sequence[VersionLike] = ()
    id: str = ""
    file: str = ""
    description: str = ""
    also: Sequence[VersionLike | UpTo | Like] = ()
    schema: Schema | str | None = None

    def __post_init__(self) -> None:
        _check(self.model, self.shape)
        _check_schema(self.schema)
        object.__setattr__(self, "event_type", text_of(self.event_type or ""))
        object.__setattr__(self, "version", version_text(self.version))
        object.__setattr__(self, "looks_like", _versions(self.looks_like))
        object.__setattr__(self, "also", other_versions(self.also))


@dataclass(frozen=True)
class Step:
    """``event_type`` from version ``source`` to ``target`` by ``operations``, in order.

    ``model`` is the target version's; ``shape``, ``looks_like``, ``also`` and ``schema`` as for a Baseline.
    ``preview``: may be asked for but is not current. ``lossy`` declares that something cannot come back, and why that
    is right. ``after`` names the step that runs before this one where several steps make one version. ``id`` and
    ``file`` are filled in from the module when a chain is read from a package. ``complexity`` and ``notes`` go into the
    compatibility matrix.
    """

    event_type: str
    source: VersionLike
    target: VersionLike
    operations: Sequence[Operation] = ()
    model: type[BaseModel] | None = None
    shape: Condition | None = None
    looks_like: Sequence[VersionLike] = ()
    preview: bool = False
    lossy: str = ""
    after: str = ""
    complexity: Complexity | None = None
    notes: str = ""
    id: str = ""
    file: str = ""
    description: str = ""
    also: Sequence[VersionLike | UpTo | Like] = ()
    schema: Schema | str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "event_type", text_of(self.event_type or ""))
        object.__setattr__(self, "source", version_text(self.source))
        object.__setattr__(self, "target", version_text(self.target))
        _check(self.model, self.shape)
        _check_schema(self.schema)
        if self.complexity is not None:
            choice(self.complexity, get_args(Complexity), "complexity")
        object.__setattr__(self, "looks_like", _versions(self.looks_like))
        object.__setattr__(self, "also", other_versions(self.also))
        object.__setattr__(self, "operations", any_number(self.operations))
        if not self.id:
            object.__setattr__(self, "id", f"{self.event_type}:{self.source}->{self.target}")

    def named(self, id: str, file: str, description: str) -> Step:
        """The same step with what its module tells."""
        return replace(self, id=id, file=file, description=self.description or description)

    @property
    def target_type(self) -> str:
        """The type after the step, as far as it is fixed."""
        fixed = [op.to for op in self.operations if isinstance(op, RenameType) and op.to is not None]
        return fixed[-1] if fixed else self.event_type

    @cached_property
    def splits(self) -> tuple[Split, ...]:
        """The operations that make several events out of one."""
        return tuple(op for op in walk(self.operations) if isinstance(op, (SplitEach, SplitEvent)))

    @property
    def stays(self) -> bool:
        """True where an event may come out whole and under the one type that the step gives."""
        return not any(
            isinstance(op, (SplitEach, SplitEvent)) or (isinstance(op, RenameType) and op.to is None)
            for op in self.operations
        )

    @cached_property
    def forks(self) -> bool:
        """True where the way on depends on the event: a split, or a type that a field or condition decides."""
        top = {id(op) for op in self.operations if isinstance(op, RenameType) and op.to is not None}
        renames = (op for op in walk(self.operations) if isinstance(op, RenameType))
        return bool(self.splits) or any(id(op) not in top for op in renames)

    @property
    def may_drop(self) -> bool:
        """True where an event may end in this step."""
        return any(isinstance(op, (DropEvent, Tombstone)) for op in walk(self.operations))

    @property
    def may_tombstone(self) -> bool:
        """True where an event may become a null value in this step."""
        return any(isinstance(op, Tombstone) for op in walk(self.operations))

    @property
    def ends(self) -> tuple[tuple[str, str], ...]:
        """Every (type, version) that may come out of the step."""
        target = str(self.target)
        ends: dict[tuple[str, str], None] = {}
        if self.stays:
            ends[(self.target_type, target)] = None
        for op in walk(self.operations):
            if isinstance(op, SplitEach):
                ends[(op.into, op.version or target)] = None
            elif isinstance(op, SplitEvent):
                ends.update(dict.fromkeys((into, op.version or target) for into in op.into))
            elif isinstance(op, RenameType):
                ends.update(dict.fromkeys((into, target) for into in op.targets()))
        return tuple(ends)

    def inverse(self) -> Inverse:
        """The operations back, and how well they bring the older document back."""
        back = undo(tuple(self.operations))
        if any(isinstance(op, RenameType) for op in walk(self.operations)):
            return Inverse((*back.operations, RenameType(self.event_type)), back.kind, back.why)
        return back

    @property
    def reversibility(self) -> Reversibility:
        """How far the step can be undone."""
        return self.inverse().kind


@dataclass(frozen=True)
class Hop:
    """All steps between two neighbouring versions, in order. ``ends`` as for a step."""

    source: tuple[str, str]
    target: tuple[str, str]
    steps: tuple[Step, ...]
    down: bool = False
    operations: tuple[Operation, ...] = field(init=False)

    def __post_init__(self) -> None:
        if self.down:
            listed = tuple(op for step in reversed(self.steps) for op in step.inverse().operations)
        else:
            listed = tuple(op for step in self.steps for op in step.operations)
        object.__setattr__(self, "operations", listed)

    @property
    def id(self) -> str:
        """The ids of its steps."""
        return "+".join(step.id for step in self.steps)

    @property
    def preview(self) -> bool:
        """True where one of its steps is."""
        return any(step.preview for step in self.steps)

    @cached_property
    def forks(self) -> bool:
        """True where the way on depends on the event."""
        return not self.down and any(step.forks for step in self.steps)

    @property
    def may_drop(self) -> bool:
        """True where an event may end here."""
        return not self.down and any(step.may_drop for step in self.steps)

    @property
    def ends(self) -> tuple[tuple[str, str], ...]:
        """Every (type, version) that may come out."""
        return self.steps[-1].ends if not self.down else (self.target,)

    @cached_property
    def splits(self) -> bool:
        """True where one of its steps makes several events out of one."""
        return any(step.splits for step in self.steps)

    def inverse(self) -> Inverse:
        """The way back over all its steps."""
        backs = [step.inverse() for step in reversed(self.steps)]
        worst = max(backs, key=lambda back: back.kind)
        return Inverse(tuple(op for back in backs for op in back.operations), worst.kind, worst.why)

    def reversed(self, start: tuple[str, str] | None = None) -> Hop:
        """The same hop the other way; from ``start`` where it has several ends."""
        return Hop(start or self.target, self.source, self.steps, down=not self.down)
