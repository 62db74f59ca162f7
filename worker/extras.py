"""What to install for a part of the worker that is not needed by all."""

from __future__ import annotations

import shlex
from importlib.metadata import requires


def pip_install(extra: str) -> str:
    """The command that brings the packages of ``extra``, by their names: it works wherever the worker came from."""
    listed = (requirement.partition(";") for requirement in requires("upcast-worker") or ())
    wanted = [name.strip() for name, _, condition in listed if condition.strip(" '\"").endswith(extra)]
    return shlex.join(["pip", "install", *wanted])
