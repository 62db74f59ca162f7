"""The HTTP port: probes, metrics, status, and changes that need a token."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from prometheus_client import CollectorRegistry, Counter, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from pydantic import SecretStr

from tests.http import request
from tests.served_api import AUTHORISED, TOKEN, FakeWorker
from worker.api import create_api, listening
from worker.api.problems import MEDIA_TYPE
from worker.errors import MAY_PASS, NEEDS_A_PERSON, WorkerError
from worker.settings import HttpSettings

OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}


@pytest.fixture
def worker() -> FakeWorker:
    return FakeWorker()


@pytest.fixture
async def address(worker: FakeWorker) -> AsyncIterator[str]:
    registry = CollectorRegistry()
    Counter("upcaster_test", "A counter.", registry=registry).inc()
    api = create_api(worker, registry, SecretStr(TOKEN), lambda *request: worker.requests.append(request))
    async with listening(HttpSettings(port=0), api) as address:
        yield address


@pytest.fixture
async def locked(worker: FakeWorker) -> AsyncIterator[str]:
    """A worker without a token."""
    async with listening(HttpSettings(port=0), create_api(worker, CollectorRegistry())) as address:
        yield address


@pytest.mark.parametrize(("path", "attribute"), [("/livez", "not_live"), ("/readyz", "not_ready")])
async def test_probes_say_why(worker: FakeWorker, address: str, path: str, attribute: str) -> None:
    answer = await request(address, path)
    assert (answer.status, answer.json) == (200, {"status": "ok", "reasons": []})
    setattr(worker, attribute, ["the breaker of legacy/0 is open"])
    answer = await request(address, path)
    assert answer.status == 503
    assert answer.json["reasons"] == ["the breaker of legacy/0 is open"]


async def test_figures_are_taken_in_the_loop_and_written_outside_of_it(worker: FakeWorker) -> None:
    """Figures agree with each other then, and the text of a thousand partitions holds up no heartbeat."""
    seen: dict[str, threading.Thread] = {}

    class Seen(Metric):
        @property
        def samples(self) -> list[Sample]:
            seen["written"] = threading.current_thread()
            return [Sample("upcaster_seen", {}, 1)]

        @samples.setter
        def samples(self, _: list[Sample]) -> None:
            """The family begins empty."""

    class Lanes(Collector):
        def collect(self) -> Iterator[Metric]:
            seen["taken"] = threading.current_thread()
            yield Seen("upcaster_seen", "Whether somebody looked.", "gauge")

    registry = CollectorRegistry()
    registry.register(Lanes())
    seen.clear()
    async with listening(HttpSettings(port=0), create_api(worker, registry)) as address:
        assert "upcaster_seen 1.0" in (await request(address, "/metrics")).text
    assert seen["taken"] is threading.current_thread()
    assert seen["written"] is not threading.current_thread()


async def test_metrics_in_both_formats(address: str) -> None:
    plain = await request(address, "/metrics")
    assert plain.headers["content-type"].startswith("text/plain")
    assert "upcaster_test_total 1.0" in plain.text
    open_metrics = await request(address, "/metrics", headers=OPENMETRICS)
    assert open_metrics.headers["content-type"].startswith("application/openmetrics-text")
    assert open_metrics.text.endswith("# EOF\n")


async def test_status(address: str) -> None:
    answer = await request(address, "/v2/status")
    assert answer.json["consumer_group"] == "g"
    assert answer.json["routes"][0]["lanes"][0]["lag"] == 3


async def test_head_is_get_without_the_body(address: str) -> None:
    for path in ("/", "/livez", "/metrics", "/v2/status", "/v1/status", "/v2/openapi.json"):
        head, get = await request(address, path, "HEAD"), await request(address, path)
        assert (head.status, head.text) == (200, "")
        assert head.headers["content-type"] == get.headers["content-type"]
    assert (await request(address, "/v2/stream", "HEAD")).status == 405
    assert (await request(address, "/v2/routes/legacy/pause", "HEAD")).status == 405


async def test_a_body_that_is_no_json_is_reported_as_that(address: str) -> None:
    path = "/v2/routes/legacy/rate"
    cut = await request(address, path, "POST", AUTHORISED, b'{"records_per_second":')
    assert cut.json["errors"] == [{"pointer": "/body", "detail": "the body is not JSON"}]
    form = {**AUTHORISED, "content-type": "application/x-www-form-urlencoded"}
    unmarked = await request(address, path, "POST", form, b'{"records_per_second": 5}')
    told = "the body is not marked as JSON: send `Content-Type: application/json`"
    assert unmarked.json["errors"] == [{"pointer": "/body", "detail": told}]


async def test_status_says_what_readiness_says(worker: FakeWorker, address: str) -> None:
    worker.not_ready = ["the brokers have not answered since 2026-11-25T03:00:00Z"]
    assert (await request(address, "/readyz")).json["reasons"] == worker.not_ready
    assert (await request(address, "/v2/status")).json["why_not_ready"] == worker.not_ready
    assert (await request(address, "/v1/status")).json["whyNotReady"] == worker.not_ready


async def test_a_change_is_in_the_log_with_who_and_why(worker: FakeWorker, address: str) -> None:
    said = "by=Ada&why=CHG-17%0Aupgrade"
    with structlog.testing.capture_logs() as logged:
        await request(address, f"/v2/routes/legacy/pause?{said}", "POST", AUTHORISED)
        await request(address, f"/v2/routes/none/pause?{said}", "POST", AUTHORISED)
        await request(address, f"/v2/routes/legacy/resume?{said}", "POST")
    (line,) = [line for line in logged if line["event"] == "changed by request"]
    assert (line["change"], line["topic"], line["client"]) == ("pause", "legacy", "127.0.0.1")
    assert (line["by"], line["why"]) == ("Ada", "CHG-17\nupgrade")
    assert (await request(address, f"/v2/routes/legacy/pause?why={'x' * 201}", "POST", AUTHORISED)).status == 422


async def test_pause_resume_and_rate(worker: FakeWorker, address: str) -> None:
    paused = await request(address, "/v2/routes/legacy/pause", "POST", AUTHORISED)
    assert (paused.status, paused.json["paused"]) == (200, True)
    await request(address, "/v2/routes/legacy/resume", "POST", AUTHORISED)
    assert not worker.route.paused
    body = {"records_per_second": 50}
    limited = await request(address, "/v2/routes/legacy/rate", "POST", AUTHORISED, body)
    assert limited.json["records_per_second"] == 50


@pytest.mark.parametrize(("place", "to", "left_out"), [(310, 310, 10), ("found", 300, 0), ("end", 450, 150)])
async def test_a_decision_says_what_is_left_out(address: str, place: int | str, to: int, left_out: int) -> None:
    path, body = "/v2/routes/legacy/partitions/0/decision", {"go_on_at": place}
    decided = await request(address, path, "POST", AUTHORISED, body)
    assert decided.status == 200
    assert decided.json == {"before": 400, "go_on_at": to, "first_left_out": 300, "left_out": left_out}
    older = await request(address, path.replace("v2", "v1"), "POST", AUTHORISED, {"goOnAt": place})
    assert older.json == {"before": 400, "goOnAt": to, "firstLeftOut": 300, "leftOut": left_out}


async def test_a_decision_needs_the_token(address: str) -> None:
    path = "/v2/routes/legacy/partitions/0/decision"
    assert (await request(address, path, "POST", {}, {"go_on_at": "end"})).status == 401


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic YTpi"}])
async def test_changes_need_the_token(worker: FakeWorker, address: str, headers: dict[str, str]) -> None:
    answer = await request(address, "/v2/routes/legacy/pause", "POST", headers)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert not worker.route.paused
    assert TOKEN not in answer.text


async def test_nothing_can_be_changed_before_it_runs(worker: FakeWorker, address: str) -> None:
    worker.starting = True
    assert (await request(address, "/v2/routes/legacy/pause", "POST", AUTHORISED)).status == 409


async def test_changes_are_off_without_a_token(worker: FakeWorker, locked: str) -> None:
    answer = await request(locked, "/v2/routes/legacy/pause", "POST", AUTHORISED)
    assert answer.status == 403
    assert "set http.token" in answer.json["detail"]
    assert not worker.route.paused


@pytest.mark.parametrize(
    ("path", "method", "body", "status"),
    [
        ("/nothing", "GET", None, 404),
        ("/livez", "POST", None, 405),
        ("/v2/routes/unknown/pause", "POST", None, 404),
        ("/v2/routes/legacy/rate", "POST", {"records_per_second": -1}, 422),
        ("/v2/routes/legacy/rate", "POST", {"records_per_second": "secret-value"}, 422),
        ("/v2/routes/legacy/rate", "POST", {}, 422),
        ("/v2/routes/unknown/partitions/0/decision", "POST", {"go_on_at": "end"}, 404),
        ("/v2/routes/legacy/partitions/1/decision", "POST", {"go_on_at": "end"}, 409),
        ("/v2/routes/legacy/partitions/0/decision", "POST", {"go_on_at": 451}, 409),
        ("/v2/routes/legacy/partitions/x/decision", "POST", {"go_on_at": "end"}, 422),
        ("/v2/routes/legacy/partitions/0/decision", "POST", {"go_on_at": "secret-value"}, 422),
        ("/v2/routes/legacy/partitions/0/decision", "POST", {"go_on_at": -1}, 422),
        ("/v2/routes/legacy/partitions/0/decision", "POST", {}, 422),
    ],
)
async def test_errors_are_problem_details(
    address: str, path: str, method: str, body: dict[str, object] | None, status: int
) -> None:
    answer = await request(address, path, method, AUTHORISED, body)
    assert answer.status == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json["status"] == status
    assert answer.json["detail"]
    assert "secret-value" not in answer.text


async def test_requests_are_counted_by_route(worker: FakeWorker, address: str) -> None:
    for path in ("/livez", "/v2/status", "/v2/routes/private-name/pause", "/secret-path"):
        await request(address, path)
    assert worker.requests == [
        ("-", "/livez", 200),
        ("v2", "/v2/status", 200),
        ("v2", "/v2/routes/{source}/pause", 405),
        ("-", "unknown", 404),
    ]


async def test_openapi_describes_it(address: str) -> None:
    document = (await request(address, "/v2/openapi.json")).json
    assert "/v2/routes/{source}/rate" in document["paths"]


async def test_a_port_in_use_is_one_line(worker: FakeWorker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = HttpSettings(port=taken.getsockname()[1])
        with pytest.raises(WorkerError, match=r"the port is in use: .*UPCAST_HTTP__PORT") as caught:
            async with listening(settings, create_api(worker, CollectorRegistry())):
                pass
    assert caught.value.exit_code == MAY_PASS


async def test_an_address_of_another_machine_is_one_line(worker: FakeWorker) -> None:
    settings = HttpSettings(host="192.0.2.1")
    with pytest.raises(WorkerError, match=r"correct http\.host") as caught:
        async with listening(settings, create_api(worker, CollectorRegistry())):
            pass
    assert caught.value.exit_code == NEEDS_A_PERSON
