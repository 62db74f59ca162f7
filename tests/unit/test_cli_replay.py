"""`upcast replay --rate`: records or bytes."""

from __future__ import annotations

import pytest

from worker.cli.replay import parse_rate
from worker.errors import WorkerError


@pytest.mark.parametrize(
    ("text", "records", "size"),
    [
        (None, None, None),
        ("500", 500, None),
        ("0.5", 0.5, None),
        ("500/s", 500, None),
        ("800kB/s", None, 800_000),
        ("800kb/s", None, 800_000),
        ("5MB", None, 5_000_000),
        ("100B/s", None, 100),
    ],
)
def test_a_rate_is_records_or_bytes(text: str | None, records: float | None, size: float | None) -> None:
    assert parse_rate(text) == (records, size)


@pytest.mark.parametrize("text", ["", "0", "-1", "fast", "5 tB/s", "0kB/s", "1e3"])
def test_what_is_no_rate_is_reported(text: str) -> None:
    with pytest.raises(WorkerError, match="write records a second, such as 500, or bytes"):
        parse_rate(text)
