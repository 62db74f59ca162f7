"""The native extension's crates: pinned, listed with their hashes, and in the list of components."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import DEPLOY, ROOT

NATIVE = ROOT / "native"
LISTED = [line.split(maxsplit=3) for line in (NATIVE / "crates.txt").read_text(encoding="utf-8").splitlines()]


def manifest(name: str) -> Any:
    return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))


def checker(folder: Path) -> Callable[[list[str]], int]:
    """native/crates.py's program, in a folder of its own."""
    for name in ("crates.py", "crates.txt"):
        shutil.copy(NATIVE / name, folder)
    main: Callable[[list[str]], int] = runpy.run_path(str(folder / "crates.py"))["main"]
    return main


def lock(folder: Path, crates: list[list[str]]) -> None:
    """A lock as cargo writes it; what is written here has no checksum there."""
    packages = ['[[package]]\nname = "upcast-reading"\nversion = "0.1.0"\n'] + [
        f'[[package]]\nname = "{name}"\nversion = "{version}"\nchecksum = "{digest}"\n'
        for name, version, digest, _ in crates
    ]
    (folder / "Cargo.lock").write_text("\n".join(packages))


def test_every_crate_is_pinned_as_it_is_listed() -> None:
    cargo = manifest("native/Cargo.toml")
    pinned = {**cargo["dependencies"], **cargo["target"]["cfg(any())"]["dependencies"]}
    versions = {
        name: one["version"] if isinstance(one, dict) else one for name, one in pinned.items() if "path" not in one
    }
    listed = {name: f"={version}" for name, version, *_ in LISTED}
    assert {name: listed[name] for name in versions} == versions
    # PyO3 itself asks for its own parts by their exact versions.
    assert {name for name in listed.keys() - versions.keys() if not name.startswith("pyo3-")} == set()


def test_what_cargo_found_is_held_against_the_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = checker(tmp_path)
    lock(tmp_path, LISTED)
    assert main([]) == 0
    assert capsys.readouterr().out == ""
    name, version, digest, licence = LISTED[0]
    for other in ([name, "9.9.9", digest, licence], [name, version, "0" * 64, licence]):
        lock(tmp_path, [other, *LISTED[1:]])
        assert main([]) == 1
        assert f"other crates than cargo found: {name}." in capsys.readouterr().out
    lock(tmp_path, [*LISTED, ["evil", "1.0.0", "0" * 64, "MIT"]])
    assert main([]) == 1
    assert "evil" in capsys.readouterr().out


def test_the_list_of_components_has_the_crates(tmp_path: Path) -> None:
    main = checker(tmp_path)
    native = {"type": "library", "bom-ref": "upcast-native==0.1.0", "name": "upcast-native", "version": "0.1.0"}
    bom = {"components": [native], "dependencies": [{"ref": "upcast-native==0.1.0"}, {"ref": "msgspec"}]}
    file = tmp_path / "bom.json"
    file.write_text(json.dumps(bom))
    assert main(["--sbom", str(file)]) == 0
    made = json.loads(file.read_text())
    found = {
        (one["name"], one["version"], one["hashes"][0]["content"], one["licenses"][0]["expression"])
        for one in made["components"][1:]
    }
    assert found == set(map(tuple, LISTED))
    depends = {one["ref"]: one.get("dependsOn") for one in made["dependencies"]}
    assert depends.pop("upcast-native==0.1.0") == [f"pkg:cargo/{name}@{version}" for name, version, *_ in LISTED]
    assert depends.pop("msgspec") is None
    assert depends.keys() == {one["purl"] for one in made["components"][1:]}


def test_the_extension_has_the_worker_s_version() -> None:
    version = manifest("pyproject.toml")["project"]["version"]
    assert manifest("native/pyproject.toml")["project"]["version"] == version
    assert manifest("native/Cargo.toml")["package"]["version"] == version
    assert manifest("pyproject.toml")["project"]["optional-dependencies"]["native"] == [f"upcast-native=={version}"]


def test_the_image_s_rust_is_new_enough() -> None:
    (image,) = re.findall(r"^FROM rust:(\d+)\.(\d+)-", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    needed = manifest("native/Cargo.toml")["package"]["rust-version"].split(".")
    assert tuple(map(int, image)) >= tuple(map(int, needed[:2]))
