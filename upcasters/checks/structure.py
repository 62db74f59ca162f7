"""What is wrong with a chain as a map: gaps, cycles, duplicates, two newest versions, losses that nobody declared."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from upcasters.checks.avro_shape import shape_of_schema
from upcasters.checks.problems import named, problem
from upcasters.conditions import implies
from upcasters.errors import Problem
from upcasters.formats import Schema, SchemaError
from upcasters.operations.base import Reversibility
from upcasters.operations.choice import walk
from upcasters.operations.events import SplitEach, SplitEvent
from upcasters.operations.scopes import At, Everywhere, Subdocument
from upcasters.step import Baseline, Step, VersionKey

if TYPE_CHECKING:
    from upcasters.version_graph import VersionGraph


def structure_problems(chain: VersionGraph) -> list[Problem]:
    """Everything that keeps the chain from starting; empty where it is sound."""
    found = list(_identity(chain))
    if found:
        return found
    for check in (_duplicates, _self_loops, _split_last, _schemas):
        found += check(chain)
    if found:
        return found
    for check in (
        _last_of_hop,
        _cycles,
        _gaps,
        _dead_ends,
        _two_newest,
        _pins,
        _previews,
        _named,
        _undeclared_loss,
        _same_shapes,
    ):
        found += check(chain)
    return found


def _identity(chain: VersionGraph) -> Iterator[Problem]:
    if not chain.steps and not chain.baselines:
        yield problem("empty", "the chain has no steps and no baselines", "Add a baseline or a step.")
    for id_, times in Counter(step.id for step in chain.steps).items():
        if times > 1:
            step = next(step for step in chain.steps if step.id == id_)
            yield problem("duplicate-id", f"{times} steps have the id {id_}", "Give each an id of its own.", step)
    for base, times in Counter((base.event_type, base.version) for base in chain.baselines).items():
        if times > 1:
            what = f"there are {times} baselines for {named((base[0], str(base[1])))}"
            yield problem("duplicate-baseline", what, "Keep one.")
    places: tuple[Step | Baseline, ...] = (*chain.steps, *chain.baselines)
    for place in places:
        if not place.event_type:
            what = f"the {type(place).__name__.lower()} has no event type"
            yield Problem("no-type", what, "Name the type that it is about.", place.file, place.id)


def _schemas(chain: VersionGraph) -> Iterator[Problem]:
    places: tuple[Step | Baseline, ...] = (*chain.steps, *chain.baselines)
    for place in places:
        if isinstance(place.schema, str):
            what = f"schema={place.schema!r} is a file beside a step, and this chain is not made of a package"
            yield Problem("schema", what, "Pass upcasters.formats.Schema, with the text.", place.file, place.id)
        elif place.schema is not None:
            yield from _unusable(place, place.schema)


def _unusable(place: Step | Baseline, schema: Schema) -> Iterator[Problem]:
    try:
        shape_of_schema(schema)
        _ = schema.fingerprint
    except SchemaError as error:
        for each in error.problems:
            yield replace(each, file=place.file, step=place.id)


def _duplicates(chain: VersionGraph) -> Iterator[Problem]:
    grouped: dict[VersionKey, list[Step]] = {}
    for step in chain.steps:
        grouped.setdefault((step.event_type, str(step.source)), []).append(step)
    for node, steps in grouped.items():
        if len({str(step.target) for step in steps}) > 1:
            targets = " and ".join(sorted(f"{step.target} ({step.id})" for step in steps))
            remedy = "Leave one way up from each version."
            yield problem("two-ways", f"from {named(node)} there are ways to {targets}", remedy, steps[1])
            continue
        yield from _order(node, steps)


def _order(node: VersionKey, steps: list[Step]) -> Iterator[Problem]:
    firsts = [step for step in steps if not step.after]
    if len(firsts) > 1:
        ids = " and ".join(step.id for step in firsts)
        remedy = "Say with after='…' which runs behind which, or remove one."
        yield problem("duplicate", f"{ids} both start at {named(node)}", remedy, firsts[1])
    followers = Counter(step.after for step in steps if step.after)
    ids_here = {step.id for step in steps}
    for step in steps:
        if step.after and step.after not in ids_here:
            remedy = f"Name one of {', '.join(sorted(ids_here - {step.id})) or 'the steps of this hop'}."
            what = f"after={step.after!r} is no step from {named(node)}"
            yield problem("unknown-after", what, remedy, step)
        elif followers[step.after] > 1 and step.after:
            yield problem("duplicate", f"several steps run after {step.after}", "Put them in one order.", step)
    circle = [step for step in steps if step.after in ids_here and not _has_a_first(step, steps)]
    if circle:
        ids = " and ".join(step.id for step in circle)
        yield problem("after-cycle", f"{ids} run after each other", "Let one be first, without after.", circle[0])


def _has_a_first(step: Step, steps: list[Step]) -> bool:
    """True where going back along ``after`` comes to an end."""
    before = {other.id: other.after for other in steps}
    seen: set[str] = set()
    at = step.id
    while at and at not in seen:
        seen.add(at)
        at = before.get(at, "")
    return not at


def _self_loops(chain: VersionGraph) -> Iterator[Problem]:
    for step in chain.steps:
        if (step.event_type, str(step.source)) in step.ends:
            remedy = "Give it a new version, or name another step of the hop with after."
            yield problem("self", f"the step leads from {step.source} to itself", remedy, step)


def _split_last(chain: VersionGraph) -> Iterator[Problem]:
    for step in chain.steps:
        for operation in step.operations[:-1]:
            if operation in step.splits:
                remedy = "Make the split the last operation of the step."
                yield problem("split-not-last", f"operations stand behind '{operation}'", remedy, step)
        for operation in walk(step.operations):
            if isinstance(operation, (At, Everywhere)):
                yield from _no_split_inside(step, operation)


def _no_split_inside(step: Step, outer: At | Everywhere) -> Iterator[Problem]:
    for operation in walk(outer.operations):
        if isinstance(operation, (SplitEach, SplitEvent)):
            what = f"'{operation}' stands inside at or everywhere, and only a whole event can be split"
            yield problem("split-inside", what, "Split with a path from the top of the document.", step)


def _last_of_hop(chain: VersionGraph) -> Iterator[Problem]:
    """Steps of one hop behind one that leads somewhere else would never run."""
    for hop in chain.hops.values():
        for step in hop.steps[:-1]:
            if step.forks or step.target_type != step.event_type:
                what = f"{hop.steps[-1].id} runs behind it, but the step splits the event or renames its type"
                yield problem("split-not-last", what, "Let it be the last step of the hop.", step)


def _previews(chain: VersionGraph) -> Iterator[Problem]:
    for hop in chain.hops.values():
        following = chain.hops.get(hop.target)
        if hop.preview and following is not None and not following.preview and not hop.forks:
            what = f"the step stands behind {hop.id}, which is a preview, and is none itself"
            remedy = "Mark it preview=True too, or make the earlier step current first."
            yield problem("preview-order", what, remedy, following.steps[0])


def _named(chain: VersionGraph) -> Iterator[Problem]:
    """Versions and types that steps and baselines name, and that the chain does not have."""
    places: tuple[Step | Baseline, ...] = (*chain.steps, *chain.baselines)
    for place in places:
        event_type = place.target_type if isinstance(place, Step) else place.event_type
        for version in place.looks_like:
            if (event_type, str(version)) not in chain.versions:
                what = f"looks_like names {named((event_type, str(version)))}, which the chain does not have"
                yield Problem("unknown-version", what, "Name versions of the same type.", place.file, place.id)
    for step in chain.steps:
        for operation in walk(step.operations):
            if isinstance(operation, Subdocument):
                yield from _inner_document(chain, step, operation)


def _inner_document(chain: VersionGraph, step: Step, operation: Subdocument) -> Iterator[Problem]:
    remedy = "Add its steps or a baseline to the chain."
    if operation.event_type not in chain.types:
        what = f"'{operation}': the chain does not know the type {operation.event_type}"
        yield problem("unknown-type", what, remedy, step)
    elif isinstance(operation.version, str) and (operation.event_type, operation.version) not in chain.versions:
        what = f"'{operation}': the chain does not have {named((operation.event_type, operation.version))}"
        yield problem("unknown-version", what, remedy, step)
    elif operation.to is not None and (operation.event_type, operation.to) not in chain.versions:
        what = f"'{operation}': the chain does not have {named((operation.event_type, operation.to))}"
        yield problem("unknown-version", what, remedy, step)


def _cycles(chain: VersionGraph) -> Iterator[Problem]:
    done: set[VersionKey] = set()
    for start in chain.hops:
        trail: list[VersionKey] = []
        on_trail: set[VersionKey] = set()
        stack = [(start, iter(_next(chain, start)))]
        trail.append(start)
        on_trail.add(start)
        while stack:
            node, ends = stack[-1]
            following = next(ends, None)
            if following is None:
                stack.pop()
                trail.pop()
                on_trail.discard(node)
                done.add(node)
            elif following in on_trail:
                loop = [*trail[trail.index(following) :], following]
                way = " -> ".join(map(named, loop))
                step = chain.hops[node].steps[-1]
                yield problem("cycle", f"the steps lead in a circle: {way}", "Break the circle at one step.", step)
                return
            elif following not in done:
                stack.append((following, iter(_next(chain, following))))
                trail.append(following)
                on_trail.add(following)


def _next(chain: VersionGraph, node: VersionKey) -> tuple[VersionKey, ...]:
    hop = chain.hops.get(node)
    return () if hop is None else hop.ends


def _gaps(chain: VersionGraph) -> Iterator[Problem]:
    """A gap: a type falls apart into histories that no step joins."""
    starts: dict[str, list[VersionKey]] = {}
    reached = {end for hop in chain.hops.values() for end in hop.ends}
    based = {(base.event_type, str(base.version)) for base in chain.baselines}
    for node in chain.versions:
        if node not in reached:
            starts.setdefault(node[0], []).append(node)
    for event_type, nodes in starts.items():
        for node in nodes:
            if based and node not in based and any(base[0] == event_type for base in based):
                step = next(step for step in chain.steps if (step.event_type, str(step.source)) == node)
                remedy = "Add the step that leads there, or a baseline if the history starts there."
                yield problem("gap", f"no step and no baseline leads to {named(node)}", remedy, step)


def _dead_ends(chain: VersionGraph) -> Iterator[Problem]:
    """Baselines that lead nowhere, of types whose other versions all lead to another type."""
    reached = {end for hop in chain.hops.values() for end in hop.ends}
    for base in chain.baselines:
        node = (base.event_type, str(base.version))
        others = [other for other in chain.hops if other[0] == base.event_type]
        newest = any(chain.hops[other].target[0] == base.event_type and not chain.hops[other].forks for other in others)
        if others and not newest and node not in chain.hops and node not in reached:
            what = f"no step leads on from {named(node)}, and other versions of {base.event_type} become another type"
            remedy = "Add the step that leads on from it, or remove the baseline."
            yield Problem("dead-end", what, remedy, base.file, base.id)


def _two_newest(chain: VersionGraph) -> Iterator[Problem]:
    ends: dict[str, list[VersionKey]] = {}
    for node in chain.versions:
        if node not in chain.hops:
            ends.setdefault(node[0], []).append(node)
    for event_type, nodes in ends.items():
        if len(nodes) > 1:
            names = " and ".join(sorted(node[1] or "(no version)" for node in nodes))
            first = chain.versions[nodes[0]]
            yield Problem(
                "two-newest",
                f"{event_type} ends at {names}: there is a gap between them, or two newest versions",
                "Add the step that joins them, or remove one.",
                first.file,
                first.step,
            )


def _pins(chain: VersionGraph) -> Iterator[Problem]:
    for event_type, version in chain.pinned.items():
        if (event_type, version) not in chain.versions:
            what = f"current names {named((event_type, version))}, which the chain does not have"
            yield problem("unknown-current", what, "Name a version that a step or a baseline makes.")
        for hop in chain.hops.values():
            if hop.preview and (event_type, version) in hop.ends:
                what = f"current names {named((event_type, version))}, which the step marks as a preview"
                yield problem("preview-current", what, "Leave one of the two out.", hop.steps[-1])


def _same_shapes(chain: VersionGraph) -> Iterator[Problem]:
    """Versions that are never told by their shape, since a newer one has whatever they have."""
    for event_type, versions in chain.types.items():
        shaped = [known for version in versions if (known := chain.versions[event_type, version]).shape is not None]
        for older, newer in itertools.combinations(shaped, 2):
            assert older.shape is not None
            assert newer.shape is not None
            if newer.version not in older.looks_like and implies(older.shape, newer.shape):
                here = f"what has the shape of {named((event_type, older.version))} ({older.shape})"
                what = (
                    f"{here} has that of {named((event_type, newer.version))} ({newer.shape}) too, and is taken for it"
                )
                remedy = "Ask for what only the newer version has, or say looks_like at the older one."
                yield Problem("same-shape", what, remedy, newer.file, newer.step)


def _undeclared_loss(chain: VersionGraph) -> Iterator[Problem]:
    for step in chain.steps:
        back = step.inverse()
        if back.kind is Reversibility.LOSSY and not step.lossy:
            remedy = "Say lossy='why this is right' at the step, or give the operation a way back."
            yield problem("undeclared-loss", f"the step loses something: {back.why}", remedy, step)
