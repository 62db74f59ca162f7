"""The navigation of the site. Needs none of the tools that build it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

from website import ROOT, configuration, sources


def test_every_page_has_one_place_in_the_navigation() -> None:
    """Where this fails, add the page to `nav` in website/zensical.toml. The reference is made at the build."""
    nav = tomllib.loads(configuration.text())["project"]["nav"]
    listed = [page for page in pages(nav) if not page.startswith("reference/")]
    assert sorted(listed) == sorted(str(page.relative_to(ROOT)) for page in sources.pages())


def pages(nav: list[Any]) -> Iterator[str]:
    for entry in nav:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            yield from pages(value) if isinstance(value, list) else [value]
