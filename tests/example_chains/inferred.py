"""How much of the histories in this folder `upcast infer` would have written: each step is inferred from events that
went through it, and tried on others.

`python -m tests.example_chains.inferred` prints each step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tests.example_chains import published_formats, test_histories, weather
from upcast_authoring.inference.columns import loads, same
from upcast_authoring.inference.inferring import Inferred, infer, upcaster_of
from upcasters import Chain, ChainError, Event, Policy, Upcast, load_chain
from upcasters.testing.events import Inputs
from upcasters.testing.golden import golden_folder, goldens
from upcasters.testing.routes import pinned

DRAWN = 100
NEEDED = 8
Pair = tuple[bytes, bytes]


class Measured(NamedTuple):
    """``held_out`` events that nothing was inferred from, of which ``right`` came out as the step brings them out."""

    step: str
    held_out: int
    right: int
    inferred: Inferred

    @property
    def is_right(self) -> bool:
        return self.right == self.held_out


def chains() -> Iterator[tuple[str, Chain]]:
    yield "devteam_runner", load_chain("upcasters.devteam_runner:chain")
    yield "weather", weather.chain
    for module in (published_formats, test_histories):
        for name, value in vars(module).items():
            if isinstance(value, Chain):
                yield name, value


def measure() -> Iterator[Measured]:
    """Every step with enough events of its own that become one event each."""
    for name, chain in chains():
        folder = golden_folder(name, chain)
        inputs = Inputs(chain, goldens(chain, folder) if folder else [])
        for (event_type, version), hop in chain.hops.items():
            pairs = _pairs(chain, inputs, event_type, version, hop.ends)
            if len(pairs) >= NEEDED:
                yield _measured(f"{name} {event_type} {version}", pairs)


def _pairs(chain: Chain, inputs: Inputs, event_type: str, version: str, ends: Sequence[tuple[str, str]]) -> list[Pair]:
    rules = pinned(chain, event_type, version)
    found: dict[bytes, bytes] = {}
    try:
        upcaster = chain.upcaster(Policy(detection=rules, target=dict(ends), validate_source="never"))
        events = inputs.drawn(event_type, version, rules, DRAWN)
    except ChainError:
        return []
    for event in events:
        outcome = upcaster.upcast(event)
        if isinstance(outcome, Upcast) and event.value is not None and len(records := outcome.output(event)) == 1:
            found[event.value] = records[0].value or b"null"
    return [pair for pair in found.items() if all(map(_is_readable, pair))]


def _is_readable(value: bytes) -> bool:
    """Whether `upcast infer` takes it: an object, of numbers that Python can write."""
    try:
        return isinstance(loads(value), dict)
    except ValueError:
        return False


def _measured(step: str, pairs: Sequence[Pair]) -> Measured:
    """From every second one; the others are tried."""
    seen, held_out = pairs[::2], pairs[1::2]
    inferred = infer([before for before, _ in seen], [after for _, after in seen])
    try:
        upcaster = upcaster_of(inferred.calls)
    except ChainError:
        return Measured(step, len(held_out), 0, inferred)
    right = 0
    for before, after in held_out:
        event = Event(before)
        outcome = upcaster.upcast(event)
        if isinstance(outcome, Upcast):
            right += same(loads(outcome.output(event)[0].value or b"null"), loads(after))
    return Measured(step, len(held_out), right, inferred)


def report(measured: Sequence[Measured]) -> Iterator[str]:
    for each in measured:
        yield f"{each.right:4} of {each.held_out:4}  {each.step}"
        if not each.is_right:
            yield from (f"            {call.code}" for call in each.inferred.calls)
            yield from (f"          ? {line}" for line in each.inferred.unexplained)
    yield f"{sum(each.is_right for each in measured)} of {len(measured)} steps"


if __name__ == "__main__":
    print("\n".join(report(list(measure()))))
