"""Which files of a table of Delta hold its rows now: its log says so, and nothing else in its folder does.

It is read where files alone are all of the table: none has rows that are deleted beside it, and each has its columns by
their own names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from worker.archive.tables import NotFilesAloneError, read_bytes

LOG = "_delta_log"
COMMIT = re.compile(r"(\d{20})\.json")
CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10}))?\.parquet")
KNOWN = {"columnMapping", "deletionVectors", "timestampNtz", "vacuumProtocolCheck"}
"""Features of readers under which a table's files may still be all of it; the first two are looked at by themselves."""

Action = Mapping[str, Any]


def live_files(folder: fs.FileSystem) -> Iterator[str]:
    """Paths below the table's folder. Raises NotFilesAloneError."""
    live: dict[tuple[str, str], Action] = {}
    told: dict[str, Action] = {}
    for action in _actions(folder):
        for name in ("protocol", "metaData"):
            if action.get(name):
                told[name] = action[name]
        if removed := action.get("remove"):
            live.pop(_key(removed), None)
        if added := action.get("add"):
            live[_key(added)] = added
    if len(told) < 2:
        raise pa.ArrowInvalid("its log does not say which columns it has")
    _refuse_features(told["protocol"], told["metaData"])
    for added in live.values():
        yield _path(added, told["metaData"].get("partitionColumns") or ())


def _actions(folder: fs.FileSystem) -> Iterator[Action]:
    """The last checkpoint, and all commits behind it."""
    names = [info.base_name for info in folder.get_file_info(fs.FileSelector(LOG))]
    commits = {int(found[1]) for name in names if (found := COMMIT.fullmatch(name))}
    parts: dict[int, list[str]] = {}
    for name in names:
        if found := CHECKPOINT.fullmatch(name):
            parts.setdefault(int(found[1]), []).append(name)
        elif ".checkpoint." in name and not name.startswith("."):
            raise NotFilesAloneError(f"with a checkpoint of another kind, {name}")
    whole = [version for version, found in parts.items() if len(found) == _parts_of(found[0])]
    last = max(whole, default=-1)
    for name in sorted(parts.get(last, ())):
        yield from _checkpoint(folder, f"{LOG}/{name}")
    for version in range(last + 1, max(commits, default=last) + 1):
        for line in read_bytes(folder, f"{LOG}/{version:020}.json").splitlines():
            yield json.loads(line)


def _parts_of(name: str) -> int:
    found = CHECKPOINT.fullmatch(name)
    return int(found[3] or 1) if found else 0


def _checkpoint(folder: fs.FileSystem, path: str) -> Iterator[Action]:
    with folder.open_input_file(path) as file:
        held = pq.ParquetFile(file)
        names = [name for name in ("protocol", "metaData", "add") if name in held.schema_arrow.names]
        table: pa.Table = held.read(names)
        yield from table.to_pylist(maps_as_pydicts="lossy")


def _key(file: Action) -> tuple[str, str]:
    """A file and what of it is deleted: a table may take one out and put it back with more of it deleted."""
    deleted = file.get("deletionVector") or {}
    # What else is told of it stands in a checkpoint, and not in each commit.
    return file["path"], json.dumps([deleted.get(name) for name in ("storageType", "pathOrInlineDv", "offset")])


def _refuse_features(protocol: Action, metadata: Action) -> None:
    unknown = set(protocol.get("readerFeatures") or ()) - KNOWN
    if protocol["minReaderVersion"] > 3 or unknown:
        needs = ", ".join(sorted(unknown)) or f"version {protocol['minReaderVersion']}"
        raise NotFilesAloneError(f"that asks more of its readers than files ({needs})")
    if (metadata.get("configuration") or {}).get("delta.columnMapping.mode", "none") != "none":
        raise NotFilesAloneError("whose columns have other names in its files")


def _path(added: Action, partitions: Sequence[str]) -> str:
    path = unquote(added["path"])
    if added.get("deletionVector"):
        raise NotFilesAloneError("of which rows are deleted beside its files (a rewrite puts an end to that)")
    if path.startswith(("/", "file:")) or "://" in path or ".." in path.split("/"):
        raise NotFilesAloneError(f"with a file outside of its folder, {path}")
    # Quoted twice: once for the name of the folder, and once for the log.
    said = {unquote(part.partition("=")[0]) for part in path.split("/")[:-1] if "=" in part}
    if not said.issuperset(partitions):
        raise NotFilesAloneError("whose files do not say in their path of which partition they are")
    return path
