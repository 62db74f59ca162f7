"""The page for people in headless Chromium, beside a real worker with traffic; skips where there is no Chromium.

The pictures in docs/page/ are written anew with WRITE_PICTURES=1.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pytest
import yaml
from aiokafka import AIOKafkaProducer

from tests.deploy import ROOT
from tests.kafka import Topics
from tests.limits import HANG
from tests.served_api import FakeWorker, served
from tests.worker_process import running_worker, write_config
from worker.api import LaneStatus

pytestmark = pytest.mark.long
PICTURES = ROOT / "docs" / "page"


def event(number: int, chance: random.Random) -> bytes:
    share = chance.random()
    if share > 0.98:
        return b"{"
    if share > 0.9:
        metadata = {"task_id": "1", "project_id": "p", "branch": "b", "repo_path": "r"}
        return json.dumps({"metadata": metadata, "nodes": {"prep": {"status": "running"}}}).encode()
    older = {"taskId": str(number), "projectId": "a/b", **({"branch": "x"} if share < 0.2 else {})}
    return json.dumps({"metadata": older, "nodes": {"select": {"status": "completed"}}}).encode()


async def produce_for_ever(bootstrap: str, topic: str) -> None:
    chance, number = random.Random(1), 0
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        while True:
            for _ in range(chance.randint(40, 120)):
                number += 1
                await producer.send(topic, event(number, chance), key=str(number % 50).encode())
            await asyncio.sleep(0.2)


class Traffic:
    """A worker that has something to do, in a thread with a loop of its own."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.address = ""
        self.config = folder / "upcast.yaml"
        self._bootstrap = bootstrap
        self._folder = folder
        self._ready, self._done = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(HANG)
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(HANG)

    async def _serve(self) -> None:
        topics = Topics(self._bootstrap)
        names = [await topics.create(name, partitions=6) for name in ("legacy", "current", "legacy-dlt")]
        async with running_worker(self._config(topics.name("group"), names)) as worker:
            producing = asyncio.create_task(produce_for_ever(self._bootstrap, names[0]))
            await worker.until("/readyz", 200)
            await worker.caught_up(1)
            self.address = worker.address
            self._ready.set()
            await asyncio.to_thread(self._done.wait)
            producing.cancel()
            await asyncio.gather(producing, return_exceptions=True)
            assert await worker.stop() == 0
        await topics.delete_all()

    def _config(self, group: str, names: list[str]) -> Path:
        route = dict(zip(("source", "destination", "dead_letter"), names, strict=True))
        config = write_config(self.config, self._bootstrap, group, route)
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
        ledger = {"url": f"sqlite:///{self._folder / 'ledger.db'}"}
        config.write_text(yaml.safe_dump({**content, "ledger": ledger}), encoding="utf-8")
        return config


@pytest.fixture(scope="module")
def traffic(kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traffic]:
    with Traffic(kafka_bootstrap, tmp_path_factory.mktemp("page")) as found:
        yield found


@pytest.fixture
def address(traffic: Traffic) -> str:
    return traffic.address


def open_page(browser: Any, address: str, width: int = 1280, theme: str = "light") -> None:
    """The page when it has drawn its charts and its chain."""
    from selenium.webdriver.support.ui import WebDriverWait

    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(f"http://{address}/")
    drawn = "return document.querySelectorAll('#charts canvas').length === 4 && !!document.querySelector('#chain svg')"
    WebDriverWait(browser, HANG).until(lambda driver: driver.execute_script(drawn))
    points = "return document.querySelector('#charts p').textContent.includes('upcast')"
    WebDriverWait(browser, HANG).until(lambda driver: driver.execute_script(points))


