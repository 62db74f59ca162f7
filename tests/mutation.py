"""A mutation run over the engine's changing parts: ``make mutation``. Figures and survivors: docs/mutation.md.

Works on a copy in ``build/mutation``. Made-up inputs are cut to a few and to the same ones each time, tests of speed
and size are left out, and of all mutants every n-th is tried: a sample that is the same each time.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
COPY = ROOT / "build" / "mutation"
MUTATED = ["operations/*", "compile/*", "detect.py", "short_cut.py"]
SLOW = ["ten_times", "thousand", "costs", "megabyte", "twenty", "deep", "every_process", "more_layouts", "test_speed"]
ELSEWHERE = ["validation", "cli", "laws", "alarms", "goldens", "several_layouts", "names_its_line"]
KILLED, SURVIVED = (1, 3), (0,)

CONFIG = f"""
[tool.mutmut]
source_paths = ["upcasters"]
only_mutate = {json.dumps([f"upcasters/{pattern}" for pattern in MUTATED])}
also_copy = ["worker", "upcast_authoring", "upcast_demo", "upcast_pytest.py", "README.md"]
pytest_add_cli_args_test_selection = ["tests/unit/upcasters", "tests/example_chains"]
pytest_add_cli_args = ["-p", "no:randomly", "-p", "no:cacheprovider", "-k", "not {" and not ".join(SLOW + ELSEWHERE)}"]
"""

FEW_EXAMPLES = """
from hypothesis import HealthCheck, settings

checks = list(HealthCheck)
settings.register_profile("few", derandomize=True, database=None, deadline=None, suppress_health_check=checks)
settings.load_profile("few")
"""


def main() -> int:
    """Prepare the copy, run the sample, print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=8, help="try every n-th mutant (1: all, well over an hour)")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    prepare()
    mutmut("upcasters.compile.hops.x__may_end*", jobs=options.jobs)  # makes all mutants, runs these
    mutmut(*sorted(made())[:: options.every], jobs=options.jobs)
    return report()


def prepare() -> None:
    shutil.rmtree(COPY, ignore_errors=True)
    COPY.mkdir(parents=True)
    for name in ("upcasters", "upcast_authoring", "worker", "upcast_demo", "tests"):
        shutil.copytree(ROOT / name, COPY / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("upcast_pytest.py", "README.md"):
        shutil.copy(ROOT / name, COPY)
    (COPY / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + CONFIG)
    (COPY / "tests" / "unit" / "upcasters" / "conftest.py").write_text(FEW_EXAMPLES)
    for file in (COPY / "tests" / "unit" / "upcasters").rglob("*.py"):
        text = re.sub(r"max_examples=\d+", "max_examples=25", file.read_text())
        text = re.sub(r"^EXAMPLES = \d+", "EXAMPLES = 80", text, flags=re.MULTILINE)
        file.write_text(re.sub(r'\.share\("[a-z ]*"\) > .*', ".seen", text))  # shares of so few say nothing


def mutmut(*names: str, jobs: int) -> None:
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(jobs), *names]
    subprocess.run(command, cwd=COPY, check=False)  # what it says of survivors is told by the report


def made() -> Iterator[str]:
    for _, results in _metas():
        yield from results


def _metas() -> Iterator[tuple[str, dict[str, int | None]]]:
    folder = COPY / "mutants" / "upcasters"
    for file in sorted(folder.rglob("*.meta")):
        yield (
            file.relative_to(folder).as_posix().removesuffix(".meta"),
            json.loads(file.read_text())["exit_code_by_key"],
        )


def report() -> int:
    survivors, tried_at_all = [], 0
    for file, results in _metas():
        tried = {name: code for name, code in results.items() if code is not None}
        tried_at_all += len(tried)
        verdicts = Counter(
            "killed" if code in KILLED else "survived" if code in SURVIVED else "other" for code in tried.values()
        )
        survivors += [name for name, code in tried.items() if code in SURVIVED]
        print(f"{file:24} {len(results):5} made {len(tried):4} tried {dict(verdicts)}")
    print("\n".join(survivors))
    return 0 if tried_at_all else 1  # then mutmut has said above what kept it from trying


if __name__ == "__main__":
    sys.exit(main())
