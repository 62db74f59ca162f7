"""The native extension where it is installed, fits and is wanted; else why it is not used."""

from __future__ import annotations

import os
from typing import Any

INTERFACE = 4
"""What the extension and ``upcasters.native`` have to agree about; one more with each change of it."""

STOPS = (KeyboardInterrupt, SystemExit)
"""What goes on to the caller. A panic in Rust comes as another BaseException."""


def load(environment: dict[str, str] | os._Environ[str] = os.environ) -> tuple[Any, str]:
    """The extension's module and an empty text; or None and why it is not used, for people, in one line."""
    if environment.get("UPCAST_NATIVE") == "0":
        return None, "UPCAST_NATIVE=0 turns it off"
    try:
        import upcast_native  # type: ignore[import-not-found,unused-ignore]  # an extra
    except ModuleNotFoundError:
        return None, "the package upcast-native is not installed"
    except STOPS:
        raise
    except BaseException as error:  # noqa: BLE001  # a broken wheel may raise anything, and a panic is no Exception
        return None, f"the package upcast-native cannot be loaded ({type(error).__name__}): install it again"
    if getattr(upcast_native, "INTERFACE", None) != INTERFACE:
        return None, "the package upcast-native is of another version: install that of this worker"
    return upcast_native, ""


EXTENSION, WHY_NOT = load()


def engine() -> str:
    """Which path runs: ``native``, or ``pure`` and why."""
    return "native" if EXTENSION is not None else f"pure ({WHY_NOT})"


def counts() -> tuple[int, int, int]:
    """What this process did so far: events that ran natively, events that were left to Python, and panics."""
    if EXTENSION is None:
        return 0, 0, 0
    done, left, panics = EXTENSION.counts()
    return done, left, panics
