"""The error that reaches the user of a command: one line that says what, where and what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

MAY_PASS = 1
NEEDS_A_PERSON = 2


class CommandError(Exception):
    """A fault that ends the command. ``exit_code`` tells a supervisor whether trying again can help. ``MAY_PASS`` (1):
    something was not available. ``NEEDS_A_PERSON`` (2): the chain is wrong, or what was asked.
    ``code`` is stable, and `upcast explain` knows it; ``lines`` has the code of each line of the message.
    """

    def __init__(self, message: str, exit_code: int = NEEDS_A_PERSON, *, code: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.code = code
        self.lines = tuple((line, code) for line in message.splitlines())

    @classmethod
    def of_lines(cls, lines: Iterable[tuple[str, str]], exit_code: int = NEEDS_A_PERSON) -> Self:
        """An error of several lines, each with a code of its own."""
        listed = tuple(lines)
        error = cls("\n".join(line for line, _ in listed), exit_code, code=listed[0][1])
        error.lines = listed
        return error


def with_code(line: str, code: str) -> str:
    """As people are told it."""
    return f"{line} ({code})" if code else line
