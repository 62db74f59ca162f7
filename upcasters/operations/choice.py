"""Operations that run only where something holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from upcasters.conditions import Condition, lasts
from upcasters.context import Context
from upcasters.document import Object, ScalarKey, compared, json_type, scalar_key, value_of
from upcasters.errors import MissingField, StepError, UnmappedValue
from upcasters.operations.base import Inverse, Operation, Reversibility, run, single, undo, worst
from upcasters.operations.events import DropEvent, EventOperation, RenameType, SplitEach, SplitEvent, Tombstone
from upcasters.operations.scopes import At, Everywhere, any_number, some
from upcasters.paths import Path, PathLike, overlap, show
from upcasters.traversal import MISSING, find


def _reads(operations: Iterable[Operation]) -> tuple[Path, ...]:
    return tuple(read for operation in operations for read in operation.reads())


def _writes(operations: Iterable[Operation]) -> tuple[Path, ...]:
    return tuple(written for operation in operations for written in operation.writes())


@dataclass(frozen=True)
class When(Operation):
    """Operations run where a condition holds, others where it does not."""

    condition: Condition
    operations: tuple[Operation, ...]
    otherwise: tuple[Operation, ...] = ()
    undo_when: Condition | None = None

    needs_context = True

    def apply(self, root: Object, context: Context) -> None:
        run(self.operations if self.condition.answer(root, context) else self.otherwise, root, context)

    def reads(self) -> tuple[Path, ...]:
        return (*self.condition.reads(), *_reads((*self.operations, *self.otherwise)))

    def writes(self) -> tuple[Path, ...]:
        return _writes((*self.operations, *self.otherwise))

    def dropped(self) -> tuple[Path, ...]:
        return tuple(gone for operation in (*self.operations, *self.otherwise) for gone in operation.dropped())

    def inverse(self) -> Inverse:
        yes, no = undo(self.operations), undo(self.otherwise)
        condition = self.undo_when or self.condition
        kind, why = worst((yes, no))
        back = When(condition, yes.operations, no.operations, self.condition)
        if self.undo_when is None and not self._lasts():
            return Inverse.lossy(
                f"whether the condition held ({self.condition}) is not known afterwards; give undo_when", back
            )
        return Inverse((back,), kind, why)

    def _lasts(self) -> bool:
        """True where the condition has the same answer before and behind the operations."""
        if self.condition.outside() and any(map(_may_change_event, (*self.operations, *self.otherwise))):
            return False
        left = _writes(self.otherwise)
        alone = not any(overlap(read, written) for read in self.condition.reads() for written in left)
        return alone and lasts(self.condition, _writes(self.operations))

    def may_grow(self) -> bool:
        return any(operation.may_grow() for operation in (*self.operations, *self.otherwise))

    def takes_from_around(self) -> bool:
        return any(operation.takes_from_around() for operation in (*self.operations, *self.otherwise))

    def __str__(self) -> str:
        text = f"when {self.condition}: " + "; ".join(map(str, self.operations))
        return text + (f"; otherwise: {'; '.join(map(str, self.otherwise))}" if self.otherwise else "")


def _may_change_event(operation: Operation) -> bool:
    """True where an operation may change what stands around the document."""
    return isinstance(operation, (EventOperation, At, Everywhere, When, Switch))


def when(
    condition: Condition,
    *operations: Operation,
    otherwise: Iterable[Operation] = (),
    undo_when: Condition | None = None,
) -> Operation:
    """Run operations where ``condition`` holds: ``when(equals("kind", "run"), rename("id", "run_id"))``.

    It can be undone where the operations leave alone what the condition reads, or change only what is inside of a
    field that it asks to be there or of a type; or where ``undo_when`` tells a newer document to which they were
    applied.
    """
    if not isinstance(condition, Condition):
        raise StepError(
            "the condition is not one of `upcasters`", "Use present, equals, has_type and their like.", "option"
        )
    return When(condition, some(operations), any_number(otherwise), undo_when)


@dataclass(frozen=True)
class Downgrade(Operation):
    """Operations run on the way down alone."""

    operations: tuple[Operation, ...]

    def apply(self, root: Object, context: Context) -> None:
        return

    def reads(self) -> tuple[Path, ...]:
        return ()

    def writes(self) -> tuple[Path, ...]:
        return ()

    def inverse(self) -> Inverse:
        for operation in self.operations:
            back = operation.inverse()
            if operation.dropped() or back.kind is Reversibility.LOSSY:
                return Inverse.lossy(f"the way down loses something: {back.why or operation}", *self.operations)
        return Inverse(self.operations, Reversibility.EQUIVALENT, f"the way down alone has {self.operations[0]}")

    def __str__(self) -> str:
        return "on the way down: " + "; ".join(map(str, self.operations))


def downgrade(*operations: Operation) -> Operation:
    """Run operations on the way down alone: ``downgrade(default("fax", None))``. Documents do not change on the way up.

    They stand where the undo of an operation in this place would run. What loses something is lossy.
    """
    found = some(operations)
    if any(
        isinstance(operation, (RenameType, DropEvent, Tombstone, SplitEach, SplitEvent)) for operation in walk(found)
    ):
        raise StepError("an event does not end, split or change its type on the way down", "Leave it out.", "option")
    return Downgrade(found)


@dataclass(frozen=True)
class Switch(Operation):
    """The value of a field chooses the operations, by one look-up."""

    path: Path
    cases: Mapping[ScalarKey, tuple[Operation, ...]]
    otherwise: tuple[Operation, ...] | Literal["error"] = "error"

    needs_context = True

    def apply(self, root: Object, context: Context) -> None:
        run(self.chosen(root), root, context)

    def chosen(self, root: Object) -> tuple[Operation, ...]:
        """The operations for this document. Raises MissingField or UnmappedValue where there are none."""
        node = find(root, self.path)
        if node is not MISSING and json_type(node) not in ("object", "array"):
            found = self.cases.get(scalar_key(compared(node, self.path)))
            if found is not None:
                return found
        if self.otherwise != "error":
            return self.otherwise
        if node is MISSING:
            raise MissingField(f"{show(self.path)}, on which the step depends, is missing", self.path)
        raise UnmappedValue(f"{show(self.path)} has a value for which there is no case", self.path)

    def all(self) -> tuple[Operation, ...]:
        """The operations of all cases."""
        rest = () if self.otherwise == "error" else self.otherwise
        return (*(operation for case in self.cases.values() for operation in case), *rest)

    def reads(self) -> tuple[Path, ...]:
        return (self.path, *_reads(self.all()))

    def writes(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(_writes(self.all())))

    def dropped(self) -> tuple[Path, ...]:
        return tuple(gone for operation in self.all() for gone in operation.dropped())

    def inverse(self) -> Inverse:
        undone = {value: undo(case) for value, case in self.cases.items()}
        rest = undo(() if self.otherwise == "error" else self.otherwise)
        back = Switch(
            self.path,
            {value: inverse.operations for value, inverse in undone.items()},
            "error" if self.otherwise == "error" else rest.operations,
        )
        if any(overlap(self.path, written) for written in self.writes()):
            return Inverse.lossy(f"{show(self.path)} is changed by the cases that it chooses", back)
        kind, why = worst((*undone.values(), rest))
        return Inverse((back,), kind, why)

    def may_grow(self) -> bool:
        return any(operation.may_grow() for operation in self.all())

    def takes_from_around(self) -> bool:
        return any(operation.takes_from_around() for operation in self.all())

    def __str__(self) -> str:
        return f"switch on {show(self.path)} with {len(self.cases)} cases"


def switch(
    field: PathLike,
    cases: Mapping[Any, Iterable[Operation] | Operation],
    *,
    otherwise: Iterable[Operation] | Literal["error"] = "error",
) -> Operation:
    """Choose operations by the value of a field: ``switch("cell_type", {"code": [...], "markdown": [...]})``.

    One look-up, however many cases. A value without a case is an error unless ``otherwise`` (may be empty) says
    what to do.
    """
    if not cases:
        raise StepError("switch has no cases", "Give at least one.", "option")
    table: dict[ScalarKey, tuple[Operation, ...]] = {}
    for value, operations in cases.items():
        if not isinstance(value, (str, int, float, bool, type(None))):
            raise StepError(f"a case is a {type(value).__name__}", "Use single JSON values.", "value")
        listed = (operations,) if isinstance(operations, Operation) else operations
        table[scalar_key(value_of(value))] = any_number(listed)
    return Switch(single(field), table, "error" if otherwise == "error" else any_number(otherwise))


def walk(operations: Iterable[Operation]) -> Iterator[Operation]:
    """The operations and all those inside them."""
    for operation in operations:
        yield operation
        if isinstance(operation, (At, Everywhere)):
            yield from walk(operation.operations)
        elif isinstance(operation, When):
            yield from walk((*operation.operations, *operation.otherwise))
        elif isinstance(operation, Switch):
            for case in operation.cases.values():
                yield from walk(case)
            if operation.otherwise != "error":
                yield from walk(operation.otherwise)
