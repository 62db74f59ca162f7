"""`make docs`: `python -m website build` builds the site and checks it, `serve` shows it as well while it is edited."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from website import ROOT
from website.build import ZENSICAL, build

FOLDER = ROOT / "build" / "website"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m website", description=__doc__)
    parser.add_argument("command", choices=["build", "serve"])
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args(arguments)
    wrong = build(FOLDER, os.environ.get("SITE_URL", ""))
    sys.stdout.write("".join(f"{line}\n" for line in wrong))
    if wrong or given.command == "build":
        return bool(wrong)
    serve = [ZENSICAL, "serve", "--dev-addr", f"127.0.0.1:{given.port}"]
    return subprocess.run(serve, cwd=FOLDER, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(0)
