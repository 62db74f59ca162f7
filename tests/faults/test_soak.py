"""What the soak makes of its samples; the soak itself takes half an hour (`make soak`)."""

from __future__ import annotations

from dataclasses import replace

from tests.faults.soak import Sample, tell

USUAL = Sample(rss_mb=100, pss_mb=90, files=40, threads=5, tasks=30, series=200)


def test_what_stays_the_same_is_flat() -> None:
    table, flat = tell([[USUAL] * 8])
    assert flat
    assert "GREW" not in table


def test_warming_up_and_one_peak_are_no_growth() -> None:
    cold, peak = replace(USUAL, rss_mb=50), replace(USUAL, files=400)
    assert tell([[cold, cold, USUAL, peak, USUAL, USUAL, USUAL, USUAL, USUAL, peak, USUAL, USUAL]])[1]


def test_a_leak_is_found() -> None:
    leaking = [replace(USUAL, files=40 + 5 * number) for number in range(8)]
    table, flat = tell([[USUAL] * 8, leaking])
    assert not flat
    assert "worker 2 files" in next(line for line in table.splitlines() if "GREW" in line)
