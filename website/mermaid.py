"""Mermaid's script, which draws the diagrams: taken from its npm package, and only if it is the one we know."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "12.3.0"
"""Zensical's own script is written for this major version."""

SHA512 = (
    "e35d774dd5de2c0b0caee27bf4ea452f93bcf8b4c55e142a676eb4ac5ded8149"
    "a2340b519b852e99ed3823eeb93d137ac99ebd2787fcad56165bccd193ae5463"
)
"""Of the package."""

FOLDER = Path(sys.prefix) / f"mermaid-{VERSION}"
"""Where its script and licence are kept, for each build of the site."""

FILES = {"package/dist/mermaid.min.js": "mermaid.min.js", "package/LICENSE": "mermaid.LICENSE.txt"}


def fetch() -> None:
    """Bring what is not there yet; raises SystemExit where npm is missing, fails, or gives another package."""
    if not FOLDER.exists():
        with tempfile.TemporaryDirectory(dir=sys.prefix) as folder:
            _unpack(_packed(Path(folder)), Path(folder) / "files")
            (Path(folder) / "files").rename(FOLDER)


def _packed(folder: Path) -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is missing, which brings the script of the diagrams: install Node.js.")
    pack = [npm, "pack", "--silent", f"mermaid@{VERSION}"]
    if subprocess.run(pack, cwd=folder, stdout=subprocess.DEVNULL, check=False).returncode != 0:
        raise SystemExit(f"npm could not fetch mermaid@{VERSION}, which draws the diagrams: try again with a network.")
    package = (folder / f"mermaid-{VERSION}.tgz").read_bytes()
    found = hashlib.sha512(package).hexdigest()
    if found != SHA512:
        raise SystemExit(f"mermaid@{VERSION} is not the package that website/mermaid.py names; its SHA-512 is {found}.")
    return package


def _unpack(package: bytes, folder: Path) -> None:
    folder.mkdir()
    with tarfile.open(fileobj=io.BytesIO(package)) as files:
        for name, target in FILES.items():
            member = files.extractfile(name)
            if member is not None:
                (folder / target).write_bytes(member.read())


if __name__ == "__main__":
    fetch()
