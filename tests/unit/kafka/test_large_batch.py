"""The builder of ours against aiokafka's: the same bytes, and full at the same record."""

from __future__ import annotations

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from worker.kafka.large_batch import LargeBatchBuilder

SIZES = st.sampled_from((0, 1, 63, 64, 127, 128, 2_048, 8_191, 8_192, 20_000))
BYTES = st.none() | st.binary(max_size=40) | SIZES.map(bytes)
HEADERS = st.lists(st.tuples(st.text(max_size=5).filter(str.isprintable), BYTES), max_size=3)
# -1 is "none yet" to aiokafka's builder; a batch that begins with it takes no other (`outbox.py`).
RECORDS = st.lists(st.tuples(st.integers(0, 2**42), BYTES, BYTES, HEADERS), min_size=1, max_size=6)
STATES = st.tuples(st.integers(-1, 2**63 - 1), st.integers(-1, 2**15 - 1), st.integers(-1, 2**31 - 1))


@given(RECORDS, st.sampled_from((0, 500, 10_000, 1_000_000)), st.booleans(), STATES)
def test_it_makes_what_aiokafka_makes(
    records: list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]],
    limit: int,
    transactional: bool,
    state: tuple[int, int, int],
) -> None:
    theirs = DefaultRecordBatchBuilder(2, 0, transactional, -1, -1, 0, limit)
    ours = LargeBatchBuilder(limit, transactional=transactional)
    place = 0
    for record in records:
        taken = theirs.append(place, *record) is not None
        assert (ours.append(place, *record) is not None) == taken
        assert ours.size() == theirs.size()
        place += taken
    theirs.set_producer_state(*state)
    ours.set_producer_state(*state)
    assert b"".join(ours.build()) == theirs.build()


def test_records_without_a_timestamp() -> None:
    theirs = DefaultRecordBatchBuilder(2, 0, True, 1, 1, 0, 10_000)
    ours = LargeBatchBuilder(10_000, transactional=True)
    ours.set_producer_state(1, 1, 0)
    for place in range(3):
        theirs.append(place, -1, None, b"value", [])
        ours.append(place, -1, None, b"value", [])
    assert b"".join(ours.build()) == theirs.build()
