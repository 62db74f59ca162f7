"""The image and the compose file, tried for real, in this order; `make deploy-check` runs them.

The installation goes through a life: up, replay, in trouble, mended, upgraded as the migration guide says. What is done
is what docs/deploy.md says, line by line; the last check is that no line was left out.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import ROOT
from tests.deploy.conftest import commit
from tests.deploy.engine import Engine
from tests.deploy.stand_ins import PYTHON

pytestmark = pytest.mark.timeout(2400)  # the first one makes the images

VERSION = re.findall(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[0]
IMAGE = f"upcast-worker:{VERSION}"
MEGABYTE = 1_000_000
WORKER = "http://localhost:8090"
PROMETHEUS = "http://localhost:9090"
GRAFANA = "http://localhost:3000"
SETTINGS = {
    "UPCAST_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "UPCAST_KAFKA__GROUP_ID": "g",
    "UPCAST_ROUTES": '[{"source": "a", "destination": "b"}]',
}
TOKEN_FILE = {"UPCAST_HTTP__TOKEN_FILE": "/run/secrets/token"}
AS_NOBODY = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none")

READ_SOME = """
import asyncio, json
from aiokafka import AIOKafkaConsumer

async def main():
    async with AIOKafkaConsumer(
        "devteam.task-context", bootstrap_servers="kafka:19092", auto_offset_reset="earliest",
        isolation_level="read_committed",
    ) as consumer:
        values = [(await consumer.getone()).value for _ in range(100)]
    print(json.dumps([json.loads(value) if value else None for value in values]))

asyncio.run(main())
"""


DOCS = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
DOCUMENTED = [line for block in re.findall(r"```console\n(.*?)```", DOCS, re.DOTALL) for line in block.splitlines()]
done: set[str] = set()


def do(docker: Engine, folder: Path, line: str) -> str:
    """A line of the docs, as it stands there but for the name of Compose."""
    assert line in DOCUMENTED, line
    done.add(line)
    compose = shlex.join(docker.compose_command())
    return docker.run(["sh", "-c", re.sub("^docker compose", compose, line)], folder)


def until(seen: Callable[[], Any], what: str, seconds: float = 180) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := seen()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(1)  # each look starts a process of its own
    return found


def environment(**more: str) -> list[str]:
    return [part for name, value in (SETTINGS | more).items() for part in ("-e", f"{name}={value}")]


def ended(docker: Engine, *arguments: str) -> tuple[int, str]:
    """Exit code and output of a container that ends by itself."""
    text = docker.run(["sh", "-c", '"$@"; echo "exit code $?"', "sh", "docker", "run", "--rm", *arguments])
    output, _, code = text.rpartition("exit code ")
    return int(code), output.strip()


# The image.


def test_the_image_builds_unchanged(docker: Engine, source: Path, remarks: list[str]) -> None:
    do(docker, source, f"docker build -f deploy/Dockerfile -t {IMAGE} .")
    over_base = (docker.inspect(IMAGE)["Size"] - docker.inspect(PYTHON)["Size"]) / MEGABYTE
    remarks.append(f"the image is {over_base:.0f} MB over its base (at most 120)")
    assert over_base <= 120


def test_buildkit_builds_it_too(docker: Engine, source: Path) -> None:
    clients = [f"{folder}/docker" for folder in os.get_exec_path() if os.access(f"{folder}/docker", os.X_OK)]
    lines = [f"DOCKER_BUILDKIT=1 {client} build -q -f deploy/Dockerfile -t {IMAGE}-buildkit ." for client in clients]
    said = docker.run(["sh", "-c", " || ".join(lines)], source, check=False)
    if "buildx" in said and "sha256:" not in said:
        pytest.skip(f"no client here has BuildKit: {said.splitlines()[-1]}")
    assert ended(docker, *AS_NOBODY, f"{IMAGE}-buildkit", "--version")[1].startswith(f"upcast {VERSION}, ")
    docker.docker("rmi", f"{IMAGE}-buildkit")


def test_the_image_says_what_it_is_and_runs_as_nobody(docker: Engine) -> None:
    config = docker.inspect(IMAGE)["Config"]
    assert config["User"] == "65532:65532"
    assert config["Labels"]["org.opencontainers.image.version"] == VERSION
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert ended(docker, *AS_NOBODY, IMAGE, "--version") == (0, f"upcast {VERSION}, native")


DERIVED = re.findall(r"```dockerfile\n(.*?)```", DOCS, re.DOTALL)
CHAINS = """
from upcasters import Baseline, Chain, Step, default, present

