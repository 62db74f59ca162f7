"""What is wrong with a route's policy, against the chain that it is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, get_args

from upcasters import policy as choices
from upcasters.checks.problems import named
from upcasters.checks.readers import reader_problems
from upcasters.detection import Always, Detection, FromField, FromShape, wrong_rules
from upcasters.errors import Problem
from upcasters.paths import EACH, path
from upcasters.readers import readers_of

if TYPE_CHECKING:
    from upcasters.policy import Policy
    from upcasters.version_graph import VersionGraph

_CHOICES = {
    "unknown_type": choices.UnknownTypeChoice,
    "future_version": choices.FutureVersionChoice,
    "duplicate_keys": choices.DuplicateKeys,
    "validate_target": choices.ValidationChoice,
    "validate_source": choices.ValidationChoice,
}


def policy_problems(chain: VersionGraph, policy: Policy) -> list[Problem]:
    """Everything that keeps a route from starting; empty where the policy fits."""
    rules = policy.detection.or_those_of(chain.detection)
    by_shape = [] if rules.version else [*_untold_by_shape(chain)]
    return [
        *_options(policy),
        *target_problems(chain, policy.target),
        *detection_problems(chain, rules),
        *by_shape,
        *reader_problems(readers_of(policy.readers or ())),
    ]


def detection_problems(chain: VersionGraph, rules: Detection) -> list[Problem]:
    """What is wrong with the rules that are given; of those that are not, nothing is said."""
    return [*wrong_rules(rules)] or [*_rules(chain, rules)]


def detection_notes(chain: VersionGraph, detection: Detection) -> list[Problem]:
    """What is worth knowing of the rules and keeps nothing from starting."""
    rules = detection.or_those_of(chain.detection)
    return [*_left_to_the_route(chain, rules), *_assumed(chain, rules)]


def _left_to_the_route(chain: VersionGraph, rules: Detection) -> list[Problem]:
    """Versions that a route has to tell otherwise, since the shape cannot and the chain has no rule for it."""
    if rules.version:
        return []
    remedy = "Let each route give a rule that tells it."
    return [
        Problem("detection-note", f"{found.message}, and the chain has no rules", remedy)
        for found in _untold_by_shape(chain)
    ]


def _assumed(chain: VersionGraph, rules: Detection) -> list[Problem]:
    assumed = next((rule.value for rule in rules.version if isinstance(rule, Always)), None)
    if assumed is None or rules.stamp == "first" or any(isinstance(rule, FromShape) for rule in rules.version):
        return []
    if all(chain.current(event_type) == assumed for event_type in chain.types):
        return []
    message = f"an event whose version nothing tells is taken for {assumed}, and so is what comes out of it"
    return [
        Problem("detection-note", message, "Say stamp='first', and it gets a version where the first rule reads it.")
    ]


def _options(policy: Policy) -> Iterator[Problem]:
    for option, allowed in _CHOICES.items():
        value = getattr(policy, option)
        if value not in get_args(allowed):
            what = f"{option}={value!r} is not a choice"
            yield Problem("option", what, f"Use one of {', '.join(get_args(allowed))}.")
    if policy.sample_every < 1:
        yield Problem("option", "sample_every is less than 1", "Use 1 to check every event.")


def target_problems(chain: VersionGraph, targets: Mapping[str, str]) -> Iterator[Problem]:
    """What is wrong with the versions (type -> version) that a route brings events to."""
    for event_type, version in targets.items():
        if event_type not in chain.types:
            what = f"target names the type {event_type}, which the chain does not have"
            yield Problem("target", what, "Leave it out.")
        elif (event_type, version) not in chain.versions and not _is_split(chain, event_type, version):
            known = ", ".join(chain.types[event_type])
            yield Problem("target", f"{event_type} has no version {version}", f"Use one of {known}.")
        else:
            yield from _several_ways_down(chain, targets, (event_type, version))


def _several_ways_down(chain: VersionGraph, targets: Mapping[str, str], goal: tuple[str, str]) -> Iterator[Problem]:
    """Types that an event gets above its target, and of which it cannot be told whether they were this one before."""
    for event_type, version in sorted(chain.above(goal, splits=False)):
        if event_type not in targets and chain.renamed_from((event_type, version), targets) is None:
            here = f"{event_type} {version} is above the target {goal[0]} {goal[1]}"
            what = f"{here}, and what an event of it was before is not known"
            yield Problem("target", what, f"Name a target for {event_type} as well.")


def _is_split(chain: VersionGraph, event_type: str, version: str) -> bool:
    """True where a type ends in a split at this version: there is no such event, and still a way to go."""
    return any(hop.source[0] == event_type and hop.target[1] == version for hop in chain.hops.values())


def _rules(chain: VersionGraph, rules: Detection) -> Iterator[Problem]:
    yield from _fixed("type", rules.event_type, frozenset(chain.types))
    yield from _fixed("version", rules.version, frozenset(version for _, version in chain.versions))
    for rule in (*rules.event_type, *rules.version):
        if isinstance(rule, FromField) and (EACH in path(rule.path) or not path(rule.path)):
            yield Problem("detection", "a detection rule asks for no single field", "Name one field, without '*'.")
    if any(isinstance(rule, FromShape) for rule in rules.version) and not any(
        known.shape for known in chain.versions.values()
    ):
        what = "the version is told by shape, and no version of the chain declares one"
        yield Problem("detection", what, "Give baselines and steps a shape, or use another rule.")
    elif rules.version and all(isinstance(rule, FromShape) for rule in rules.version):
        yield from _untold_by_shape(chain)


def _untold_by_shape(chain: VersionGraph) -> Iterator[Problem]:
    """Old versions that no event is ever taken for, where the shape alone tells the version.

    None of those that come out of another type, or of types that declare no shape at all: they stand inside of others.
    """
    inner = {end for hop in chain.hops.values() for end in hop.ends if end[0] != hop.source[0]}
    told = {event_type for (event_type, _), known in chain.versions.items() if known.shape is not None}
    for node in chain.hops:
        known = chain.versions[node]
        silent = known.shape is None and not known.looks_like and known.schema is None
        if silent and node not in inner and node[0] in told:
            what = f"the version is told by shape alone, and {named(node)} declares none"
            remedy = "Give it a shape, or add a rule that tells it: a header, a field or a default."
            yield Problem("detection", what, remedy, known.file, known.step)


def _fixed(what: str, rules: tuple[Any, ...], known: frozenset[str]) -> Iterator[Problem]:
    for position, rule in enumerate(rules):
        if not isinstance(rule, Always):
            continue
        if rule.value not in known:
            names = ", ".join(sorted(name or "''" for name in known))
            message = f"a detection rule says that the {what} is always {rule.value!r}, which the chain does not have"
            yield Problem("detection", message, f"Use one of {names}.")
        if position < len(rules) - 1:
            message = f"a rule for the {what} stands behind 'always {rule.value}' and is never asked"
            yield Problem("detection", message, "Let the fixed answer be the last rule.")
