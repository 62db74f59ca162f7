"""Progress: plain lines now and then where nobody watches, with an honest guess of what is left."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from worker.cli.progress import progress


def shown(monkeypatch: pytest.MonkeyPatch, *steps: tuple[float, int, int]) -> None:
    """Each step is a time in seconds, what is done, and what there is."""
    times = iter([0.0, *(at for at, _, _ in steps)])
    monkeypatch.setattr("worker.cli.progress.time", SimpleNamespace(monotonic=lambda: next(times)))
    with progress("census") as show:
        for _, done, total in steps:
            show(done, total)


def test_a_line_every_few_seconds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shown(monkeypatch, (1, 100, 10_000), (6, 2_500, 10_000), (7, 3_000, 10_000), (12, 5_000, 10_000))
    out, errors = capsys.readouterr()
    assert out == ""
    assert errors.splitlines() == [
        "census: 2,500 of 10,000 offsets (25 %), 0:00:18 left",
        "census: 5,000 of 10,000 offsets (50 %), 0:00:12 left",
    ]


def test_nothing_done_and_nothing_to_do(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shown(monkeypatch, (6, 0, 10), (12, 0, 0))
    assert capsys.readouterr().err.splitlines() == [
        "census: 0 of 10 offsets (0 %)",
        "census: 0 of 0 offsets (all)",
    ]
