"""axe-core, which looks for what keeps people from using a page: from its npm package, and only if it is the one we
know. (What Python packages carry of it is years old.)"""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

VERSION = "4.14.1"
SHA512 = (
    "1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b73"
    "4f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5"
)
"""Of the package."""


def script(folder: Path) -> str:
    """axe's script; ``folder`` is where npm may put the package. Skips where npm is missing or has no network."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is missing, which brings axe-core: install Node.js")
    pack = [npm, "pack", "--silent", f"axe-core@{VERSION}"]
    if subprocess.run(pack, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip(f"npm could not fetch axe-core@{VERSION}")
    package = (folder / f"axe-core-{VERSION}.tgz").read_bytes()
    assert hashlib.sha512(package).hexdigest() == SHA512, "another package than the one that this file names"
    with tarfile.open(fileobj=io.BytesIO(package)) as files:
        member = files.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()
