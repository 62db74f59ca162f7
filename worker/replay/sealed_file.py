"""Files of JSON with a digest of what is in them: plans and receipts, so that an edited one is seen."""

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
    """A part of such a file: frozen, and strict about keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SealedFile(FilePart):
    """A whole file. Its fields ``kind`` and ``format`` have the only value that they may have as default."""

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
    """How files of one kind are written and read. The rest are ends of messages: ``source`` says where such files come
    from, ``again`` how to get a right one, ``elsewhere`` what to do where it cannot be written, ``missing`` where there
    is none, and ``mistaken`` what to say of files of other kinds."""

    model: type[F]
    name: str
    source: str
    again: str
    elsewhere: str
    missing: str = ""
    mistaken: Mapping[str, str] = field(default_factory=dict)

    def write(self, file: F, path: Path) -> None:
        """Write content and digest, whole or not at all. Raises WorkerError where that cannot be."""
        text = json.dumps(file.sealed(), indent=2, ensure_ascii=False) + "\n"
        unfinished = path.with_name(path.name + ".part")
        try:
            unfinished.write_text(text, encoding="utf-8", errors="surrogatepass")
            unfinished.replace(path)
        except OSError as error:
            raise WorkerError(f"{path}: cannot write the {self.name}: {error.strerror}: {self.elsewhere}") from None

    def read(self, path: Path) -> F:
        """Raises WorkerError for a file that is missing, of another kind, of a newer version, or edited since it was
        written."""
        content = self.content_of(path)
        digest, form = content.pop("digest", None), self.model.model_fields["format"].default
        if content.get("format") != form:
            raise WorkerError(
                f"{path}: a {self.name} of format {content.get('format')}, this worker reads {form}: "
                "use the worker that wrote it"
            )
        try:
            file = self.model.model_validate(content)
        except ValidationError as error:
            place = ".".join(map(str, error.errors(include_input=False)[0]["loc"]))
            raise WorkerError(f"{path}: {place} is wrong: {self.again}") from None
        if digest != file.digest():
            raise WorkerError(f"{path}: its content does not fit its digest, so it was edited: {self.again}")
        return file

    def content_of(self, path: Path) -> dict[str, Any]:
        """What the file says, its digest among it, unchecked but for its kind. Raises WorkerError."""
        try:
            content = json.loads(path.read_text(encoding="utf-8", errors="surrogatepass"))
        except OSError as error:
            if self.missing and isinstance(error, FileNotFoundError):
                raise WorkerError(f"{path}: no such file: {self.missing}") from None
            raise WorkerError(
                f"{path}: cannot read the {self.name}: {error.strerror}: name the file of {self.source}"
            ) from None
        except ValueError:
            content = None
        kind = content.get("kind") if isinstance(content, dict) else None
        if isinstance(content, dict) and kind == self.model.model_fields["kind"].default:
            return content
        raise WorkerError(
            f"{path}: {self.mistaken.get(str(kind), f'is no {self.name}: name the file of {self.source}')}"
        )
