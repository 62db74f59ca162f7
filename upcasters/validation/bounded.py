"""A model that stops at the first bad item of a list, for documents with very many of them.

pydantic tells every fault: a megabyte of `[{},{},…` has half a million, which take a gigabyte and many seconds.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic_core import SchemaValidator

_LISTS = frozenset({"list", "set", "frozenset", "tuple"})


def bounded_validator(model: type[BaseModel]) -> SchemaValidator:
    """What takes and refuses the same documents as the model; of each list the faults of one item are told."""
    return bounded(model.__pydantic_core_schema__)


def bounded(schema: Any, config: Any = None) -> SchemaValidator:
    """The same of a core schema.

    ``_use_prebuilt=False``: inner models would bring the validators that they have already. Where pydantic has no such
    option, they do, and what is in their lists is told in full.
    """
    schema = _failing_fast(schema)
    try:
        return SchemaValidator(schema, config, _use_prebuilt=False)
    except TypeError:
        return SchemaValidator(schema, config)


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
