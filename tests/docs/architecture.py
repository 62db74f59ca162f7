"""The pictures of docs/architecture.md that are made from the code, as Mermaid text."""

from __future__ import annotations

import tomllib
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from sqlalchemy import Column, Table

from worker.lanes.state import TRANSITIONS, LaneState
from worker.ledger.tables import metadata
from worker.replay.apply.receipt import Receipt
from worker.replay.plan.file import Plan

ROOT = Path(__file__).parents[2]
WORDS: Mapping[type, str] = {str: "text", int: "number", float: "number", bool: "flag", datetime: "time"}


def mermaid(kind: str, lines: Iterable[str]) -> str:
    return "\n".join(["```mermaid", kind, *(f"    {line}" for line in lines), "```", ""])


def lane_states() -> str:
    return mermaid("stateDiagram-v2", _state_lines())


def _state_lines() -> Iterator[str]:
    yield from (f'state "{state}" as {_plain(state)}' for state in LaneState if _plain(state) != state)
    yield f"[*] --> {_plain(next(iter(LaneState)))}"
    for state in LaneState:
        yield from (f"{_plain(state)} --> {_plain(to)}" for to in LaneState if to in TRANSITIONS[state])
        if not TRANSITIONS[state]:
            yield f"{_plain(state)} --> [*]"


def _plain(name: str) -> str:
    return name.replace("-", "_").replace(".", "_")


def ledger_tables() -> str:
    return mermaid("erDiagram", _table_lines(metadata.sorted_tables))


def _table_lines(tables: Sequence[Table]) -> Iterator[str]:
    for table in tables:
        yield f"{table.name} {{"
        yield from (f"    {_column(column)}" for column in table.columns)
        yield "}"
    for table in tables:
        for key in table.foreign_keys:
            many = "o|" if len(table.primary_key.columns) == 1 else "o{"
            yield f'{key.column.table.name} ||--{many} {table.name} : "{key.parent.name}"'


def _column(column: Column[Any]) -> str:
    keys = ["PK"] * column.primary_key + ["FK"] * bool(column.foreign_keys)
    optional = ' "may be null"' if column.nullable else ""
    return f"{column.type} {column.name} {', '.join(keys)}".rstrip() + optional


def plan_file() -> str:
    return mermaid("classDiagram", _class_lines(Plan, set()))


def receipt_file() -> str:
    return mermaid("classDiagram", _class_lines(Receipt, set(_parts_of(Plan))))


def _class_lines(model: type[BaseModel], drawn: set[type[BaseModel]]) -> Iterator[str]:
    """Of the model and its parts, but for those that are ``drawn`` elsewhere."""
    for part in dict.fromkeys([model, *_parts_of(model)]):
        if part in drawn:
            continue
        yield f"class {part.__name__} {{"
        yield from (f"    {_type(field.annotation)} {name}" for name, field in part.model_fields.items())
        yield "}"
        yield from (f"{part.__name__} *-- {inner.__name__}" for inner in dict.fromkeys(_direct_parts(part)))


def _parts_of(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for part in _direct_parts(model):
        yield part
        yield from _parts_of(part)


def _direct_parts(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for field in model.model_fields.values():
        yield from _models_in(field.annotation)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not get_args(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _type(annotation: Any) -> str:
    inner, origin = get_args(annotation), get_origin(annotation)
    if origin is Literal:
        return _type(type(inner[0]))
    if origin is dict:
        return "map"
    if origin is tuple:
        return f"{_type(inner[0])}[]" if inner[1:] == (...,) else "pair"
    if origin in (Union, types.UnionType):
        return f"{_type(inner[0])}?"
    return WORDS.get(annotation, annotation.__name__)


def package_layers() -> str:
    """Each contract of layers: what is above may import what is below."""
    return "\n".join(
        f"{contract['name']}.\n\n{mermaid('flowchart TD', _layer_lines(contract['layers']))}"
        for contract in contracts()
        if contract["type"] == "layers"
    )


def _layer_lines(layers: Sequence[str]) -> Iterator[str]:
    named = [[name.strip() for name in layer.replace("|", ":").split(":")] for layer in layers]
    for name in (name for layer in named for name in layer):
        yield f'{_plain(name)}["{name}"]'
    for above, below in pairwise(named):
        yield f"{' & '.join(map(_plain, above))} --> {' & '.join(map(_plain, below))}"


def package_walls() -> list[list[str]]:
    """A row for each contract that forbids: what it says, who must not import, what."""
    return [
        [contract["name"], _names(contract["source_modules"]), _names(contract["forbidden_modules"])]
        for contract in contracts()
        if contract["type"] == "forbidden"
    ] + [
        [contract["name"], _names(contract["modules"]), "each other"]
        for contract in contracts()
        if contract["type"] == "independence"
    ]


def contracts() -> list[dict[str, Any]]:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = content["tool"]["importlinter"]["contracts"]
    return found


def _names(modules: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in modules)
