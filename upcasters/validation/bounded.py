"""A model that stops at the first bad item of a list, for documents with very many of them.

pydantic tells every fault: a megabyte of `[{},{},…` has half a million, which take a gigabyte and many seconds.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic_core import SchemaValidator

_LISTS = frozenset({"list", "set", "frozenset", "tuple"})


def bounded_validator(model: type[BaseModel]) -> SchemaValidator:
    """What takes and refuses the same documents as the model; of each list the faults of one item are told.

    ``_use_prebuilt=False``: inner models would bring the validators that they have already.
    """
    return SchemaValidator(_failing_fast(model.__pydantic_core_schema__), _use_prebuilt=False)


def _failing_fast(schema: Any) -> Any:
    if isinstance(schema, dict):
        made = {key: _failing_fast(inside) for key, inside in schema.items()}
        return {**made, "fail_fast": True} if _is_list(schema) else made
    if isinstance(schema, (list, tuple)):
        return type(schema)(map(_failing_fast, schema))
    return schema


def _is_list(schema: dict[str, Any]) -> bool:
    kind = schema.get("type")
    return isinstance(kind, str) and kind in _LISTS
