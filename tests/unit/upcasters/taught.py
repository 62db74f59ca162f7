"""What tests ask of the native extension: its plans, that they learn at once, and events that are broken by a byte."""

from __future__ import annotations

import random
from contextlib import suppress

from upcasters import Event, Upcaster
from upcasters.native.plan import Plan

BYTES = b'"\\{}[]:,0123456789 \n\t\x00\x1f\x7f\xff\xc3-+.eEnultrfabT'


def plans_of(upcaster: Upcaster) -> list[Plan]:
    """The plans that a route has made so far."""
    found = upcaster._short_cut
    return [] if found is None or found.plans is None else [plan for plan in found.plans.values() if plan is not None]


def hits(upcaster: Upcaster) -> int:
    """How many events ran natively."""
    return sum(plan.counts[0] for plan in plans_of(upcaster))


def teach(upcaster: Upcaster, event: Event) -> None:
    """Let the plans learn from an event as if it had been seen before. Some events teach nothing."""
    said = {header[1] for header in event.headers}
    for plan in plans_of(upcaster):
        for number in [-1, *(number for version, number in plan.numbers.items() if version in said)]:
            for _ in range(2):
                with suppress(Exception):
                    plan._learn(event.value or b"", number)


def broken(value: bytes, chance: random.Random) -> bytes:
    """The same with one byte changed, inserted or removed anywhere."""
    at = chance.randrange(len(value) + 1)
    new = bytes([chance.choice(BYTES)])
    return chance.choice(
        [value[:at] + new + value[at:], value[:at] + value[at + 1 :], value[:at] + new + value[at + 1 :]]
    )
