"""The metrics and labels that a PromQL expression, or a page that quotes some, asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator

SELECTOR = re.compile(
    r"(?<![\w:.-])((?:\w+:)?(?:upcaster|process|python)_\w+(?::\w+)*|upcast_sunset\w+)(?:\{([^}]*)\})?"
)
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
GROUPED = re.compile(r"\b(?:by|on|without)\s*\(([^)]*)\)")


def selectors(text: str) -> Iterator[tuple[str, set[str]]]:
    """Each metric with the labels that are asked of it."""
    for name, matchers in SELECTOR.findall(text):
        yield name, set(MATCHER.findall(matchers))


def grouped(expression: str) -> set[str]:
    """Labels that it groups or joins by."""
    return {label.strip() for labels in GROUPED.findall(expression) for label in labels.split(",")} - {""}
