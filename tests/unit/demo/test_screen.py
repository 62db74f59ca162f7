"""What the demo shows is there to be read, however narrow the terminal."""

from __future__ import annotations

import pytest

from upcast_demo.account import DemoAccount
from upcast_demo.history import EXPECTED, HistoryKind
from upcast_demo.screen import Screen


@pytest.mark.parametrize("width", [60, 80])
def test_no_number_is_cut(width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    account = DemoAccount()
    account.counts.update({(kind, EXPECTED[kind]): 1_111 for kind in HistoryKind})
    Screen().account(account)
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert shown.count("1,111") == 2 * len(HistoryKind)
    assert f"{1_111 * len(HistoryKind):,}" in shown
