"""The files of a new step: module, model and golden pair; or of a new chain with its first version."""

from __future__ import annotations

import importlib
import keyword
import re
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from upcasters import Chain
from upcasters.testing.golden import folder_of
from worker.authoring.examples import golden_pair
from worker.authoring.one_chain import SHIPPED, load
from worker.errors import WorkerError

NEW_CHAIN = '''\
"""The history of our events. One module is one step; golden pairs stand in ``golden/``."""

from upcasters import chain_from_package

chain = chain_from_package(__name__)
'''

FIRST_VERSION = '''\
"""{title}."""

from pydantic import BaseModel, ConfigDict

from upcasters import Baseline, anything


class {model}(BaseModel):
    """``{event_type}`` {version}."""

    model_config = ConfigDict(extra="allow")

    # The fields of an event, such as:
    # id: str


baseline = Baseline("{event_type}", "{version}", model={model}, shape=anything())
'''

STEP = '''\
"""{title}."""

{imports}


class {model}({parent}):
    """``{event_type}`` {version}."""


step = Step(
    event_type="{event_type}",
    source="{source}",
    target="{version}",
    operations=[
        # What changes, in order, such as default("branch", "main"); docs/upcasters.md lists all operations.
    ],
    model={model},{shape}
)
'''

SHAPE = """
    # The shape tells the versions apart: say what only this one has, such as present("branch").
    # shape=present("…"),"""


@dataclass(frozen=True)
class Place:
    """Where steps stand: a folder that is the package called ``package``."""

    folder: Path
    package: str


def scaffold(
    title: str, event_type: str, chain_name: str | None, folder: Path | None, version: str | None
) -> list[str]:
    """Write the files and tell what was done and what is left to do. Raises WorkerError; overwrites nothing."""
    if folder is not None and not (folder / "__init__.py").exists():
        place = Place(folder, package_of(folder))
        return _start(title, event_type, place, version or "1", {folder / "__init__.py": NEW_CHAIN})
    name = chain_name or (f"{package_of(folder)}:chain" if folder is not None else SHIPPED)
    return _add(title, event_type, name, load(name), folder, version)


def package_of(folder: Path) -> str:
    """The name by which the package in ``folder`` is imported from here."""
    try:
        parts = folder.resolve().relative_to(Path.cwd()).parts
    except ValueError:
        parts = (folder.resolve().name,)
    if not parts or not all(part.isidentifier() and not keyword.iskeyword(part) for part in parts):
        raise WorkerError(f"--dir {folder} is no name for a Python package: use letters, digits and _")
    return ".".join(parts)


def _start(
    title: str, event_type: str, place: Place, version: str, package: Mapping[Path, str] = MappingProxyType({})
) -> list[str]:
    text = FIRST_VERSION.format(
        title=sentence(title), model=class_name(event_type), event_type=event_type, version=version
    )
    return [
        *write_files({**package, place.folder / f"{module_name(event_type, version)}.py": text}),
        f"next: say in the model what {event_type} {version} holds",
        f'then: upcast new "…" --type {event_type} --chain {place.package}:chain',
    ]


def _add(title: str, event_type: str, name: str, chain: Chain, folder: Path | None, version: str | None) -> list[str]:
    place = place_of(name, chain, folder)
    if event_type not in chain.types:
        if version is None:
            known = f"chain {name} has no type {event_type}; it has {', '.join(chain.types)}"
            raise WorkerError(f"{known}. To start it there, name its first version with --to")
        return _start(title, event_type, place, version)
    source = chain.newest(event_type)
    if source is None:
        raise WorkerError(_left(chain, event_type))
    target = version or next_version(source)
    if (event_type, target) in chain.versions:
        raise WorkerError(f"{event_type} has a version {target} already; name another with --to")
    moved = _behind(chain, (event_type, source), target, place)
    files = {place.folder / f"{module_name(event_type, target)}.py": _step(title, chain, (event_type, source), target)}
    stem = folder_of(place.folder / "golden", event_type, source, target) / word(title)
    pair, notes = golden_pair(chain, (event_type, source), target, place.folder / "golden")
    files |= {stem.with_name(stem.name + suffix): text for suffix, text in pair.items()}
    told = write_files(files)
    for file, text in moved.items():
        file.write_text(text, encoding="utf-8")
        told.append(f"changed {_shown(file)}: its preview step starts at {target} now")
    return [
        *told,
        *notes,
        "next: fill in the operations and the model, and bring the golden pair up to date",
        f"then: upcast check --laws --chain {name}",
    ]


