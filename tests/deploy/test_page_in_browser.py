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
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import pytest
import yaml
from aiokafka import AIOKafkaProducer

from tests.deploy import ROOT, axe
from tests.kafka import Topics
from tests.limits import HANG
from tests.served_api import TOKEN, FakeWorker, served
from tests.unit.api.test_dead_letters import LETTER
from tests.worker_process import running_worker, write_config
from worker.api import LaneStatus
from worker.api.view import CannotRedriveError, LetterAsked, RedriveWish
from worker.dlq.listing import Group, LetterFault, Listing
from worker.replay.plan.file import Coordinates
from worker.routes.chains import RouteChain

if TYPE_CHECKING:
    from worker.dlq.selection import Selection

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
    cut = (
        "return [...document.querySelectorAll('header, main')].some(each => each.scrollHeight > each.clientHeight + 1)"
    )
    assert not browser.execute_script(cut), "a part of the page is cut off"
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


@pytest.fixture(scope="module")
def axe_core(tmp_path_factory: pytest.TempPathFactory) -> str:
    return axe.script(tmp_path_factory.mktemp("axe"))


DRAWN = "return !!document.querySelector('#routes tbody tr') && !!document.querySelector('#chain svg')"
RUN_AXE = """const done = arguments[0]; axe.run().then(
    found => done(found.violations.map(each => [each.id, each.nodes[0].html, each.nodes[0].failureSummary])),
    error => done(String(error)))"""
CLICK_A_LETTER = "const found = document.querySelector('#letters button'); found?.click(); return !!found"
LETTER_SHOWN = "return document.querySelectorAll('#letter pre').length === 3"
LOOKS = [(width, theme) for width in (1280, 390) for theme in ("light", "dark")]


@pytest.mark.parametrize("many", [1, 6, 60, 500])
def test_axe_finds_nothing_that_keeps_people_out(browser: Any, axe_core: str, many: int) -> None:
    """In each theme and at both widths, also with everything unfolded and a question asked."""
    from selenium.webdriver.support.ui import WebDriverWait

    worker = lanes(many) if many > 41 else FakeWorker()
    if many <= 41:
        worker.route.lanes = [LaneStatus(topic="legacy", partition=n, state="running", lag=n) for n in range(many)]
    browser.set_script_timeout(HANG)
    with with_letters(worker) as address:
        for width, theme in LOOKS:
            features = [{"name": "prefers-color-scheme", "value": theme}]
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            browser.get(f"http://{address}/")
            WebDriverWait(browser, HANG).until(lambda driver: driver.execute_script(DRAWN))
            browser.execute_script("for (const each of document.querySelectorAll('details')) each.open = true;")
            browser.execute_script("document.getElementById('operate-token').value = arguments[0]", TOKEN)
            browser.execute_script("document.getElementById('letters-list').click()")
            WebDriverWait(browser, HANG).until(lambda driver: driver.execute_script(CLICK_A_LETTER))
            WebDriverWait(browser, HANG).until(lambda driver: driver.execute_script(LETTER_SHOWN))
            browser.execute_script("document.getElementById('operate-again').hidden = false;")
            browser.execute_script("document.getElementById('operate-question').textContent = 'Pause legacy?';")
            browser.execute_script(axe_core)
            assert browser.execute_async_script(RUN_AXE) == [], (many, width, theme)
            wide = browser.execute_script("return document.documentElement.scrollWidth > innerWidth")
            assert not wide, (many, width, theme)
            browser.get(f"http://{address}/runbook/MissingField?fingerprint=0123456789abcdef")
            browser.execute_script(axe_core)
            assert browser.execute_async_script(RUN_AXE) == [], ("runbook", width, theme)


