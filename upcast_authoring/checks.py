"""The check of a chain by itself."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from upcast_authoring.codes import chain_lines
from upcast_authoring.errors import with_code
from upcast_authoring.lock import broken_promises
from upcasters import Chain, ChainError
from upcasters.checks import detection_notes
from upcasters.loading import load_sound_chain


@dataclass(frozen=True)
class Checked:
    """A chain, or what a command checks beside chains.

    ``fingerprint`` is empty where the chain does not load; ``size`` says how many types, versions and steps were seen;
    ``of_settings`` says that one of the problems is the configuration's.
    """

    subject: str
    chain: str
    fingerprint: str = ""
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    of_settings: bool = False
    size: Mapping[str, int] | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"ok": not self.problems}


def check_chain(path: str) -> list[Checked]:
    """Check a chain by itself."""
    from upcast_authoring.deprecation.of_chain import breaches

    try:
        chain = load_sound_chain(path)
        notes = (*map(str, detection_notes(chain, chain.detection)), *misspelt_types(chain))
        found = (*breaches(path, chain), *broken_promises(path, chain))
        return [Checked(path, path, chain.fingerprint, found, notes, size=size_of(chain))]
    except ChainError as error:
        return [Checked(path, path, problems=lines_of(error))]


def misspelt_types(chain: Chain) -> list[str]:
    """Types that begin with a step, beside one of a similar name that only has a baseline: one of them, most likely."""
    declared = {each.event_type for each in chain.baselines}
    stepped = {hop.source[0] for hop in chain.hops.values()}
    reached = {end[0] for hop in chain.hops.values() for end in hop.ends}
    idle = sorted(declared - stepped - reached)
    return [
        f"{name} has a step and no baseline, {other} has a baseline and no step. Did you mean {other}?"
        for name in sorted(stepped - declared)
        for other in difflib.get_close_matches(name, idle, n=1, cutoff=0.75)
    ]


def size_of(chain: Chain) -> Mapping[str, int]:
    """The number of types, versions and steps of a chain."""
    return {"types": len(chain.types), "versions": len(chain.versions), "steps": len(chain.steps)}


def lines_of(error: ChainError) -> tuple[str, ...]:
    """What is wrong with a chain, one line each, with its code."""
    return tuple(with_code(*line) for line in chain_lines(error))
