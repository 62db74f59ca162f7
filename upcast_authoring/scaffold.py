"""The files of a new step: module, model and golden pair; or of a new chain with its first version."""

from __future__ import annotations

import importlib
import json
import keyword
import re
import shlex
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from upcast_authoring.errors import CommandError
from upcast_authoring.examples import golden_pair
from upcast_authoring.one_chain import SHIPPED, load
from upcasters import Chain
from upcasters.formats import Schema
from upcasters.testing.golden import folder_of

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

STEP_BY_SCHEMA = '''\
"""{title}."""

from upcasters import Step

step = Step(
    event_type="{event_type}",
    source="{source}",
    target="{version}",
    operations=[
        # What changes, in order, such as default("branch", "main"); docs/upcasters.md lists all operations.
    ],
    schema="{schema}",{shape}
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
    """Write the files and tell what was done and what is left to do. Raises CommandError; overwrites nothing."""
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
        raise CommandError(f"--dir {folder} is no name for a Python package: use letters, digits and _", code="UPC2101")
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
        f'then: upcast new "…" --type {shlex.quote(event_type)} --chain {place.package}:chain',
    ]


def _add(title: str, event_type: str, name: str, chain: Chain, folder: Path | None, version: str | None) -> list[str]:
    place = place_of(name, chain, folder)
    if event_type not in chain.types:
        if version is None:
            known = f"chain {name} has no type {event_type}; it has {', '.join(chain.types)}"
            raise CommandError(f"{known}. To start it there, name its first version with --to", code="UPC2102")
        return _start(title, event_type, place, version)
    source = chain.newest(event_type)
    if source is None:
        raise CommandError(_left(chain, event_type), code="UPC2102")
    target = version or next_version(source)
    if (event_type, target) in chain.versions:
        raise CommandError(f"{event_type} has a version {target} already; name another with --to", code="UPC2102")
    moved = _behind(chain, (event_type, source), target, place)
    files = _files(title, chain, (event_type, source), target, place.folder)
    what = "model" if len(files) == 1 else "schema"
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
        f"next: fill in the operations and the {what}, and bring the golden pair up to date",
        f"then: upcast check --laws --chain {name}",
    ]


def _left(chain: Chain, event_type: str) -> str:
    """Why there is no place for another step of a type that all events leave."""
    ends = (end for version in chain.types[event_type] for end in chain.hops[event_type, version].ends)
    others = ", ".join(dict.fromkeys(other for other, _ in ends if other != event_type)) or "no event at all"
    return f"every event of {event_type} becomes {others}, so there is no version to start from: name that with --type"


def place_of(name: str, chain: Chain, folder: Path | None) -> Place:
    if not chain.name and folder is None:
        raise CommandError(
            f"chain {name} is not made by chain_from_package, so new steps have no place; give --dir", code="UPC2103"
        )
    if folder is not None:
        return Place(folder, package_of(folder))
    home = Path(importlib.import_module(chain.name).__file__ or "").parent
    if any(home.is_relative_to(sysconfig.get_path(part)) for part in ("purelib", "platlib")):
        raise CommandError(
            f"chain {name} is an installed package ({home}), whose next version would overwrite the step: "
            "run this in its sources, or start a chain of your own with --dir",
            code="UPC2103",
        )
    return Place(home, chain.name)


def next_version(version: str) -> str:
    """The version behind ``version``: its last number and one. Raises CommandError where that is a guess."""
    found = re.fullmatch(r"(.*?)(\d+)", version)
    if found is None or re.fullmatch(r"\d{4}-\d\d-\d\d", version):
        raise CommandError(
            f"what comes behind version {version or '(none)'} cannot be guessed; say it with --to", code="UPC2101"
        )
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
        raise CommandError(
            f"step {step.id} starts at {node[0]} {node[1]} already; let it start at {target} first", code="UPC2102"
        )
    return {file: file.read_text(encoding="utf-8").replace(line, f'source="{target}"')}


_SUFFIXES: Mapping[str, str] = {"avro": ".avsc", "json": ".json", "protobuf": ".proto"}


def _files(title: str, chain: Chain, node: tuple[str, str], target: str, folder: Path) -> dict[Path, str]:
    """The step, and beside it the schema of the version before where that has one in place of a model. What it imports
    is there already."""
    module = folder / f"{module_name(node[0], target)}.py"
    known = chain.versions[node]
    text = _schema_text(known.schema) if known.schema is not None else None
    if known.model is not None or known.schema is None or text is None:
        return {module: _step(title, chain, node, target)}
    suffix = _SUFFIXES[known.schema.kind]
    name = f"{word(node[0])}-{re.sub(r'[^0-9A-Za-z.]+', '-', target)}{suffix}"
    step = STEP_BY_SCHEMA.format(
        title=sentence(title),
        event_type=node[0],
        source=node[1],
        version=target,
        schema=f"{name}#{known.schema.message}" if known.schema.message else name,
        shape=_shape_of(chain),
    )
    return {module: step, folder / name: text}


def _schema_text(schema: Schema) -> str | None:
    """The text that a schema's file has; None for a compiled schema of Protobuf, of which there is no text."""
    if schema.kind == "protobuf":
        return schema.text if "{" in schema.text else None
    return json.dumps(json.loads(schema.text), indent=2, ensure_ascii=False) + "\n"


def _shape_of(chain: Chain) -> str:
    return SHAPE if any(known.shape is not None for known in chain.versions.values()) else ""


def _step(title: str, chain: Chain, node: tuple[str, str], target: str) -> str:
    imports, parent = _parent(chain, node)
    model, own = class_name(node[0]), parent.rpartition(".")[2]
    return STEP.format(
        title=sentence(title),
        imports=imports,
        model=own if own != "BaseModel" else model,
        parent=parent,
        event_type=node[0],
        source=node[1],
        version=target,
        shape=_shape_of(chain),
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
            raise CommandError(f"{_shown(file)} exists already; nothing was written", code="UPC2104")
    try:
        for file, text in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be written: {error.strerror}", code="UPC1004") from error
    return [f"wrote {_shown(file)}" for file in files]


def _shown(file: Path) -> str:
    try:
        return file.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(file)


def sentence(title: str) -> str:
    text = " ".join(title.replace("\\", " ").replace('"', "'").split()).rstrip(".")
    if not text:
        raise CommandError('the title is empty; say what the step does, such as "add branch"', code="UPC2101")
    return text[0].upper() + text[1:]


def word(text: str) -> str:
    return re.sub(r"\W+", "_", text.lower()).strip("_") or "step"


def module_name(event_type: str, version: str) -> str:
    name = word(f"{event_type}_{version}")
    return name if name.isidentifier() else f"step_{name}"


def class_name(event_type: str) -> str:
    name = "".join(part[:1].upper() + part[1:] for part in re.split(r"[^0-9a-zA-Z]+", event_type))
    return name if name.isidentifier() and not keyword.iskeyword(name) else f"Event{name}"
