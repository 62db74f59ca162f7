"""The chain that a command is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.errors import WorkerError

if TYPE_CHECKING:
    from upcasters import Chain

SHIPPED = "upcasters.devteam_runner:chain"


def load(name: str | None) -> Chain:
    """The chain called ``name``, or the shipped one. Raises WorkerError with a line for each thing that is wrong."""
    from upcasters import ChainError, load_chain

    try:
        return load_chain(name or SHIPPED)
    except ChainError as error:
        raise WorkerError(str(error)) from error
