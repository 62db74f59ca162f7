"""`python -m worker.healthcheck`: whether the worker in the same container is alive. The image's HEALTHCHECK; exit code
0 yes, 1 no.

It is run twice a minute for ever, so it looks only for the port and loads no settings: that alone would cost more than
an idle worker does. The order is that of the settings: environment, file, default.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from worker.http_request import ask_worker
from worker.service_links import is_service_link

TIMEOUT = 4.0
DEFAULT_PORT = 8090


def main() -> int:
    port = listening_port(os.environ, Path(sys.argv[1] if len(sys.argv) > 1 else "upcast.yaml"))
    answer = ask_worker("127.0.0.1", port, "/livez", TIMEOUT)
    # `docker inspect` shows it.
    print(answer.text if answer.status else f"no worker answers on port {port}: {answer.text}")  # noqa: T201  # a command's answer
    return 0 if answer.ok else 1


def listening_port(environment: Mapping[str, str], config: Path) -> int:
    """The port of the worker from environment or file; the default where neither has one."""
    given = {name.upper(): value for name, value in environment.items()}
    older = given.get("DEVTEAM_RUNNER_PORT", "")
    port = given.get("UPCAST_HTTP__PORT") or ("" if is_service_link(older) else older) or _port_in(config)
    return int(port) if port.isdigit() else DEFAULT_PORT


def _port_in(config: Path) -> str:
    import yaml

    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
        # In the first format the port stood at the top.
        return str(content["http"]["port"] if "http" in content else content["port"])
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return ""


if __name__ == "__main__":
    sys.exit(main())
