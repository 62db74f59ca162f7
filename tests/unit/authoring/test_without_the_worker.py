"""The author's commands work where nothing is installed that only the worker needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WORKERS_OWN = (
    "aiokafka",
    "alembic",
    "cramjam",
    "fastapi",
    "google_crc32c",
    "prometheus_client",
    "pydantic_settings",
    "sqlalchemy",
    "stamina",
    "structlog",
    "uvicorn",
    "uvloop",
)
CHAIN = """
from upcasters import Baseline, Chain, Step, default, present, rename

chain = Chain(
    [Step("order", "1", "2", [rename("custId", "customer_id"), default("currency", "EUR")])],
    [Baseline("order", "1", shape=present("custId"))],
)
"""
PROGRAM = f"""
import sys
sys.modules.update(dict.fromkeys({WORKERS_OWN}))
sys.path.insert(0, ".")
from typer.testing import CliRunner
from upcast_authoring.cli.commands import make_app

for arguments in (
    ["check", "--chain", "orders:chain"],
    ["check", "--chain", "orders:chain", "--laws"],
    ["show", "--chain", "orders:chain"],
    ["show", "--chain", "orders:chain", "--code"],
    ["history", "--chain", "orders:chain"],
    ["matrix", "--chain", "orders:chain"],
    ["try", "--chain", "orders:chain"],
    ["lock", "--chain", "orders:chain"],
    ["new", "orders begin", "--type", "order", "--dir", "events"],
):
    done = CliRunner().invoke(make_app(), arguments, input='{{"custId": 7}}')
    print(arguments, done.exit_code, done.output[-500:] if done.exit_code else "", done.exception or "")
own = ("worker", "upcast_demo")
print([name for name in own if name in sys.modules])
"""


@pytest.mark.long
def test_an_author_needs_no_kafka_no_settings_and_no_database(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text(CHAIN, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    *ran, ours = done.stdout.splitlines() or [done.stderr]
    assert [line for line in ran if "] 0 " not in line] == []
    assert len(ran) == 9, done.stderr
    assert ours == "[]"
