"""`make model`: checks all variants with spin, prints a table, and with --write puts it into docs/protocol/README.md.

Exit code 1 unless what is to hold holds, and what is to be refuted is, for the right reason. Where spin is missing it
says so and ends with 0.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.protocol.variants import DOUBLE, LOSS, STUCK, VARIANTS, ZOMBIE, Variant

FOLDER = Path(__file__).parents[2] / "docs" / "protocol"
MODEL, PAGE = FOLDER / "lane.pml", FOLDER / "README.md"
MEMORY_MB, DEPTH = 3_000, 100_000
AT_ONCE = 2

FOUND = (
    ("invalid end state", STUCK),
    (">=output", DOUBLE),
    ("<=output", LOSS),
    ("owner>=newest", ZOMBIE),
    ("committed==output", "an offset that is not what was done"),
)


@dataclass(frozen=True)
class Result:
    variant: Variant
    states: int
    depth: int
    seconds: float
    found: str

    @property
    def is_right(self) -> bool:
        return self.found == self.variant.breaks

    @property
    def row(self) -> str:
        bounds = f"{self.variant.starts} | {self.variant.losses}"
        told = f"refuted: {self.found}" if self.found else "holds"
        if not self.is_right:
            told += f" (expected: {self.variant.breaks or 'holds'})"
        return f"| {self.variant.name} | {bounds} | {self.states:,} | {self.depth} | {told} | {self.seconds:.0f} s |"


HEAD = "| variant | starts | unanswered | states | depth | result | time |\n|---|--:|--:|--:|--:|---|--:|"


def check(variant: Variant) -> Result:
    """Raises CalledProcessError where the model does not compile, RuntimeError where the checker did not finish."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        for command in (
            ["spin", "-a", *variant.flags, str(MODEL)],
            ["gcc", "-O2", "-DSAFETY", "-DCOLLAPSE", f"-DMEMLIM={MEMORY_MB}", "-o", "pan", "pan.c"],
        ):
            subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        told = subprocess.run(["./pan", f"-m{DEPTH}"], cwd=folder, check=False, capture_output=True, text=True).stdout
    return read(variant, told, time.monotonic() - began)


def read(variant: Variant, told: str, seconds: float) -> Result:
    """What the checker says. An answer that is not of the whole search is none."""
    states = re.search(r"^ *(\d+) states, stored", told, re.MULTILINE)
    depth = re.search(r"depth reached (\d+), errors: (\d+)", told)
    if not states or not depth or "max search depth too small" in told or "out of memory" in told:
        raise RuntimeError(f"{variant.name}: the checker did not finish: {told[-500:]}")
    found = "" if depth[2] == "0" else _fault(told)
    return Result(variant, int(states[1]), int(depth[1]), seconds, found)


def _fault(told: str) -> str:
    line = next((line for line in told.splitlines() if line.startswith("pan:1:")), told[:200])
    return next((fault for sign, fault in FOUND if sign in line), line)


def written(page: str, table: str) -> str:
    return re.sub(
        r"(<!-- model: made by make model -->\n).*?(<!-- end -->)", rf"\g<1>{table}\n\g<2>", page, flags=re.DOTALL
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="renew the table of docs/protocol/README.md")
    given = parser.parse_args()
    if missing := [each for each in ("spin", "gcc") if not shutil.which(each)]:
        print(f"model: skipped, {' and '.join(missing)} missing: apt-get install {' '.join(missing)}")
        return 0
    print(HEAD, flush=True)
    results = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for result in pool.map(check, VARIANTS):
            results.append(result)
            print(result.row, flush=True)
    if given.write:
        table = "\n".join([HEAD, *(each.row for each in results)])
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), table), encoding="utf-8")
    return 0 if all(each.is_right for each in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
