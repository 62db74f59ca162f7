"""Ways to a place in a shape, and what an operation does there: look, expect, put and take."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from upcasters.checks.notes import Notes
from upcasters.checks.shape import CONTAINERS, Field, Presence, Shape, any_value, join, members
from upcasters.paths import Each, Path, Segment

OBJECT = frozenset({"object"})


ARRAY = frozenset({"array"})


NULL = frozenset({"null"})


STRING = frozenset({"string"})


INTEGER = frozenset({"integer"})


NUMBER = frozenset({"number", "integer"})


def forget(root: Shape, path: Path) -> None:
    """Nothing is known any more of what stands at ``path``."""
    if not path:
        root.become(any_value())
    elif isinstance(path[0], Each):
        for member in members(root):
            forget(member, path[1:])
        root.open = True
    else:
        inner = root.get(path[0])
        if inner is None:
            inner = root.fields[path[0]] = Field(any_value(), Presence.UNKNOWN)
        if len(path) == 1:
            inner.presence = Presence.UNKNOWN
        forget(inner.shape, path[1:])


def expect(shape: Shape, wanted: frozenset[str], path: Path, notes: Notes, *, strict: bool = True) -> bool:
    """True where the shape can be of the types; a strict operation leaves no others behind."""
    wrong = shape.types - wanted
    if shape.told and wrong and strict:
        needs = f"where the operation needs {' or '.join(sorted(wanted))}"
        refused = needs if len(wanted) <= 2 else "which the operation does not take"
        remedy = "Convert it first, or say what happens then (null=, wrong_type=, when(has_type(…)))."
        if wanted == OBJECT and wrong == ARRAY and path:
            shape.open = True  # what is inside is looked for in the wrong place
            remedy = f"What is in each of its items is named {notes.named(path)}.*, as in {notes.named(path)}.*.name."
        notes.report("wrong-type", f"{notes.named(path)} may be {' or '.join(sorted(wrong))}, {refused}", remedy)
        shape.told = False  # one finding is enough
    if strict:
        shape.types = shape.types & wanted or wanted
    return bool(shape.types & wanted)


def field_at(parent: Shape, path: Path, notes: Notes, *, strict: bool) -> Field | None:
    """The field at the end of ``path`` in its parent; reports where a strict operation may miss it."""
    name = path[-1]
    assert isinstance(name, str)
    found = parent.get(name)
    if found is None:
        if strict:
            notes.missing(path, may=False, known=parent.fields)
            found = parent.fields[name] = Field(any_value(), Presence.UNKNOWN)
        return found
    if strict:
        if found.presence is Presence.MAYBE:
            notes.missing(path, may=True)
        found.presence = Presence.ALWAYS
    return found


def containers_at(root: Shape, path: Path, notes: Notes, *, strict: bool = True, typed: bool = True) -> Iterator[Shape]:
    """The shapes of the objects and arrays at ``path``, to be changed in place."""
    shapes = [root]
    for depth, segment in enumerate(path):
        shapes = [
            inner
            for shape in shapes
            for inner in step_in(shape, segment, path[: depth + 1], notes, strict=strict, typed=typed)
        ]
    yield from shapes


def step_in(shape: Shape, segment: Segment, path: Path, notes: Notes, *, strict: bool, typed: bool) -> Iterator[Shape]:
    if isinstance(segment, Each):
        if expect(shape, CONTAINERS, path[:-1], notes, strict=typed):
            yield from members(shape)
    elif expect(shape, OBJECT, path[:-1], notes, strict=typed):
        found = field_at(shape, path, notes, strict=strict)
        if found is not None:
            yield found.shape


def objects_at(root: Shape, path: Path, notes: Notes, *, strict: bool = True, typed: bool = True) -> Iterator[Shape]:
    """The shapes of the objects at ``path``; where others are skipped, they are kept apart from what is done."""
    for shape in containers_at(root, path, notes, strict=strict, typed=typed):
        if not expect(shape, OBJECT, path, notes, strict=typed):
            continue
        others = replace(shape, types=shape.types - OBJECT, fields={}, others=None, open=False)
        shape.types &= OBJECT
        yield shape
        if not others.impossible:
            shape.become(join(shape, others))


def values_at(
    root: Shape, path: Path, notes: Notes, *, strict: bool = True, typed: bool = True
) -> Iterator[tuple[Shape, Shape]]:
    """(container, value) for every value at ``path``."""
    for parent in containers_at(root, path[:-1], notes, strict=strict, typed=typed):
        for value in step_in(parent, path[-1], path, notes, strict=strict, typed=typed):
            yield parent, value


def put(parent: Shape, path: Path, made: Field, notes: Notes, *, exists: str = "error") -> None:
    """Set a field, treating what is there as the operation would."""
    name = path[-1]
    assert isinstance(name, str)
    old = parent.get(name)
    if old is None:
        parent.fields[name] = made
    elif made.presence is Presence.ALWAYS and (exists != "error" or old.presence is Presence.ALWAYS):
        if exists == "error":
            notes.taken(path)
        parent.fields[name] = made
    else:
        presence = Presence.ALWAYS if Presence.ALWAYS in (old.presence, made.presence) else made.presence
        parent.fields[name] = Field(join(old.shape, made.shape), presence)


def take(parent: Shape, name: Segment) -> None:
    parent.fields.pop(str(name), None)


def single_at(root: Shape, path: Path, notes: Notes, *, strict: bool) -> tuple[Shape, Field] | None:
    """The parent and field at a path without ``*``, for operations that look whether something is there."""
    parent, sure = root, True
    for depth in range(1, len(path)):
        found = _inside(parent, path[:depth], notes, strict=strict)
        if found is None:
            return None
        sure = sure and found.presence is Presence.ALWAYS and found.shape.types == OBJECT
        parent = found.shape
    found = _inside(parent, path, notes, strict=strict)
    if found is None:
        return None
    presence = found.presence if sure or found.presence is not Presence.ALWAYS else Presence.MAYBE
    return parent, Field(found.shape, presence)


def _inside(parent: Shape, path: Path, notes: Notes, *, strict: bool) -> Field | None:
    if not expect(parent, OBJECT, path[:-1], notes, strict=strict):
        return None
    return field_at(parent, path, notes, strict=strict)


def parent_of(root: Shape, path: Path, notes: Notes, *, create: bool = False, beside: Sequence[Path] = ()) -> Shape:
    """The object that a new field at ``path`` goes into. What ``beside`` fields stand in is there: they were found."""
    notes = replace(notes, remedy="Give it a default first; where a field is moved, parents='create' makes it.")
    sure = min((_shared(path[:-1], other[:-1]) for other in beside), default=0)
    parent = root
    for depth in range(len(path) - 1):
        name = str(path[depth])
        found = parent.get(name)
        if create and found is None:
            found = parent.fields[name] = Field(Shape(OBJECT))
        elif create and found is not None:
            found.presence = Presence.ALWAYS
        elif depth >= sure:
            found = field_at(parent, path[: depth + 1], notes, strict=True)
        assert found is not None
        parent = found.shape
        if depth >= sure:
            expect(parent, OBJECT, path[: depth + 1], notes)
    return parent


def _shared(one: Path, other: Path) -> int:
    """How many of the first parts two paths have in common."""
    return len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))
