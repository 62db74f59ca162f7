"""Mermaid's script, which draws the diagrams: taken from its npm package, and only if it is the one we know."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

VERSION = "12.3.0"
"""Zensical's own script is written for this major version."""

SHA512 = (
    "e35d774dd5de2c0b0caee27bf4ea452f93bcf8b4c55e142a676eb4ac5ded8149"
    "a2340b519b852e99ed3823eeb93d137ac99ebd2787fcad56165bccd193ae5463"
)
"""Of the package."""

PACKAGE = Path(sys.prefix) / f"mermaid-{VERSION}.tgz"
FILES = {"package/dist/mermaid.min.js": "mermaid.min.js", "package/LICENSE": "mermaid.LICENSE.txt"}


def fetch() -> None:
    """Bring the package, if it is not there; raises SystemExit where npm is missing, fails, or gives another one."""
    if not PACKAGE.exists():
        _pack()
    found = hashlib.sha512(PACKAGE.read_bytes()).hexdigest()
    if found != SHA512:
        PACKAGE.unlink()
        raise SystemExit(f"mermaid@{VERSION} is not the package that website/mermaid.py names; its SHA-512 is {found}.")


def _pack() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is missing, which brings the script of the diagrams: install Node.js.")
    pack = [npm, "pack", "--silent", f"mermaid@{VERSION}"]
    if subprocess.run(pack, cwd=PACKAGE.parent, stdout=subprocess.DEVNULL, check=False).returncode != 0:
        raise SystemExit(f"npm could not fetch mermaid@{VERSION}, which draws the diagrams: try again with a network.")


def put_into(folder: Path) -> None:
    """Put the script and its licence into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(PACKAGE) as package:
        for name, target in FILES.items():
            (folder / target).write_bytes(_read(package, name))


def _read(package: tarfile.TarFile, name: str) -> bytes:
    file = package.extractfile(name)
    if file is None:
        raise ValueError(f"{PACKAGE} holds {name} as something else than a file")
    return file.read()


if __name__ == "__main__":
    fetch()
