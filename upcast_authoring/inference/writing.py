"""The files of a step that was inferred: module, model and golden pairs, and the chain where there is none yet."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from upcast_authoring.errors import CommandError
from upcast_authoring.inference.calls import code_of
from upcast_authoring.inference.inferring import LOSSY, Inferred, loses, upcaster_of
from upcast_authoring.inference.models import ModelSource, model_of
from upcast_authoring.inference.scope import lines
from upcast_authoring.one_chain import load
from upcast_authoring.scaffold import (
    NEW_CHAIN,
    Place,
    class_name,
    module_name,
    next_version,
    package_of,
    place_of,
    sentence,
    word,
    write_files,
)
from upcasters import ChainError, Event
from upcasters.testing.golden import folder_of

FIRST_VERSION = '''\
"""{title}."""

{imports}


{classes}


baseline = Baseline("{event_type}", "{version}", model={model}, shape={shape})
'''

STEP = '''\
"""{title}."""

{imports}


{classes}


step = Step(
    event_type="{event_type}",
    source="{source}",
    target="{version}",
    operations=[
{operations}
    ],
    model={model},
    shape={shape},{lossy}
)
'''

GOLDEN_PAIRS = 3


def write_step(
    inferred: Inferred, title: str, event_type: str, chain_name: str | None, folder: Path | None, version: str | None
) -> list[str]:
    """Write the files and tell what was done and what is left to do. Raises CommandError; overwrites nothing."""
    told: list[str] = []
    if folder is not None and not (folder / "__init__.py").exists():
        place = Place(folder, package_of(folder))
        told += write_files({folder / "__init__.py": NEW_CHAIN, **_first(inferred, event_type, place)})
        source = "1"
    elif chain_name is None and folder is None:
        raise CommandError(
            "infer: say with --chain which chain the step is for, or with --dir where one starts", code="UPC1002"
        )
    else:
        name = chain_name or f"{package_of(folder or Path())}:chain"
        chain = load(name)
        place = place_of(name, chain, folder)
        newest = chain.newest(event_type)
        if newest is None:
            raise CommandError(
                f"infer: chain {name} has no version of {event_type} that a step could start from", code="UPC2102"
            )
        source = newest
    target = version or next_version(source)
    told += write_files(_files(inferred, title, (event_type, source, target), place))
    return [*told, f"then: upcast check --laws --chain {place.package}:chain"]


def _first(inferred: Inferred, event_type: str, place: Place) -> dict[Path, str]:
    name = class_name(event_type)
    model = model_of(inferred.befores, name, f"``{event_type}`` 1.")
    shape, used = _shape(inferred.befores, inferred.afters)
    text = FIRST_VERSION.format(
        title=sentence(f"The first version of {event_type}"),
        imports=_imports(model, {"Baseline", used}),
        classes=model.text,
        event_type=event_type,
        version="1",
        model=model.name,
        shape=shape,
    )
    return {place.folder / f"{module_name(event_type, '1')}.py": text}


def _files(inferred: Inferred, title: str, step: tuple[str, str, str], place: Place) -> dict[Path, str]:
    event_type, source, target = step
    name = class_name(event_type)
    model = model_of(inferred.afters, name, f"``{event_type}`` {target}.")
    shape, used = _shape(inferred.afters, inferred.befores)
    names = {each for call in inferred.calls for each in call.names()} | {"Step", used}
    text = STEP.format(
        title=sentence(title),
        imports=_imports(model, names),
        classes=model.text,
        event_type=event_type,
        source=source,
        version=target,
        operations="\n".join(_operation_lines(inferred)),
        model=model.name,
        shape=shape,
        lossy=f"\n    lossy={code_of(LOSSY)}," if loses(inferred.calls) else "",
    )
    files = {place.folder / f"{module_name(event_type, target)}.py": text}
    stem = folder_of(place.folder / "golden", event_type, source, target) / word(title)
    for number, (before, after) in enumerate(_golden_pairs(inferred), 1):
        numbered = stem if number == 1 else stem.with_name(f"{stem.name}_{number}")
        files[numbered.with_name(f"{numbered.name}.before.json")] = before
        files[numbered.with_name(f"{numbered.name}.after.json")] = after
    return files


def _operation_lines(inferred: Inferred) -> Iterable[str]:
    for line in lines(inferred.calls):
        yield textwrap.indent(line, " " * 8)
    for line in inferred.unexplained:
        yield f"        # Not explained: {line}."


def _imports(model: ModelSource, names: set[str]) -> str:
    typing = ["from typing import Any\n"] if "Any" in model.imports else []
    pydantic = ", ".join(sorted(model.imports - {"Any"}))
    ours = ", ".join(sorted(names - {""}, key=lambda name: (not name.isupper(), name.islower(), name)))
    return "\n".join([*typing, f"from pydantic import {pydantic}\n", f"from upcasters import {ours}"])


def _shape(these: Sequence[dict[str, object]], others: Sequence[dict[str, object]]) -> tuple[str, str]:
    """What only these have at the top, and the condition's name; any event where there is no such field."""
    here = set.intersection(*({key for key in each if "." not in key} for each in these))
    elsewhere = set().union(*others)
    for key in these[0]:
        if key in here - elsewhere:
            return f"present({code_of(key)})", "present"
    return "anything()", "anything"


def _golden_pairs(inferred: Inferred) -> list[tuple[str, str]]:
    """Of events that come out right, as they come out: golden pairs are compared byte for byte."""
    wrong = {number for number, _ in inferred.wrong}
    right = [event for number, event in enumerate(inferred.events, 1) if number not in wrong]
    try:
        upcaster = upcaster_of(inferred.calls)
    except ChainError:
        return []
    pairs = []
    for value in right[:GOLDEN_PAIRS]:
        event = Event(value)
        (record,) = upcaster.upcast(event).output(event)
        pairs.append((f"{value.decode().strip()}\n", f"{(record.value or b'').decode()}\n"))
    return pairs
