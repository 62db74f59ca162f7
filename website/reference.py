"""The API reference: a page for each group of public names, made of their docstrings.

The pages are not in the repository: there the docstrings are beside the code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import griffe

from website import ROOT


class Page(NamedTuple):
    title: str
    text: str
    modules: tuple[str, ...]
    """The modules whose public names are on it."""


PAGES: Mapping[str, Page] = MappingProxyType(
    {
        "chains": Page(
            "Chains and steps",
            "What a chain is made of, and how it is loaded. All of it is imported from `upcasters`.",
            ("step", "chain", "version_graph", "loading", "policy", "errors"),
        ),
        "events": Page(
            "Events and outcomes",
            "What goes through a chain, and what comes out. All of it is imported from `upcasters`.",
            ("upcaster", "event", "outcome"),
        ),
        "conditions": Page(
            "Conditions and detection",
            "How an event is read, and how its version is found. All of it is imported from `upcasters`.",
            ("conditions", "detection", "readers"),
        ),
        "operations": Page(
            "Operations",
            "What a step does to an event. All of it is imported from `upcasters`.",
            (
                "operations.fields",
                "operations.filling",
                "operations.presence",
                "operations.nesting",
                "operations.keys",
                "operations.values",
                "operations.texts",
                "operations.numbers",
                "operations.times",
                "operations.objects",
                "operations.lists",
                "operations.scopes",
                "operations.choice",
                "operations.events",
                "operations.base",
                "paths",
            ),
        ),
    }
)
TESTING = """# Tests of a chain

What a test suite of your own imports, and what pytest finds by itself.

::: upcasters.testing

::: upcast_pytest
    options:
      members: false
"""
CONSUMERS = """# Adapters for consumers

What takes the records of a client through a chain; [the guide](../docs/consumers.md) has a program for each.

::: upcasters.consumers
"""
ARCHIVES = """# Record batches

What takes record batches of Arrow through a chain; [the guide](../docs/archives.md) has an example.

::: upcasters.arrow
"""


def write(folder: Path) -> None:
    """Write the pages into a new folder; raises ValueError for a public name that no page has."""
    folder.mkdir(parents=True)
    names = public_names()
    for name, page in PAGES.items():
        shown = [each for module in page.modules for each in names.pop(module, ())]
        (folder / f"{name}.md").write_text(_text(page, shown), encoding="utf-8")
    if names:
        raise ValueError(f"No page of the reference has what is in {', '.join(names)}: add them to {__name__}.PAGES")
    (folder / "consumers.md").write_text(CONSUMERS, encoding="utf-8")
    (folder / "archives.md").write_text(ARCHIVES, encoding="utf-8")
    (folder / "testing.md").write_text(TESTING, encoding="utf-8")


def public_names() -> dict[str, list[str]]:
    """The names in `upcasters.__all__`, by the module that defines them, in the order of its source."""
    package = griffe.load("upcasters", search_paths=[ROOT], resolve_aliases=True)
    found: dict[str, list[str]] = {}
    for name in sorted(map(str, package.exports or ()), key=lambda name: package[name].lineno or 0):
        module = package[name].canonical_path.removeprefix("upcasters.").rpartition(".")[0]
        found.setdefault(module, []).append(name)
    return found


def _text(page: Page, names: Iterable[str]) -> str:
    return f"# {page.title}\n\n{page.text}\n" + "".join(f"\n::: upcasters.{name}\n" for name in names)
