"""What to install for a part that is not needed by all."""

from __future__ import annotations

import shlex
from importlib.metadata import requires

ENGINE = "upcast-engine"


def pip_install(extra: str, distribution: str = ENGINE) -> str:
    """The command that brings the packages of ``extra``, by their names: it works wherever the distribution came
    from."""
    listed = (requirement.partition(";") for requirement in requires(distribution) or ())
    wanted = [name.strip() for name, _, condition in listed if condition.strip(" '\"").endswith(extra)]
    return shlex.join(["pip", "install", *wanted])
