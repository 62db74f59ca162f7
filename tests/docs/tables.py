"""The tables in docs/ that are made from the code. ``python -m tests.docs.tables`` writes them into the pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from aiokafka.errors import for_code
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from tests.acls import RIGHTS
from tests.docs import architecture
from tests.docs.metrics_table import declared
from upcast_authoring.one_chain import SHIPPED
from upcasters import Policy, load_chain
from upcasters.describe import matrix
from upcasters.operations.choice import walk
from upcasters.operations.fields import Move, Rename
from upcasters.operations.values import MapValues
from worker.api.endpoints import endpoints
from worker.codes import KINDS
from worker.codes import codes as known_codes
from worker.deprecation import DEPRECATED
from worker.kafka import codes
from worker.kafka.refusals import TABLE, Mends
from worker.settings import RouteSettings, Settings
from worker.settings.environment import Environment, variable_name
from worker.settings.history import chain as config_chain
from worker.settings.upgrade import Renamed, name_of, renamed

DOCS = Path(__file__).parents[2] / "docs"
BETWEEN = r"(<!-- {0}: [^\n]*-->\n).*?(<!-- end of {0} -->)"


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = list(columns)
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def settings() -> str:
    rows = [*_settings(Settings, ()), *_settings(RouteSettings, ("routes", 0))]
    return table(("setting", "default", "what it is"), rows)


def _settings(model: type[BaseModel], at: tuple[str | int, ...]) -> Iterator[list[str]]:
    for name, field in model.model_fields.items():
        location = (*at, field.alias or name)
        inner: Any = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _settings(inner, location)
        elif name != "routes":
            yield [f"`{'.'.join(map(str, location))}`", _default(field), field.description or ""]


def _default(field: Any) -> str:
    if field.is_required():
        return "must be given"
    value = field.default
    if value is PydanticUndefined or value in (None, "", ()):
        return ""
    secret = getattr(value, "get_secret_value", None)
    return f"`{secret() if secret else value}`"


def policy() -> str:
    """The options of a policy; what each is stands beside the setting of a route that sets it."""
    told = {name: (setting, text) for setting, _, text in _settings(RouteSettings, ()) for name in [setting.strip("`")]}
    rows = []
    for option in fields(Policy):
        settings_of_it = [told[name] for name in _SETTINGS_OF.get(option.name, (option.name,))]
        names, text = ", ".join(name for name, _ in settings_of_it), settings_of_it[0][1]
        rows.append([f"`{option.name}`", _policy_default(option), names, _OWN_WORDS.get(option.name, text)])
    return table(("option", "default", "setting of a route", "what it is"), rows)


_SETTINGS_OF = {
    "detection": ("event_type", "version", "stamp"),
    "validate_target": ("validate.target",),
    "validate_source": ("validate.source",),
    "sample_every": ("validate.sample",),
}
_OWN_WORDS = {
    "detection": "How type and version are told: `Detection((type rules), (version rules))`; else as the chain says.",
    "target": "A dict of type to version; a type that is not named goes to its current one.",
    "sample_every": "The distance between two events that `observe` looks at: 100 is 1 %.",
}


def _policy_default(option: Any) -> str:
    return f"`{option.default!r}`" if option.default is not MISSING else ""


def old_settings() -> str:
    found = [each for location, value in _old_settings() if (each := renamed(location, value)) is not None]
    rows = [[_told(each), _new(each), each.deprecation.notice, each.deprecation.removal] for each in found]
    return table(("old", "write", "deprecated in", "gone in"), rows)


def _old_settings() -> Iterator[tuple[tuple[str | int, ...], str]]:
    for operation in walk(operation for step in config_chain.steps for operation in step.operations):
        if isinstance(operation, Move):
            yield tuple(map(str, operation.source)), "…"
        elif isinstance(operation, Rename) and operation.at:
            yield from (((*map(str, operation.at), old), "…") for old in operation.names)
        elif isinstance(operation, Rename) and len(operation.names) > 1:
            yield from ((("pipelines", 0, old), "…") for old in operation.names)
        elif isinstance(operation, MapValues):
            path = tuple(map(str, operation.path))
            at: tuple[str | int, ...] = path if len(path) > 1 else ("routes", 0, *path)
            yield from ((at, str(old)) for _, old in operation.table)


def _told(each: Renamed) -> str:
    old, variable = name_of(each.old), variable_name(each.old)
    if each.is_word:
        return f"`{old}: {each.old_value}`"
    # Some names are those that Kubernetes gives to other things, and so are not read.
    return f"`{old}`, `{variable}`" if Environment({variable: ""}).ours else f"`{old}`"


def _new(each: Renamed) -> str:
    new, variable = name_of(each.new), variable_name(each.new)
    return f"`{new}: {each.new_value}`" if each.is_word else f"`{new}`, `{variable}`"


def deprecated() -> str:
    rows = [
        [each.kind, f"`{each.name}`", f"`{each.replacement}`", each.notice, each.removal, str(each.sunset)]
        for each in DEPRECATED
    ]
    return table(("kind", "what", "instead", "noticed in", "may be gone in", "not before"), rows)


def api() -> str:
    rows = [[method, f"`{path}`", summary] for method, path, summary in endpoints() if not path.startswith("/v1")]
    return table(("method", "path", "what it answers"), rows)


def compatibility() -> str:
    rows = [
        [row.event_type, row.source, row.target, row.path, row.complexity.title(), row.way_back, row.notes]
        for row in matrix(load_chain(SHIPPED))
    ]
    return table(("type", "source", "target", "migration path", "complexity", "way back", "notes"), rows)


def metrics() -> str:
    rows = [[f"`{name}`", kind, ", ".join(labels), text] for name, (kind, labels, text) in sorted(declared().items())]
    return table(("metric", "type", "labels", "what it says"), rows)


def acls() -> str:
    """What tests/integration/test_security.py grants, and nothing else, when it runs these commands."""
    rows = [[right.who, right.kind, right.names, right.what, right.why] for right in RIGHTS]
    return table(("command", "resource", "name", "operations", "what for"), rows)


def refusals() -> str:
    codes.register_error_codes()
    waits = {Mends.NEVER: "nobody", Mends.BY_HAND: "who is at work", Mends.IN_TIME: "everybody"}
    rows = [
        [str(code), for_code(code).__name__.removesuffix("Error"), row.found, row.fix, waits[row.mends]]
        for code, row in sorted(TABLE.items())
    ]
    return table(("code", "error", "what is wrong", "what to do", "who waits"), rows)


def walls() -> str:
    return table(("the contract", "who must not import", "what"), architecture.package_walls())


def codes_of(kind: str) -> str:
    """The codes of a kind. Its own names stand beside the numbers where it has some."""
    found = [code for code in known_codes().values() if code.kind == kind]
    named = any(code.name for code in found)
    rows = (
        [f"`{code.number}`", *([f"`{code.name}`"] if named else []), code.meaning, code.cause, code.remedy]
        for code in found
    )
    return table(("code", *(["name"] if named else []), "means", "cause", "remedy"), rows)


TABLES: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "settings": settings,
        "policy": policy,
        "old settings": old_settings,
        "deprecated": deprecated,
        "endpoints": api,
        "matrix": compatibility,
        "metrics": metrics,
        "acls": acls,
        "refusals": refusals,
        "lane states": architecture.lane_states,
        "ledger tables": architecture.ledger_tables,
        "plan file": architecture.plan_file,
        "receipt file": architecture.receipt_file,
        "package layers": architecture.package_layers,
        "package walls": walls,
        **{f"codes of {kind}": partial(codes_of, kind) for kind in KINDS},
    }
)


def written(page: str) -> str:
    """The page with the tables of today."""
    for name, make in TABLES.items():
        pattern = re.compile(BETWEEN.format(name), re.DOTALL)
        found = pattern.search(page)
        if found is not None:
            page = page[: found.start()] + f"{found[1]}{make()}{found[2]}" + page[found.end() :]
    return page


def pages() -> list[Path]:
    return sorted(DOCS.rglob("*.md"))


if __name__ == "__main__":
    for file in pages():
        file.write_text(written(file.read_text(encoding="utf-8")), encoding="utf-8")
