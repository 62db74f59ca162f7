"""Files of JSON with a digest of what is in them: plans and receipts, so that an edited one is seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def digest_of(content: Mapping[str, Any]) -> str:
    """SHA-256 in 64 hex digits: the same for the same content, however the file is laid out."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def write_sealed(content: Mapping[str, Any], path: Path) -> None:
    """Write the content and its digest, whole or not at all. Raises OSError."""
    text = json.dumps({**content, "digest": digest_of(content)}, indent=2, ensure_ascii=False) + "\n"
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(text, encoding="utf-8", errors="surrogatepass")
    unfinished.replace(path)
