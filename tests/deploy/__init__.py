"""What is in deploy/: files that tools of their own can check without a container or a cluster."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RUNBOOK = ROOT / "docs" / "runbook"
