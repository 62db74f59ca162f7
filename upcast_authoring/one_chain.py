"""The chain that a command is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upcast_authoring.codes import chain_error

if TYPE_CHECKING:
    from upcasters import Chain

SHIPPED = "upcasters.devteam_runner:chain"


def load(name: str | None, *, sound: bool = False) -> Chain:
    """The chain called ``name``, or the shipped one. ``sound``: also refuse what `upcast check` calls wrong. Raises
    CommandError with a line for each thing that is wrong."""
    from upcasters import ChainError, load_chain
    from upcasters.loading import load_sound_chain

    try:
        return load_sound_chain(name or SHIPPED) if sound else load_chain(name or SHIPPED)
    except ChainError as error:
        raise chain_error(error) from error
