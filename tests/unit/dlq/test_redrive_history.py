"""What earlier redrives took: never more than they did, never less, and in few words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.dlq.selection import ALL_FAULTS, TakenLetters

NAMES = st.sampled_from(["a", "b", ALL_FAULTS])
PASSES = st.lists(st.tuples(st.sets(NAMES, min_size=1), st.integers(0, 9), st.integers(1, 4)), max_size=6)
"""Which faults, up to which offset, with fewer than how many rounds."""


@given(PASSES, st.sampled_from(["a", "b", "c"]), st.integers(0, 9), st.integers(0, 4))
def test_a_letter_is_done_where_some_pass_took_it(
    passes: list[tuple[set[str], int, int]], name: str, offset: int, rounds: int
) -> None:
    done = TakenLetters()
    for names, end, most in passes:
        done = done.with_more(names, end, most)
    taken = any(({name, ALL_FAULTS} & names) and offset < end and rounds < most for names, end, most in passes)
    assert done.holds(name, offset, rounds) is taken


@given(PASSES, PASSES)
def test_two_memories_together_know_what_either_knows(one: list[tuple[set[str], int, int]], other: list) -> None:  # type: ignore[type-arg]  # pytest passes what the table above has
    first, second, both = TakenLetters(), TakenLetters(), TakenLetters()
    for names, end, most in one:
        first, both = first.with_more(names, end, most), both.with_more(names, end, most)
    for names, end, most in other:
        second, both = second.with_more(names, end, most), both.with_more(names, end, most)
    assert first.united(second) == second.united(first) == both


@given(PASSES, st.integers(1, 4))
def test_nothing_is_left_before_where_a_pass_begins(passes: list[tuple[set[str], int, int]], rounds: int) -> None:
    done = TakenLetters()
    for names, end, most in passes:
        done = done.with_more(names, end, most)
    for name in ("a", ALL_FAULTS):
        assert all(done.holds(name, offset, rounds - 1) for offset in range(done.up_to(name, rounds)))


def test_it_is_kept_short() -> None:
    done = TakenLetters().with_more(["a", "b"], 5, 3).with_more(["a"], 9, 3).with_more([ALL_FAULTS], 7, 5)
    assert dict(done.items()) == {"a": ((9, 3),), ALL_FAULTS: ((7, 5),)}
    assert dict(done.after(8).items()) == {"a": ((9, 3),)}
    assert dict(done.after(9).items()) == {}
