"""A column of documents brought up, beside a bare loop that reads, upcasts and writes in the same batches.

``make bench WHAT=rows``: 100,000 rows of about 1 KB in SQLite, CPU time of one process with the system's part of it,
the two in turn, the median of five; and how much memory the operation takes above the start. Linux only.
"""

from __future__ import annotations

import argparse
import json
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import NullPool, create_engine

from upcasters import Event, Policy, Upcast
from upcasters.devteam_runner import chain
from worker.database import upcast_json_column
from worker.database.rows import BATCH_ROWS

ASKED_TIME = 1.5
ASKED_MEGABYTES = 60


def document(number: int) -> str:
    """About 1 KB."""
    nodes = {f"step{each}": {"status": "completed", "startedAt": f"2025-01-{each + 1:02}"} for each in range(12)}
    nodes["select"] = {"status": "completed", "startedAt": "2025-01-01"}
    metadata = {"taskId": f"1.{number}", "projectId": "customer-123/project-abc", "note": "n" * 100}
    return json.dumps({"metadata": metadata, "nodes": nodes})


def fill(file: Path, rows: int) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE contexts (id INTEGER PRIMARY KEY, document JSON)")
        connection.executemany("INSERT INTO contexts VALUES (?, ?)", ((n, document(n)) for n in range(rows)))
        connection.commit()


def bare(file: Path) -> None:
    """What one would write by hand, and no more: no look at failures, keys or versions."""
    upcaster = chain.upcaster(Policy(target={"task_context": "2.0"}, validate_source="never"))
    with closing(sqlite3.connect(file)) as connection:
        last = -1
        while True:
            read = "SELECT id, document FROM contexts WHERE id > ? ORDER BY id LIMIT ?"
            batch = connection.execute(read, (last, BATCH_ROWS)).fetchall()
            if not batch:
                break
            last = batch[-1][0]
            changed = []
            for key, text in batch:
                outcome = upcaster.upcast(Event(text.encode()))
                assert isinstance(outcome, Upcast)
                changed.append((outcome.value.decode(), key))
            connection.executemany("UPDATE contexts SET document = ? WHERE id = ?", changed)
        connection.commit()


def ours(file: Path) -> None:
    """The operation, as a migration runs it."""
    with create_engine(f"sqlite:///{file}", poolclass=NullPool).connect() as connection:
        context = MigrationContext.configure(connection)
        with context.begin_transaction(_per_migration=True), Operations.context(context) as op:
            upcast_json_column(op, "contexts", "document", chain=chain, event_type="task_context", to="2.0")


WAYS = {"bare loop": bare, "upcast_json_column": ours}


def one(way: str, file: Path) -> tuple[float, float]:
    """Seconds and megabytes above the start, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.rows", "--way", way, "--file", str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, megabytes = done.stdout.split()
    return float(seconds), float(megabytes)


def measure(way: str, file: Path) -> None:
    """Print what one pass takes. The upcaster is compiled before, for both alike."""
    chain.upcaster(Policy())
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak until now
    before = peak_megabytes()
    start = time.process_time()
    WAYS[way](file)
    print(time.process_time() - start, peak_megabytes() - before)


def peak_megabytes() -> float:
    """The process's largest resident memory, as Linux tells it."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--file", type=Path)
    options = parser.parse_args()
    if options.way:
        measure(options.way, options.file)
        return
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.db"
        fill(source, options.rows)
        results: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for number in range(options.repeat):
            for way, found in results.items():
                copy = Path(folder) / f"{way}-{number}.db"
                copy.write_bytes(source.read_bytes())
                found.append(one(way, copy))
                copy.unlink()
    seconds = {way: median(each[0] for each in found) for way, found in results.items()}
    memory = max(each[1] for each in results["upcast_json_column"])
    ratio = median(
        mine[0] / theirs[0] for mine, theirs in zip(results["upcast_json_column"], results["bare loop"], strict=True)
    )
    for way, value in seconds.items():
        print(f"{way:20} {value:6.2f} s  {value / options.rows * 1e6:6.1f} us a row")
    print(f"{'ratio':20} {ratio:6.2f}    asked: at most {ASKED_TIME}")
    print(f"{'memory above start':20} {memory:6.1f} MB asked: at most {ASKED_MEGABYTES}")


if __name__ == "__main__":
    main()
