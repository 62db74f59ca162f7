"""Where what comes out of a step does not fit the model of its target version."""

from __future__ import annotations

from typing import Any

from upcasters.checks.limits import breaks, types_of
from upcasters.checks.problems import Report
from upcasters.checks.shape import Field, Presence, Shape, type_of
from upcasters.paths import EACH, Path, show


def differences(made: Shape, wanted: Shape, report: Report, at: Path = ()) -> None:
    """Report where what comes out of a step does not fit the model of its target version."""
    wrong = made.types - wanted.types
    if made.told and wrong:
        what = f"{_shown(at)} may be {_listed(wrong)} and the model takes {_listed(wanted.types)}"
        report("type", what, "Convert it, or mend the model.")
    if made.told and (narrower := _narrowing(made, wanted)):
        report("value", f"{_shown(at)} {narrower}", "Map or convert it, or mend one of the two models.")
    if "object" in made.types and "object" in wanted.types:
        _missing(made, wanted, report, at)
        for key, inner in made.fields.items():
            _field(key, inner, wanted, report, at)
        if made.others is not None and wanted.others is not None:
            differences(made.others, wanted.others, report, (*at, EACH))
    if "array" in made.types and made.items is not None and wanted.items is not None:
        differences(made.items, wanted.items, report, (*at, EACH))


def _missing(made: Shape, wanted: Shape, report: Report, at: Path) -> None:
    for key, inner in wanted.fields.items():
        found = made.get(key)
        if inner.presence is not Presence.ALWAYS or (found and found.presence is not Presence.MAYBE):
            continue
        may = "may be missing" if found else "is missing"
        what = f"{_shown((*at, key))}, which the model requires, {may}: nothing in the step provides it"
        report("unprovided", what, "Add, default, derive or rename it, or make it optional in the model.")


def _field(key: str, made: Field, wanted: Shape, report: Report, at: Path) -> None:
    where = (*at, key)
    declared = wanted.fields.get(key)
    if declared is not None:
        differences(made.shape, declared.shape, report, where)
    elif wanted.others is not None:
        differences(made.shape, wanted.others, report, where)
    elif not (wanted.open or wanted.takes_more) and made.presence is not Presence.UNKNOWN:
        what = f"{_shown(where)} comes out of the step and the model does not declare it"
        report("unaccounted", what, "Rename or drop it, or declare it in the model.")


def _shown(at: Path) -> str:
    return show(at) or "the document"


def _listed(types: frozenset[str]) -> str:
    return " or ".join(sorted(types))


def _narrowing(made: Shape, wanted: Shape) -> str:
    """What single values come out that the model does not take, in words; empty where there are none."""
    if made.values is not None:
        wrong = sorted(repr(value) for bool_, value in made.values if _refused(bool_, value, made, wanted))
        return f"may be {' or '.join(wrong)}, which the model does not take" if wrong else ""
    names = [name for name in made.limits or () if _is_tighter(name, made, wanted)]
    return f"may be outside of what the model takes ({', '.join(names)})" if names else ""


def _refused(bool_: bool, value: Any, made: Shape, wanted: Shape) -> bool:  # a part of a scalar
    kind = type_of(value)
    if kind not in made.types & wanted.types:
        return False
    if wanted.values is not None:
        return (bool_, value) not in wanted.values
    return any(kind in types_of(name) and breaks(name, limit, value) for name, limit in (wanted.limits or {}).items())


def _is_tighter(name: str, made: Shape, wanted: Shape) -> bool:
    """True where both models set a limit and the newer one's is tighter. A loose model may well have been only that."""
    own, limit = (made.limits or {}).get(name), (wanted.limits or {}).get(name)
    if limit is None or name == "pattern" or not made.types & wanted.types & types_of(name):
        return False
    if name == "format":
        return bool(own != limit)
    return bool(own < limit if name.lower().removeprefix("exclusive").startswith("min") else own > limit)
