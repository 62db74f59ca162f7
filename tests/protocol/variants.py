"""What is checked: the protocol on each kind of broker, which is to hold, and what each rule of it is for: without that
rule the checker is to find a run that breaks an invariant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CLASSIC = {"LATE": 1}
V3_6 = {"LATE": 1, "VERIFY_PRODUCE": 1}
V3_7 = {"LATE": 1, "VERIFY_PRODUCE": 1, "VERIFY_OFFSETS": 1}
V3_9_1 = {"LATE": 0, "VERIFY_PRODUCE": 1, "VERIFY_OFFSETS": 1, "SETTLE": 0}
"""Here nobody needs to ask whether the last offsets are applied."""
V4_0 = V3_9_1 | {"CLEAR": 0}
"""Here the lane clears nothing, either: no late offset is taken."""


@dataclass(frozen=True)
class Variant:
    """``switches`` are those of the model. ``starts`` and ``losses`` bound it: how many producers are started, and how
    many requests go unanswered. ``breaks`` is what the checker has to find, nothing where the variant holds."""

    name: str
    switches: Mapping[str, int]
    starts: int
    losses: int
    breaks: str = ""

    @property
    def flags(self) -> list[str]:
        bounds = {"STARTS": self.starts, "LOSSES": self.losses}
        return [f"-D{name}={value}" for name, value in {**self.switches, **bounds}.items()]


DOUBLE, LOSS, STUCK, ZOMBIE = "a record twice", "a record left out", "stuck", "a commit by an old owner"

VARIANTS = (
    Variant("as it is, Kafka 2.5 to 3.5", CLASSIC, 2, 2),
    Variant("as it is, Kafka 3.6", V3_6, 2, 2),
    Variant("as it is, Kafka 3.7 to 3.9.0", V3_7, 2, 2),
    Variant("as it is, Kafka 3.9.1", V3_9_1, 3, 2),
    Variant("as it is, Kafka 4.0 and later", V4_0, 3, 2),
    Variant("a late offset was there before, Kafka 2.5 to 3.5", CLASSIC | {"LEFTOVER": 1}, 2, 2),
    Variant("`require_stable` off, Kafka up to 3.9.0", V3_7 | {"STABLE": 0}, 2, 0, DOUBLE),
    Variant("abort after an unanswered request, Kafka up to 3.5", CLASSIC | {"NO_ABORT": 0}, 2, 1, DOUBLE),
    Variant("offset read before the producer started, any Kafka", V3_9_1 | {"READ_AFTER_START": 0}, 2, 0, DOUBLE),
    Variant("no fence, any Kafka", V3_9_1 | {"FENCE": 0}, 2, 0, ZOMBIE),
    Variant(
        "a transaction begins before the last offset is applied, Kafka up to 3.9.0", V3_7 | {"SETTLE": 0}, 2, 0, LOSS
    ),
    Variant("a late offset is never cleared, Kafka up to 3.6", CLASSIC | {"LEFTOVER": 1, "CLEAR": 0}, 2, 0, STUCK),
    Variant("it is cleared by a transaction that names an offset", CLASSIC | {"CLEAR_BARE": 0}, 2, 1, DOUBLE),
    Variant("two failures within one stall, Kafka up to 3.9.0", V3_7, 3, 0, DOUBLE),
)
