"""The site over docs/, built: strictly, with every page and every public name, and nothing from another host."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

import upcasters
import upcasters.testing
from tests.deploy.tools import from_python
from tests.website import SMALL
from website import HTML, SOURCE, built, configuration

ADDRESS = re.compile(r"""https?://[^\s"'`\\<>)*,;]+""")
NEVER_ASKED_FOR = {
    "unpkg.com",  # Mermaid, which a page has before the theme looks for it, and what no page of ours uses
    "cdn.jsdelivr.net",
    "api.github.com",  # figures of a repository, where the configuration names one
    "${e}",
}
"""Hosts that the theme's script names: no page makes it ask them, and the policy of each page would not let it."""

NAMES = {"www.w3.org"}
"""Of XML namespaces, not places."""


class Site(NamedTuple):
    folder: Path
    faults: list[str]

    def page(self, name: str) -> built.Document:
        return built.document((self.folder / HTML / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    from website.mermaid import FOLDER

    from_python("zensical")
    if not FOLDER.exists():
        pytest.skip("Mermaid is not there (make tools)")


@pytest.fixture(scope="module")
def site(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Site:
    from website.build import build

    folder = tmp_path_factory.mktemp("website")
    return Site(folder, build(folder, "https://host.test/upcast-worker/"))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder for a site of a page or two, with our theme."""
    (tmp_path / SOURCE).mkdir()
    configuration.write(tmp_path, settings=SMALL)
    return tmp_path


def test_it_is_built_without_a_warning_a_dead_link_or_anything_from_another_host(site: Site) -> None:
    assert site.faults == []


@pytest.mark.long
def test_every_page_is_in_the_navigation_that_people_see(site: Site) -> None:
    pages = [str(page.relative_to(site.folder / SOURCE)) for page in (site.folder / SOURCE).rglob("*.md")]
    shown = {link.removesuffix("/") for link in site.page("404.html").links}
    assert {f"/upcast-worker/{page.removesuffix('.md').removesuffix('README')}".rstrip("/") for page in pages} <= shown


def test_the_reference_has_every_public_name_and_no_private_one(site: Site) -> None:
    pages = [str(page.relative_to(site.folder / HTML)) for page in (site.folder / HTML / "reference").rglob("*.html")]
    anchors = {anchor for page in pages for anchor in site.page(page).anchors if anchor.startswith("upcast")}
    assert {f"upcasters.{name}" for name in upcasters.__all__} <= anchors
    assert {f"upcasters.testing.{name}" for name in upcasters.testing.__all__} <= anchors
    assert "upcast_pytest" in anchors
    assert [anchor for anchor in anchors if "._" in anchor] == []


def test_the_scripts_name_no_host_that_was_not_looked_at(site: Site) -> None:
    """A script may ask anybody, which no test of its text can rule out: a new address has to be looked at."""
    script = "\n".join(file.read_text(encoding="utf-8") for file in (site.folder / HTML).rglob("bundle.*.js"))
    assert {address.split("/")[2] for address in ADDRESS.findall(script)} <= NEVER_ASKED_FOR | NAMES


def test_mermaid_is_of_the_major_version_that_the_theme_asks_for(site: Site) -> None:
    from website.mermaid import VERSION

    script = "\n".join(file.read_text(encoding="utf-8") for file in (site.folder / HTML).rglob("bundle.*.js"))
    assert re.findall(r"unpkg\.com/mermaid@(\d+)", script) == [VERSION.split(".")[0]]


def test_a_page_with_a_diagram_brings_mermaid_and_others_do_not(small: Path) -> None:
    from website.build import run

    (small / SOURCE / "README.md").write_text("# None\n\n[one](one.md)\n")
    (small / SOURCE / "one.md").write_text("# One\n\n```mermaid\ngraph LR\n  a --> b\n```\n")
    assert run(small) == []
    ours = Site(small, [])
    assert "../assets/mermaid.min.js" in ours.page("one/index.html").loaded
    assert not any("mermaid" in address for address in ours.page("index.html").loaded)


@pytest.mark.parametrize("link", ["[x](none.md)", "[x](#none)", "[x](README.md#none)"])
def test_a_link_that_leads_nowhere_ends_the_build(small: Path, link: str) -> None:
    from website.build import run

    (small / SOURCE / "README.md").write_text(f"# Page\n\n{link}\n")
    assert any("does not exist" in line for line in run(small))
