"""The text beside an offset: what was written is read again, whoever wrote it, and it is never too long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from worker.lanes.breaker import OPEN
from worker.lanes.committed_offset import (
    DROPPED_FIRST,
    MOST_BYTES,
    Decision,
    LastWritten,
    OffsetNote,
    Truncation,
    read_note,
)
from worker.replay.apply.account import MOST_NOTE, PartitionAccount

OFFSETS = st.integers(0, 2**63 - 1)
TOPICS = st.text("abcdefghijklmnopqrstuvwxyz0123456789._-", min_size=1, max_size=249)
PARTITIONS = st.integers(0, 2**31 - 1)
WRITTEN = st.none() | st.builds(LastWritten, TOPICS, PARTITIONS, OFFSETS, st.booleans())
KINDS = st.sampled_from(("source", "destination", "dead-letter"))
JOURNALS = st.just("") | st.integers(0, MOST_NOTE - 2).map(lambda size: '{"' + "x" * size)
NOTES = st.builds(
    OffsetNote,
    breaker=st.sampled_from(("", OPEN + "1001 of the last 1000 records became dead letters")),
    journal=JOURNALS,
    chain=st.sampled_from(("", "0123456789abcdef")),
    destination=WRITTEN,
    dead_letter=WRITTEN,
    epoch=st.none() | st.integers(0, 2**31 - 1),
    finding=st.none() | st.builds(Truncation, KINDS, TOPICS, PARTITIONS, OFFSETS, OFFSETS, OFFSETS),
    decision=st.none() | st.builds(Decision, OFFSETS, OFFSETS, OFFSETS, OFFSETS, OFFSETS, st.booleans()),
)


@given(NOTES)
def test_what_was_written_is_read_again(note: OffsetNote) -> None:
    """As far as it has room; and what is left of it is read as it was."""
    found = read_note(note.text)
    assert len(note.text.encode()) <= MOST_BYTES
    assert found.journal == note.journal
    left = {name: getattr(found, name) for name in DROPPED_FIRST}
    gone = [name for name in DROPPED_FIRST if left[name] != getattr(note, name)]
    before = DROPPED_FIRST[: DROPPED_FIRST.index(gone[-1]) + 1] if gone else ()
    assert gone == [name for name in before if getattr(note, name) != getattr(OffsetNote(), name)]
    if not note.journal:
        assert found == note


@given(NOTES)
def test_only_what_does_not_fit_is_dropped(note: OffsetNote) -> None:
    found = read_note(note.text)
    if found != note:
        last_gone = [name for name in DROPPED_FIRST if getattr(found, name) != getattr(note, name)][-1]
        fuller = replace(found, **{last_gone: getattr(note, last_gone)})
        assert read_note(fuller.text) != fuller


@given(st.text())
def test_what_others_write_there_is_no_error(text: str) -> None:
    read_note(text)


def test_no_text_is_no_note() -> None:
    assert read_note(None) == read_note("") == OffsetNote()
    assert OffsetNote().text == ""


def test_an_open_breaker_of_an_earlier_version_is_read_and_one_of_ours_is_seen_by_it() -> None:
    """Earlier ones looked at how the text begins."""
    old = OPEN + "600 of the last 1000 records became dead letters"
    assert read_note(old) == OffsetNote(breaker=old)
    assert OffsetNote(breaker=old, chain="0123456789abcdef").text.startswith(old + "\n")
    assert OffsetNote(breaker=old).text == old


def test_the_account_of_an_earlier_version_is_read() -> None:
    old = PartitionAccount("0123456789ab", upcast=7).note
    assert read_note(old) == OffsetNote(journal=old)
    assert (
        PartitionAccount.of_note(read_note(OffsetNote(journal=old, chain="c").text).journal, "0123456789ab").upcast == 7
    )


@pytest.mark.parametrize("text", ["\n{", "\n[1]", '\n{"epoch": "five"}', "{", "some tool's text", '\n{"chain": "c"'])
def test_a_text_that_is_broken_tells_nothing(text: str) -> None:
    assert replace(read_note(text), journal="") == OffsetNote()


def test_what_a_later_version_adds_is_passed_over() -> None:
    assert read_note('\n{"chain": "c", "later": [1]}') == OffsetNote(chain="c")


def test_a_breaker_beside_a_journal_is_kept() -> None:
    note = OffsetNote(breaker=OPEN + "why", journal='{"replay": 1}')
    assert read_note(note.text) == note
