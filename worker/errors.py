"""The error of the worker that reaches the user of a command: one line that says what, where and what to do next."""

from __future__ import annotations

from upcast_authoring.errors import MAY_PASS, NEEDS_A_PERSON, CommandError, with_code

__all__ = ["MAY_PASS", "NEEDS_A_PERSON", "CommandError", "WorkerError", "with_code"]


class WorkerError(CommandError):
    """``MAY_PASS``: the broker, the network or a port was not available. ``NEEDS_A_PERSON``: the configuration, the
    chain or a topic is wrong."""