step = Step("order", "1", "2", [default("currency", "EUR")], shape=present("currency"))
chain = Chain([step], [Baseline("order", "1", shape=present("total"))])
"""


def test_an_image_of_ones_own_has_chains_that_are_a_package(docker: Engine, tmp_path: Path) -> None:
    (recipe,) = DERIVED
    (tmp_path / "Dockerfile").write_text(recipe)
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "order_chains.py").write_text(CHAINS)
    project = '[project]\nname = "order-chains"\nversion = "1.0"\n[tool.setuptools]\npy-modules = ["order_chains"]\n'
    (tmp_path / "orders" / "pyproject.toml").write_text(project)
    make = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", ".", "./orders"]
    subprocess.run(make, cwd=tmp_path, check=True, timeout=120)
    (tmp_path / "requirements.txt").write_text("./order_chains-1.0-py3-none-any.whl\n")
    docker.run(["docker", "build", "-t", f"{IMAGE}-orders", "."], tmp_path)
    code, output = ended(docker, *AS_NOBODY, f"{IMAGE}-orders", "check", "--chain", "order_chains:chain")
    docker.docker("rmi", f"{IMAGE}-orders")
    assert code == 0, output
    assert "1 type, 2 versions, 1 step" in output


def test_it_needs_no_shell(docker: Engine) -> None:
    without = [part for shell in ("sh", "bash", "dash") for part in ("-v", f"/dev/null:/bin/{shell}")]
    code, output = ended(docker, *AS_NOBODY, *without, IMAGE, "check", "--chain", "upcasters.devteam_runner:chain")
    assert code == 0, output


@pytest.mark.parametrize("age", [0, 0.03, 0.06, 0.1, 0.2, 0.4])
def test_a_stop_reaches_it_in_its_first_moments(docker: Engine, age: float) -> None:
    """Also before Python has a handler, when the kernel would keep it from a first process."""
    name = docker.docker("run", "-d", *AS_NOBODY, *environment(), IMAGE)
    time.sleep(age)  # the moment is what is tried
    assert stopped(docker, name) in {143, 0}


def test_a_stop_reaches_it_while_it_waits_for_a_broker(docker: Engine) -> None:
    name = docker.docker("run", "-d", *AS_NOBODY, *environment(), IMAGE)
    until(lambda: "waiting for kafka" in docker.docker("logs", name), "waiting for kafka")
    assert stopped(docker, name) == 0


def stopped(docker: Engine, name: str) -> int:
    """The exit code of a container that leaves when it is told, long before it is killed."""
    started = time.monotonic()
    docker.docker("stop", "-t", "30", name)
    assert time.monotonic() - started < 10
    code = int(docker.inspect(name)["State"]["ExitCode"])
    docker.docker("rm", name)
    return code


# Bad input: one clear line, and an exit code that says whether trying again can help.

BAD_INPUT = {
    "no file is mounted": (
        [],
        2,
        "upcast.yaml: there is no such configuration file in /etc/upcast: name it with --config FILE",
    ),
    "a folder is mounted": (
        ["-v", "FOLDER:/etc/upcast/upcast.yaml:ro"],
        2,
        "upcast.yaml: it is a folder: name a file (Docker creates a folder where the file to mount is missing)",
    ),
    "a secret that is not mounted": (
        environment(**TOKEN_FILE),
        2,
        "token_file: cannot read /run/secrets/token: No such file or directory",
    ),
    "a name that does not resolve": (
        environment(UPCAST_KAFKA__BOOTSTRAP_SERVERS="kafka.invalid:9092", UPCAST_KAFKA__START_TIMEOUT="1"),
        1,
        "the name kafka.invalid cannot be resolved",
    ),
    "no broker there": (environment(UPCAST_KAFKA__START_TIMEOUT="1"), 1, "connection refused"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_line(docker: Engine, case: str, tmp_path: Path) -> None:
    options, expected, line = BAD_INPUT[case]
    tmp_path.chmod(0o755)
    code, output = ended(docker, *AS_NOBODY, *(each.replace("FOLDER", str(tmp_path)) for each in options), IMAGE)
    told = [each for each in output.splitlines() if each.startswith("upcast: ")]
    assert len(told) == 1, output
    assert line in told[0]
    assert code == expected


def test_a_secret_with_a_newline_at_its_end(docker: Engine, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "token").write_text("a-token-that-is-long-enough\n")
    mounted = ["-v", f"{tmp_path}:/run/secrets:ro", *environment(**TOKEN_FILE)]
    ask = "from worker.settings import load_settings; print(repr(load_settings().http.token.get_secret_value()))"
    assert ended(docker, *AS_NOBODY, *mounted, "--entrypoint", "python", IMAGE, "-c", ask) == (
        0,
        "'a-token-that-is-long-enough'",
    )


def test_a_ledger_on_a_disk_that_cannot_be_written(docker: Engine) -> None:
    ask = "from worker.ledger import open_ledger; open_ledger('sqlite:////data/upcast-ledger.db')"
    main = f"import worker.cli; worker.cli.app = lambda **_: exec({ask!r}); worker.cli.main()"
    code, output = ended(docker, *AS_NOBODY, "--entrypoint", "python", IMAGE, "-c", main)
    assert code == 2
    assert output == (
        "upcast: ledger: /data/upcast-ledger.db cannot be opened or made: make its folder writable, or set ledger.url "
        "(UPC1502)"
    )


# The installation.


def status(docker: Engine) -> dict[str, Any]:
    code, body = docker.get(f"{WORKER}/v2/status")
    return dict(json.loads(body)) if code == 200 else {}


def metric(docker: Engine, name: str) -> float:
    lines = docker.get(f"{WORKER}/metrics")[1].splitlines()
    return sum(float(line.split()[-1]) for line in lines if re.match(rf"{name}[{{ ]", line))


def alerts(docker: Engine) -> dict[str, str]:
    code, body = docker.get(f"{PROMETHEUS}/api/v1/alerts")
    found = json.loads(body)["data"]["alerts"] if code == 200 else []
    return {each["labels"]["alertname"]: each["state"] for each in found}


def test_up_from_the_root_shows_the_whole_thing(docker: Engine, installation: Path) -> None:
    do(docker, installation, "docker compose up -d")
    until(lambda: docker.get(f"{WORKER}/readyz")[0] == 200, "the worker is ready")
    assert '"level": "error"' not in do(docker, installation, "docker compose logs worker")
    assert do(docker, installation, "curl -s localhost:8090/v2/status").count('"state":"running"') == 1 + 6
    assert do(docker, installation, "curl -s localhost:9090/api/v1/alerts").startswith('{"status":"success"')
    until(lambda: metric(docker, "upcaster_records_consumed_total") >= 300, "300 records are upcast")
    values = docker.compose(installation, "exec", "-T", "worker", "python", "-c", READ_SOME)
    read = [value for value in json.loads(values.splitlines()[-1]) if value is not None]
    assert len(read) > 50
    assert all("task_id" in value["metadata"] and "taskId" not in value["metadata"] for value in read)
    assert metric(docker, "upcaster_records_dead_lettered_total") == 0


def test_the_health_check_says_healthy(docker: Engine, installation: Path) -> None:
    name = docker.compose(installation, "ps", "-q", "worker").strip()
    until(lambda: docker.inspect(name)["State"]["Health"]["Status"] == "healthy", "the container is healthy")
    assert docker.inspect(name)["HostConfig"]["ReadonlyRootfs"] is True


def test_prometheus_scrapes_it_and_nothing_is_wrong(docker: Engine) -> None:
    def up() -> bool:
        code, body = docker.get(f"{PROMETHEUS}/api/v1/query?query=up")
        found = json.loads(body)["data"]["result"] if code == 200 else []
        return [each["value"][1] for each in found if each["metric"]["job"] == "upcast"] == ["1"]

    until(up, "Prometheus has scraped the worker")
    rules = json.loads(docker.get(f"{PROMETHEUS}/api/v1/rules")[1])["data"]["groups"]
    assert {rule["health"] for group in rules for rule in group["rules"]} == {"ok"}
    assert alerts(docker) == {}


def test_grafana_shows_the_dashboard(docker: Engine, installation: Path) -> None:
    line = "docker compose --profile grafana up -d"
    try:
        do(docker, installation, line)
    except AssertionError as error:
        pytest.skip(f"{line}: {str(error).splitlines()[-1][:120]}")
    board = f"{GRAFANA}/api/dashboards/uid/upcast-worker"
    until(lambda: docker.get(board)[0] == 200, "Grafana has the dashboard")
    assert json.loads(docker.get(board)[1])["dashboard"]["title"] == "Upcast worker"
    query = f"{GRAFANA}/api/datasources/proxy/uid/prometheus/api/v1/query?query=up"
    assert json.loads(docker.get(query)[1])["status"] == "success"
    docker.compose(installation, "--profile", "grafana", "rm", "-fs", "grafana")


def test_the_image_alone(docker: Engine, installation: Path) -> None:
    """Beside Compose's worker, as a second member of its group."""
    lines = [line for line in DOCUMENTED if line.startswith("docker ") and not line.startswith("docker compose")]
    _, check, run, logs, stop, remove = lines
    do(docker, installation, check)
    do(docker, installation, run)
    until(lambda: docker.get("http://localhost:8095/readyz")[0] == 200, "the second worker has partitions")
    assert "running" in do(docker, installation, logs)
    do(docker, installation, stop)
    assert docker.inspect("upcast")["State"]["ExitCode"] == 0
    do(docker, installation, remove)


