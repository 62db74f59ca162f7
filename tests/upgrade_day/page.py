"""The page as blocks: files to write, commands to run, and what they print."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "upgrade-day.md"
FENCE = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """``note`` is a file's name, ``exit-1`` or ``background``; ``span`` where the text of the block stands."""

    language: str
    note: str
    text: str
    span: tuple[int, int]

    @property
    def exit_code(self) -> int:
        return int(self.note.removeprefix("exit-")) if self.note.startswith("exit-") else 0


def blocks(page: str) -> list[Block]:
    return [Block(found[1], found[2], found[3], found.span(3)) for found in FENCE.finditer(page)]


def filled(page: str, printed: list[str]) -> str:
    """The page with these texts in its ``text`` blocks, in order."""
    texts = [block for block in blocks(page) if block.language == "text"]
    for block, text in reversed(list(zip(texts, printed, strict=True))):
        lines = [line.rstrip() for line in text.strip("\n").split("\n")]
        page = page[: block.span[0]] + "\n".join([*lines, page[block.span[1] :]])
    return page


VARYING = (
    (re.compile(r"\b202[5-9]-\d\d-\d\d \d\d:\d\dZ"), "NOW"),
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"; [\d,]+ offsets are unread"), ""),
    (re.compile(r"memory_bytes: [\d.e+]+"), "MEMORY"),
    (re.compile(r"chain [0-9a-f]{16}"), "CHAIN"),
    (re.compile(r"\b(plan|replay|redrive) [0-9a-f]{12}\b"), r"\1 ID"),
    (re.compile(r"\b(replay|redrive)-[0-9a-f]{12}"), r"\1-ID"),
    (re.compile(r"\([0-9a-f]{16}\)"), "(CHAIN)"),
    (re.compile(r"\b\d+(\.\d+)? s\b|\b\d+:\d\d:\d\d\b"), "TIME"),
    (re.compile(r"[\d,]+ records a second"), "RATE"),
    (re.compile(r"\b202[5-9]-\d\d-\d\dT[\d:]+Z"), "NOW"),
    (re.compile(r"about [\d,]+ bytes"), "SIZE"),
    # Which partition is read first is up to the brokers.
    (re.compile(r"(?<![\d:T])\d+:\d+(?![\d:])|partition \d+, offset \d+"), "PLACE"),
)
SIZES = re.compile(r"(?<![0-9a-f])\d[\d,.]*(?![0-9a-f])")
FRAMES = re.compile(r"[\s─━│┃┏┓┗┛┡┩┢┪┳┻╇┼┴┬├┤└┘┌┐╈╀]+")


def comparable(text: str, *, whole: bool) -> str:
    """Without what differs from run to run; where the history is not ``whole``, without numbers and widths, too."""
    for pattern, name in VARYING:
        text = pattern.sub(name, text)
    if not whole:
        text = SIZES.sub("N", FRAMES.sub(" ", re.sub(r"\b20\d\d-\d\d-\d\dT[\d:]+Z", "THEN", text)))
    return FRAMES.sub(" ", text).strip()
