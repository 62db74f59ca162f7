"""Operations that apply others somewhere or under a condition, followed over shapes."""

from __future__ import annotations

from collections.abc import Iterable

from upcasters.checks.notes import Notes
from upcasters.checks.places import OBJECT, expect, objects_at, single_at, values_at
from upcasters.checks.projection.dispatch import follow, is_strict, listed, nulls_kept, project
from upcasters.checks.refining import refine
from upcasters.checks.shape import Presence, Shape, join, nothing, scalar
from upcasters.conditions import Equals
from upcasters.document import scalar_value
from upcasters.operations.choice import Switch, When
from upcasters.operations.scopes import At, Everywhere, Subdocument
from upcasters.paths import Path, overlap


@project.register
def _at(operation: At, root: Shape, notes: Notes) -> None:
    strict, typed = is_strict(operation), operation.wrong_type == "error"
    for target in objects_at(root, operation.path, notes, strict=strict, typed=typed):
        follow(operation.operations, target, notes.below(operation.path))


@project.register
def _everywhere(operation: Everywhere, root: Shape, notes: Notes) -> None:
    for name, inner in root.fields.items():
        if name not in operation.stop_at and (not operation.only_in or name in operation.only_in):
            _everywhere(operation, inner.shape, notes)
    for lone in (root.others, root.items):
        if lone is not None:
            _everywhere(operation, lone, notes)
    if "object" in root.types:
        changed = root.copy()
        refine(changed, operation.where, holds=True)
        follow(operation.operations, changed, notes.silent())
        root.become(join(root, changed))


@project.register
def _subdocument(operation: Subdocument, root: Shape, notes: Notes) -> None:
    for _, value in values_at(root, operation.path, notes, strict=is_strict(operation)):
        nulls = nulls_kept(value, operation.null)
        expect(value, OBJECT | nulls, operation.path, notes)
        value.become(join(Shape(OBJECT, open=True), scalar(*nulls)))


@project.register
def _when(operation: When, root: Shape, notes: Notes) -> None:
    before, other = root.copy(), root.copy()
    refine(root, operation.condition, holds=True)
    refine(other, operation.condition, holds=False)
    inner = notes.perhaps(operation.operations)
    follow(operation.operations, root, inner)
    follow(operation.otherwise, other, notes.perhaps(operation.otherwise))
    both = not root.impossible and not other.impossible
    root.become(join(root, other))
    for path in operation.condition.reads() if both else ():
        _as_before(root, before, path, operation.writes())


def _as_before(root: Shape, before: Shape, path: Path, written: Iterable[Path]) -> None:
    """Whether a field is there that a condition only asked about is known as well as before."""
    for depth, name in enumerate(path, 1):
        now, then = root.fields.get(str(name)), before.fields.get(str(name))
        own = any(len(one) <= depth and overlap(one, path) for one in written)
        if now is None or then is None or own:
            return
        if now.presence is Presence.UNKNOWN:
            now.presence = then.presence
        root, before = now.shape, then.shape


@project.register
def _switch(operation: Switch, root: Shape, notes: Notes) -> None:
    strict = operation.otherwise == "error"
    found = single_at(root, operation.path, notes, strict=strict)
    if strict and found is not None and found[1].shape.values is not None:
        left = found[1].shape.values - operation.cases.keys()
        if left:
            what = f"{notes.named(operation.path)} may be {listed(left)}, for which there is no case"
            notes.report("unmapped", what, "Add the case, or say otherwise=[].")
    made = nothing()
    for value, operations in operation.cases.items():
        case = root.copy()
        refine(case, Equals(operation.path, scalar_value(value)), holds=True)
        follow(operations, case, notes.perhaps(operations))
        made = join(made, case)
    if operation.otherwise != "error":
        for value in operation.cases:
            refine(root, Equals(operation.path, scalar_value(value)), holds=False)
        follow(operation.otherwise, root, notes.perhaps(operation.otherwise))
        made = join(made, root)
    root.become(made)
