"""The image's health check: it asks the port that the worker was given, however it was given."""

from __future__ import annotations

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from worker.healthcheck import listening_port
from worker.settings import load_settings

BASE = 'kafka: {bootstrap_servers: "b:1", group_id: g}\nroutes: [{source: a, destination: b}]\n'

WAYS = {
    "default": ("", {}),
    "file": ("http: {port: 8123}\n", {}),
    "file of the first format": ("brokers: b:1\ngroup: g\nport: 8123\ninput_topic: a\noutput_topic: b\n", {}),
    "environment beats the file": ("http: {port: 8123}\n", {"UPCAST_HTTP__PORT": "8200"}),
    "the old name beats the file": ("http: {port: 8123}\n", {"DEVTEAM_RUNNER_PORT": "8300"}),
    "the new name beats the old": ("", {"UPCAST_HTTP__PORT": "8200", "DEVTEAM_RUNNER_PORT": "8300"}),
    "a Service of the old name": ("http: {port: 8123}\n", {"DEVTEAM_RUNNER_PORT": "tcp://10.96.0.7:8090"}),
    "the first format": ("port: 8123\n", {}),
    "small letters": ("", {"upcast_http__port": "8200"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_port_is_the_one_that_the_settings_say(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, environment = WAYS[way]
    config = tmp_path / "upcast.yaml"
    config.write_text(text if "brokers" in text else BASE + text)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert listening_port(os.environ, config) == load_settings(config).http.port


def test_without_a_file_it_is_the_default(tmp_path: Path) -> None:
    assert listening_port({}, tmp_path / "none.yaml") == 8090


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_exit_code_is_the_answer(status: int, code: int) -> None:
    class Livez(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/livez" else 404)
            self.end_headers()
            self.wfile.write(b"reasons")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Livez) as server:
        Thread(target=server.handle_request).start()
        assert run_healthcheck(server.server_port) == (code, "reasons")


def test_nobody_there() -> None:
    code, said = run_healthcheck(1)
    assert (code, said.startswith("no worker answers on port 1: ")) == (1, True)


def run_healthcheck(port: int) -> tuple[int, str]:
    command = [sys.executable, "-m", "worker.healthcheck"]
    environment = {**os.environ, "UPCAST_HTTP__PORT": str(port)}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return result.returncode, result.stdout.strip()
