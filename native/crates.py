"""Compares the crates that cargo has found with those of crates.txt: name, version and sha256 of each.

``python native/crates.py`` exits with 1 and says what differs; ``--write`` writes crates.txt again, with licences;
``--sbom FILE`` adds the crates to a list of components in CycloneDX's form.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
LISTED = FOLDER / "crates.txt"
Crate = tuple[str, str, str]
"""Name, version and sha256."""


def found() -> set[Crate]:
    """What cargo has found, without the two that are written here."""
    packages = tomllib.loads((FOLDER / "Cargo.lock").read_text(encoding="utf-8"))["package"]
    return {(one["name"], one["version"], one["checksum"]) for one in packages if "checksum" in one}


def listed() -> dict[Crate, str]:
    """What crates.txt lists, and the licence of each."""
    lines = (line.split(maxsplit=3) for line in LISTED.read_text(encoding="utf-8").splitlines())
    return {(name, version, digest): licence for name, version, digest, licence in lines}


def write() -> None:
    """Write crates.txt. Asks cargo for the licences."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--manifest-path", str(FOLDER / "Cargo.toml")]
    packages = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["packages"]
    licences = {one["name"]: one["license"] for one in packages}
    lines = [" ".join((*crate, licences[crate[0]])) for crate in sorted(found())]
    LISTED.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def add_to(bom: dict[str, Any]) -> None:
    """Add the crates to a list of components, as what the package upcast-native is made of."""
    references = []
    for (name, version, digest), licence in listed().items():
        reference = f"pkg:cargo/{name}@{version}"
        references.append(reference)
        bom["components"].append(
            {
                "type": "library",
                "bom-ref": reference,
                "name": name,
                "version": version,
                "purl": reference,
                "hashes": [{"alg": "SHA-256", "content": digest}],
                "licenses": [{"expression": licence}],
            }
        )
    bom["dependencies"] += [{"ref": reference} for reference in references]
    native = {one["bom-ref"] for one in bom["components"] if one["name"] == "upcast-native"}
    for one in bom["dependencies"]:
        if one["ref"] in native:
            one["dependsOn"] = references


def main(arguments: list[str]) -> int:
    if "--write" in arguments:
        write()
        return 0
    if "--sbom" in arguments:
        file = Path(arguments[arguments.index("--sbom") + 1])
        bom = json.loads(file.read_text(encoding="utf-8"))
        add_to(bom)
        file.write_text(json.dumps(bom, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        return 0
    differing = found() ^ listed().keys()
    if differing:
        names = ", ".join(sorted({crate[0] for crate in differing}))
        print(f"native/crates.txt has other crates than cargo found: {names}. Pin them in native/Cargo.toml")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
