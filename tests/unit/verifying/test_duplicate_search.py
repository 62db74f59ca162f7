"""Whether records that tell nothing are second outputs of records in range: by key, timestamp and value."""

from __future__ import annotations

from upcasters.event import Event
from upcasters.outcome import Passage
from worker.verifying.duplicate_search import UnmarkedRecords
from worker.verifying.findings import Findings, Result
from worker.verifying.oracle import Output

WAY = Passage("t", "1", "2")


def record(offset: int, value: bytes | None, key: bytes | None = b"k", timestamp: int = 5) -> Event:
    return Event(value, key=key, timestamp=timestamp, offset=offset)


def output(value: bytes | None, key: bytes | None = b"k", timestamp: int = 5) -> tuple[Output, ...]:
    return (Output((0, timestamp, key, value, ()), WAY),)


def lot_of(*unmarked: Event) -> UnmarkedRecords:
    lot = UnmarkedRecords()
    for each in unmarked:
        lot.add(0, each)
    return lot


def told(lot: UnmarkedRecords) -> Findings:
    findings = Findings()
    lot.add_findings(findings, "new")
    return findings


def test_the_same_once_more_is_a_double() -> None:
    lot = lot_of(record(70, b"new"), record(71, b"new"), record(72, b"new", timestamp=6), record(73, b"new", key=b"z"))
    lot.compare((2, 9), record(9, b"old"), output(b"new"))
    assert lot.keep_suspects()
    findings = told(lot)
    assert (findings.result, findings.wrong) == (Result.FAILED, 2)
    (line,) = findings.lines()
    assert line.startswith("doubled by another pass: new partition 0, offset 70 (of source partition 2, offset 9): 2 ")


def test_without_key_and_timestamp_of_a_record_in_range_it_is_somebody_s_own() -> None:
    lot = lot_of(record(70, b"new", timestamp=6), record(71, b"new", key=None))
    lot.compare((0, 9), record(9, b"old"), output(b"new"))
    assert not lot.keep_suspects()
    assert not told(lot)


def test_another_value_leaves_the_question_open() -> None:
    lot = lot_of(record(70, b"another"), record(71, None))
    lot.compare((0, 9), record(9, b"old"), output(b"new"))
    findings = told(lot)
    assert (findings.result, findings.undecided) == (Result.UNDECIDED, 2)


def test_a_record_of_which_nothing_was_written_explains_one_of_them() -> None:
    lot = lot_of(record(70, b"new"), record(71, b"new"), record(72, b"another"), record(73, b"another"))
    lot.compare((0, 9), record(9, b"old"), output(b"new"))
    lot.explain((0, 9), record(9, b"old"), output(b"new"))
    assert told(lot).wrong == 2, "what was written explains nothing"
    lot.explain((0, 90), record(90, b"old"), output(b"new"))
    lot.explain((0, 91), record(91, b"other"), output(b"by our chain"))
    findings = told(lot)
    assert (findings.wrong, findings.undecided) == (1, 1)
    lot.explain((0, 92), record(92, b"broken"), ())
    assert told(lot).undecided == 0, "another chain may have made something of it"


def test_a_step_that_makes_new_keys_hides_nothing() -> None:
    lot = lot_of(record(70, b"new", key=b"made"), record(71, b"new", key=b"k"))
    lot.compare((0, 9), record(9, b"old"), output(b"new", key=b"made"))
    assert told(lot).wrong == 2