def test_a_replay(docker: Engine, installation: Path) -> None:
    lines = [line for line in DOCUMENTED if "/data/plan.json" in line or "/data/receipt.json" in line]
    plan, replay, verify = (line for line in lines if line.startswith("docker compose"))
    do(docker, installation, plan)
    assert "finished" in do(docker, installation, replay)
    # The live worker has written the same, which is all that is wrong with it.
    *findings, verdict, _ = do(docker, installation, verify).strip().splitlines()
    assert re.match(r"FAIL: replay \w+: [1-9][\d,]* source records, ", verdict)
    assert findings
    assert [line for line in findings if not line.startswith("doubled by another pass: ")] == []


def test_a_poison_burst_fires_the_alert_and_mending_it_clears_it(
    docker: Engine, installation: Path, remarks: list[str]
) -> None:
    do(docker, installation, "docker compose run --rm producer --poison 900")
    started = time.monotonic()
    until(lambda: alerts(docker).get("UpcastBreakerOpen") == "firing", "the breaker's alert fires")
    fired = time.monotonic() - started
    assert alerts(docker).get("UpcastDeadLetters") == "firing"
    assert "breaker-open" in do(docker, installation, "curl -s localhost:8090/readyz")
    assert docker.get(f"{WORKER}/livez")[0] == 200
    started = time.monotonic()
    do(docker, installation, "docker compose restart worker")
    until(lambda: docker.get(f"{WORKER}/readyz")[0] == 200, "the worker is ready again")
    until(lambda: "UpcastBreakerOpen" not in alerts(docker), "the breaker's alert clears")
    cleared = time.monotonic() - started
    remarks.append(
        f"poison burst: alerts fired after {fired:.0f} s, the breaker's cleared {cleared:.0f} s after the restart"
    )


