"""One served API for the tests of a module that do not mind sharing it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.served_api import FakeWorker, served


@pytest.fixture(scope="module")
def shared() -> Iterator[str]:
    with served(FakeWorker()) as address:
        yield address