class Operating:
    """The part of the page that changes something."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser

    def at(self, name: str) -> Any:
        return self._browser.find_element("id", f"operate-{name}")

    def told(self, text: str) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self._browser, HANG).until(lambda _: self.at("answer").text == text)

    def open(self, address: str) -> None:
        """Open the page, wait until it knows the routes, and unfold the part."""
        from selenium.webdriver.common.keys import Keys
        from selenium.webdriver.support.ui import WebDriverWait

        self._browser.get(f"http://{address}/")
        WebDriverWait(self._browser, HANG).until(lambda _: self.at("route").get_attribute("value") == "legacy")
        self._browser.find_element("css selector", "#operate summary").send_keys(Keys.ENTER)


def test_a_change_is_asked_twice_and_says_who_and_why(browser: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    operating = Operating(browser)
    at, told = operating.at, operating.told
    worker = FakeWorker()
    with served(worker) as address:
        operating.open(address)
        at("pause").send_keys(Keys.ENTER)
        told("first say: token")
        at("token").send_keys("another token")
        at("by").send_keys("Ada")
        at("why").send_keys("CHG-17")
        at("pause").send_keys(Keys.ENTER)
        assert at("question").text == "Pause legacy? What is in flight is finished first."
        assert browser.execute_script("return document.activeElement.id") == "operate-no"
        browser.switch_to.active_element.send_keys(Keys.ENTER)
        assert not at("again").is_displayed()
        at("pause").send_keys(Keys.ENTER)
        at("yes").send_keys(Keys.ENTER)
        told("send the token of http.token as `Authorization: Bearer …` (UPC6401)")
        assert not worker.route.paused


def test_nothing_is_asked_before_the_page_knows_a_route(browser: Any) -> None:
    operating = Operating(browser)
    with served(FakeWorker()) as address:
        operating.open(address)
        press = """document.getElementById('operate-route').replaceChildren()
            document.getElementById('operate-pause').click()
            return document.getElementById('operate-answer').textContent"""
        assert browser.execute_script(press) == "first say: route"
        assert not operating.at("again").is_displayed()


def test_a_route_is_paused_resumed_and_limited_by_keyboard(browser: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    operating = Operating(browser)
    at, told = operating.at, operating.told
    worker = FakeWorker()
    with served(worker) as address:
        operating.open(address)
        for name, text in {"token": TOKEN, "by": "Ada", "why": "CHG-17"}.items():
            at(name).send_keys(text)
        for change, answer in {"pause": "paused", "resume": "resumed"}.items():
            at(change).send_keys(Keys.ENTER)
            at("yes").send_keys(Keys.ENTER)
            told(f"legacy: {answer}")
            assert worker.route.paused is (change == "pause")
        at("rate").send_keys("50")
        at("limit").send_keys(Keys.ENTER)
        assert at("question").text == "Let legacy read at most 50 records a second?"
        at("yes").send_keys(Keys.ENTER)
        told("legacy: at most 50 records a second")
        assert worker.route.records_per_second == 50


FAULT = "0123456789abcdef"


def letters(given: RouteChain) -> Listing:
    found = Listing(cast("Selection", None))
    found.records = 15
    fault = LetterFault(FAULT, "legacy", "upcast", "MissingField", "task", "1.0", "2.0", "task_0002")
    found.groups[fault] = Group(12, 9, 1, 1_700_000_000_000, 1_700_000_000_500, [Coordinates(partition=0, offset=7)])
    found.groups[LetterFault("", "legacy", "", "java.lang.Oh")] = Group(3, 3, 0, -1, -1, [])
    return found


def letter(given: RouteChain, asked: LetterAsked) -> dict[str, Any]:
    hop = {"step": "task_0001", "event_type": "task", "from_version": "1.0", "to_type": "task", "to_version": "1.1"}
    diff = ['-  "taskId": "1"', '+  "task_id": "1"'] if asked.trusted else None
    content = {"key": "k", "headers": [{"name": "h", "value": "1"}], "value": '{"taskId": "1"}'}
    fault = {"stage": "upcast", "error_type": "MissingField", "step": "task_0002", "message": "no such field"}
    return {
        **LETTER,
        "recorded": {"message": "no such field", "trace": "stage upcast\n  step task_0002"} if asked.trusted else None,
        "content": content if asked.trusted else None,
        "now": {"outcome": "dead-lettered", **fault, "hops": [{**hop, "diff": diff}]},
        "withheld": "" if asked.trusted else "the value: send the token of http.token",
    }


@contextmanager
def with_letters(worker: FakeWorker, wishes: list[RedriveWish] | None = None) -> Iterator[str]:
    def start(_: RouteChain, wish: RedriveWish) -> dict[str, Any]:
        if wishes is None:
            raise CannotRedriveError("redrive r0 runs: wait for its end, /v2/runs has it")
        wishes.append(wish)
        return {"replay_id": "r1", "letters": 9, "destination": "current", "warnings": ["slow"]}

    with served(worker, list_dead_letters=letters, look_at_letter=letter, start_redrive=start) as address:
        yield address


def list_letters(browser: Any, address: str) -> None:
    """By keyboard."""
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(f"http://{address}/")
    route = "return document.getElementById('letters-route').value"
    WebDriverWait(browser, HANG).until(lambda driver: driver.execute_script(route) == "legacy")
    browser.find_element("id", "letters-list").send_keys(Keys.ENTER)
    rows = "return document.querySelectorAll('#letters tbody tr').length"
    WebDriverWait(browser, HANG).until(lambda driver: driver.execute_script(rows) == 2)


def until_shown(browser: Any, told: str) -> str:
    """The text of the letter, once it says that."""
    from selenium.webdriver.support.ui import WebDriverWait

    text = "return document.getElementById('letter').innerText"
    WebDriverWait(browser, HANG).until(lambda driver: told in driver.execute_script(text))
    return str(browser.execute_script(text))


def test_a_dead_letter_is_looked_at_and_its_values_only_with_the_token(browser: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    with with_letters(FakeWorker()) as address:
        list_letters(browser, address)
        text = browser.find_element("id", "letters").text
        assert f"{FAULT}: upcast MissingField" in text
        assert "task 1.0 → 2.0" in text
        look = "[aria-label='0:7, look at this dead letter']"
        for token, values in (("", False), (TOKEN, True)):
            browser.execute_script("document.getElementById('operate-fields').open = true")
            browser.find_element("id", "operate-token").clear()
            browser.find_element("id", "operate-token").send_keys(token)
            browser.find_element("css selector", look).send_keys(Keys.ENTER)
            found = until_shown(browser, '"task_id"' if values else "Not shown: the value")
            assert "task 1.0 → 1.1 (task_0001)" in found
            assert "now: dead-lettered: upcast: task_0002: MissingField: no such field" in found
            assert ('{"taskId": "1"}' in found, "Not shown" in found) == (values, not values)
            assert browser.execute_script("return document.activeElement.id") == "letter"


def test_a_group_links_to_its_runbook(browser: Any) -> None:
    with with_letters(FakeWorker()) as address:
        list_letters(browser, address)
        browser.find_element("link text", "MissingField").click()
        assert f"upcast dlq redrive --fingerprint {FAULT} --plan" in browser.find_element("tag name", "main").text
        assert browser.title == "UPC3012: MissingField · upcast"


def test_a_group_is_redriven_after_two_questions(browser: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    at, told = Operating(browser).at, Operating(browser).told
    wishes: list[RedriveWish] = []
    redrive = f"[aria-label='Redrive \N{HORIZONTAL ELLIPSIS} 9 letters of {FAULT}']"
    with with_letters(FakeWorker(), wishes) as address:
        list_letters(browser, address)
        browser.find_element("css selector", redrive).send_keys(Keys.ENTER)
        told("first say: token")
        for name, text in {"token": TOKEN, "by": "Ada", "why": "CHG-17", "rate": "50"}.items():
            at(name).send_keys(text)
        browser.find_element("css selector", redrive).send_keys(Keys.ENTER)
        assert at("question").text.startswith(f"Redrive the 9 letters of legacy with the fault {FAULT}, at most 50")
        at("no").send_keys(Keys.ENTER)
        assert browser.execute_script("return document.activeElement.getAttribute('aria-label')").startswith("Redrive")
        assert wishes == []
        browser.find_element("css selector", redrive).send_keys(Keys.ENTER)
        at("yes").send_keys(Keys.ENTER)
        told("9 letters of legacy go to current: redrive r1; warning: slow")
        assert wishes == [RedriveWish(FAULT, 50, "Ada: CHG-17")]
    with with_letters(FakeWorker()) as address:
        list_letters(browser, address)
        for name, text in {"token": TOKEN, "by": "Ada", "why": "CHG-17"}.items():
            browser.execute_script("document.getElementById('operate-fields').open = true")
            at(name).send_keys(text)
        browser.find_element("css selector", redrive).send_keys(Keys.ENTER)
        at("yes").send_keys(Keys.ENTER)
        told("redrive r0 runs: wait for its end, /v2/runs has it (UPC6409)")


def test_a_page_that_hears_nothing_is_grey_and_says_since_when(browser: Any) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    with served(FakeWorker()) as address:
        browser.get(f"http://{address}/")
        WebDriverWait(browser, HANG).until(lambda driver: driver.title == "ready · upcast worker")
    stale = "return document.body.classList.contains('stale') && document.getElementById('stale').textContent"
    said = WebDriverWait(browser, HANG).until(lambda driver: driver.execute_script(stale))
    assert re.match(r"nothing heard from the worker since \d{4}-\d\d-\d\dT[\d:]+Z: ", said)
    assert browser.title == "● no answer · upcast worker"


def test_durations_are_reported_in_words(browser: Any) -> None:
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
