"""The versions of aiokafka that the private names were tested with. It imports nothing of aiokafka, since another
version may not even load."""

from __future__ import annotations

from importlib.metadata import distribution

from worker.errors import WorkerError

TESTED = ("0.14.0",)
"""``pyproject.toml`` allows no other; a test compares the two."""


def refuse_other_versions() -> None:
    """Raises WorkerError where the installed aiokafka is none of ``TESTED``."""
    found = distribution("aiokafka")
    if found.version not in TESTED:
        raise WorkerError(
            f"aiokafka {found.version} in {found.locate_file('')}: this worker uses private parts of it and was tested "
            f"with {' or '.join(TESTED)} only: `pip install aiokafka=={TESTED[-1]}` (commands that open no Kafka, such "
            "as check, try and show, work with any)",
            code="UPC1007",
        )
