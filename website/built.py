"""What is wrong with the built site: links that lead nowhere, and what a browser would load from another host."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

OUTSIDE = re.compile(r"^\s*(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
IN_STYLES = re.compile(r"url\(\s*[\"']?([^\"')]+)|@import\s+[\"']([^\"']+)", re.IGNORECASE)
LOADED = ("src", "srcset", "data", "poster", "background", "formaction", "action")
"""Attributes whose address is fetched, whatever the element."""

FETCHES_HREF = ("link", "use", "image", "base")
"""Elements whose href is fetched, or changes what is; an <a> only leads there."""

VERBATIM = {"code", "pre", "script", "style"}
RAW = re.compile(r"```.*|\n[ \t]*(?:[-*] |\d+\. |\|).*")
"""Markdown that has become text: a fence, or a list or a table without an empty line before it."""

ONLY_TOLD = {"alternate", "author", "canonical", "license", "next", "prev"}
"""What a <link> may be without being fetched."""


@dataclass
class Document(HTMLParser):
    """The addresses and anchors of one page."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    policy: str = ""
    _verbatim: str = ""
    _in_paragraph: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        self.loaded += _loaded(tag, given)
        self._verbatim = tag if tag in VERBATIM else self._verbatim
        self._in_paragraph = tag == "p" or (self._in_paragraph and tag != "li")
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if given.get("http-equiv") == "Content-Security-Policy" and not self.loaded:
            self.policy = given["content"]

    def handle_endtag(self, tag: str) -> None:
        if tag == self._verbatim:
            self._verbatim = ""
        elif tag == "p":
            self._in_paragraph = False

    def handle_data(self, data: str) -> None:
        if self._verbatim == "style":
            self.loaded += in_styles(data)
        elif self._in_paragraph and not self._verbatim:
            self.raw += RAW.findall(data)


def _loaded(tag: str, given: Mapping[str, str]) -> Iterator[str]:
    for name in LOADED:
        if name in given:
            yield from (each.split()[0] for each in given[name].split(", ") if each.strip())
    for name in ("href", "xlink:href"):
        if tag in FETCHES_HREF and name in given and given.get("rel") not in ONLY_TOLD:
            yield given[name]
    yield from in_styles(given.get("style", ""))
    if given.get("http-equiv", "").lower() == "refresh":
        yield given.get("content", "").partition("=")[2]


def in_styles(text: str) -> list[str]:
    """The addresses that a style sheet, or a part of one, makes a browser load."""
    return [first or second for first, second in IN_STYLES.findall(text)]


def faults(site: Path, root: str = "/") -> list[str]:
    """A line for each fault of the site that is built in this folder, and will be at this path of its host."""
    read = {page: document(page.read_text(encoding="utf-8")) for page in sorted(site.rglob("*.html"))}
    sheets = sorted([*site.rglob("*.css"), *site.rglob("*.svg")])
    return [
        *(f"{page.relative_to(site)}: {line}" for page in read for line in dead_links(site, page, read, root)),
        *(f"{page.relative_to(site)}: {line}" for page, found in read.items() for line in outside(found)),
        *(f"{page.relative_to(site)}: shows as text: {each.strip()}" for page in read for each in read[page].raw),
        *(
            f"{sheet.relative_to(site)}: loads {address}"
            for sheet in sheets
            for address in filter(OUTSIDE.match, in_styles(sheet.read_text(encoding="utf-8")))
        ),
    ]


def document(text: str) -> Document:
    """A page, read."""
    found = Document()
    found.feed(text)
    return found


def dead_links(site: Path, page: Path, read: Mapping[Path, Document], root: str) -> Iterator[str]:
    """A line for each link, picture or script of the page that is not in the site, and each anchor that is not."""
    for address in dict.fromkeys((*read[page].links, *read[page].loaded)):
        parts = urlsplit(address)
        if not parts.scheme and not parts.netloc:
            target = _target(site, page, unquote(parts.path), root)
            anchors = read[target].anchors if target in read else {unquote(parts.fragment)}
            if not target.is_file() or (parts.fragment and unquote(parts.fragment) not in anchors):
                yield f"{address} leads nowhere"


def _target(site: Path, page: Path, path: str, root: str) -> Path:
    if not path:
        return page
    found = (site / path.removeprefix(root) if path.startswith(root) else page.parent / path).resolve()
    return found / "index.html" if found.is_dir() else found


def outside(found: Document) -> Iterator[str]:
    """A line for each thing that a browser would load from another host, and one if the page does not forbid it."""
    yield from (f"loads {address}" for address in found.loaded if OUTSIDE.match(address))
    if "default-src 'self'" not in found.policy:
        yield "lets scripts load from other hosts"
