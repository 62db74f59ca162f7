"""`make fused`: what comes out of generated code is what the reference says, over a million made up events.

Chains are those of the tests. Each is given the events that it was made for and many that are like them: fields gone,
new, in another order, of other values; keys twice, escaped and with white space; numbers beyond any float; documents
about as deep as they may be; one byte changed, inserted or removed anywhere. Where the native extension is, it learns
from each event before it is compared.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import time
from collections import Counter

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.json import Decoder

from tests.unit.upcasters.generated import (
    DISGUISES,
    KEYS,
    LITERALS,
    NUMBERS,
    SOURCE,
    TEXTS,
    Made,
    any_operation,
    choosing,
    made,
)
from tests.unit.upcasters.taught import broken, hits, teach
from tests.unit.upcasters.test_fused import by_itself
from upcasters import DeadLettered, Event, Operation, Policy, Upcaster
from upcasters.depth import is_too_deep
from upcasters.document import decode_object_unchecked, is_json
from upcasters.duplicates import refuse_anywhere
from upcasters.errors import DecodeError
from upcasters.operations.choice import walk
from upcasters.operations.filling import Copy
from upcasters.operations.presence import Optional
from upcasters.operations.scopes import At, Everywhere
from upcasters.operations.values import Derive, Function, PrintJson

PART = 50_000
EVENTS_A_CHAIN = 100
POLICIES = [Policy(), Policy(), Policy(), Policy(duplicate_keys="last-wins"), Policy(duplicate_keys="refuse")]
SCALARS: list[str] = [*NUMBERS, *TEXTS, *LITERALS, "{}", "[]"]
BIG = [number.encode() for number in NUMBERS if len(number) > 17 or "400" in number]
# Before a key, behind a colon, behind a comma.
STYLES = [("", "", ""), ("", "", ""), ("", "", ""), ("", " ", " "), ("\n  ", " ", ""), (" ", "\t", "")]
_decode_array = Decoder(list[Raw]).decode


class Likeness:
    """Texts of documents that are like one that is given."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.goes_deep = True

    def like(self, text: bytes) -> str:
        """Another text of about the same document."""
        made = self._object(text) if text[:1] == b"{" else self._array(text) if text[:1] == b"[" else text.decode()
        return self._deep(made) if self._happens(0.002) and self.goes_deep else made

    def _happens(self, share: float) -> bool:
        return self._chance.random() < share

    def _object(self, text: bytes) -> str:
        fields = [(key, self._value(bytes(raw))) for key, raw in decode_object_unchecked(text).items()]
        fields = [field for field in fields if not self._happens(0.05)]
        if self._happens(0.1):
            fields.append((self._chance.choice(KEYS), self._scalar()))
        if fields and self._happens(0.04):
            fields.append((self._chance.choice(fields)[0], self._scalar()))
        if self._happens(0.1):
            self._chance.shuffle(fields)
        before, colon, comma = self._chance.choice(STYLES)
        members = [f"{before}{self._key(key)}:{colon}{value}" for key, value in fields]
        return "{" + f",{comma}".join(members) + before + "}"

    def _array(self, text: bytes) -> str:
        items = [self._value(bytes(raw)) for raw in _decode_array(text) if not self._happens(0.05)]
        return "[" + self._chance.choice([",", ",", ", "]).join(items) + "]"

    def _value(self, text: bytes) -> str:
        return self._scalar() if self._happens(0.05) else self.like(text)

    def _scalar(self) -> str:
        return self._chance.choice(SCALARS)

    def _key(self, key: str) -> str:
        if self._happens(0.03):
            return '"' + "".join(f"\\u{ord(letter):04x}" for letter in key) + '"'
        return json.dumps(key, ensure_ascii=False)

    def _deep(self, text: str) -> str:
        levels: int = self._chance.choice([1, 100, 300, *range(350, 402)])
        if self._happens(0.5):
            return "[" * levels + text + "]" * levels
        return '{"a":' * levels + text + "}" * levels


