"""What commands print for people is there to be read, and to be copied, also on a narrow screen."""

from __future__ import annotations

import pytest

from worker.cli.output import print_table

COLUMNS = ("fingerprint", "letters", "error", "from topic", "first seen")
ROWS = [("aef84cffea796b08", "10,603", "decode DecodeError", "devteam.task-context.legacy", "2026-11-25T12:00:34Z")]
PROSE = [("pass", "nothing waits " * 20)]


def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int, *table: object) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(*table)  # type: ignore[arg-type]
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_word_is_broken(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    text = printed(capsys, monkeypatch, width, COLUMNS, ROWS, "would be [dead] letters")
    assert "would be [dead] letters" in text
    for word in " ".join((*COLUMNS, *ROWS[0])).split():
        assert word in text
    assert max(map(len, text.splitlines())) <= width
    assert ("┃" in text) is (width == 200)


def test_prose_is_wrapped_in_its_column(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "┃" in printed(capsys, monkeypatch, 80, ("status", "evidence"), PROSE)
