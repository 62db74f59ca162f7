"""The routes on which laws are tried, and how an event is made to be of the version that it stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from upcasters.chain import Chain
from upcasters.checks.policy import target_problems
from upcasters.detect import Detector, in_place
from upcasters.detection import Always, Detection, FromCloudEvents, FromField, FromHeader, TypeRule, VersionRule
from upcasters.document import Object, is_null, restamped
from upcasters.errors import ChainError, EventError
from upcasters.event import Header
from upcasters.paths import path
from upcasters.patterns import compiled
from upcasters.policy import Policy
from upcasters.step import Hop
from upcasters.traversal import MISSING, find, parent_of
from upcasters.upcaster import Upcaster


@dataclass(frozen=True)
class ChainRoute:
    """Events of one type on their way to one version."""

    event_type: str
    target: str
    upcaster: Upcaster

    @property
    def subject(self) -> str:
        """What a report calls it."""
        return f"{self.event_type} to {self.target or '(no version)'}"


def rules_of(chain: Chain) -> Detection | None:
    """The chain's own rules, or None where it leaves them to the route, or to the schemas of its records."""
    if goes_by_schemas(chain):
        return None
    try:
        detector = Detector(chain, chain.detection)
    except ChainError:
        return None
    return Detection(detector.type_rules, detector.version_rules, chain.detection.stamp)


def goes_by_schemas(chain: Chain) -> bool:
    """Whether nothing that stands in an event tells its version."""
    return not chain.detection.version and all(known.shape is None for known in chain.versions.values())


def pinned(chain: Chain, event_type: str, version: str) -> Detection:
    """Rules by which every event is of this version. Fields that hold it are still read, and written on the way."""
    rules = rules_of(chain) or chain.detection
    types = tuple(rule for rule in rules.event_type if isinstance(rule, FromField))
    versions = tuple(rule for rule in rules.version if isinstance(rule, FromField))
    return Detection((*types, Always(event_type)), (*versions, Always(version)))


def headers_of(rules: Detection, event_type: str, version: str) -> list[Header]:
    """Headers from which the rules read a type and version, as far as they read headers."""
    found: dict[str, str] = {}
    for answer, rule in _answers(rules, event_type, version):
        if isinstance(rule, FromHeader):
            found[rule.name] = _matching(rule, answer, found.get(rule.name, ""))
    attributes = attributes_of(rules, event_type, version)
    texts = [*found.items(), *(("ce_" + name, text) for name, text in attributes.items())]
    return [(name, text.encode()) for name, text in texts]


def attributes_of(rules: Detection, event_type: str, version: str) -> dict[str, str]:
    """CloudEvents attributes from which the rules read a type and version, as far as they read any."""
    found: dict[str, str] = {}
    for answer, rule in _answers(rules, event_type, version):
        if isinstance(rule, FromCloudEvents):
            found[rule.attribute] = _matching(rule, answer, found.get(rule.attribute, ""))
    return found


def _answers(rules: Detection, event_type: str, version: str) -> Iterator[tuple[str, TypeRule | VersionRule]]:
    for answer, listed in ((event_type, rules.event_type), (version, rules.version)):
        for rule in listed:
            yield answer, rule


def _matching(rule: FromHeader | FromField | FromCloudEvents, answer: str, old: str) -> str:
    """A text in which the rule's pattern finds the answer; the answer itself where none is found easily.

    The text that is there already comes first: a model, a golden pair or another rule knows more than the pattern.
    """
    if rule.pattern is None:
        return answer
    before, _, rest = rule.pattern.partition("(")
    made = _literal(before) + answer + _literal(rest.rpartition(")")[2])
    for text in (in_place(old, rule.pattern, answer), old + made, made):
        match = compiled(rule.pattern).search(text)
        if match is not None and match.group(1) == answer:
            return text
    return answer


def _literal(pattern: str) -> str:
    """The text that a pattern of plain characters means."""
    return re.sub(r"\\(.)", r"\1", pattern.removeprefix("^").removesuffix("$"))


def stamp(rules: Detection, event_type: str, version: str, document: Object) -> None:
    """Write type and version where the rules look for them in the document, as far as the way there is open."""
    for answer, rule in _answers(rules, event_type, version):
        if isinstance(rule, FromField):
            _put(document, rule, answer)


def _put(document: Object, rule: FromField, answer: str) -> None:
    where = path(rule.path)
    old = find(document, where)
    try:
        parent = parent_of(document, where, create=True)
    except EventError:
        return
    text = _matching(rule, answer, old if isinstance(old, str) else "")
    parent[str(where[-1])] = text if old is MISSING or is_null(old) else restamped(old, text)


def routes(chain: Chain) -> Iterator[ChainRoute]:
    """For each type: to the current version, to each preview, and down as far as it goes."""
    rules = rules_of(chain)
    for event_type in chain.types:
        own = None if rules is None else _for_type(rules, event_type)
        for target in dict.fromkeys(_targets(chain, event_type)):
            detection = own if own is not None else Detection((Always(event_type),), chain.detection.version)
            targets = _pins(chain, event_type, target)
            policy = Policy(detection=detection, target=targets, validate_source="never")
            try:
                upcaster = None if goes_by_schemas(chain) else chain.upcaster(policy)
            except ChainError:
                upcaster = None
            if upcaster is None:  # neither the chain nor a shape says where the version stands
                version = chain.types[event_type][0]
                upcaster = chain.upcaster(Policy(pinned(chain, event_type, version), targets))
            yield ChainRoute(event_type, target, upcaster)


def _for_type(rules: Detection, event_type: str) -> Detection:
    """The same rules where they read the type; else it is this one, which stands inside of events of another."""
    reads = any(not isinstance(rule, Always) for rule in rules.event_type)
    return rules if reads else Detection((Always(event_type),), rules.version, rules.stamp)


def targets_of(chain: Chain, hop: Hop) -> dict[str, str]:
    """Targets (type -> version) by which events of a hop's source go over that hop and no further."""
    above = {event_type: chain.current(event_type) for end in hop.ends for event_type, _ in chain.above(end)}
    own = {hop.source[0]: hop.target[1]} if hop.source[1] != hop.target[1] else {}
    return {**above, **own, **dict(hop.ends)}


def _pins(chain: Chain, event_type: str, target: str) -> dict[str, str]:
    """The target of one type; none where the chain's own way is to leave the type for one that others lead to."""
    pins = {event_type: target}
    return {} if any(target_problems(chain, pins)) else pins


def _targets(chain: Chain, event_type: str) -> Iterator[str]:
    current = chain.current(event_type)
    yield current
    for hop in chain.hops.values():
        if hop.source[0] == event_type and hop.preview and _pins(chain, event_type, hop.target[1]):
            yield hop.target[1]
    for version in chain.types[event_type]:
        if version == current or not _pins(chain, event_type, version):
            continue
        down = chain.path((event_type, current), {event_type: version}) if _is_below(chain, event_type, version) else ()
        if down and chain.irreversible(down) is None:
            yield version
            return


def _is_below(chain: Chain, event_type: str, version: str) -> bool:
    return (event_type, chain.current(event_type)) in chain.upwards((event_type, version))
