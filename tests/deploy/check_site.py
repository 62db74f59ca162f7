"""The site over docs/ in headless Chromium: it draws diagrams, asks no other host. `make deploy-check` runs this."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.website import SMALL
from website import HTML, SOURCE, configuration

PAGE = "# A diagram\n\n```mermaid\ngraph LR\n  a --> b --> c\n```\n"
DRAWN = "const found = document.querySelector('div.mermaid'); return !!found && found.clientHeight > 20"
ASK = (
    "const done = arguments[1]; fetch(arguments[0], {mode: 'no-cors'}).then(() => done('came'), () => done('refused'))"
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[int]:
    """The port of a small site with our theme."""
    pytest.importorskip("griffe", reason="what builds the site is not installed (make tools)")
    from website.build import run
    from website.mermaid import FOLDER

    shutil.copytree(FOLDER, tmp_path / SOURCE / "assets")
    (tmp_path / SOURCE / "README.md").write_text(PAGE)
    configuration.write(tmp_path, settings=SMALL)
    assert run(tmp_path) == []
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / HTML))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def hosts_asked(browser: Any) -> set[str]:
    """The hosts of all addresses that the page asked for."""
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    sent = (each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent")
    return {urlsplit(address).netloc for address in sent if urlsplit(address).scheme in {"http", "https"}}


def test_a_diagram_is_drawn_and_nobody_else_is_asked(browser: Any, site: int) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(f"http://127.0.0.1:{site}/")
    WebDriverWait(browser, 60).until(lambda driver: driver.execute_script(DRAWN))
    assert hosts_asked(browser) == {f"127.0.0.1:{site}"}
    assert [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_a_script_that_asks_another_host_is_refused(browser: Any, site: int) -> None:
    """`localhost` is another host to the browser, and one that would answer."""
    browser.get(f"http://127.0.0.1:{site}/")
    assert browser.execute_async_script(ASK, f"http://127.0.0.1:{site}/") == "came"
    assert browser.execute_async_script(ASK, f"http://localhost:{site}/") == "refused"
