"""Archives for the tests, and what `upcast archive` makes of them."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from upcasters.arrow import Columns
from worker.archive.files import ArchivePlan, ArchiveReceipt
from worker.archive.planning import PlanWishes, make_plan
from worker.archive.runners import Done, OnFile, Runner, here
from worker.archive.running import RunOptions, run
from worker.archive.tasks import Task, Work
from worker.archive.verifying import ArchiveVerdict, verify
from worker.archive.works import Asked, known_work, new_work
from worker.errors import MAY_PASS, WorkerError

CHAIN = "tests.unit.archive.chains:orders"
HEADERS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
OLD, CURRENT, WRONG = b'{"custId": 7, "total": 1.10}', b'{"customer_id": 7, "currency": "USD"}', b'{"no": 1}'
GONE = b'{"custId": 7, "test": true}'
SPLIT = b'{"kind": "basket", "lines": [{"id": 1}, {"id": 2}]}'
VALUES: tuple[bytes | None, ...] = (OLD, CURRENT, None, WRONG, GONE, SPLIT, OLD)


def records(values: Sequence[bytes | None], partition: int = 0) -> pa.Table:
    """As Spark's Kafka source lays records down."""
    count = len(values)
    return pa.table(
        {
            "key": [b"k%d" % number for number in range(count)],
            "value": pa.array(values, pa.binary()),
            "headers": pa.array([[{"key": "trace", "value": b"1"}]] * count, HEADERS),
            "topic": ["orders"] * count,
            "partition": pa.array([partition] * count, pa.int32()),
            "offset": pa.array(range(count), pa.int64()),
            "timestamp": pa.array([1_700_000_000_000_000] * count, pa.timestamp("us", "UTC")),
            "day": [f"2019-01-{number % 28 + 1:02}" for number in range(count)],
        }
    )


def write_archive(folder: Path) -> Path:
    """One file of each format."""
    archive = folder / "orders"
    (archive / "day=1").mkdir(parents=True)
    pq.write_table(records(VALUES * 10), archive / "day=1" / "0.parquet", row_group_size=16)
    lines = [each for each in VALUES if each not in {None, SPLIT}]
    (archive / "a.jsonl").write_bytes(b"\n".join(filter(None, lines)) + b"\n\n" + OLD)
    with gzip.open(archive / "b.json.gz", "wb") as file:
        file.write(b"\n".join(filter(None, lines)))
    return archive


def planned(archive: Path, to: Path, *, chain: str = CHAIN, allow: bool = True, runner: Runner = here) -> ArchivePlan:
    """A plan; all dead letters in it are allowed."""
    work, made = new_work(Asked(chain=chain), str(archive), str(to), Columns(), "", ())
    plan = make_plan(work, made, PlanWishes(), runner, silent)
    faults = tuple(group.fingerprint for group in plan.dead_letters) if allow else ()
    return plan.model_copy(update={"allowed": faults})


def refuse_plan(archive: Path, to: Path, line: str) -> None:
    """A plan is refused in one line, and leaves nothing behind."""
    with pytest.raises(WorkerError, match=line) as refused:
        planned(archive, to)
    assert "\n" not in str(refused.value)
    assert not to.exists()


def work_of(plan: ArchivePlan) -> Work:
    return known_work(plan.work, None)


def ran(plan: ArchivePlan, receipt: Path, runner: Runner = here) -> ArchiveReceipt:
    return run(plan, work_of(plan), RunOptions(receipt), runner, silent)


def verified(receipt: ArchiveReceipt, every: int = 1) -> ArchiveVerdict:
    return verify(receipt, known_work(receipt.work, None), here, silent, every)


def silent(_done: int, _total: int) -> None:
    """Nobody looks on."""


class Dying:
    """A runner that ends after so many files, in the middle of the next one."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, task: Task, numbers: Sequence[int], on_file: OnFile) -> Iterator[Done]:
        def on_part(_number: int, _share: float) -> None:
            if not self.left:
                raise WorkerError("killed", MAY_PASS)

        for done in here(task, numbers, on_part):
            yield done
            self.left -= 1


def visible(folder: Path) -> dict[str, bytes]:
    """What readers of a folder see, by path."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = {path: path.relative_to(folder).as_posix() for path in files}
    return {name: path.read_bytes() for path, name in names.items() if not name.startswith(("_", "."))}
