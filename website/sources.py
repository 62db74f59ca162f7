"""Lays out what the site is made of as it lies in the repository, so that a link means the same on both.

Links to the files, not copies: whoever edits a page sees it change in the browser.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from website import ROOT

PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "examples/orders-chain/README.md")
"""The pages outside docs/ that are part of the site."""

LINK = re.compile(r"\]\(([^)#\s]+)")


def lay_out(folder: Path) -> None:
    """Make the folder anew, with every page and every file of the repository that a page links to."""
    shutil.rmtree(folder, ignore_errors=True)
    for file in sorted({*pages(), *pictures(), *linked()}):
        target = folder / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(file)


def pages() -> list[Path]:
    """Every page, those of docs/ and those beside it."""
    return [*(ROOT / name for name in PAGES), *sorted((ROOT / "docs").rglob("*.md"))]


def pictures() -> Iterator[Path]:
    """What in docs/ is no page."""
    return (file for file in (ROOT / "docs").rglob("*") if file.is_file() and file.suffix != ".md")


def linked() -> Iterator[Path]:
    """Files outside docs/ that pages link to; a link to what is not there is left to the check of links."""
    for page in pages():
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            file = (page.parent / target).resolve()
            if file.is_relative_to(ROOT) and file.is_file():
                yield file
