"""What to install for a part of the worker that is not needed by all."""

from __future__ import annotations

from upcast_authoring.extras import pip_install as pip_install_of

WORKER = "upcast-worker"


def pip_install(extra: str) -> str:
    """The command that brings the packages of an extra of the worker."""
    return pip_install_of(extra, WORKER)
