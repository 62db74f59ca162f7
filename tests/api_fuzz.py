"""`make fuzz WHAT=api`: schemathesis, at length, over both OpenAPI documents. Exit code 1 where it finds something."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.served_api import AUTHORISED, FakeWorker, served
from worker.api.limits import STREAMS

COMMAND = str(Path(sys.executable).with_name("schemathesis"))


def fuzz(address: str, version: str, examples: str) -> int:
    url = f"http://{address}/{version}/openapi.json"
    headers = [f"--header={name}: {value}" for name, value in AUTHORISED.items()]
    excluded = [f"--exclude-path={path}" for path in STREAMS]
    # The token goes with every request here; that changes need it is tested elsewhere.
    excluded.append("--exclude-checks=ignored_auth")
    options = [f"--max-examples={examples}", "--request-timeout=20", "--generation-deterministic"]
    return subprocess.run([COMMAND, "run", url, *headers, *excluded, *options], check=False).returncode


def main(examples: str = "200") -> int:
    with served(FakeWorker()) as address:
        return max(fuzz(address, version, examples) for version in ("v1", "v2"))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
