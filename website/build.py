"""Builds the site and says what is wrong with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from website import HTML, SOURCE, built, configuration, mermaid, reference, sources

ZENSICAL = str(Path(sys.executable).with_name("zensical"))


def build(folder: Path, address: str = "") -> list[str]:
    """Build the site in a folder; what comes out is a line for each fault: none, and it may be published.

    ``address`` is where the site will be. Only its page for what is not found needs that.
    """
    shutil.rmtree(folder / HTML, ignore_errors=True)
    sources.lay_out(folder / SOURCE)
    reference.write(folder / SOURCE / "reference")
    shutil.copytree(mermaid.FOLDER, folder / SOURCE / "assets", dirs_exist_ok=True)
    configuration.write(folder, address)
    return run(folder) or built.faults(folder / HTML, urlsplit(address).path or "/")


def run(folder: Path) -> list[str]:
    """What Zensical warns of, and the last line of its traceback; nothing where it has built the site."""
    command = [ZENSICAL, "build", "--strict", "--clean"]
    environment = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return []
    told, _, traceback = f"{done.stdout}{done.stderr}".partition("Traceback")
    return [*told.splitlines(), *traceback.splitlines()[-1:]]
