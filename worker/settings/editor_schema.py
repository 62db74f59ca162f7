"""What an editor needs to help with a configuration file: its JSON Schema."""

from __future__ import annotations

from typing import Any

from worker.settings.model import Settings
from worker.settings.upgrade import CURRENT

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def editor_schema() -> dict[str, Any]:
    """The settings in the names of today. Nothing is required: the environment may have what the file has not."""
    schema = _without_required(Settings.model_json_schema())
    version = {"description": "The format of this file.", "const": CURRENT}
    properties = {"version": version, **schema["properties"]}
    return {"$schema": DIALECT, **schema, "title": "upcast.yaml", "properties": properties}


def _without_required(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_required(child) for key, child in node.items() if not _is_required(key, child)}
    return [_without_required(child) for child in node] if isinstance(node, list) else node


def _is_required(key: str, child: Any) -> bool:
    """A setting may have that name, too; then it is no list."""
    return key == "required" and isinstance(child, list)
