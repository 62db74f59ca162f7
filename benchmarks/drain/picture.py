"""The picture of the README: bars of CPU time an event, as an SVG that needs nothing to be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.drain.contenders import CONTENDERS, WORKER

PICTURE = Path(__file__).parent.parent.parent / "docs" / "performance.svg"
WIDTH, ROW, LEFT, TOP, RIGHT = 860, 28, 270, 56, 70
STUB = "worker-stub"
"""No program that one could use."""
LONGEST = 4.0
"""Bars over this many times the worker's are cut, so that the others can be told apart."""


def draw(case: Mapping[str, Any], title: str) -> str:
    """The SVG of one case; who could not be measured is left out."""
    bars = sorted((found["us"], name) for name, found in case["contenders"].items() if "us" in found and name != STUB)
    ours = case["contenders"][WORKER.name]["us"]
    scale = (WIDTH - LEFT - RIGHT) / min(max(us for us, _ in bars), ours * LONGEST)
    height = TOP + ROW * len(bars) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        ' font-family="sans-serif" font-size="14">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="24" font-size="17" fill="#222222">{escape(title)}</text>',
        '<text x="16" y="43" fill="#666666">microseconds of CPU an event, less is better</text>',
    ]
    for number, (us, name) in enumerate(bars):
        parts += _bar(TOP + ROW * number, us, name, min(us * scale, WIDTH - LEFT - RIGHT))
    return "\n".join([*parts, "</svg>", ""])


def _bar(top: int, us: float, name: str, length: float) -> list[str]:
    colour = {WORKER.name: "#1a6fb5", "worker-pure": "#7fb0dc"}.get(name, "#b9c3cc")
    flow = top + 18
    return [
        f'<text x="{LEFT - 10}" y="{flow}" text-anchor="end" fill="#222222">{escape(CONTENDERS[name].title)}</text>',
        f'<rect x="{LEFT}" y="{top + 3}" width="{length:.0f}" height="{ROW - 7}" fill="{colour}"/>',
        f'<text x="{LEFT + length + 6:.0f}" y="{flow}" fill="#222222">{us:.1f}</text>',
    ]
