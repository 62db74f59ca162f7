"""snake_case throughout. Documents of the callers' own, such as an event's value, are not touched."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from upcasters import CAMEL_CASE, EACH, SNAKE_CASE, Operation, Step, convert, rename_keys
from upcasters.paths import Path
from worker.api.documents import DOCUMENTS, Problem


def objects_of(model: type[BaseModel], at: Path = ()) -> Iterator[Path]:
    """Where the objects of a document stand that have fields of ours; what a caller names its keys is left alone."""
    yield at
    for name, field in model.model_fields.items():
        yield from _inside(field.annotation, (*at, name))


def _inside(annotation: Any, at: Path) -> Iterator[Path]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from objects_of(annotation, at)
        return
    listed = getattr(annotation, "__origin__", None) in (list, tuple, dict)
    for part in get_args(annotation):
        yield from _inside(part, (*at, EACH) if listed else at)


def respelled(model: type[BaseModel]) -> list[Operation]:
    """From the top down, so that the paths are those of the newer document."""
    return [rename_keys(at, SNAKE_CASE, missing="skip", wrong_type="skip") for at in objects_of(model)]


def snake_case_pointer(pointer: str) -> str:
    return "/".join(map(SNAKE_CASE, pointer.split("/")))


def camel_case_pointer(pointer: str) -> str:
    return "/".join(map(CAMEL_CASE, pointer.split("/")))


# A problem names fields of the request.
pointers = convert("errors.*.pointer", snake_case_pointer, camel_case_pointer, missing="skip")

steps = [
    Step(
        name,
        "1",
        "2",
        [*respelled(model), *([pointers] if name == Problem.__name__ else [])],
        notes="camelCase becomes snake_case",
    )
    for name, model in DOCUMENTS.items()
]
