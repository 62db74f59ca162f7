"""What the checks of archives have measured, at the end of their output."""

from __future__ import annotations

import pytest

REMARKS = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def remarks(request: pytest.FixtureRequest) -> list[str]:
    """Lines to be printed at the end."""
    return request.config.stash.setdefault(REMARKS, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for remark in config.stash.get(REMARKS, []):
        terminalreporter.write_line(remark)
