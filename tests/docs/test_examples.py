"""examples/: the package is built, installed, loaded by name and held to its last release, as its page and CI say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.docs.snippets import ROOT, run, snippets

EXAMPLE = ROOT / "examples" / "orders-chain"
README = (EXAMPLE / "README.md").read_text(encoding="utf-8")
CI = yaml.safe_load((EXAMPLE / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
STEPS: list[str] = [step["run"] for step in CI["jobs"]["chain"]["steps"] if "run" in step]


def copied(folder: Path) -> Path:
    """The example as somebody begins with it."""
    return Path(
        shutil.copytree(EXAMPLE, folder / "orders-chain", ignore=shutil.ignore_patterns("dist", "build", "*.egg-info"))
    )


def said(command: str, folder: Path, path: Path | None = None) -> tuple[int, str]:
    """Exit code and output of a command of `upcast` or git, in a folder."""
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    known = os.pathsep.join(map(str, [ROOT, path or "."]))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": binaries, "PYTHONPATH": known, "COLUMNS": "200", "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def installed(folder: Path) -> Path:
    """The wheel of the package, in a folder of its own."""
    pip = f"{sys.executable} -m pip"
    code, output = said(
        f"{pip} wheel --quiet --no-deps --no-build-isolation --wheel-dir dist . && "
        f"{pip} install --quiet --no-deps --no-index --target site dist/*.whl",
        folder,
    )
    assert code == 0, output
    return folder / "site"


def test_the_wheel_has_all_of_the_chain_and_gives_it_a_name(tmp_path: Path) -> None:
    site, elsewhere = installed(copied(tmp_path)), tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert (site / "orders_chain" / "chain.lock.json").exists()
    code, output = said("upcast check --laws --chain orders", elsewhere, site)
    assert code == 0, output
    assert "1 golden pair, 0 wrong" in output
    shutil.copy(EXAMPLE / "upcast.yaml", elsewhere)
    assert said("upcast check --config upcast.yaml", elsewhere, site)[0] == 0
    code, output = said("upcast check --chain orders", elsewhere)
    assert code == 1
    assert "there is no chain 'orders'" in output


def test_what_the_page_says_happens(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    page = snippets(README)
    new, release, service = [each for each in page if each.language in {"sh", "python"}]
    run(new, folder)
    assert (folder / "orders_chain" / "order_3.py").exists()
    run(release, folder)
    assert [path.name for path in (folder / "dist").iterdir()] == ["orders_chain-2.0.0-py3-none-any.whl"]
    site = installed(copied(tmp_path / "installed"))
    printed = next(each.text for each in page if each.language == "text")
    (tmp_path / "service.py").write_text(service.text, encoding="utf-8")
    assert said("python service.py", tmp_path, site) == (0, printed)


pytestmark = pytest.mark.long
GIT = "git -c user.name=a -c user.email=a@b"


@pytest.mark.parametrize(
    ("change", "code", "why"),
    [
        (("EUR", "EUR"), 0, ""),
        (('"currency", "EUR"', '"currency", "USD"'), 1, "step order 1 -> 2"),
    ],
)
def test_the_ci_holds_a_change_to_the_last_release(
    change: tuple[str, str], code: int, why: str, tmp_path: Path
) -> None:
    folder = copied(tmp_path)
    step = folder / "orders_chain" / "order_2.py"
    before = step.read_text(encoding="utf-8")
    said(f"git init -q && git add -A && {GIT} commit -qm released && git tag v2.0.0", folder)
    step.write_text(before.replace(*change), encoding="utf-8")
    said(f"{GIT} commit -qam changed --allow-empty", folder)

    [compare] = [each for each in STEPS if "--against" in each]
    assert "v2.0.0" in said("git describe --tags --abbrev=0 HEAD^", folder)[1]
    found, output = said(compare, folder)
    assert found == code, output
    assert why in output


def test_the_ci_says_what_the_page_says() -> None:
    assert [each for each in STEPS if "--laws" in each] == ["upcast check --laws --chain orders_chain:chain"]
    root = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    pinned = {step["uses"] for job in root["jobs"].values() for step in job["steps"] if "uses" in step}
    assert {step["uses"] for step in CI["jobs"]["chain"]["steps"] if "uses" in step} <= pinned


def test_the_image_is_made_as_the_guide_makes_one() -> None:
    [guide] = re.findall(
        r"```dockerfile\n(.*?)```", (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8"), re.DOTALL
    )
    ours = (EXAMPLE / "Dockerfile").read_text(encoding="utf-8")
    for line in guide.splitlines():
        if line.startswith(("FROM", "USER")):
            assert line in ours
    assert "pip --python /opt/upcast/bin/python check" in ours
