"""Which files of a table of Iceberg hold its rows now: its metadata says so, and nothing else in its folder does.

It is read where files alone are all of the table: no rows of them are deleted, and all have its columns of today.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pyarrow import fs

from worker.archive.avro import read_records
from worker.archive.tables import NotFilesAloneError, read_bytes

METADATA = "metadata"
HINT = f"{METADATA}/version-hint.text"
DELETED = 2
"""Of an entry of a manifest: the file is not the table's any more."""

OLD = "of format 1, whose metadata does not say all that has to be known"


def live_files(folder: fs.FileSystem) -> Iterator[str]:
    """Paths of the current snapshot's files, below the table's folder. Raises NotFilesAloneError."""
    if folder.get_file_info(HINT).type != fs.FileType.File:
        raise NotFilesAloneError("without version-hint.text, so that its catalog alone knows its current snapshot")
    version = read_bytes(folder, HINT).decode().strip()
    if "/" in version:
        raise NotFilesAloneError(f"whose {HINT} names no version")
    table = json.loads(read_bytes(folder, f"{METADATA}/v{version}.metadata.json"))
    _refuse_other_columns(table)
    current = table.get("current-snapshot-id")
    for snapshot in table.get("snapshots", ()):
        if snapshot["snapshot-id"] == current:
            yield from _files_of(folder, table["location"], snapshot)


def _files_of(folder: fs.FileSystem, location: str, snapshot: Mapping[str, Any]) -> Iterator[str]:
    if "manifest-list" not in snapshot:
        raise NotFilesAloneError(OLD)
    for manifest in _records(folder, _below(location, snapshot["manifest-list"])):
        entries = _records(folder, _below(location, manifest["manifest_path"]))
        live = [entry["data_file"] for entry in entries if entry["status"] != DELETED]
        if manifest.get("content") and live:
            raise NotFilesAloneError("of which rows are deleted beside its files (a rewrite puts an end to that)")
        for file in live:
            yield _below(location, file["file_path"])


def _refuse_other_columns(table: Mapping[str, Any]) -> None:
    """A file keeps the columns that the table had when it was written."""
    if "schemas" not in table:
        raise NotFilesAloneError(OLD)
    if len({json.dumps(each["fields"], sort_keys=True) for each in table["schemas"]}) > 1:
        raise NotFilesAloneError("whose columns have changed, so that its files have others than it")


def _below(location: str, place: str) -> str:
    """A path below the table's folder, of the full one that metadata has."""
    start, full = _path(location).rstrip("/") + "/", _path(place)
    if not full.startswith(start) or ".." in full.split("/"):
        raise NotFilesAloneError(f"with a file outside of its folder, {place}")
    return full.removeprefix(start)


def _path(place: str) -> str:
    """Without the scheme of a local file, which some writers leave out."""
    return "/" + place.removeprefix("file:").lstrip("/") if place.startswith(("file:", "/")) else place


def _records(folder: fs.FileSystem, path: str) -> list[Any]:
    with folder.open_input_file(path) as stream:
        return list(read_records(stream))
