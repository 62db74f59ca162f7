"""For the checks of `make deploy-check`: an engine, the images and an installation for containers, and a browser."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import ROOT
from tests.deploy.engine import Engine, UnavailableError, engine
from tests.deploy.stand_ins import provide_images
from tests.deploy.tools import from_debian

UPGRADED = "upcast-worker:9.9.9"
"""The release of tomorrow, which the installation is upgraded to."""

BROWSER_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)

REMARKS = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for remark in config.stash.get(REMARKS, []):
        terminalreporter.write_line(remark)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """Headless Chromium, whose log has what it asked for."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (make tools)")
    options = webdriver.ChromeOptions()
    options.binary_location = from_debian("chromium", "chromium chromium-driver")
    for option in (*BROWSER_OPTIONS, f"--user-data-dir={tmp_path / 'chromium'}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(from_debian("chromedriver", "chromium-driver"))
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture(scope="session")
def remarks(request: pytest.FixtureRequest) -> list[str]:
    """Lines to be printed at the end: what was measured, and what was not tried and why."""
    return request.config.stash.setdefault(REMARKS, [])


@pytest.fixture(scope="session")
def docker(remarks: list[str]) -> Iterator[Engine]:
    """An engine that has every image that deploy/ names but our own."""
    folder = Path(tempfile.mkdtemp(prefix="upcast-deploy-"))
    try:
        with engine(folder) as found:
            stand_ins = provide_images(found, folder)
            if stand_ins:
                remarks.append(f"not pulled, because no registry answers; stand-ins were made: {', '.join(stand_ins)}")
            yield found
    except UnavailableError as error:
        pytest.skip(str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is in this checkout, as the main branch of a repository of its own."""
    folder = tmp_path_factory.mktemp("source")
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "as it is")
    return folder


@pytest.fixture(scope="session")
def installation(source: Path, docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A clone that is started, stopped and upgraded."""
    folder = tmp_path_factory.mktemp("installed") / "upcast-worker"
    git(source, "clone", "-q", str(source), str(folder))
    # Compose 1 takes an image that is there for the one to be built.
    docker.docker("rmi", "-f", UPGRADED, check=False)
    yield folder
    docker.compose(folder, "down", "--volumes", "--timeout", "15")
    docker.docker("rmi", "-f", UPGRADED, check=False)
    shutil.rmtree(folder / "data", ignore_errors=True)


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=check", "-c", "user.email=check@localhost"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", message)
