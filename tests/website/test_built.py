"""What the checks of the built site find: tried on small pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from website.built import document, faults

CLOSED = '<meta http-equiv="Content-Security-Policy" content="default-src \'self\'">'
LOADS = [
    '<script src="https://cdn.test/x.js"></script>',
    '<script src="//cdn.test/x.js"></script>',
    '<link rel="stylesheet" href="http://cdn.test/x.css">',
    '<link rel="preconnect" href="https://cdn.test">',
    '<img src="https://cdn.test/x.png">',
    '<img srcset="here.png 1x, https://cdn.test/x.png 2x">',
    '<iframe src="https://cdn.test"></iframe>',
    '<object data="https://cdn.test/x.svg"></object>',
    '<video poster="https://cdn.test/x.png"></video>',
    '<svg><use href="https://cdn.test/x.svg#i"/></svg>',
    '<svg><image xlink:href="https://cdn.test/x.png"/></svg>',
    '<form action="https://cdn.test"></form>',
    '<base href="https://cdn.test/">',
    '<meta http-equiv="refresh" content="0; url=https://cdn.test">',
    '<p style="background: url(https://cdn.test/x.png)">',
    '<style>@import "https://cdn.test/x.css";</style>',
    "<style>@font-face { src: url('https://cdn.test/x.woff2') }</style>",
]


@pytest.mark.parametrize(
    "link", ['<a href="https://host.test/">x</a>', '<link rel="canonical" href="https://host.test/">']
)
def test_a_link_to_another_host_loads_nothing(link: str, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(CLOSED + link)
    assert faults(tmp_path) == []


@pytest.mark.parametrize("element", LOADS)
def test_what_a_page_loads_from_another_host_is_found(element: str, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(CLOSED + element)
    (tmp_path / "here.png").touch()
    (line,) = faults(tmp_path)
    assert re.match(r"index\.html: loads (https?:)?//cdn\.test", line)


@pytest.mark.parametrize("name", ["main.css", "picture.svg"])
def test_what_a_sheet_loads_from_another_host_is_found(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("a { background: url(https://cdn.test/x.png), url(data:image/png;base64,AA==) }")
    assert faults(tmp_path) == [f"{name}: loads https://cdn.test/x.png"]


def test_a_page_whose_scripts_may_load_from_other_hosts_is_found(tmp_path: Path) -> None:
    (tmp_path / "open.html").write_text("<p>no policy</p>")
    (tmp_path / "late.html").write_text(f'<script src="x.js"></script>{CLOSED}')
    (tmp_path / "x.js").touch()
    assert faults(tmp_path) == [
        "late.html: lets scripts load from other hosts",
        "open.html: lets scripts load from other hosts",
    ]


@pytest.mark.parametrize("target", ["none/", "../page/#none", "#none", "none.png", "/none"])
def test_a_link_that_leads_nowhere_is_found(target: str, tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text(f'{CLOSED}<h2 id="there">there</h2><a href="{target}">x</a>')
    assert faults(tmp_path) == [f"page/index.html: {target} leads nowhere"]


@pytest.mark.parametrize("target", ["../page/", "../page/#there", "#there", "/page/", "../a%20file.txt", "mailto:x@y"])
def test_a_link_that_leads_somewhere_is_none(target: str, tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    (tmp_path / "a file.txt").touch()
    (tmp_path / "page" / "index.html").write_text(f'{CLOSED}<h2 id="there">there</h2><a href="{target}">x</a>')
    assert faults(tmp_path) == []


def test_a_picture_that_is_not_there_is_found(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(f'{CLOSED}<img src="docs/none.png">')
    assert faults(tmp_path) == ["index.html: docs/none.png leads nowhere"]


def test_what_is_read_of_a_page() -> None:
    found = document(f'{CLOSED}<a id="one" href="two">three</a>')
    assert (found.anchors, found.links, found.loaded) == ({"one"}, ["two"], [])


@pytest.mark.parametrize(
    "text", ["before\n- one", "before <code>x</code>\n1. one", "before\n| a | b |", "```sh exit-1"]
)
def test_markdown_that_became_text_is_found(text: str, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(f"{CLOSED}<p>{text}</p><p>- a dash</p><pre>\n- one</pre>")
    (line,) = faults(tmp_path)
    assert line.startswith("index.html: shows as text: ")
