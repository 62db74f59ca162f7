"""What is checked: the protocol on each kind of broker, which is to hold, and what each rule of it is for: without that
rule the checker is to find a run that breaks an invariant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CLASSIC = {"LATE": 1}
V3_6 = {"LATE": 1, "VERIFY_PRODUCE": 1}
V3_7 = {"LATE": 1, "VERIFY_PRODUCE": 1, "VERIFY_OFFSETS": 1}
V3_9_1 = {"LATE": 0, "DROPS": 1, "VERIFY_PRODUCE": 1, "VERIFY_OFFSETS": 1}
V4_0 = {"LATE": 0, "VERIFY_PRODUCE": 1, "VERIFY_OFFSETS": 1, "SETTLE": 0, "CLEAR": 0}
"""Here the lane does not ask whether the last offset is applied, and clears nothing: no late offset is taken."""
HALF = V4_0 | {"LOADS": 1}
UNREADABLE = {"READ_BACK": 0}
"""The worker may not read its output."""
ALONE = UNREADABLE | {"FIRST": 0}
"""Nor has it the other rule that would hide, for some time, what the one in question is for."""
IN_ORDER = {"KILLS": 0, "OPERATOR": 0}
ONE_WORKER = {"KILLS": 0, "WORKERS": 1}
"""It is not killed, so it has seen all that it has committed, unless an answer was lost."""


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
    Variant("as it is, Kafka 2.5 to 3.5", CLASSIC, 3, 1),
    Variant("the same, more unanswered", CLASSIC, 2, 2),
    Variant("as it is, Kafka 3.6", V3_6, 2, 2),
    Variant("as it is, Kafka 3.7 to 3.9.0", V3_7, 3, 1),
    Variant("as it is, Kafka 3.9.1", V3_9_1, 3, 2),
    Variant("as it is, Kafka 4.0 and later", V4_0, 3, 2),
    Variant("a late offset was there before, Kafka 2.5 to 3.5", CLASSIC | {"LEFTOVER": 1}, 2, 2),
    Variant("nobody is killed, and no coordinator restarted, Kafka 3.9.1", V3_9_1 | IN_ORDER, 3, 1),
    Variant("the coordinator answers half loaded, Kafka 4.0 and later", HALF, 3, 1),
    Variant("it answers half loaded, and takes offsets", HALF | {"WRITES": 1}, 3, 1),
    Variant("half loaded, output not readable, one worker that knows", HALF | UNREADABLE | ONE_WORKER, 3, 0),
    Variant("half loaded, output not readable, others' offsets seen", HALF | UNREADABLE | {"SEEN_BESIDE": 1}, 3, 1),
    Variant("`require_stable` off, Kafka up to 3.9.0", V3_7 | ALONE | {"STABLE": 0}, 2, 0, DOUBLE),
    Variant("abort after an unanswered request, Kafka up to 3.5", CLASSIC | {"NO_ABORT": 0}, 2, 1, DOUBLE),
    Variant("offset read before the producer started, any Kafka", V4_0 | {"READ_AFTER_START": 0}, 2, 0, DOUBLE),
    Variant("no fence, any Kafka", V4_0 | {"FENCE": 0}, 2, 0, ZOMBIE),
    Variant(
        "a transaction begins before the last offset is applied, Kafka up to 3.9.0",
        V3_7 | ALONE | {"SETTLE": 0},
        2,
        0,
        LOSS,
    ),
    Variant("a late offset is never cleared, Kafka up to 3.6", CLASSIC | {"LEFTOVER": 1, "CLEAR": 0}, 2, 0, STUCK),
    Variant(
        "it is cleared by a transaction that names an offset", CLASSIC | UNREADABLE | {"CLEAR_BARE": 0}, 2, 1, DOUBLE
    ),
    Variant("two failures within one stall, output not readable, Kafka up to 3.9.0", V3_7 | UNREADABLE, 2, 0, DOUBLE),
    Variant("a pending offset is dropped, output not readable, Kafka up to 3.9", V3_9_1 | UNREADABLE, 3, 1, DOUBLE),
    Variant("no first offset is committed, Kafka up to 3.9", V3_9_1 | {"FIRST": 0}, 3, 1, DOUBLE),
    Variant("its note does not say where the outputs end, Kafka up to 3.9", V3_9_1 | {"PLACE": 0}, 3, 1, DOUBLE),
    Variant("output that was taken back is not noticed, Kafka up to 3.9.0", V3_7 | {"TAKEN_BACK": 0}, 3, 0, LOSS),
    Variant("a lost offset is not committed again, Kafka up to 3.9", V3_9_1 | IN_ORDER | {"AGAIN": 0}, 3, 1, STUCK),
    Variant("nor before the lane leaves, Kafka up to 3.9", V3_9_1 | IN_ORDER | {"LEAVE": 0}, 3, 1, STUCK),
    Variant("a kill, and nobody restarts the coordinator, Kafka up to 3.9", V3_9_1 | {"OPERATOR": 0}, 3, 1, STUCK),
    Variant("half loaded, output not readable", HALF | UNREADABLE, 2, 0, DOUBLE),
    Variant("half loaded, and no offset is believed at once", HALF | {"PATIENT": 0}, 2, 0, DOUBLE),
    Variant(
        "half loaded, output not readable, one worker that does not compare",
        HALF | UNREADABLE | ONE_WORKER | {"KNOWN": 0},
        2,
        0,
        DOUBLE,
    ),
    Variant(
        "half loaded, output not readable, others' offsets seen and not asked about",
        HALF | UNREADABLE | {"SEEN_BESIDE": 1, "BESIDE": 0},
        2,
        0,
        DOUBLE,
    ),
    Variant(
        "half loaded, takes offsets, output that was taken back is not noticed",
        HALF | {"WRITES": 1, "TAKEN_BACK": 0},
        2,
        0,
        LOSS,
    ),
)