class Trial:
    """Compares, and counts what was tried and what became of it."""

    def __init__(self, number: int) -> None:
        self.events = 0
        self.seen: Counter[str] = Counter()
        self._chance = random.Random(number)  # made up events, no secrets
        self._likeness = Likeness(self._chance)

    def chain(self, tried: Made) -> None:
        """The events of one chain, under one policy."""
        upcaster = tried.chain.upcaster(self._chance.choice(POLICIES))
        operations = [operation for step in tried.chain.steps for operation in walk(step.operations)]
        self.seen["chains"] += 1
        self._likeness.goes_deep = not any(map(_doubles, operations))
        self.seen["chains with a group that writes nothing"] += any(map(_writes_nothing, operations))
        for event in tried.events:
            self._compare(upcaster, event)
            teach(upcaster, event)
        for _ in range((EVENTS_A_CHAIN - len(tried.events)) // 2):
            one = self._chance.choice(tried.events)
            value = self._like(one, disguised=bool(tried.chain.readers))
            like = Event(value, one.key, one.headers, one.timestamp, one.offset)
            teach(upcaster, like)
            self._compare(upcaster, like)
            value = broken(value, self._chance)
            self._compare(upcaster, Event(value, one.key, one.headers, one.timestamp, one.offset))

    def _like(self, event: Event, *, disguised: bool) -> bytes:
        if not disguised:
            return self._likeness.like(event.value or b"").encode()
        value = event.value or b""
        plain = self._likeness.like(value if value[:1] == b"{" and is_json(value) else b'{"a":true,"b":"x"}').encode()
        return self._chance.choice(DISGUISES)(plain)

    def _compare(self, upcaster: Upcaster, event: Event) -> None:
        plain = upcaster.reference.upcast(event, SOURCE)
        natively = hits(upcaster)
        outcome = upcaster.upcast(event, SOURCE)
        self.seen["events by the native extension"] += hits(upcaster) > natively
        assert outcome == plain, (upcaster.policy.duplicate_keys, event, outcome, plain)
        self.events += 1
        name = plain.fault.error_type if isinstance(plain, DeadLettered) else type(plain).__name__
        self.seen[f"outcome {name}"] += 1
        value = event.value or b""
        self.seen["events that readers changed"] += upcaster.reference.trace(event, SOURCE).read is not None
        self.seen["events with a key twice"] += _has_twice(value)
        self.seen["events of more than 350 levels"] += is_too_deep(value, 350)
        self.seen["events with numbers beyond a float"] += any(number in value for number in BIG)
        self.seen["events by generated code alone"] += _cut_short(upcaster, event)


def _doubles(operation: Operation) -> bool:
    """True for a walk that copies or quotes what is inside, at each level: 400 levels make 2 ** 400 of it."""
    inside = walk([operation]) if isinstance(operation, Everywhere) else ()
    return any(isinstance(inner, (Copy, Derive, Function, PrintJson)) for inner in inside)


def _writes_nothing(operation: Operation) -> bool:
    return isinstance(operation, At) and all(isinstance(inner, Optional) for inner in operation.operations)


def _cut_short(upcaster: Upcaster, event: Event) -> bool:
    short_cut = by_itself(upcaster)
    return short_cut is not None and short_cut(event, SOURCE) is not None


def _has_twice(value: bytes) -> bool:
    try:
        refuse_anywhere(value)
    except (DecodeError, ValueError):
        return True
    return False


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make fused")
    parser.add_argument("events", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    trial, began = Trial(options.seed), time.monotonic()
    for part in itertools.count():
        try_events(trial, min(PART, options.events - trial.events), options.seed + part)
        print(f"{trial.events:,} events, {time.monotonic() - began:,.0f} s", flush=True)
        if trial.events >= options.events:
            break
    for name, number in sorted(trial.seen.items()):
        print(f"{number:>10,}  {name}")
    return 0


def try_events(trial: Trial, events: int, number: int) -> None:
    """So many events of chains that a seed makes."""

    @seed(number)
    @settings(
        max_examples=-(-events // EVENTS_A_CHAIN),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(made(any_operation), made(choosing)))
    def check(tried: Made) -> None:
        trial.chain(tried)

    check()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
