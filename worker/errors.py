"""The error that reaches the user of a command: one line that says what, where and what to do next."""

from __future__ import annotations

MAY_PASS = 1
NEEDS_A_PERSON = 2


class WorkerError(Exception):
    """A fault that ends the command. ``exit_code`` tells a supervisor whether trying again can help. ``MAY_PASS`` (1):
    the broker, the network or a port was not available. ``NEEDS_A_PERSON`` (2): the configuration, the chain or a topic
    is wrong.
    """

    def __init__(self, message: str, exit_code: int = NEEDS_A_PERSON) -> None:
        super().__init__(message)
        self.exit_code = exit_code
