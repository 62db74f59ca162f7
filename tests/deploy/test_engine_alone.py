"""The engine by itself: its wheel and what it asks for, in an environment that has nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.deploy import ROOT
from tests.deploy.test_wheel import build

pytestmark = pytest.mark.long

CHAIN = """
from pydantic import BaseModel, ConfigDict

from upcasters import Baseline, Chain, Step, default, present, rename


class Order(BaseModel):
    model_config = ConfigDict(extra="allow")
    customer_id: int
    currency: str = "EUR"


class FirstOrder(BaseModel):
    model_config = ConfigDict(extra="allow")
    custId: int


step = Step("order", "1", "2", [rename("custId", "customer_id"), default("currency", "EUR")], model=Order)
chain = Chain([step], [Baseline("order", "1", model=FirstOrder, shape=present("custId"))])
"""
EVENT = '{"custId": 7, "total": 1.10}'
# What `pip install upcast-worker` brings, and a service that has the engine must not get.
WORKERS = [
    "worker",
    "upcast_demo",
    "aiokafka",
    "alembic",
    "fastapi",
    "pydantic_settings",
    "sqlalchemy",
    "structlog",
    "uvicorn",
]


class Environment:
    """A virtual environment without pip; packages are taken from the one that the tests run in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder)
        self.python = folder / "bin" / "python"
        [self.site] = folder.glob("lib/python*/site-packages")

    def install(self, wheel: Path) -> None:
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "--disable-pip-version-check", "install"]
        subprocess.run([*pip, "--quiet", "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)

    def bring(self, requirements: list[str], extra: str = "", seen: set[str] | None = None) -> None:
        """Copy what is asked for, and what that asks for."""
        seen = set() if seen is None else seen
        for text in requirements:
            asked = Requirement(text)
            if asked.marker is not None and not asked.marker.evaluate({"extra": extra}):
                continue
            found = distribution(asked.name)
            assert asked.specifier.contains(found.version, prereleases=True), text
            if asked.name not in seen:
                seen.add(asked.name)
                self._copy(found)
                self.bring(found.requires or [], seen=seen)

    def _copy(self, found: Distribution) -> None:
        for file in found.files or []:
            source, target = Path(str(found.locate_file(file))), self.site / file
            if ".." not in file.parts and source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)

    def run(self, folder: Path, *command: str, given: str = "", fails: bool = False) -> str:
        """What a program of the environment prints."""
        program, *arguments = command
        done = subprocess.run(
            [str(self.folder / "bin" / program), *arguments],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "NO_COLOR": "1", "COLUMNS": "200"},
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT / "engine", tmp_path_factory.mktemp("engine") / "wheel")


@pytest.fixture(scope="module")
def engine(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return installed(wheel, tmp_path_factory.mktemp("installed"))


def installed(wheel: Path, folder: Path) -> Environment:
    made = Environment(folder / "venv")
    made.install(wheel)
    made.bring(asked_for())
    return made


def asked_for() -> list[str]:
    return distribution("upcast-engine").requires or []


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    (tmp_path / "orders.py").write_text(CHAIN, encoding="utf-8")
    return tmp_path


def test_a_service_upcasts_events(engine: Environment, orders: Path) -> None:
    program = (
        "from upcasters import Event, load_chain\n"
        f"event = Event({EVENT.encode()!r})\n"
        "print(load_chain('orders:chain').upcaster().upcast(event).output(event)[0].value.decode())"
    )
    assert json.loads(engine.run(orders, "python", "-c", program))["customer_id"] == 7


def test_an_author_has_all_commands_for_a_chain(engine: Environment, orders: Path) -> None:
    chain = ("--chain", "orders:chain")
    assert engine.run(orders, "upcast", "--version").startswith("upcast ")
    assert "ok: orders:chain" in engine.run(orders, "upcast", "check", *chain)
    tried = json.loads(engine.run(orders, "upcast", "try", *chain, "--json", given=EVENT))
    assert tried[0]["records"][0]["value"] == {"customer_id": 7, "total": 1.10, "currency": "EUR"}
    assert "order" in engine.run(orders, "upcast", "show", *chain)
    assert "order" in engine.run(orders, "upcast", "matrix", *chain, "--markdown")
    assert "order" in engine.run(orders, "upcast", "history", *chain)
    engine.run(orders, "upcast", "lock", *chain)
    assert "customer_id" in engine.run(orders, "upcast", "show", *chain, "--code")
    assert "UPC3012" in engine.run(orders, "upcast", "explain", "MissingField")
    assert "cannot be imported" in engine.run(orders, "upcast", "check", "--chain", "none:chain", fails=True)


def test_nothing_of_the_worker_comes_with_it(engine: Environment, orders: Path) -> None:
    found = f"import importlib.util; print([name for name in {WORKERS} if importlib.util.find_spec(name)])"
    assert engine.run(orders, "python", "-c", found).strip() == "[]"
    assert "No such command 'run'" in engine.run(orders, "upcast", "run", fails=True)


def test_laws_ask_for_their_extra_and_then_work(engine: Environment, orders: Path) -> None:
    told = engine.run(orders, "upcast", "check", "--chain", "orders:chain", "--laws", fails=True)
    assert "pip install 'hypothesis" in told
    engine.bring(asked_for(), "testing")
    assert "0 wrong" in engine.run(orders, "upcast", "check", "--chain", "orders:chain", "--laws")
    engine.run(orders, "upcast", "new", "first version", "--type", "bill", "--dir", "bills")
    assert "0 wrong" in engine.run(orders, "upcast", "check", "--chain", "bills:chain", "--laws")
    assert " passed" in engine.run(orders, "python", "-m", "pytest", "-q", "--upcast-chain", "orders:chain")


def test_the_worker_adds_its_commands_to_it(wheel: Path, orders: Path, tmp_path: Path) -> None:
    both = installed(wheel, tmp_path)
    assert "census" not in both.run(orders, "upcast", "--help")
    both.install(build("wheel", ROOT, tmp_path / "worker"))
    assert "census" in both.run(orders, "upcast", "--help")
    assert "ok: orders:chain" in both.run(orders, "upcast", "check", "--chain", "orders:chain")
