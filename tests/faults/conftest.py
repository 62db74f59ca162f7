"""Connections break here all the time; that the tests' own clients say so would drown everything else."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _quiet_clients(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", "aiokafka")