def test_brokers_that_go_away_and_come_back(docker: Engine, installation: Path, remarks: list[str]) -> None:
    """With nothing to do, too: no fetch that fails would tell."""
    docker.compose(installation, "stop", "producer", "kafka")
    started = time.monotonic()
    until(lambda: "the brokers have not answered" in docker.get(f"{WORKER}/readyz")[1], "the worker says it")
    told = time.monotonic() - started
    assert docker.get(f"{WORKER}/livez")[0] == 200
    assert metric(docker, "upcaster_errors_total") > 5, "else UpcastErrors would not fire"
    docker.compose(installation, "start", "kafka", "producer")
    started = time.monotonic()
    until(lambda: docker.get(f"{WORKER}/readyz")[0] == 200, "the worker is ready again")
    remarks.append(f"brokers away: told after {told:.0f} s, ready {time.monotonic() - started:.0f} s after their start")


def test_the_guides_upgrade(docker: Engine, installation: Path, source: Path, remarks: list[str]) -> None:
    """Section 10.2, line by line, with a new release to upgrade to."""
    before = sum(lane["committed"] for lane in status(docker)["routes"][0]["lanes"])
    release_of_tomorrow(source)

    # 1. Backup current system
    do(docker, installation, "docker compose down")
    do(docker, installation, "cp -R data/ backup/")
    # 2. Pull latest version
    do(docker, installation, "git pull origin main")
    try:
        do(docker, installation, "docker compose pull")
    except AssertionError as error:
        remarks.append(f"upgrade: `pull` was not tried to the end: {str(error).splitlines()[-1][:120]}")
    # 3. Apply migrations
    if (installation / "alembic.ini").exists():
        alembic = ROOT / ".venv" / "bin" / "alembic"
        subprocess.run([str(alembic), "upgrade", "head"], cwd=installation, check=True)
    # 4. Restart services
    do(docker, installation, "docker compose up -d")

    until(lambda: docker.get(f"{WORKER}/readyz")[0] == 200, "the worker is ready")
    assert status(docker)["version"] == "9.9.9"

    def gone_on() -> bool:
        lanes = status(docker)["routes"][0]["lanes"]
        return all(lane["committed"] for lane in lanes) and sum(lane["committed"] for lane in lanes) > before

    until(gone_on, "it goes on where it was")
    assert (installation / "backup" / "kafka").is_dir()


def release_of_tomorrow(source: Path) -> None:
    for name in ("pyproject.toml", "deploy/compose.yaml", "deploy/Dockerfile"):
        text = (source / name).read_text()
        assert VERSION in text, name
        (source / name).write_text(text.replace(VERSION, "9.9.9"))
    commit(source, "9.9.9")


def test_down_leaves_in_order(docker: Engine, installation: Path) -> None:
    worker = docker.compose(installation, "ps", "-q", "worker").strip()
    started = time.monotonic()
    docker.compose(installation, "stop", "worker")
    assert time.monotonic() - started < 12
    assert docker.inspect(worker)["State"]["ExitCode"] == 0


def test_nothing_of_the_page_was_left_out() -> None:
    elsewhere = ("kubectl ", "helm ", "promtool ", "make ")
    assert {line for line in DOCUMENTED if line and not line.startswith(elsewhere)} == done
