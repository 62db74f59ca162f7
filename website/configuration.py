"""Zensical's configuration, made of ours: with the paths of this checkout, and the pages that are there."""

from __future__ import annotations

import re
from pathlib import Path

from website import ROOT

NAME = "zensical.toml"
ANY_PAGE = re.compile(r'"(docs/[a-z]+)/\*\.md",')


def text() -> str:
    """Our configuration, with a line for each page of a folder."""
    return ANY_PAGE.sub(_pages_of, (Path(__file__).parent / NAME).read_text(encoding="utf-8"))


def _pages_of(found: re.Match[str]) -> str:
    pages = sorted(page.name for page in (ROOT / found[1]).glob("*.md") if page.name != "README.md")
    return " ".join(f'"{found[1]}/{page}",' for page in pages)


def write(folder: Path, address: str = "", settings: str = "") -> None:
    """Write it where Zensical is run; with the site's address where it has one, or with other settings."""
    place = f'[project]\nsite_url = "{address}"\n' if address else "[project]\n"
    made = (settings or text()).replace("[project]\n", place, 1).replace("{root}", str(ROOT))
    (folder / NAME).write_text(made, encoding="utf-8")
