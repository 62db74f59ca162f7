"""A table is more than its files; it is read as an archive where files alone are all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa
from pyarrow import fs

from worker.archive.avro import BROKEN
from worker.errors import WorkerError


class NotFilesAloneError(Exception):
    """Why the files of a table do not say which rows it holds, as the end of a sentence."""


def files_of_table(
    archive: str, kind: str, folder: fs.FileSystem, live_files: Callable[[fs.FileSystem], Iterator[str]]
) -> set[str]:
    """Paths of the files that hold a table's rows now, below its folder.

    Raises WorkerError where what is told of them cannot be read, or says that files alone are not the table.
    """
    try:
        return set(live_files(folder))
    except NotFilesAloneError as reason:
        raise WorkerError(
            f"{archive}: is a table of {kind} {reason}: read it with Spark and `upcasters.spark.upcast`", code="UPC1951"
        ) from None
    except (OSError, pa.ArrowException, *BROKEN) as error:
        why = " ".join(str(error).split())
        raise WorkerError(
            f"{archive}: is a table of {kind} whose metadata cannot be read: {why}: restore it", code="UPC1951"
        ) from None


def read_bytes(folder: fs.FileSystem, path: str) -> bytes:
    """All of a file."""
    with folder.open_input_stream(path, compression=None) as stream:
        content: bytes = stream.read()
        return content
