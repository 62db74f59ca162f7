"""What tests of the configuration share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from worker.settings.environment import RUNNER_PORTS


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of this machine's own."""
    for name in os.environ:
        if name.startswith("UPCAST_") or name in RUNNER_PORTS:
            monkeypatch.delenv(name)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "upcast.yaml"
