"""Steps that stand in a chain's package and that nobody would ever run: refused, since their absence is silent."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from upcasters.errors import Problem
from upcasters.step import Baseline, Step

Part = Step | Baseline
_NUMBERS = re.compile(r"[0-9]+([._-]?[0-9]+)*")


def overlooked(root: ModuleType, exports: Mapping[ModuleType, Sequence[Part]]) -> list[Problem]:
    """What is wrong with a package whose modules export these steps and baselines; empty where nothing is left out."""
    taken = {id(part) for parts in exports.values() for part in parts}
    found = [problem for module in (root, *exports) for problem in _held(module, taken, at_top=module is root)]
    usual = _usual_names(exports)
    told = {problem.file for problem in found}
    without = (module for module, parts in exports.items() if not parts and short(module.__file__ or "") not in told)
    found += [_without_step(module) for module in without if _is_usual(own_name(module), usual)]
    return [*found, *_out_of_reach(root, usual)]


def short(filename: str) -> str:
    """A file with its folder, as problems name it."""
    return "/".join(Path(filename).parts[-2:])


def own_name(module: ModuleType) -> str:
    """A module's name in its package."""
    return module.__name__.rpartition(".")[2]


def _held(module: ModuleType, taken: set[int], *, at_top: bool) -> Iterator[Problem]:
    """Steps and baselines under names that are not read. A name with an underscore in front is meant so."""
    for name, value in list(vars(module).items()):
        lost = [part for part in _parts(value) if id(part) not in taken]
        if lost and not name.startswith("_"):
            kind = type(lost[0]).__name__
            what = f"{name} holds a {kind} that the chain does not take"
            written = f"{kind.lower()} = {kind}(…), or {kind.lower()}s = [{kind}(…), …]"
            where = "Put it into a module of its own and write" if at_top else "Write"
            remedy = f"{where} {written}; what is meant for nobody is called _{name}."
            yield Problem("overlooked", what, remedy, short(module.__file__ or ""))


def _parts(value: object) -> Iterator[Part]:
    inside: Iterable[object] = value.values() if isinstance(value, dict) else (value,)
    inside = value if isinstance(value, (list, tuple, set, frozenset)) else inside
    return (part for part in inside if isinstance(part, (Step, Baseline)))


def _usual_names(exports: Mapping[ModuleType, Sequence[Part]]) -> set[str]:
    """How modules with steps are named, numbers aside: as those that are there, or by the type and a version."""
    own = {_form(own_name(module)) for module, parts in exports.items() if parts}
    types = {part.event_type for parts in exports.values() for part in parts}
    return own | {_form(re.sub(r"\W+", "_", event_type.lower()).strip("_") + "_1") for event_type in types}


def _is_usual(name: str, usual: set[str]) -> bool:
    form = _form(name)
    return "#" in form and form in usual


def _form(name: str) -> str:
    return _NUMBERS.sub("#", name)


def _without_step(module: ModuleType) -> Problem:
    what = "the file is named like one with a step, and exports none"
    remedy = "Call its Step step, or its Baseline baseline; give a file of helpers another name."
    return Problem("overlooked", what, remedy, short(module.__file__ or ""))


def _out_of_reach(root: ModuleType, usual: set[str]) -> Iterator[Problem]:
    """Files named like steps that nobody looks for: no module has such a name, or they stand a folder further down."""
    for place in map(Path, root.__path__):
        for file in sorted(place.glob("*.py")):
            if "." in file.stem and _is_usual(file.stem, usual):
                remedy = f"Call it {file.stem.replace('.', '_')}.py."
                yield Problem("overlooked", "a file with a dot in its name is no module", remedy, short(str(file)))
        for folder in sorted(info.name for info in pkgutil.iter_modules([str(place)]) if info.ispkg):
            for info in pkgutil.iter_modules([str(place / folder)]):
                if _is_usual(info.name, usual):
                    what = "the file is named like one with a step, and stands in a folder that the chain does not read"
                    remedy = "Move it up into the chain's package."
                    yield Problem("overlooked", what, remedy, f"{folder}/{info.name}.py")
