"""Schemas on disk: kept over restarts, apart from each other, and whatever a registry says stays inside the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.schemas.frames import SchemaId
from worker.schemas.known import KnownSchema, Place, RawReference, SchemaFolder

KNOWN = KnownSchema(
    "JSON", '{"title": "ü"}', 12, "", (RawReference("../../x.proto", "s", 1),), (Place("o-value", 3),), {"a": "b"}
)
ID = SchemaId(12)


def folder(path: Path, *urls: str, context: str = "") -> SchemaFolder:
    return SchemaFolder(path, urls or ("http://a", "http://b"), context)


def test_what_is_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    folder(tmp_path / "new" / "one").keep(ID, KNOWN)
    assert folder(tmp_path / "new" / "one").find(ID) == KNOWN
    assert folder(tmp_path / "new" / "one", "http://b", "http://a").find(ID) == KNOWN, "in any order"


def test_other_ids_registries_and_contexts_have_files_of_their_own(tmp_path: Path) -> None:
    folder(tmp_path).keep(ID, KNOWN)
    assert folder(tmp_path).find(SchemaId(13)) is None
    assert folder(tmp_path, "http://c").find(ID) is None
    assert folder(tmp_path, context="blue").find(ID) is None


@pytest.mark.parametrize("guid", ["../../outside", "/etc/passwd", "a/b", "\0"])
def test_names_never_leave_the_folder(tmp_path: Path, guid: str) -> None:
    inside = tmp_path / "cache"
    folder(inside).keep(SchemaId(guid=guid), KNOWN)
    assert [each.parent for each in tmp_path.rglob("*") if each.is_file()] == [inside]
    assert folder(inside).find(SchemaId(guid=guid)) == KNOWN


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"kind": "JSON"}', b"\xff"])
def test_a_spoiled_file_counts_as_none(tmp_path: Path, content: bytes) -> None:
    folder(tmp_path).keep(ID, KNOWN)
    next(tmp_path.glob("*.json")).write_bytes(content)
    assert folder(tmp_path).find(ID) is None


def test_a_folder_that_cannot_be_written_costs_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder(tmp_path / "file").keep(ID, KNOWN)
    assert folder(tmp_path / "file").find(ID) is None


def test_a_schema_is_detected_by_id_and_places() -> None:
    assert str(KNOWN) == "12 (o-value version 3)"
    assert str(KnownSchema("JSON", "{}", 0, "7a1f")) == "7a1f"
    assert (KNOWN.under("o-value"), KNOWN.under("p-value")) == ([3], [])
