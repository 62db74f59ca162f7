"""The site over docs/: its pages are laid out as in the repository, built by Zensical, and checked."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = "source"
"""In the folder of a build: what Zensical reads."""

HTML = "html"
"""In the folder of a build: what Zensical writes."""