def _left(chain: Chain, event_type: str) -> str:
    """Why there is no place for another step of a type that all events leave."""
    ends = (end for version in chain.types[event_type] for end in chain.hops[event_type, version].ends)
    others = ", ".join(dict.fromkeys(other for other, _ in ends if other != event_type)) or "no event at all"
    return f"every event of {event_type} becomes {others}, so there is no version to start from: name that with --type"


def place_of(name: str, chain: Chain, folder: Path | None) -> Place:
    if not chain.name and folder is None:
        raise WorkerError(f"chain {name} is not made by chain_from_package, so new steps have no place; give --dir")
    if folder is not None:
        return Place(folder, package_of(folder))
    home = Path(importlib.import_module(chain.name).__file__ or "").parent
    if any(home.is_relative_to(sysconfig.get_path(part)) for part in ("purelib", "platlib")):
        raise WorkerError(
            f"chain {name} is an installed package ({home}), whose next version would overwrite the step: "
            "run this in its sources, or start a chain of your own with --dir"
        )
    return Place(home, chain.name)


def next_version(version: str) -> str:
    """The version behind ``version``: its last number and one. Raises WorkerError where that is a guess."""
    found = re.fullmatch(r"(.*?)(\d+)", version)
    if found is None or re.fullmatch(r"\d{4}-\d\d-\d\d", version):
        raise WorkerError(f"what comes behind version {version or '(none)'} cannot be guessed; say it with --to")
    return f"{found[1]}{int(found[2]) + 1}"


def _behind(chain: Chain, node: tuple[str, str], target: str, place: Place) -> Mapping[Path, str]:
    """A preview that starts at the newest version has to start behind the new one. Gives its file's new text."""
    hop = chain.hops.get(node)
    if hop is None:
        return {}
    step = hop.steps[0]
    file = place.folder / Path(step.file).name
    line = f'source="{node[1]}"'
    if not hop.preview or not file.is_file() or file.read_text(encoding="utf-8").count(line) != 1:
        raise WorkerError(f"step {step.id} starts at {node[0]} {node[1]} already; let it start at {target} first")
    return {file: file.read_text(encoding="utf-8").replace(line, f'source="{target}"')}


def _step(title: str, chain: Chain, node: tuple[str, str], target: str) -> str:
    imports, parent = _parent(chain, node)
    model, own = class_name(node[0]), parent.rpartition(".")[2]
    shapes = any(known.shape is not None for known in chain.versions.values())
    return STEP.format(
        title=sentence(title),
        imports=imports,
        model=own if own != "BaseModel" else model,
        parent=parent,
        event_type=node[0],
        source=node[1],
        version=target,
        shape=SHAPE if shapes else "",
    )


def _parent(chain: Chain, node: tuple[str, str]) -> tuple[str, str]:
    """The imports of a step and the class that its model starts from: the model of the version before."""
    model = chain.versions[node].model
    if model is None:
        return "from pydantic import BaseModel\n\nfrom upcasters import Step", "BaseModel"
    package, _, module = model.__module__.rpartition(".")
    line = f"from {package} import {module}" if package else f"import {module}"
    between = "\n" if package.partition(".")[0] == "upcasters" else "\n\n"
    return f"from upcasters import Step{between}{line}", f"{module}.{model.__qualname__}"


def write_files(files: Mapping[Path, str]) -> list[str]:
    for file in files:
        if file.exists():
            raise WorkerError(f"{_shown(file)} exists already; nothing was written")
    try:
        for file, text in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WorkerError(f"{error.filename} cannot be written: {error.strerror}") from error
    return [f"wrote {_shown(file)}" for file in files]


def _shown(file: Path) -> str:
    try:
        return file.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(file)


def sentence(title: str) -> str:
    text = " ".join(title.replace("\\", " ").replace('"', "'").split()).rstrip(".")
    if not text:
        raise WorkerError('the title is empty; say what the step does, such as "add branch"')
    return text[0].upper() + text[1:]


def word(text: str) -> str:
    return re.sub(r"\W+", "_", text.lower()).strip("_") or "step"


def module_name(event_type: str, version: str) -> str:
    name = word(f"{event_type}_{version}")
    return name if name.isidentifier() else f"step_{name}"


def class_name(event_type: str) -> str:
    name = "".join(part[:1].upper() + part[1:] for part in re.split(r"[^0-9a-zA-Z]+", event_type))
    return name if name.isidentifier() and not keyword.iskeyword(name) else f"Event{name}"