def keep_picture(browser: Any, name: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    if os.environ.get("WRITE_PICTURES"):
        read = "return performance.getEntriesByName(new URL('metrics', location).href).length >= 12"
        WebDriverWait(browser, HANG).until(lambda driver: driver.execute_script(read))
        height = browser.execute_script("return document.documentElement.scrollHeight")
        width = browser.execute_script("return innerWidth")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        PICTURES.mkdir(exist_ok=True)
        browser.save_screenshot(str(PICTURES / f"{name}.png"))


@pytest.mark.parametrize(
    ("name", "width", "theme"), [("light", 1280, "light"), ("dark", 1280, "dark"), ("phone", 390, "light")]
)
def test_the_page_shows_what_the_worker_does(browser: Any, address: str, name: str, width: int, theme: str) -> None:
    open_page(browser, address, width, theme)
    text = browser.find_element("tag name", "body").text
    for told in ("running: 6 of 6 lanes running", "records a second", "task_context", "decode", "Replays and redrives"):
        assert told in text
    assert browser.execute_script("return document.querySelectorAll('#routes tbody tr').length") == 6
    wide = browser.execute_script("return document.documentElement.scrollWidth > innerWidth")
    assert not wide, "the page is wider than the window"
    complaints = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert complaints == []
    keep_picture(browser, name)


def test_the_headline_says_why_the_worker_is_not_ready(browser: Any) -> None:
    """The brokers are away, and no lane had anything to do, so all of them still say that they run."""
    from selenium.webdriver.support.ui import WebDriverWait

    worker = FakeWorker()
    worker.not_ready = ["the brokers have not answered since 2026-11-25T03:00:00Z", "legacy:1: rebuilding"]
    with served(worker) as silent:
        browser.get(f"http://{silent}/")
        headline = "return [state.className, state.textContent]"
        WebDriverWait(browser, HANG).until(lambda driver: driver.execute_script(headline)[0])
        assert browser.execute_script(headline) == ["bad", f"not ready: {worker.not_ready[0]}, and 1 more"]
        worker.not_ready = []
        good = ["good", "running: 1 of 1 lanes running"]
        WebDriverWait(browser, HANG).until(lambda driver: driver.execute_script(headline) == good)


def lanes(many: int) -> FakeWorker:
    """One is blocked, one is years behind, the others run."""
    worker = FakeWorker()
    worker.route.lanes = [
        LaneStatus(topic="legacy", partition=n, state="running", lag=0, lag_seconds=0) for n in range(many)
    ]
    since = datetime(2026, 11, 25, 3, tzinfo=UTC)
    worker.route.lanes[41] = LaneStatus(topic="legacy", partition=41, state="blocked", reason="refused", since=since)
    worker.route.lanes[7] = LaneStatus(topic="legacy", partition=7, state="running", lag=9, lag_seconds=197_500_000)
    return worker


@pytest.mark.parametrize("many", [60, 500])
def test_what_is_wrong_stands_on_top_and_the_rest_is_folded(browser: Any, many: int) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    with served(lanes(many)) as address:
        browser.get(f"http://{address}/")
        rows = "return [...document.querySelectorAll('#routes > div tbody tr')].map(row => row.innerText)"
        WebDriverWait(browser, HANG).until(lambda driver: len(driver.execute_script(rows)) == 8)
        first, second, *_ = browser.execute_script(rows)
        assert re.match(r"41\s+blocked", first)
        assert "refused, since 2026-11-25T03:00:00Z" in first
        assert re.match(r"7\s+running\s+9\s+6 y 95 d", second)
        assert browser.title == f"● 1 of {many} lanes do not run · upcast worker"
        summary = browser.find_element("css selector", "#routes summary")
        assert summary.text == f"{many - 8} more lanes, all running"
        summary.click()
        browser.find_element("css selector", "#routes input").send_keys("5")
        kept = "return document.querySelectorAll('#routes details tbody tr').length"
        wanted = sum(str(n).startswith("5") for n in range(many) if n > 6)
        WebDriverWait(browser, HANG).until(lambda driver: driver.execute_script(kept) == wanted)


def test_a_page_that_hears_nothing_is_grey_and_says_since_when(browser: Any) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    with served(FakeWorker()) as address:
        browser.get(f"http://{address}/")
        WebDriverWait(browser, HANG).until(lambda driver: driver.title == "ready · upcast worker")
    stale = "return document.body.classList.contains('stale') && document.getElementById('stale').textContent"
    said = WebDriverWait(browser, HANG).until(lambda driver: driver.execute_script(stale))
    assert re.match(r"nothing heard from the worker since \d{4}-\d\d-\d\dT[\d:]+Z: ", said)
    assert browser.title == "● no answer · upcast worker"


def test_durations_are_told_in_words(browser: Any) -> None:
    with served(FakeWorker()) as address:
        browser.get(f"http://{address}/")
        seconds = [None, 0, 0.25, 9.96, 59, 61, 3600, 90_000, 197_500_000]
        script = "const done = arguments[1]; import('/page/times.js').then(({age}) => done(arguments[0].map(age)))"
        told = browser.execute_async_script(script, seconds)
    assert told == ["\N{EN DASH}", "0 s", "0.3 s", "10 s", "59 s", "1 min 1 s", "1 h", "1 d 1 h", "6 y 95 d"]


def test_it_goes_on_by_itself(browser: Any, address: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    open_page(browser, address)
    position = "return document.querySelector('#routes tbody tr td:nth-child(5)').textContent"
    before = browser.execute_script(position)
    WebDriverWait(browser, HANG).until(lambda driver: driver.execute_script(position) != before)


def test_nothing_is_asked_of_any_other_address(browser: Any, address: str) -> None:
    open_page(browser, address)
    urls = set()
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            urls.add(message["params"]["request"]["url"])
    assert urls
    assert {url for url in urls if not url.startswith((f"http://{address}/", "data:", "chrome:"))} == set()


def test_a_keyboard_and_a_screen_reader_get_everywhere(browser: Any, address: str) -> None:
    from selenium.webdriver.common.keys import Keys

    open_page(browser, address)
    browser.find_element("tag name", "body").send_keys(Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to the lanes"
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.execute_script("return document.activeElement.id") == "lanes"
    tree = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = {node["role"]["value"] for node in tree if not node.get("ignored") and "role" in node}
    assert {"heading", "table", "columnheader", "status", "main", "link", "region"} <= roles
    unnamed = "return [...document.querySelectorAll('[role=region], table, svg[role=img], progress')]"
    unnamed += ".filter(e => !e.closest('[aria-hidden]'))"
    unnamed += ".filter(e => !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.caption"
    unnamed += " || e.querySelector('title'))).length"
    assert browser.execute_script(unnamed) == 0


def test_a_replay_shows_how_far_it_is_and_what_is_left(browser: Any, traffic: Traffic, tmp_path: Path) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    upcast, config = [sys.executable, "-m", "worker"], ["--config", str(traffic.config)]
    plan = str(tmp_path / "plan.json")
    subprocess.run([*upcast, "plan", *config, "--version", "1.0", "--out", plan], check=True)
    command = [*upcast, "replay", plan, *config, "--again", "--rate", "100", "--reason", "shown on the page"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as replay:
        try:
            open_page(browser, traffic.address)
            told = re.compile(r"[\d,]+ of [\d,]+ offsets, about [\w ]+ left · shown on the page")
            WebDriverWait(browser, HANG).until(lambda driver: told.search(driver.find_element("id", "runs").text))
            bar = browser.find_element("css selector", "#runs progress")
            assert 0 < int(bar.get_attribute("value")) < int(bar.get_attribute("max"))
        finally:
            replay.terminate()
