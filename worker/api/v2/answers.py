"""What the endpoints say of themselves in the OpenAPI document."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from worker.api.problems import MEDIA_TYPE

PROBLEM = {"schema": {"$ref": "#/components/schemas/Problem"}}

# Any request may go over a bound, or come in a moment when there is too much to do.
ALWAYS = (400, 408, 413, 503)


def may_answer(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Problems that an endpoint may answer with, for ``responses``."""
    return {status: _problem(status) for status in sorted({*statuses, *ALWAYS})}


def _problem(status: int) -> dict[str, Any]:
    return {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: PROBLEM}}


def with_models(document: dict[str, Any], *models: type[BaseModel]) -> dict[str, Any]:
    """An OpenAPI document with the schemas of models that FastAPI does not see."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for model in models:
        own = schema_of(model)
        schemas.update({**own.pop("$defs", {}), model.__name__: own})
    return document


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(ref_template="#/components/schemas/{model}")
