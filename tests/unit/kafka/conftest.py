"""Tests here see aiokafka as the worker changes it."""

from __future__ import annotations

import pytest

from worker.kafka.aiokafka_internals.patches import apply_patches


@pytest.fixture(autouse=True)
def _patched() -> None:
    apply_patches()
