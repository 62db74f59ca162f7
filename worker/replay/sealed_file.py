"""JSON files that carry a digest of their content, so that an edited file is noticed: plans and receipts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from worker.errors import WorkerError


class FilePart(BaseModel):
    """A part of such a file: frozen; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SealedFile(FilePart):
    """A whole file. The defaults of its fields ``kind`` and ``format`` are their only values."""

    def content(self) -> dict[str, Any]:
        """The file as plain JSON values, without its digest."""
        return self.model_dump(mode="json")

    def digest(self) -> str:
        """SHA-256 of the content, in 64 hex digits: the same for the same content, however the file is laid out."""
        canonical = json.dumps(self.content(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()

    def sealed(self) -> dict[str, Any]:
        """The content and its digest."""
        return {**self.content(), "digest": self.digest()}


F = TypeVar("F", bound=SealedFile)


@dataclass(frozen=True)
class FileKind(Generic[F]):
    """Writes and reads files of one kind: ``model``, called ``name`` in messages. The other fields end messages:
    ``written_by`` names the command that writes such files, ``fix_content`` says how to get a valid one,
    ``fix_unwritable`` what to do where it cannot be written, ``fix_missing`` where there is no file, and
    ``wrong_kinds`` what to say of files of other kinds."""

    model: type[F]
    name: str
    written_by: str
    fix_content: str
    fix_unwritable: str
    fix_missing: str = ""
    wrong_kinds: Mapping[str, str] = field(default_factory=dict)

    def write(self, file: F, path: Path) -> None:
        """Write content and digest, atomically. Raises WorkerError where the file cannot be written."""
        text = json.dumps(file.sealed(), indent=2, ensure_ascii=False) + "\n"
        unfinished = path.with_name(path.name + ".part")
        try:
            unfinished.write_text(text, encoding="utf-8", errors="surrogatepass")
            unfinished.replace(path)
        except OSError as error:
            raise WorkerError(
                f"{path}: cannot write the {self.name}: {error.strerror}: {self.fix_unwritable}", code="UPC1004"
            ) from None

    def read(self, path: Path) -> F:
        """The content of ``path``. Raises WorkerError for a file that is missing, of another kind, of another format,
        or edited since it was written."""
        content = self.content_of(path)
        digest, form = content.pop("digest", None), self.model.model_fields["format"].default
        if content.get("format") != form:
            raise WorkerError(
                f"{path}: the {self.name} has format {content.get('format')}, this worker reads format {form}: use "
                "the version of the worker that wrote it",
                code="UPC1606",
            )
        try:
            file = self.model.model_validate(content)
        except ValidationError as error:
            place = ".".join(map(str, error.errors(include_input=False)[0]["loc"]))
            raise WorkerError(f"{path}: field {place} is not valid: {self.fix_content}", code="UPC1607") from None
        if digest != file.digest():
            raise WorkerError(
                f"{path}: its digest is not that of its content, so the file was edited: {self.fix_content}",
                code="UPC1607",
            )
        return file

    def content_of(self, path: Path) -> dict[str, Any]:
        """The file's content with its digest; only the kind is checked. Raises WorkerError where it cannot be read or
        is of another kind."""
        try:
            content = json.loads(path.read_text(encoding="utf-8", errors="surrogatepass"))
        except OSError as error:
            if self.fix_missing and isinstance(error, FileNotFoundError):
                raise WorkerError(f"{path}: no such file: {self.fix_missing}", code="UPC1605") from None
            raise WorkerError(
                f"{path}: cannot read the {self.name}: {error.strerror}: give the file that {self.written_by} wrote",
                code="UPC1605",
            ) from None
        except ValueError:
            content = None
        kind = content.get("kind") if isinstance(content, dict) else None
        if isinstance(content, dict) and kind == self.model.model_fields["kind"].default:
            return content
        raise WorkerError(
            f"{path}: "
            f"{self.wrong_kinds.get(str(kind), f'is no {self.name}: give the file that {self.written_by} wrote')}",
            code="UPC1605",
        )
