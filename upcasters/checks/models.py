"""What is wrong with a chain against its models: each step followed over shapes instead of events."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, reduce
from typing import TYPE_CHECKING

from msgspec import Raw

from upcasters.checks.avro_shape import shape_of_schema
from upcasters.checks.differences import differences
from upcasters.checks.notes import Notes
from upcasters.checks.overwrites import overwrites
from upcasters.checks.problems import Report, named, problem
from upcasters.checks.projection import follow
from upcasters.checks.schema import shape_of
from upcasters.checks.shape import Field, Shape, any_value, join, scalar, shape_of_value
from upcasters.detection import Detection, FromField
from upcasters.document import plain, restamped
from upcasters.errors import Problem
from upcasters.paths import Path, path, show
from upcasters.step import Hop, Step, VersionKey

if TYPE_CHECKING:
    from upcasters.version_graph import Version, VersionGraph


def model_problems(chain: VersionGraph, detection: Detection | None = None) -> list[Problem]:
    """Steps that cannot take their source's model to their target's, paths written twice, models nobody uses.

    Quiet where something cannot be told: about functions, derived values, versions without a model. ``detection`` has
    a route's rules, where it has its own: they say where the new type and version are written.
    """
    shapes = _Shapes()
    rules = (detection or Detection()).or_those_of(chain.detection)
    found = [*_unused_models(chain), *_same_path(chain)]
    for hop in chain.hops.values():
        found += _hop_problems(chain, hop, shapes, rules)
    return list(dict.fromkeys(found))


class _Shapes:
    """What the versions of a chain hold, by their models or, where they have none, by their schemas; read once."""

    def __init__(self) -> None:
        self._of_model = cache(shape_of)
        self._of_schema = cache(shape_of_schema)

    def held(self, known: Version) -> Shape:
        """What an event of this version holds."""
        return self._shape(known, to_write=False)

    def wanted(self, known: Version) -> Shape | None:
        """What an event of this version has to hold; None where nobody knows."""
        return None if known.model is None and known.schema is None else self._shape(known, to_write=True)

    def _shape(self, known: Version, *, to_write: bool) -> Shape:
        if known.model is not None:
            return self._of_model(known.model).copy()
        return any_value() if known.schema is None else self._of_schema(known.schema, to_write=to_write).copy()


def _hop_problems(chain: VersionGraph, hop: Hop, shapes: _Shapes, rules: Detection) -> list[Problem]:
    found: list[Problem] = []
    children: list[tuple[str, str | None, Shape]] = []
    root = shapes.held(chain.versions[hop.source])

    def report_at(step: Step) -> Report:
        return lambda code, message, remedy: found.append(problem(code, message, remedy, step))

    headers: dict[str, bool] = {}
    for step in hop.steps:
        follow(step.operations, root, Notes(report_at(step), children, headers=headers))
    report = report_at(hop.steps[-1])
    for event_type, version, shape in children:
        node = (event_type, version or hop.target[1])
        _compare(chain, node, _stamped(shape, rules, node), shapes, report)
    if not hop.forks:
        _compare(chain, hop.target, _stamped(root, rules, hop.target), shapes, report)
    return found


def _stamped(made: Shape, rules: Detection, node: VersionKey) -> Shape:
    """``made`` with the new type and version where a rule reads them."""
    for wanted, text in ((rules.event_type, node[0]), (rules.version, node[1])):
        for rule in wanted:
            if isinstance(rule, FromField):
                _stamp(made, path(rule.path), text if rule.pattern is None else None)
    return made


def _stamp(made: Shape, where: Path, text: str | None) -> None:
    """Put a type or version where another one stands; None for one that is only a part of what stands there."""
    found: Field | None = Field(made)
    for key in where:
        found = found.shape.get(key) if found is not None and isinstance(key, str) else None
    if found is None or not found.shape.told:
        return
    kinds = found.shape.types & _STANDING.keys()
    if text is None:
        found.shape.become(scalar(*kinds))
    elif kinds:
        written = (None if kind == "null" else plain(restamped(_STANDING[kind], text)) for kind in sorted(kinds))
        found.shape.become(reduce(join, map(shape_of_value, written)))


# A value of each type that a type or version may have; a null stays one.
_STANDING = {"string": "", "integer": Raw(b"0"), "number": Raw(b"0"), "null": None}


def _compare(
    chain: VersionGraph,
    node: VersionKey,
    made: Shape,
    shapes: _Shapes,
    report: Report,
) -> None:
    wanted = shapes.wanted(chain.versions[node])
    if wanted is not None and not made.impossible:
        differences(made, wanted, lambda code, what, remedy: report(code, f"{what} ({named(node)})", remedy))


def _unused_models(chain: VersionGraph) -> Iterator[Problem]:
    remedy = "Leave it out, or give it to the baseline or step that makes the version it describes."
    for step in chain.steps:
        node = (step.target_type, str(step.target))
        if step.model is not None and (node not in step.ends or chain.versions[node].model is not step.model):
            what = f"the model {step.model.__name__} is not that of {named(node)} and of no other version"
            yield problem("unused-model", what, remedy, step)
    for base in chain.baselines:
        node = (base.event_type, str(base.version))
        if base.model is not None and chain.versions[node].model is not base.model:
            what = f"the baseline's model {base.model.__name__} gives way to that of a step to {named(node)}"
            yield Problem("unused-model", what, "Leave one of the two out.", base.file, base.id)


def _same_path(chain: VersionGraph) -> Iterator[Problem]:
    for step in chain.steps:
        for where, earlier, later in overwrites(step.operations):
            what = f"'{earlier}' and '{later}' both write {show(where)}"
            remedy = "Leave one out, merge fields with first_of, or say exists='replace'."
            if not where:
                what, remedy = f"'{later}' leaves nothing of '{earlier}'", "Leave one out."
            yield problem("same-path", what, remedy, step)
