"""What is wrong with a chain as a map: gaps, cycles, duplicates, two newest versions, versions nobody reaches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from upcasters.errors import Problem
from upcasters.operations.base import Reversibility
from upcasters.step import Step

if TYPE_CHECKING:
    from upcasters.chain import Chain

Node = tuple[str, str]


def structure_problems(chain: Chain) -> list[Problem]:
    """Everything that keeps the chain from starting; empty where it is sound."""
    found = list(_identity(chain))
    if found:
        return found
    for check in (_duplicates, _self_loops, _split_last):
        found += check(chain)
    if found:
        return found
    for check in (_cycles, _gaps, _two_newest, _pins, _undeclared_loss):
        found += check(chain)
    return found


def problem(code: str, message: str, remedy: str, step: Step | None = None) -> Problem:
    """A Problem at a step."""
    return Problem(code, message, remedy, step.file if step else "", step.id if step else "")


def _node(node: Node) -> str:
    return f"{node[0]} {node[1] or '(no version)'}"


def _identity(chain: Chain) -> Iterator[Problem]:
    if not chain.steps and not chain.baselines:
        yield problem("empty", "the chain has no steps and no baselines", "Add a baseline or a step.")
    for id_, times in Counter(step.id for step in chain.steps).items():
        if times > 1:
            step = next(step for step in chain.steps if step.id == id_)
            yield problem("duplicate-id", f"{times} steps have the id {id_}", "Give each an id of its own.", step)
    for base, times in Counter((base.event_type, base.version) for base in chain.baselines).items():
        if times > 1:
            what = f"there are {times} baselines for {_node((base[0], str(base[1])))}"
            yield problem("duplicate-baseline", what, "Keep one.")
    for step in chain.steps:
        if not step.event_type:
            yield problem("no-type", "the step has no event type", "Name the type that it changes.", step)


def _duplicates(chain: Chain) -> Iterator[Problem]:
    grouped: dict[Node, list[Step]] = {}
    for step in chain.steps:
        grouped.setdefault((step.event_type, str(step.source)), []).append(step)
    for node, steps in grouped.items():
        if len({str(step.target) for step in steps}) > 1:
            targets = " and ".join(sorted(f"{step.target} ({step.id})" for step in steps))
            remedy = "Leave one way up from each version."
            yield problem("two-ways", f"from {_node(node)} there are ways to {targets}", remedy, steps[1])
            continue
        yield from _order(node, steps)


def _order(node: Node, steps: list[Step]) -> Iterator[Problem]:
    firsts = [step for step in steps if not step.after]
    if len(firsts) > 1:
        ids = " and ".join(step.id for step in firsts)
        remedy = "Say with after='…' which runs behind which, or remove one."
        yield problem("duplicate", f"{ids} both start at {_node(node)}", remedy, firsts[1])
    followers = Counter(step.after for step in steps if step.after)
    ids_here = {step.id for step in steps}
    for step in steps:
        if step.after and step.after not in ids_here:
            remedy = f"Name one of {', '.join(sorted(ids_here - {step.id})) or 'the steps of this hop'}."
            what = f"after={step.after!r} is no step from {_node(node)}"
            yield problem("unknown-after", what, remedy, step)
        elif followers[step.after] > 1 and step.after:
            yield problem("duplicate", f"several steps run after {step.after}", "Put them in one order.", step)
    if not firsts:
        yield problem(
            "after-cycle", f"the steps from {_node(node)} run after each other", "Let one be first.", steps[0]
        )


def _self_loops(chain: Chain) -> Iterator[Problem]:
    for step in chain.steps:
        if (step.event_type, str(step.source)) in step.ends:
            remedy = "Give it a new version, or name another step of the hop with after."
            yield problem("self", f"the step leads from {step.source} to itself", remedy, step)


def _split_last(chain: Chain) -> Iterator[Problem]:
    for step in chain.steps:
        for operation in step.operations[:-1]:
            if operation in step.splits:
                remedy = "Make the split the last operation of the step."
                yield problem("split-not-last", f"operations stand behind '{operation}'", remedy, step)


def _cycles(chain: Chain) -> Iterator[Problem]:
    done: set[Node] = set()
    for start in chain.hops:
        trail: list[Node] = []
        on_trail: set[Node] = set()
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
                way = " -> ".join(map(_node, loop))
                step = chain.hops[node].steps[-1]
                yield problem("cycle", f"the steps lead in a circle: {way}", "Break the circle at one step.", step)
                return
            elif following not in done:
                stack.append((following, iter(_next(chain, following))))
                trail.append(following)
                on_trail.add(following)


def _next(chain: Chain, node: Node) -> tuple[Node, ...]:
    hop = chain.hops.get(node)
    return () if hop is None else hop.ends


def _gaps(chain: Chain) -> Iterator[Problem]:
    """A gap: a type falls apart into histories that no step joins."""
    starts: dict[str, list[Node]] = {}
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
                yield problem("gap", f"no step and no baseline leads to {_node(node)}", remedy, step)


def _two_newest(chain: Chain) -> Iterator[Problem]:
    ends: dict[str, list[Node]] = {}
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


def _pins(chain: Chain) -> Iterator[Problem]:
    for event_type, version in chain.pinned.items():
        if (event_type, version) not in chain.versions:
            what = f"current names {_node((event_type, version))}, which the chain does not have"
            yield problem("unknown-current", what, "Name a version that a step or a baseline makes.")


def _undeclared_loss(chain: Chain) -> Iterator[Problem]:
    for step in chain.steps:
        back = step.inverse()
        if back.kind is Reversibility.LOSSY and not step.lossy:
            remedy = "Say lossy='why this is right' at the step, or give the operation a way back."
            yield problem("undeclared-loss", f"the step loses something: {back.why}", remedy, step)
