"""Brings up one file: what comes out of it, and its account, which says that the file is done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pyarrow import fs

from upcasters import Chain
from worker.archive.counting import Counts
from worker.archive.outputs import OURS, PARTS, writing
from worker.archive.sources import open_folder
from worker.archive.tasks import OnShare, Results, Task
from worker.errors import WorkerError

ACCOUNTS = f"{OURS}/accounts"


@dataclass(frozen=True)
class Upcasting(Task):
    """Writes the file's outputs, then its account. Done again it writes the same."""

    run_id: str = ""

    def do(self, number: int, chain: Chain, on_share: OnShare) -> Mapping[str, Any]:
        """The account: what became of the rows."""
        source = self.unchanged(number)
        path, prefix = self.files[number].path, self.work.prefix
        results = Results(self.work, chain, source, path)
        counts = Counts(self.work.columns.value, prefix)
        layout = source.layout(self.work.columns)
        with writing(self.work.destination, path, results.schema, prefix, layout) as outputs:
            for _, made in results.batches():
                outputs.add(made)
                counts.add(made)
                on_share(source.share)
            # What was written is of the file that was planned only where nobody has changed it meanwhile.
            self.unchanged(number)
        account = counts.outcomes().model_dump(mode="json")
        Accounts(self.work.destination, self.run_id).write(number, account)
        return account


class Accounts:
    """What of a run is done, in the destination itself, so that a run that was ended goes on where it was."""

    def __init__(self, destination: str, run_id: str) -> None:
        self._folder = open_folder(destination)
        self._destination = destination
        self._run_id = run_id

    def begin(self, beginning: Mapping[str, Any]) -> Mapping[str, Any]:
        """Say whose run the destination is; returns what was said when the run first began.

        Raises WorkerError where the destination holds anything of somebody else's.
        """
        held = self._read(f"{OURS}/run.json")
        if held is not None and held.get("run_id") == self._run_id:
            return held
        if held is not None:
            raise WorkerError(
                f"{self._destination}: holds run {held.get('run_id')} of another plan: give `upcast archive plan` "
                "another --to",
                code="UPC1953",
            )
        self._refuse_others()
        self._write(f"{OURS}/run.json", {"run_id": self._run_id, **beginning})
        return beginning

    def done(self, files: int) -> dict[int, dict[str, Any]]:
        """The accounts that are there, by the file's number."""
        found = {number: self._read(self._place(number)) for number in range(files)}
        return {
            number: account["counts"]
            for number, account in found.items()
            if account is not None and account.get("run_id") == self._run_id
        }

    def write(self, number: int, account: Mapping[str, Any]) -> None:
        self._write(self._place(number), {"run_id": self._run_id, "counts": dict(account)})

    def keep_receipt(self, receipt: Mapping[str, Any]) -> None:
        """The run is finished: its receipt takes the place of all accounts and of what was left behind."""
        self._write(f"{OURS}/receipt.json", receipt)
        for left in (ACCOUNTS, PARTS):
            with suppress(OSError):
                self._folder.delete_dir(left)

    def receipt(self) -> dict[str, Any] | None:
        """The receipt of a run that is finished."""
        return self._read(f"{OURS}/receipt.json")

    def _place(self, number: int) -> str:
        return f"{ACCOUNTS}/{number:06}.json"

    def _refuse_others(self) -> None:
        found = self._folder.get_file_info(fs.FileSelector("", recursive=False, allow_not_found=True))
        if found:
            raise WorkerError(
                f"{self._destination}: is not empty, it holds {found[0].base_name}: give `upcast archive plan` a --to "
                "that is not there yet",
                code="UPC1953",
            )

    def _read(self, place: str) -> dict[str, Any] | None:
        try:
            with self._folder.open_input_stream(place) as stream:
                found: dict[str, Any] = json.loads(stream.read())
                return found
        except (FileNotFoundError, ValueError):
            return None

    def _write(self, place: str, content: Mapping[str, Any]) -> None:
        try:
            self._folder.create_dir(place.rpartition("/")[0], recursive=True)
            with self._folder.open_output_stream(f"{place}.part") as stream:
                stream.write(json.dumps(content, indent=1).encode())
            self._folder.move(f"{place}.part", place)
        except OSError as error:
            raise WorkerError(f"{self._destination}: cannot be written: {error}", code="UPC1953") from None
