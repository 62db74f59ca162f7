"""The dry run without a broker: every outcome counted, poison survived, samples spread, accidents found out."""

from __future__ import annotations

import itertools
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer

from tests.lanes import ByWord
from tests.unit.replay.chains import chain_of
from upcasters import Event, Outcome, Policy, Upcaster, derive
from upcasters.event import SourcePartition
from upcasters.outcome import Fault, Violation
from worker.dead_letters import Reporter
from worker.kafka.fetched import Slice
from worker.lanes.counters import Counters
from worker.replay.plan import trial as trial_module
from worker.replay.plan.samples import Samples
from worker.replay.plan.trial import Trial
from worker.replay.ranges import Range
from worker.replay.reading import Piece
from worker.routes.route import OutputTopic, Route

NOBODY = cast("AIOKafkaProducer", None)
"""Asked only about records near a topic's limit."""
WORDS = (b"old a", b"new b", b"bad c", b"skip d", b"split e,f", b"raise g", b"old h")


def trial_of(end: int, **route: Any) -> Trial:
    topics = {"destination": OutputTopic("current", 1), "dead_letter": OutputTopic("dlt", 1)}
    made = Route(source="legacy", **{"upcaster": ByWord(), **topics, **route})
    return Trial(made, [Range(0, 0, end)], NOBODY, Reporter("group", "plan", "test"), 2)


def piece(*values: bytes | None, start: int = 0, unreadable: tuple[int, ...] = ()) -> Piece:
    events = [Event(value, b"k", [], 1_000 + at, at) for at, value in enumerate(values, start)]
    return Piece(0, Slice(events, start + len(events), frozenset(unreadable)))


def test_every_outcome_is_counted_once() -> None:
    trial = trial_of(8)
    trial.process(piece(*WORDS, None))
    counts = trial.counts()
    assert (counts.read, counts.upcast, counts.passed, counts.dead_lettered) == (8, 3, 2, 2)
    assert (counts.skipped, counts.produced) == ({"filtered": 1}, 6)
    assert counts.read == counts.upcast + counts.passed + counts.dead_lettered + sum(counts.skipped.values())
    assert [(each.from_version, each.records) for each in trial.passages()] == [("1", 3)]
    assert trial.output_bytes == len(b"new anew bnew enew fnew h") + 6
    assert (trial.ranges()[0].records, trial.backlog().oldest, trial.backlog().records) == (8, 1_000, 8)


def test_poison_is_a_dead_letter_and_found_once() -> None:
    trial = trial_of(4)
    trial.process(piece(b"old a", b"raise b", b"raise c", b"bad d"))
    assert [(group.error_type, group.count) for group in trial.faults()] == [
        ("ZeroDivisionError", 2),
        ("DecodeError", 1),
    ]
    assert trial.output_bytes == len(b"new ak")


def test_unreadable_headers_are_dead_letters() -> None:
    trial = trial_of(2)
    trial.process(piece(b"old a", b"old b", unreadable=(1,)))
    (group,) = trial.faults()
    assert (group.error_type, [each.offset for each in group.samples]) == ("HeaderNameNotUtf8", [1])


def test_timestamps_too_far_ahead_are_dead_letters() -> None:
    trial = trial_of(2, destination=OutputTopic("current", 1, max_timestamp_ahead_ms=1000))
    late = Event(b"old a", b"k", [], 99_999_999_999_999, 0)
    trial.process(Piece(0, Slice([late], 1)))
    assert [group.error_type for group in trial.faults()] == ["InvalidTimestampError"]


def test_in_place_only_changes_are_written() -> None:
    trial = trial_of(2, destination=OutputTopic("legacy", 1))
    trial.process(piece(b"old a", b"new b"))
    assert (trial.counts().produced, trial.counts().skipped) == (1, {"in-place": 1})


def test_kinds_of_faults_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_module, "MOST_GROUPS", 1)
    trial = trial_of(4)
    trial.process(piece(b"bad a", b"raise b", b"bad c", b"bad d"))
    (group,) = trial.faults()
    assert (group.count, len(group.samples), trial.faults_truncated) == (3, 2, True)
    assert trial.counts().dead_lettered == 4


def sampled(upcaster: Upcaster, count: int, share: int) -> Samples:
    place = SourcePartition("legacy", 0)
    samples = Samples(upcaster, share, count, lambda piece: ((record, place) for record in piece.slice.records))
    for start in range(0, count, 100):
        events = [Event(b"{}", b"k", [], 0, at) for at in range(start, start + 100)]
        counters = Counters()
        outcomes: list[Outcome] = [upcaster.upcast(event) for event in events]
        counters.add_upcast([outcome.passage for outcome in outcomes])  # type: ignore[union-attr]  # the test fails where it is another
        samples.look(Piece(0, Slice(events, start + 100)), counters)
    return samples


def test_samples_are_the_first_ones_and_some_of_all() -> None:
    upcaster = chain_of(derive("title", [], lambda: "t")).upcaster(Policy())
    offsets = [each.event.offset or 0 for each in sampled(upcaster, 10_000, 20)]
    assert offsets[:10] == list(range(10))
    assert len(offsets) == 20
    assert max(offsets) > 4_000


def test_what_comes_out_differently_is_found_out() -> None:
    numbers = itertools.count()
    upcaster = chain_of(derive("title", [], lambda: str(next(numbers)))).upcaster(Policy())
    found = sampled(upcaster, 200, 10).determinism(3)
    assert found.different == found.compared > 0
    assert [each.offset for each in found.samples] == [0, 1, 2]
    steady = chain_of(derive("title", [], lambda: "t")).upcaster(Policy())
    assert sampled(steady, 200, 10).determinism(3).different == 0


def test_what_validation_only_observes_is_counted() -> None:
    violations: list[Violation] = []

    class Observing(ByWord):
        def upcast(self, record: Any, source: Any = None) -> Outcome:
            if b"a" in record.value:
                violations.append(Violation("t", "2", Fault("validate", "InvalidEvent", "x: missing", path="x")))
            return super().upcast(record, source)

    trial = trial_of(3, upcaster=Observing(), violations=violations)
    trial.process(piece(b"old a", b"raise a", b"new b"))
    (seen,) = trial.violations()
    assert (seen.event_type, seen.version, seen.path, seen.records) == ("t", "2", "x", 1)
    assert violations == []
